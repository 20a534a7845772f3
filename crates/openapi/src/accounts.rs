//! The calls under `/auth`, where the app has people.

use serde_json::{Map, Value as Json, json};

use crate::{
    answers::{answer, empty, with_problems},
    value::reference,
};

/// The tag of these calls.
pub(crate) const TAG: &str = "auth";

/// One call: method, path, id, summary, what its body holds (a mark of interrogation stands behind what may be absent),
/// its good answers, and the further problems that it may have.
type Call = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static [&'static str],
    &'static [(u16, &'static str)],
    &'static [u16],
);

/// What a body or an answer of another kind than text holds, by its name.
const KINDS: [(&str, &str); 5] =
    [("all", "boolean"), ("credential", "object"), ("roles", "array"), ("scopes", "array"), ("expires_in", "integer")];

const CALLS: &[Call] = &[
    (
        "post",
        "/auth/sign-up",
        "signUp",
        "A new account. The person's own fields go along",
        &["email", "password", "invite?"],
        &[(201, "AuthSignedIn"), (202, "AuthTicket")],
        &[403, 404, 409, 413, 415, 422],
    ),
    (
        "post",
        "/auth/sign-in",
        "signIn",
        "A session for e-mail and password, or a question for a further proof",
        &["email", "password", "device_token?"],
        &[(200, "AuthAnswer")],
        &[403, 404, 413, 415, 422],
    ),
    (
        "post",
        "/auth/mfa/verify",
        "verifyFactor",
        "The further proof",
        &["mfa_token", "code", "factor?"],
        &[(200, "AuthAnswer")],
        &[403, 404, 413, 415, 422],
    ),
    (
        "post",
        "/auth/refresh",
        "refresh",
        "New tokens for a refresh token, which is good once",
        &["refresh_token", "retry?"],
        &[(200, "AuthTokens")],
        &[403, 404, 413, 415, 422],
    ),
    (
        "post",
        "/auth/sign-out",
        "signOut",
        "This session ends, or every one",
        &["all?"],
        &[(204, "")],
        &[403, 404, 413, 415, 422],
    ),
    (
        "post",
        "/auth/reauth",
        "reauthenticate",
        "A fresh proof of who you are",
        &["password?", "ticket?", "code?", "ceremony?", "credential?"],
        &[(200, "AuthTokens"), (204, "")],
        &[403, 404, 413, 415, 422],
    ),
    ("get", "/auth/me", "getMe", "Your own record", &[], &[(200, "AuthPerson")], &[304, 403, 404]),
    (
        "patch",
        "/auth/me",
        "updateMe",
        "Changes your own record (JSON Merge Patch)",
        &[],
        &[(200, "AuthPerson")],
        &[403, 404, 409, 412, 413, 415, 422],
    ),
    (
        "delete",
        "/auth/me",
        "deleteMe",
        "Deletes your account; asks for a fresh sign-in",
        &[],
        &[(204, "")],
        &[403, 404, 409, 412],
    ),
    ("get", "/auth/sessions", "listSessions", "Where you are signed in", &[], &[(200, "AuthSessions")], &[403, 404]),
    ("delete", "/auth/sessions/{id}", "endSession", "Ends one of your sessions", &[], &[(204, "")], &[403, 404]),
    (
        "post",
        "/auth/password/change",
        "changePassword",
        "Another password; your other sessions end",
        &["current_password", "password"],
        &[(204, "")],
        &[403, 404, 413, 415, 422],
    ),
    (
        "post",
        "/auth/password/forgot",
        "forgotPassword",
        "Mails a link to set a new password; the answer is the same for every address",
        &["email"],
        &[(202, "AuthNothing")],
        &[403, 404, 413, 415, 422],
    ),
    (
        "post",
        "/auth/password/reset",
        "resetPassword",
        "Sets a new password with the secret of a mailed link; every session ends",
        &["secret", "password"],
        &[(204, "")],
        &[403, 404, 413, 415, 422],
    ),
    (
        "post",
        "/auth/email/verify",
        "verifyEmail",
        "Proves your address: without a body a code is mailed, with ticket and code it counts",
        &["ticket?", "code?"],
        &[(200, "AuthAnswer"), (202, "AuthTicket"), (204, "")],
        &[403, 404, 409, 413, 415, 422],
    ),
    (
        "post",
        "/auth/email/change",
        "changeEmail",
        "Another address: a code is mailed there; asks for a fresh sign-in",
        &["email?", "ticket?", "code?"],
        &[(202, "AuthTicket"), (204, "")],
        &[403, 404, 409, 413, 415, 422],
    ),
    (
        "post",
        "/auth/code/request",
        "requestCode",
        "Mails a code to sign in with; the answer is the same for every address",
        &["email"],
        &[(202, "AuthTicket")],
        &[403, 404, 413, 415, 422],
    ),
    (
        "post",
        "/auth/code/verify",
        "verifyCode",
        "A session for a mailed code",
        &["ticket", "code"],
        &[(200, "AuthAnswer"), (201, "AuthSignedIn")],
        &[403, 404, 409, 413, 415, 422],
    ),
    (
        "post",
        "/auth/oauth/token",
        "exchangeOauthCode",
        "A session for the code that a sign-in with a provider has brought",
        &["code", "code_verifier", "invite?"],
        &[(200, "AuthAnswer"), (201, "AuthSignedIn")],
        &[403, 404, 409, 413, 415, 422],
    ),
    (
        "post",
        "/auth/oauth/{name}/link",
        "linkProvider",
        "Links a provider with your account; asks for a fresh sign-in",
        &["code", "code_verifier"],
        &[(204, "")],
        &[403, 404, 409, 413, 415, 422],
    ),
    (
        "delete",
        "/auth/oauth/{name}/link",
        "unlinkProvider",
        "Takes such a link away, but never your last way in",
        &[],
        &[(204, "")],
        &[403, 404, 409],
    ),
    ("get", "/auth/oauth", "listLinks", "Your links with providers", &[], &[(200, "AuthList")], &[403, 404]),
    ("get", "/auth/factors", "listFactors", "Your second factors and passkeys", &[], &[(200, "AuthList")], &[403, 404]),
    (
        "delete",
        "/auth/factors/{id}",
        "deleteFactor",
        "Takes one away; asks for a fresh sign-in",
        &[],
        &[(204, "")],
        &[403, 404, 409],
    ),
    (
        "post",
        "/auth/totp/enroll",
        "enrollTotp",
        "A secret for an authenticator app; asks for a fresh sign-in",
        &[],
        &[(200, "AuthTotp")],
        &[403, 404, 409, 413, 415, 422],
    ),
    (
        "post",
        "/auth/totp/confirm",
        "confirmTotp",
        "Confirms the app with its first code",
        &["code"],
        &[(200, "AuthRecoveryCodes")],
        &[403, 404, 409, 413, 415, 422],
    ),
    (
        "post",
        "/auth/recovery-codes",
        "renewRecoveryCodes",
        "New recovery codes in place of the old; asks for a fresh sign-in",
        &[],
        &[(200, "AuthRecoveryCodes")],
        &[403, 404, 409, 413, 415, 422],
    ),
    (
        "post",
        "/auth/passkeys/register/begin",
        "beginPasskey",
        "What the browser needs to make a passkey; asks for a fresh sign-in",
        &[],
        &[(200, "AuthCeremony")],
        &[403, 404, 409, 413, 415, 422],
    ),
    (
        "post",
        "/auth/passkeys/register/finish",
        "finishPasskey",
        "Keeps the passkey that the browser has made",
        &["ceremony", "credential", "name?"],
        &[(201, "AuthItem")],
        &[403, 404, 409, 413, 415, 422],
    ),
    (
        "post",
        "/auth/passkeys/sign-in/begin",
        "beginPasskeySignIn",
        "What the browser needs to sign in with a passkey",
        &[],
        &[(200, "AuthCeremony")],
        &[403, 404, 413, 415, 422],
    ),
    (
        "post",
        "/auth/passkeys/sign-in/finish",
        "finishPasskeySignIn",
        "A session for the browser's answer",
        &["ceremony", "credential"],
        &[(200, "AuthAnswer")],
        &[403, 404, 413, 415, 422],
    ),
    ("get", "/auth/keys", "listKeys", "Your API keys", &[], &[(200, "AuthList")], &[403, 404]),
    (
        "post",
        "/auth/keys",
        "createKey",
        "A new API key, shown in this answer alone; asks for a fresh sign-in",
        &["name", "scopes", "roles?", "expires_at?"],
        &[(201, "AuthItem")],
        &[403, 404, 409, 413, 415, 422],
    ),
    ("delete", "/auth/keys/{id}", "deleteKey", "Ends one of your keys", &[], &[(204, "")], &[403, 404]),
    (
        "get",
        "/auth/invites",
        "listInvites",
        "Invitations that wait (administrators)",
        &[],
        &[(200, "AuthList")],
        &[403, 404],
    ),
    (
        "post",
        "/auth/invites",
        "createInvite",
        "Invites somebody by mail (administrators)",
        &["email", "roles?"],
        &[(201, "AuthItem")],
        &[403, 404, 409, 413, 415, 422],
    ),
    (
        "delete",
        "/auth/invites/{id}",
        "deleteInvite",
        "Takes an invitation back (administrators)",
        &[],
        &[(204, "")],
        &[403, 404],
    ),
    (
        "get",
        "/.well-known/jwks.json",
        "getKeySet",
        "The public keys of access tokens (RFC 7517)",
        &[],
        &[(200, "AuthKeySet")],
        &[404],
    ),
];

