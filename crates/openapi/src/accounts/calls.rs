//! The calls that an `[auth]` table opens, in the order of the contract.

use model::{Code, identity::Method};
use serde_json::json;

use super::{People, bodies, call::Call, items_of};
use crate::{
    answers::{answer, empty},
    parameters::{own, reference as parameter},
    shapes,
    value::reference,
};

/// All of them.
pub(super) fn all(people: People<'_>) -> Vec<Call> {
    let mut calls = Vec::new();
    if people.settings.allows(Method::Password) {
        calls.extend(passwords(people));
    }
    calls.extend(sessions(people));
    calls.extend(own_record(people));
    calls.extend(addresses(people));
    if people.settings.allows(Method::EmailCode) {
        calls.extend(codes());
    }
    if people.settings.allows(Method::OAuth) && !people.settings.oauth.is_empty() {
        calls.extend(providers(people));
    }
    calls.extend(factors());
    if people.settings.allows(Method::Passkey) {
        calls.extend(passkeys());
    }
    calls.extend(keys(people));
    calls.extend(invites(people));
    calls.push(key_set());
    calls
}

fn passwords(people: People<'_>) -> [Call; 4] {
    let sign_up = Call::new("post", "/auth/sign-up", "signUp", "Make an account")
        .body(&bodies::sign_up(people))
        .signs_in(201, "The account is there, and its first session.", "AuthSignedIn")
        .may(&[Code::Forbidden, Code::Conflict, Code::MissingReference]);
    let sign_up = match people.settings.verify_email {
        true => sign_up.gives(202, "The account is there once its code comes to `POST /auth/email/verify`; the same for an address that has one.", &reference("AuthTicket")),
        false => sign_up,
    };
    [
        sign_up,
        Call::new("post", "/auth/sign-in", "signIn", "A session for e-mail and password")
            .body(&bodies::sign_in())
            .signs_in(200, "A session, or a question for a further proof.", "AuthAnswer"),
        Call::new("post", "/auth/password/change", "changePassword", "Another password; your other sessions end")
            .person()
            .body(&bodies::change_password(people))
            .done("It is changed."),
        Call::new("post", "/auth/password/forgot", "forgotPassword", "Mails a link to set a new password")
            .body(&bodies::whom())
            .gives(202, "The same for every address.", &reference("AuthNothing")),
    ]
}

fn sessions(people: People<'_>) -> [Call; 7] {
    let session = bodies::in_path("id", json!({ "type": "string" }), "The session's id.");
    [
        Call::new("post", "/auth/mfa/verify", "verifyFactor", "The further proof that a sign-in has asked for")
            .body(&bodies::verify_factor())
            .signs_in(200, "A session, or a question for one proof more.", "AuthAnswer"),
        Call::new("post", "/auth/refresh", "refresh", "New tokens for a refresh token, which is good once")
            .body(&bodies::refresh())
            .gives(200, "The tokens to go on with.", &reference("AuthRenewed")),
        Call::new("post", "/auth/sign-out", "signOut", "This session ends, or every one")
            .person()
            .optional_body(&bodies::sign_out())
            .done("It has ended.")
            .with_cookie(204),
        Call::new("get", "/auth/sessions", "listSessions", "Where you are signed in").person().gives(
            200,
            "Your sessions, the latest first.",
            &items_of("AuthSession"),
        ),
        Call::new("delete", "/auth/sessions/{id}", "endSession", "Ends one of your sessions")
            .person()
            .takes(session)
            .done("It has ended.")
            .with_cookie(204)
            .may(&[Code::NotFound]),
        Call::new("post", "/auth/reauth", "reauthenticate", "A fresh proof of who you are")
            .person()
            .body(&bodies::reauth())
            .gives(200, "The proof counts, and an access token says so.", &reference("AuthProved"))
            .done("The proof counts for the session of the cookie."),
        Call::new(
            "post",
            "/auth/password/reset",
            "resetPassword",
            "Sets a new password with the secret of a mailed link; every session ends",
        )
        .body(&bodies::reset_password(people))
        .done("It is set; sign in with it.")
        .with_cookie(204)
        .may(&[Code::Validation]),
    ]
}

fn own_record(people: People<'_>) -> [Call; 3] {
    let subject = people.subject;
    let person = reference("AuthPerson");
    let headers = [("Cache-Control", "NoStore"), ("ETag", "ETag")];
    let patch = reference(&format!("{}Patch", subject.names.one));
    [
        Call::new("get", "/auth/me", "getMe", "Your own record; with an API key, its owner's")
            .known()
            .takes(own(subject, "fields"))
            .may(&[Code::BadParameter])
            .answers_with(200, answer("The record.", &headers, &person)),
        Call::new("patch", "/auth/me", "updateMe", "Changes your own record (JSON Merge Patch)")
            .person()
            .takes(parameter("IfMatch"))
            .bodies(&["application/merge-patch+json", "application/json"], &patch, true)
            .answers_with(200, answer("The record as it is now.", &headers, &shapes::any_of_record(subject)))
            .may(&[Code::Conflict, Code::MissingReference, Code::PreconditionFailed]),
        Call::new("delete", "/auth/me", "deleteMe", "Deletes your account")
            .fresh()
            .takes(parameter("IfMatch"))
            .done("It is gone.")
            .with_cookie(204)
            .may(&[Code::InUse, Code::LastAdministrator, Code::PreconditionFailed]),
    ]
}

