//! What the calls take: bodies and parameters.

use model::{IdKind, Origin};
use serde_json::{Map, Value as Json, json};

use super::People;
use crate::{
    example, shapes,
    value::{self, NO_NUL, Way, or_null},
};

/// The most characters of any text that is no field of a record.
const LONGEST: usize = 4096;
/// The fewest characters of `retry`.
const RETRY: usize = 20;
/// The most characters of a key's name.
const KEY_NAME: usize = 100;
/// No control characters, and something else than white space, for which programs' `\s` differ.
const ONE_LINE: &str = concat!(
    "^[^\\u0000-\\u001f\\u007f-\\u009f]*",
    "[^\\u0000-\\u0020\\u007f-\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]",
    "[^\\u0000-\\u001f\\u007f-\\u009f]*$",
);
/// The most characters of a passkey's name.
const PASSKEY_NAME: usize = 80;
/// The most items of a list.
const ITEMS: usize = 100;

/// Some text.
pub(super) fn text(description: &str) -> Json {
    json!({ "type": "string", "maxLength": LONGEST, "pattern": NO_NUL, "description": description })
}

/// The same, or null, which is as good as absent.
fn maybe(description: &str) -> Json {
    or_null(text(description))
}

/// A member that is not given.
fn absent() -> Json {
    json!({ "type": "null" })
}

/// A closed object; the members of `required` have to be there.
pub(super) fn object(required: &[&str], properties: Json) -> Json {
    let mut schema = json!({ "type": "object" });
    schema["properties"] = properties;
    schema["additionalProperties"] = false.into();
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    schema
}

/// A schema that is one of several, by what it is called among them.
fn titled(title: &str, mut schema: Json) -> Json {
    schema["title"] = title.into();
    schema
}

fn with_example(mut schema: Json, example: Json) -> Json {
    schema["examples"] = vec![example].into();
    schema
}

/// An address that is only looked up.
fn address() -> Json {
    text("An e-mail address.")
}

fn password() -> Json {
    text("The password.")
}

/// A password that is to be set.
fn new_password(people: People<'_>) -> Json {
    let limits = people.settings.password;
    json!({
        "type": "string",
        "minLength": limits.min,
        "maxLength": limits.max,
        "pattern": NO_NUL,
        "description": "A new password; its characters are counted after Unicode normalisation (NFC), and the commonest passwords are refused.",
    })
}

/// An address that is to be somebody's.
fn new_address(people: People<'_>) -> Json {
    let email = people.subject.resource.get(people.settings.fields.email);
    value::item(people.subject, email, Way::Write)
}

fn roles(people: People<'_>, description: &str) -> Json {
    let roles = people.subject.resource.get(people.settings.fields.roles);
    let item = value::item(people.subject, roles, Way::Write);
    json!({ "type": ["array", "null"], "items": item, "maxItems": ITEMS, "description": description })
}

/// What a newcomer says of itself besides the address, and what of it has to be there.
fn own_fields(people: People<'_>) -> (Map<String, Json>, Vec<String>) {
    let newcomer = people.newcomer();
    let (mut properties, mut required) = (Map::new(), Vec::new());
    for (index, field, outlook) in newcomer.fields() {
        match field.origin {
            Origin::Id if newcomer.resource.id_kind == IdKind::Uuid => {}
            _ if !field.is_declared() || !outlook.writable || people.settings.has(index) => continue,
            _ if field.required && !shapes::has_default(newcomer, field) => required.push(field.name.clone()),
            _ => {}
        }
        let schema = shapes::with_default(shapes::written(newcomer, index, field, outlook), field);
        properties.insert(field.name.clone(), schema);
    }
    (properties, required)
}

pub(super) fn sign_up(people: People<'_>) -> Json {
    let (mut properties, mut required) = own_fields(people);
    let schema = json!({ "properties": properties, "required": required });
    let example = example::of_body(people.newcomer(), &schema);
    required.push("password".to_owned());
    properties.insert("email".to_owned(), or_null(new_address(people)));
    properties.insert("password".to_owned(), new_password(people));
    properties.insert("invite".to_owned(), maybe("The secret of an invitation; the address is the invited one then."));
    let given = |name: &str| json!({ "properties": { name: { "type": "string" } }, "required": [name] });
    let required: Vec<&str> = required.iter().map(String::as_str).collect();
    let mut schema = object(&required, properties.into());
    schema["anyOf"] = json!([given("email"), given("invite")]);
    let Json::Object(mut example) = example else { return schema };
    example.insert("email".to_owned(), "ann@example.org".into());
    example.insert("password".to_owned(), "several words that nobody guesses".into());
    with_example(schema, example.into())
}

