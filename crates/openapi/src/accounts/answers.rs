//! What the calls answer.

use model::{Kind, Origin};
use rules::Prospect;
use serde_json::{Map, Value as Json, json};

use super::{People, bodies::object};
use crate::{
    shapes,
    value::{self, Way, or_null, reference},
};

/// The schemas of all answers, by their names.
pub(super) fn schemas(people: People<'_>) -> Map<String, Json> {
    let described = |mut schema: Json, description: &str| {
        schema["description"] = description.into();
        schema
    };
    let codes = json!({ "type": "array", "items": { "type": "string" }, "description": "Shown in this answer alone; each is good once." });
    let any_of = |names: &[&str]| json!({ "anyOf": names.iter().map(|name| reference(name)).collect::<Vec<_>>() });
    let key_set = json!({
        "type": "object",
        "properties": {
            "kty": { "type": "string", "enum": ["OKP"] },
            "crv": { "type": "string", "enum": ["Ed25519"] },
            "alg": { "type": "string", "enum": ["EdDSA"] },
            "use": { "type": "string", "enum": ["sig"] },
            "kid": { "type": "string" },
            "x": { "type": "string" },
        },
        "required": ["kty", "crv", "alg", "use", "kid", "x"],
        "additionalProperties": false,
    });
    let schemas = [
        ("AuthPerson", person(people)),
        ("AuthTokens", described(tokens(true), "A session with its tokens.")),
        ("AuthCookie", described(cookie(), "A session in a cookie, as `Mainstay-Session: cookie` asks.")),
        ("AuthSignedIn", described(any_of(&["AuthTokens", "AuthCookie"]), "A session.")),
        ("AuthAsks", asks()),
        ("AuthAnswer", any_of(&["AuthTokens", "AuthCookie", "AuthAsks"])),
        ("AuthRenewed", described(tokens(false), "New tokens of the same session.")),
        ("AuthProved", described(proved(), "An access token that tells of the fresh proof.")),
        (
            "AuthTicket",
            described(
                object(&["ticket"], json!({ "ticket": { "type": "string" } })),
                "A code is mailed: it counts with this ticket.",
            ),
        ),
        ("AuthNothing", described(object(&[], json!({})), "Nothing is told.")),
        ("AuthChanged", object(&["user"], json!({ "user": reference("AuthPerson") }))),
        ("AuthSession", session()),
        ("AuthFactor", factor()),
        ("AuthLink", link()),
        ("AuthTotp", totp()),
        ("AuthRecoveryCodes", object(&["recovery_codes"], json!({ "recovery_codes": codes }))),
        ("AuthCreation", creation()),
        ("AuthRequest", request()),
        ("AuthKey", key(false)),
        ("AuthNewKey", key(true)),
        ("AuthInvite", invite()),
        ("AuthKeySet", object(&["keys"], json!({ "keys": { "type": "array", "items": key_set } }))),
    ];
    schemas.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect()
}

/// One's own record. What of it there is to see depends on who one will be: a stranger is told of what it sees itself, and
/// of the fields that every person has.
fn person(people: People<'_>) -> Json {
    if people.subject.view.sights.has_id {
        return shapes::any_of_record(people.subject);
    }
    let subject = people.subject;
    let mut properties = Map::new();
    for (index, field, outlook) in subject.fields() {
        let named = outlook.sight != Prospect::Never || people.settings.has(index);
        if field.origin != Origin::Id && (field.hidden || !named || !people.may_know_records()) {
            continue;
        }
        let schema = match field.kind {
            // Its own schema is in the document of those who see the field.
            Kind::Json { .. } => json!({}),
            _ => value::of(subject, field, Way::Read),
        };
        let schema = shapes::described(schema, field, Prospect::Perhaps);
        let optional = !field.required && !field.is_many() && field.is_declared();
        properties.insert(field.name.clone(), if optional { or_null(schema) } else { schema });
    }
    json!({ "type": "object", "description": "One's own record.", "properties": properties, "required": ["id"] })
}

fn text(description: &str) -> Json {
    json!({ "type": "string", "description": description })
}

fn moment(description: &str) -> Json {
    json!({ "type": "string", "format": "date-time", "description": description })
}

fn access() -> Map<String, Json> {
    Map::from_iter([
        ("access_token".to_owned(), text("A JWT, for `Authorization: Bearer …`.")),
        ("token_type".to_owned(), json!({ "type": "string", "enum": ["Bearer"] })),
        (
            "expires_in".to_owned(),
            json!({ "type": "integer", "minimum": 0, "description": "Seconds until the access token ends." }),
        ),
    ])
}

fn proved() -> Json {
    object(&["access_token", "token_type", "expires_in"], access().into())
}

fn tokens(first: bool) -> Json {
    let mut properties = access();
    let mut required = vec!["access_token", "refresh_token", "token_type", "expires_in"];
    properties.insert("refresh_token".to_owned(), text("For `POST /auth/refresh`; good once."));
    if first {
        properties.insert("user".to_owned(), reference("AuthPerson"));
        properties.insert(
            "device_token".to_owned(),
            text("Send it with later sign-ins on this device: guesses of others hold it up no longer then."),
        );
        required.push("user");
    }
    object(&required, properties.into())
}