/// Adds them.
pub(crate) fn add(paths: &mut Map<String, Json>) {
    for (method, path, id, summary, body, good, problems) in CALLS {
        let mut answers = json!({});
        for (status, name) in *good {
            answers[status.to_string()] = match *name {
                "" => empty("Done.", &[]),
                name => answer("Done.", &[], &reference(name)),
            };
        }
        let problems: Vec<u16> = problems.iter().copied().filter(|status| *status >= 400).collect();
        let mut call = json!({
            "operationId": id,
            "summary": summary,
            "tags": [TAG],
            "responses": with_problems(answers, &problems),
        });
        if !body.is_empty() {
            let schema = self::body(body, *id == "signUp" || *id == "exchangeOauthCode");
            let required = body.iter().any(|name| !name.ends_with('?'));
            call["requestBody"] =
                json!({ "required": required, "content": { "application/json": { "schema": schema } } });
        } else if *method == "patch" {
            let schema = json!({ "type": "object" });
            let content = json!({ "application/merge-patch+json": { "schema": schema }, "application/json": { "schema": schema } });
            call["requestBody"] = json!({ "required": true, "content": content });
        }
        let named = path.split('/').find_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'));
        if let Some(name) = named {
            call["parameters"] =
                json!([{ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }]);
        }
        let entry = paths.entry((*path).to_owned()).or_insert_with(|| json!({}));
        entry[*method] = call;
    }
}