pub(super) fn sign_in() -> Json {
    let properties = json!({
        "email": address(),
        "password": password(),
        "device_token": maybe("What an earlier sign-in on this device has brought."),
    });
    let example = json!({ "email": "ann@example.org", "password": "several words that nobody guesses" });
    with_example(object(&["email", "password"], properties), example)
}

pub(super) fn verify_factor() -> Json {
    let properties = json!({
        "mfa_token": text("Of the answer to the sign-in."),
        "code": text("Of the authenticator app, the mail, or the list of recovery codes."),
        "factor": { "type": ["string", "null"], "enum": ["totp", "recovery_code", "email_code", null], "description": "Which of `factors` the code is of; told by its looks where absent." },
    });
    object(&["mfa_token", "code"], properties)
}

pub(super) fn refresh() -> Json {
    let mut retry = text(
        "A secret of the client's own, of 128 bits or more: with it the call can be repeated within a minute where the answer was lost.",
    );
    retry["minLength"] = RETRY.into();
    object(&["refresh_token"], json!({ "refresh_token": text("It is good once."), "retry": or_null(retry) }))
}

pub(super) fn sign_out() -> Json {
    let all = json!({ "type": ["boolean", "null"], "description": "Whether every session ends; else this one alone." });
    with_example(object(&[], json!({ "all": all })), json!({ "all": false }))
}

pub(super) fn reauth() -> Json {
    let one = |title: &str, given: &[(&str, Json)]| {
        let mut properties = Map::new();
        for name in ["password", "ticket", "code", "ceremony", "credential"] {
            let found = given.iter().find(|(known, _)| *known == name).map(|(_, schema)| schema.clone());
            properties.insert(name.to_owned(), found.unwrap_or_else(absent));
        }
        let names: Vec<&str> = given.iter().map(|(name, _)| *name).collect();
        titled(title, object(&names, properties.into()))
    };
    let code = || text("Six digits.");
    let schema = json!({ "anyOf": [
        one("A password", &[("password", password())]),
        one("A mailed code", &[("ticket", text("Of `POST /auth/code/request`.")), ("code", code())]),
        one("A code of an app", &[("code", text("Of the authenticator app."))]),
        one("A passkey", &[("ceremony", text("Of `POST /auth/passkeys/sign-in/begin`.")), ("credential", assertion())]),
    ] });
    with_example(schema, json!({ "password": "several words that nobody guesses" }))
}

pub(super) fn change_password(people: People<'_>) -> Json {
    let properties = json!({ "current_password": password(), "password": new_password(people) });
    let example = json!({ "current_password": "several words that nobody guesses", "password": "several other words" });
    with_example(object(&["current_password", "password"], properties), example)
}

/// An address alone.
pub(super) fn whom() -> Json {
    with_example(object(&["email"], json!({ "email": address() })), json!({ "email": "ann@example.org" }))
}

pub(super) fn reset_password(people: People<'_>) -> Json {
    let secret = text("What stands behind `#` in the mailed link.");
    object(&["secret", "password"], json!({ "secret": secret, "password": new_password(people) }))
}

/// A mailed code with its ticket.
pub(super) fn mailed_code() -> Json {
    let properties = json!({ "ticket": text("Of the call that had the code mailed."), "code": text("Six digits.") });
    object(&["ticket", "code"], properties)
}

pub(super) fn verify_email() -> Json {
    let asked = object(&[], json!({ "ticket": absent(), "code": absent() }));
    json!({ "anyOf": [titled("Nothing yet", asked), titled("A mailed code", mailed_code())] })
}

pub(super) fn change_email(people: People<'_>) -> Json {
    let asked = object(&["email"], json!({ "email": new_address(people), "ticket": absent(), "code": absent() }));
    let mut done = mailed_code();
    done["properties"]["email"] = absent();
    with_example(
        json!({ "anyOf": [titled("An address", asked), titled("A mailed code", done)] }),
        json!({ "email": "ann@example.net" }),
    )
}

pub(super) fn exchange_code(people: People<'_>) -> Json {
    let (mut properties, _) = own_fields(people);
    properties.insert("code".to_owned(), text("What `return_to` has got."));
    properties.insert("code_verifier".to_owned(), verifier());
    properties.insert("invite".to_owned(), maybe("The secret of an invitation, where an account needs one."));
    properties.insert("email".to_owned(), absent());
    let mut schema = object(&["code", "code_verifier"], properties.into());
    schema["description"] = "A newcomer's own fields go along.".into();
    schema
}