fn addresses(people: People<'_>) -> [Call; 2] {
    [
        Call::new(
            "post",
            "/auth/email/verify",
            "verifyEmail",
            "Proves your address: without ticket and code a code is mailed, with them it counts",
        )
        .optional_body(&bodies::verify_email())
        .gives(200, "Your address is proved.", &reference("AuthChanged"))
        .signs_in(201, "The account that was asked for is there.", "AuthSignedIn")
        .gives(202, "A code is mailed to you.", &reference("AuthTicket"))
        .may(&[Code::Unauthenticated, Code::Forbidden, Code::NotFound, Code::Conflict, Code::MissingReference]),
        Call::new(
            "post",
            "/auth/email/change",
            "changeEmail",
            "Another address: a code is mailed there, with ticket and code it counts",
        )
        .fresh()
        .body(&bodies::change_email(people))
        .gives(200, "The address is changed.", &reference("AuthChanged"))
        .gives(202, "A code is mailed there.", &reference("AuthTicket"))
        .may(&[Code::Conflict]),
    ]
}

fn codes() -> [Call; 2] {
    [
        Call::new("post", "/auth/code/request", "requestCode", "Mails a code to sign in with")
            .body(&bodies::whom())
            .gives(202, "The same for every address.", &reference("AuthTicket")),
        Call::new("post", "/auth/code/verify", "verifyCode", "A session for a mailed code")
            .body(&bodies::mailed_code())
            .signs_in(200, "A session, or a question for a further proof.", "AuthAnswer")
            .signs_in(201, "A new account, and its session.", "AuthSignedIn")
            .may(&[Code::Forbidden, Code::Conflict, Code::MissingReference]),
    ]
}

fn providers(people: People<'_>) -> [Call; 6] {
    let challenge = json!({ "type": "string", "pattern": "^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$" });
    let return_to = match people.settings.return_urls.as_slice() {
        [] => json!({ "type": "string" }),
        urls => json!({ "type": "string", "enum": urls }),
    };
    let text = || json!({ "type": "string" });
    let told = |description: &str| empty(description, &[("Cache-Control", "NoStore"), ("Location", "Elsewhere")]);
    [
        Call::new("get", "/auth/oauth/{name}", "beginOauth", "To a provider, to sign in there: for browsers to follow")
            .takes(bodies::provider(people))
            .takes(bodies::in_query("return_to", true, return_to, "Where the browser comes back to: one of `return_urls` in `[auth]`; of one on loopback the port is free."))
            .takes(bodies::in_query("code_challenge", true, challenge, "The base64url of the SHA-256 of `code_verifier` (RFC 7636)."))
            .takes(bodies::in_query("code_challenge_method", false, json!({ "type": "string", "enum": ["S256"] }), "How the challenge is made."))
            .answers_with(303, told("To the provider."))
            .with_cookie(303)
            .may(&[Code::NotFound]),
        Call::new("get", "/auth/oauth/{name}/callback", "endOauth", "Back from a provider: where it sends the browser")
            .takes(bodies::provider(people))
            .takes(bodies::in_query("state", true, json!({ "type": "string", "format": "oauth-state" }), "What the provider was sent."))
            .takes(bodies::in_query("code", false, text(), "The provider's code."))
            .takes(bodies::in_query("iss", false, text(), "The issuer (RFC 9207)."))
            .takes(bodies::in_query("error", false, text(), "Why there is no code."))
            .answers_with(303, told("To `return_to`, with `?code=` for `POST /auth/oauth/token`, or `?error=`."))
            .may(&[Code::NotFound]),
        Call::new("post", "/auth/oauth/token", "exchangeOauthCode", "A session for the code that a sign-in with a provider has brought")
            .body(&bodies::exchange_code(people))
            .signs_in(200, "A session, or a question for a further proof.", "AuthAnswer")
            .signs_in(201, "A new account, and its session.", "AuthSignedIn")
            .may(&[Code::Forbidden, Code::NotFound, Code::Conflict, Code::LinkRequired, Code::MissingReference]),
        Call::new("post", "/auth/oauth/{name}/link", "linkProvider", "Links a provider with your account")
            .fresh()
            .takes(bodies::provider(people))
            .body(&bodies::link_provider())
            .done("It is linked.")
            .may(&[Code::NotFound, Code::Conflict]),
        Call::new("get", "/auth/oauth", "listLinks", "Your links with providers").person().gives(
            200,
            "All of them, also with providers that the app has no more.",
            &items_of("AuthLink"),
        ),
        Call::new("delete", "/auth/oauth/{name}/link", "unlinkProvider", "Takes such a link away, but never your last way in")
            .fresh()
            .takes(bodies::provider(people))
            .done("It is gone.")
            .may(&[Code::NotFound, Code::Conflict]),
    ]
}