/// The schema of a body; `open` where a person's own fields may go along.
fn body(names: &[&str], open: bool) -> Json {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for name in names {
        let bare = name.trim_end_matches('?');
        properties.insert(bare.to_owned(), kind(bare));
        if bare == *name {
            required.push(bare);
        }
    }
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": open })
}

fn kind(name: &str) -> Json {
    match KINDS.iter().find(|(known, _)| *known == name).map_or("string", |(_, kind)| kind) {
        "array" => json!({ "type": "array", "items": { "type": "string" } }),
        kind => json!({ "type": kind }),
    }
}

/// The schemas that they use.
pub(crate) fn schemas() -> Map<String, Json> {
    let object = |description: &str, names: &[&str]| {
        let mut schema = body(names, true);
        schema["description"] = description.into();
        schema
    };
    let person = json!({
        "type": "object",
        "description": "Your own record.",
        "properties": { "id": { "type": ["string", "integer"] } },
        "required": ["id"],
    });
    let mut tokens = object(
        "Tokens of a session; a cookie's session has none.",
        &["access_token", "refresh_token?", "token_type", "expires_in"],
    );
    tokens["properties"]["expires_in"] =
        json!({ "type": "integer", "description": "Seconds until the access token ends." });
    let mut signed_in = object(
        "A session: with tokens, or in a cookie where `Mainstay-Session: cookie` was sent.",
        &["access_token?", "refresh_token?", "token_type?", "expires_in?", "device_token?", "expires_at?"],
    );
    signed_in["properties"]["user"] = reference("AuthPerson");
    signed_in["required"] = json!(["user"]);
    let mut asks = object("A further proof is asked for: `POST /auth/mfa/verify`.", &["mfa_token"]);
    asks["properties"]["factors"] = json!({ "type": "array", "items": { "type": "string" } });
    asks["required"] = json!(["mfa_token", "factors"]);
    let item = json!({
        "type": "object",
        "properties": { "id": { "type": "string" }, "name": { "type": ["string", "null"] }, "created_at": { "type": ["string", "null"], "format": "date-time" } },
        "required": ["id"],
    });
    let list = |items: &str| {
        let items = json!({ "type": "array", "items": reference(items) });
        json!({ "type": "object", "properties": { "items": items }, "required": ["items"] })
    };
    let mut ceremony = object("For `navigator.credentials`; send `ceremony` back with the answer.", &["ceremony"]);
    ceremony["properties"]["publicKey"] = json!({ "type": "object" });
    ceremony["required"] = json!(["ceremony", "publicKey"]);
    let codes = json!({ "type": "array", "items": { "type": "string" } });
    Map::from_iter([
        ("AuthPerson".to_owned(), person),
        ("AuthTokens".to_owned(), tokens),
        ("AuthSignedIn".to_owned(), signed_in),
        ("AuthAsks".to_owned(), asks),
        ("AuthAnswer".to_owned(), json!({ "anyOf": [reference("AuthSignedIn"), reference("AuthAsks")] })),
        ("AuthTicket".to_owned(), object("A code was mailed: it counts with this ticket.", &["ticket"])),
        ("AuthNothing".to_owned(), json!({ "type": "object" })),
        ("AuthSessions".to_owned(), list("AuthItem")),
        ("AuthItem".to_owned(), item),
        ("AuthList".to_owned(), list("AuthItem")),
        ("AuthTotp".to_owned(), object("For an authenticator app.", &["secret", "uri"])),
        (
            "AuthRecoveryCodes".to_owned(),
            json!({ "type": "object", "properties": { "recovery_codes": codes }, "required": ["recovery_codes"] }),
        ),
        ("AuthCeremony".to_owned(), ceremony),
        (
            "AuthKeySet".to_owned(),
            json!({ "type": "object", "properties": { "keys": { "type": "array", "items": { "type": "object" } } }, "required": ["keys"] }),
        ),
    ])
}