fn cookie() -> Json {
    let expires_at = moment("When the session ends unless it is used.");
    object(&["user", "expires_at"], json!({ "user": reference("AuthPerson"), "expires_at": expires_at }))
}

fn asks() -> Json {
    let factors = json!({
        "type": "array",
        "items": { "type": "string", "enum": ["totp", "recovery_code", "email_code"] },
        "minItems": 1,
        "description": "Which proofs there are to choose from.",
    });
    let mut schema = object(
        &["mfa_token", "factors"],
        json!({ "mfa_token": text("Good for five minutes and five tries."), "factors": factors }),
    );
    schema["description"] = "A further proof is asked for: `POST /auth/mfa/verify`.".into();
    schema
}

fn session() -> Json {
    object(
        &["id", "current", "kind", "amr", "address", "agent", "created_at", "used_at", "expires_at"],
        json!({
            "id": text("For `DELETE /auth/sessions/{id}`."),
            "current": { "type": "boolean", "description": "Whether it is the one that asks." },
            "kind": { "type": "string", "enum": ["bearer", "cookie"] },
            "amr": { "type": "array", "items": { "type": "string" }, "description": "How it was begun (RFC 8176)." },
            "address": text("The address of the client that began it."),
            "agent": text("The `User-Agent` of that client."),
            "created_at": moment("When it was begun."),
            "used_at": moment("When it was used last, about."),
            "expires_at": moment("When it ends unless it is used."),
        }),
    )
}

fn factor() -> Json {
    object(
        &["id", "kind", "name", "created_at", "used_at"],
        json!({
            "id": text("For `DELETE /auth/factors/{id}`."),
            "kind": { "type": "string", "enum": ["totp", "passkey", "recovery_codes"] },
            "name": text("What it is called."),
            "created_at": moment("When it was added."),
            "used_at": or_null(moment("When it was used last.")),
            "left": { "type": "integer", "minimum": 0, "description": "How many recovery codes are left." },
        }),
    )
}

fn link() -> Json {
    object(
        &["id", "issuer", "subject", "created_at"],
        json!({
            "id": text("The provider's name in `[auth.oauth]`."),
            "issuer": text("Who says who it is."),
            "subject": text("Who it is, to the issuer."),
            "created_at": moment("When it was made."),
        }),
    )
}

fn totp() -> Json {
    object(
        &["secret", "uri"],
        json!({
            "secret": { "type": "string", "pattern": "^[A-Z2-7]+$", "description": "In Base32, to be typed." },
            "uri": { "type": "string", "pattern": "^otpauth://totp/", "description": "The same for a QR code." },
        }),
    )
}

/// What `navigator.credentials` takes, and the name of the ceremony.
fn ceremony(required: &[&str], mut properties: Json) -> Json {
    properties["challenge"] = text("Base64url.");
    let options = json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "description": "For `navigator.credentials`, once its Base64url is made bytes: `PublicKeyCredential.parse…OptionsFromJSON()` does.",
    });
    json!({
        "type": "object",
        "properties": { "ceremony": text("Send it back with the browser's answer."), "publicKey": options },
        "required": ["ceremony", "publicKey"],
    })
}

fn creation() -> Json {
    let text = || json!({ "type": "string" });
    let named = |properties: Json, required: &[&str]| json!({ "type": "object", "properties": properties, "required": required });
    ceremony(
        &["challenge", "rp", "user", "pubKeyCredParams"],
        json!({
            "rp": named(json!({ "id": text(), "name": text() }), &["id", "name"]),
            "user": named(json!({ "id": text(), "name": text(), "displayName": text() }), &["id", "name", "displayName"]),
            "pubKeyCredParams": { "type": "array", "items": { "type": "object" } },
        }),
    )
}

fn request() -> Json {
    ceremony(&["challenge", "rpId"], json!({ "rpId": { "type": "string" }, "userVerification": { "type": "string" } }))
}

fn key(new: bool) -> Json {
    let texts =
        |description: &str| json!({ "type": "array", "items": { "type": "string" }, "description": description });
    let mut properties = json!({
        "id": text("For `DELETE /auth/keys/{id}`."),
        "name": text("What its owner calls it."),
        "scopes": texts("What it may do."),
        "roles": or_null(texts("Which of its owner's roles it has; null for all.")),
        "created_at": moment("When it was made."),
        "expires_at": or_null(moment("When it ends.")),
        "used_at": or_null(moment("When it was used last, about.")),
    });
    let mut required = vec!["id", "name", "scopes", "roles", "created_at", "expires_at", "used_at"];
    if new {
        properties["key"] = text("The key itself, shown in this answer alone.");
        required.push("key");
    }
    object(&required, properties)
}

fn invite() -> Json {
    object(
        &["id", "email", "roles", "created_by", "created_at", "expires_at"],
        json!({
            "id": text("For `DELETE /auth/invites/{id}`."),
            "email": text("Who is invited."),
            "roles": { "type": "array", "items": { "type": "string" }, "description": "What it will be." },
            "created_by": text("Who invites."),
            "created_at": moment("When it was mailed."),
            "expires_at": moment("When it ends."),
        }),
    )
}