fn verifier() -> Json {
    json!({ "type": "string", "pattern": "^[A-Za-z0-9._~-]{43,128}$", "description": "What `code_challenge` was made of (RFC 7636)." })
}

pub(super) fn link_provider() -> Json {
    let properties = json!({ "code": text("What `return_to` has got."), "code_verifier": verifier() });
    object(&["code", "code_verifier"], properties)
}

/// A code of an authenticator app.
pub(super) fn code() -> Json {
    with_example(object(&["code"], json!({ "code": text("Six digits.") })), json!({ "code": "123456" }))
}

/// What a browser's `navigator.credentials` has given.
fn credential(response: &[&str]) -> Json {
    let text = || json!({ "type": "string", "description": "Base64url." });
    let members: Map<_, _> = response.iter().map(|name| ((*name).to_owned(), text())).collect();
    let required: Vec<&str> = response.iter().copied().filter(|name| *name != "userHandle").collect();
    json!({
        "type": "object",
        "description": "What `navigator.credentials` has given, as its `toJSON()` writes it.",
        "properties": {
            "id": text(),
            "rawId": text(),
            "type": { "type": "string", "enum": ["public-key"] },
            "response": { "type": "object", "properties": members, "required": required },
        },
        "required": ["id", "rawId", "type", "response"],
    })
}

fn assertion() -> Json {
    credential(&["clientDataJSON", "authenticatorData", "signature", "userHandle"])
}

pub(super) fn finish_passkey() -> Json {
    let name = json!({ "type": ["string", "null"], "maxLength": PASSKEY_NAME, "pattern": "^[^\\u0000-\\u001f\\u007f-\\u009f]*$", "description": "What its owner calls it." });
    let properties = json!({
        "ceremony": text("Of `POST /auth/passkeys/register/begin`."),
        "credential": credential(&["clientDataJSON", "attestationObject"]),
        "name": name,
    });
    object(&["ceremony", "credential"], properties)
}

pub(super) fn finish_passkey_sign_in() -> Json {
    let properties = json!({ "ceremony": text("Of `POST /auth/passkeys/sign-in/begin`."), "credential": assertion() });
    object(&["ceremony", "credential"], properties)
}

pub(super) fn create_key(people: People<'_>) -> Json {
    let names: Vec<&str> = people.subject.view.schema.resources().iter().map(|one| one.name.as_str()).collect();
    let scope = format!("^(\\*|{}):(read|write|create|update|delete)$", names.join("|"));
    let expires_at = json!({ "type": ["string", "null"], "format": "date-time", "pattern": value::DATETIME, "description": "A moment to come." });
    let name = json!({ "type": "string", "maxLength": KEY_NAME, "pattern": ONE_LINE, "description": "What its owner calls it." });
    let properties = json!({
        "name": name,
        "scopes": { "type": "array", "items": { "type": "string", "pattern": scope }, "minItems": 1, "maxItems": ITEMS, "description": "What it may do: a resource, or `*` for all, and a right. `write` is all but `read`." },
        "roles": roles(people, "Some of your own; all of them where absent."),
        "expires_at": expires_at,
    });
    let example = json!({ "name": "backup", "scopes": ["*:read"] });
    with_example(object(&["name", "scopes"], properties), example)
}

pub(super) fn create_invite(people: People<'_>) -> Json {
    let properties =
        json!({ "email": new_address(people), "roles": roles(people, "What the invited person will be.") });
    with_example(object(&["email"], properties), json!({ "email": "ann@example.org" }))
}

/// The parameter of a path.
pub(super) fn in_path(name: &str, schema: Json, description: &str) -> Json {
    let mut parameter = json!({ "name": name, "in": "path", "required": true, "description": description });
    parameter["schema"] = schema;
    parameter
}

/// The provider of a path.
pub(super) fn provider(people: People<'_>) -> Json {
    let names: Vec<&str> = people.settings.oauth.iter().map(|provider| provider.name.as_str()).collect();
    in_path("name", json!({ "type": "string", "enum": names }), "The provider, by its name in `[auth.oauth]`.")
}

/// A parameter of a query.
pub(super) fn in_query(name: &str, required: bool, schema: Json, description: &str) -> Json {
    let mut parameter = json!({ "name": name, "in": "query", "required": required, "description": description });
    parameter["schema"] = schema;
    parameter
}