fn factors() -> [Call; 5] {
    let factor = bodies::in_path("id", json!({ "type": "string" }), "The factor's id.");
    [
        Call::new("post", "/auth/totp/enroll", "enrollTotp", "A secret for an authenticator app")
            .fresh()
            .gives(200, "For the app; nothing is asked for before `POST /auth/totp/confirm`.", &reference("AuthTotp"))
            .may(&[Code::Conflict]),
        Call::new("post", "/auth/totp/confirm", "confirmTotp", "Confirms the app with its first code")
            .fresh()
            .body(&bodies::code())
            .gives(200, "From now on sign-ins ask for it. The codes stand in for it.", &reference("AuthRecoveryCodes"))
            .may(&[Code::Conflict]),
        Call::new("get", "/auth/factors", "listFactors", "Your second factors and passkeys").person().gives(
            200,
            "All of them.",
            &items_of("AuthFactor"),
        ),
        Call::new("delete", "/auth/factors/{id}", "deleteFactor", "Takes one away; your other sessions end")
            .fresh()
            .takes(factor)
            .done("It is gone.")
            .may(&[Code::NotFound, Code::Conflict]),
        Call::new("post", "/auth/recovery-codes", "renewRecoveryCodes", "New recovery codes in place of the old")
            .fresh()
            .gives(200, "The old ones are void.", &reference("AuthRecoveryCodes"))
            .may(&[Code::Conflict]),
    ]
}

fn passkeys() -> [Call; 4] {
    [
        Call::new("post", "/auth/passkeys/register/begin", "beginPasskey", "What the browser needs to make a passkey")
            .fresh()
            .gives(200, "For `navigator.credentials.create()`.", &reference("AuthCreation"))
            .may(&[Code::Conflict]),
        Call::new(
            "post",
            "/auth/passkeys/register/finish",
            "finishPasskey",
            "Keeps the passkey that the browser has made",
        )
        .person()
        .body(&bodies::finish_passkey())
        .gives(201, "It is kept.", &reference("AuthFactor"))
        .may(&[Code::Conflict]),
        Call::new(
            "post",
            "/auth/passkeys/sign-in/begin",
            "beginPasskeySignIn",
            "What the browser needs to sign in with a passkey",
        )
        .gives(200, "For `navigator.credentials.get()`.", &reference("AuthRequest")),
        Call::new("post", "/auth/passkeys/sign-in/finish", "finishPasskeySignIn", "A session for the browser's answer")
            .body(&bodies::finish_passkey_sign_in())
            .signs_in(200, "A session, or a question for a proof of the address.", "AuthAnswer"),
    ]
}

fn keys(people: People<'_>) -> [Call; 3] {
    let key = bodies::in_path("id", json!({ "type": "string" }), "The key's id.");
    let made =
        answer("It is made.", &[("Cache-Control", "NoStore"), ("Location", "Location")], &reference("AuthNewKey"));
    [
        Call::new("get", "/auth/keys", "listKeys", "Your API keys").person().gives(
            200,
            "All of them.",
            &items_of("AuthKey"),
        ),
        Call::new("post", "/auth/keys", "createKey", "A new API key, for a program that acts in your place")
            .fresh()
            .body(&bodies::create_key(people))
            .answers_with(201, made)
            .may(&[Code::Conflict]),
        Call::new("delete", "/auth/keys/{id}", "deleteKey", "Ends one of your keys")
            .person()
            .takes(key)
            .done("It has ended.")
            .may(&[Code::NotFound]),
    ]
}

fn invites(people: People<'_>) -> [Call; 3] {
    let invite = bodies::in_path("id", json!({ "type": "string" }), "The invitation's id.");
    [
        Call::new("get", "/auth/invites", "listInvites", "Invitations that wait (administrators)").person().gives(
            200,
            "The latest first.",
            &items_of("AuthInvite"),
        ),
        Call::new("post", "/auth/invites", "createInvite", "Invites somebody by mail (administrators)")
            .person()
            .body(&bodies::create_invite(people))
            .gives(201, "The mail is on its way.", &reference("AuthInvite")),
        Call::new("delete", "/auth/invites/{id}", "deleteInvite", "Takes an invitation back (administrators)")
            .person()
            .takes(invite)
            .done("It is gone.")
            .may(&[Code::NotFound]),
    ]
}

fn key_set() -> Call {
    let keys = answer("For whoever verifies access tokens.", &[("Cache-Control", "Kept")], &reference("AuthKeySet"));
    Call::new("get", "/.well-known/jwks.json", "getKeySet", "The public keys of access tokens (RFC 7517)")
        .answers_with(200, keys)
}
