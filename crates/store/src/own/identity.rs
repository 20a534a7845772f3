//! The tables of identity, and what befalls them when a record of a person is written, whoever writes it.

use super::Statement;

/// What sign-ins need, hashes of secrets and never the secrets; and the audit log, of which [`super::audit`] knows more.
pub(super) const TABLES: &[&str] = &[
    // Passwords of people, as PHC strings.
    "CREATE TABLE _auth_credentials (person {text} NOT NULL PRIMARY KEY, password {text}, changed_at {bigint} NOT NULL)",
    // A row each sign-in. `secret` is the cookie's, or the refresh token's that counts; `previous` is the token before it.
    "CREATE TABLE _auth_sessions (id {text} NOT NULL PRIMARY KEY, person {text} NOT NULL, kind {text} NOT NULL, \
     secret {bytes} NOT NULL, previous {bytes}, retry {bytes}, rotated_at {bigint}, amr {text} NOT NULL, \
     authenticated_at {bigint} NOT NULL, created_at {bigint} NOT NULL, used_at {bigint} NOT NULL, \
     expires_at {bigint} NOT NULL, ends_at {bigint} NOT NULL, address {text} NOT NULL, agent {text} NOT NULL)",
    "CREATE INDEX _auth_sessions_person ON _auth_sessions (person)",
    "CREATE INDEX _auth_sessions_expires_at ON _auth_sessions (expires_at)",
    // Codes by mail.
    "CREATE TABLE _auth_codes (ticket {bytes} NOT NULL PRIMARY KEY, purpose {text} NOT NULL, person {text}, \
     email {text} NOT NULL, code {bytes} NOT NULL, tries {bigint} NOT NULL, data {bytes}, expires_at {bigint} NOT NULL)",
    "CREATE INDEX _auth_codes_person ON _auth_codes (person)",
    "CREATE INDEX _auth_codes_expires_at ON _auth_codes (expires_at)",
    // Links by mail that set a password.
    "CREATE TABLE _auth_links (secret {bytes} NOT NULL PRIMARY KEY, person {text} NOT NULL, email {text} NOT NULL, \
     expires_at {bigint} NOT NULL)",
    "CREATE INDEX _auth_links_person ON _auth_links (person)",
    // Invitations.
    "CREATE TABLE _auth_invites (id {text} NOT NULL PRIMARY KEY, secret {bytes} NOT NULL UNIQUE, email {text} NOT NULL, \
     roles {text} NOT NULL, created_by {text} NOT NULL, created_at {bigint} NOT NULL, expires_at {bigint} NOT NULL)",
    "CREATE INDEX _auth_invites_email ON _auth_invites (email)",
    // Devices that somebody has signed in from.
    "CREATE TABLE _auth_devices (secret {bytes} NOT NULL PRIMARY KEY, person {text} NOT NULL, created_at {bigint} NOT NULL, \
     expires_at {bigint} NOT NULL)",
    "CREATE INDEX _auth_devices_person ON _auth_devices (person)",
    // Who has changed, for nodes that remember people: a row a person, counted up.
    "CREATE TABLE _auth_epochs (person {text} NOT NULL PRIMARY KEY, epoch {bigint} NOT NULL, at {bigint} NOT NULL)",
    "CREATE INDEX _auth_epochs_at ON _auth_epochs (at)",
    // How many mails an address has had, under a pseudonym.
    "CREATE TABLE _auth_mailed (recipient {text} NOT NULL PRIMARY KEY, since {bigint} NOT NULL, count {bigint} NOT NULL)",
    // The keys of access tokens, sealed.
    "CREATE TABLE _auth_signing_keys (id {text} NOT NULL PRIMARY KEY, public {bytes} NOT NULL, sealed {bytes} NOT NULL, \
     created_at {bigint} NOT NULL, signs_at {bigint} NOT NULL)",
    // Attempts to sign in with a provider, and what came of them.
    "CREATE TABLE _auth_oauth_attempts (state {bytes} NOT NULL PRIMARY KEY, browser {bytes} NOT NULL, \
     provider {text} NOT NULL, sealed {bytes} NOT NULL, expires_at {bigint} NOT NULL)",
    "CREATE INDEX _auth_oauth_attempts_expires_at ON _auth_oauth_attempts (expires_at)",
    "CREATE TABLE _auth_oauth_codes (code {bytes} NOT NULL PRIMARY KEY, challenge {text} NOT NULL, \
     provider {text} NOT NULL, issuer {text} NOT NULL, subject {text} NOT NULL, email {text}, \
     email_verified {bigint} NOT NULL, name {text}, expires_at {bigint} NOT NULL)",
    "CREATE INDEX _auth_oauth_codes_expires_at ON _auth_oauth_codes (expires_at)",
    // Whose an identity at a provider is.
    "CREATE TABLE _auth_identities (issuer {text} NOT NULL, subject {text} NOT NULL, provider {text} NOT NULL, \
     person {text} NOT NULL, created_at {bigint} NOT NULL, PRIMARY KEY (issuer, subject))",
    "CREATE INDEX _auth_identities_person ON _auth_identities (person)",
    // API keys; those without a person are operators'.
    "ALTER TABLE _keys ADD COLUMN person {text}",
    "ALTER TABLE _keys ADD COLUMN scopes {text}",
    "ALTER TABLE _keys ADD COLUMN expires_at {bigint}",
    "ALTER TABLE _keys ADD COLUMN used_at {bigint}",
    "CREATE INDEX _keys_person ON _keys (person)",
    "CREATE TABLE _audit (id {text} NOT NULL PRIMARY KEY, at {bigint} NOT NULL, what {text} NOT NULL, actor {text}, \
     subject {text} NOT NULL, address {text} NOT NULL, request_id {text} NOT NULL, session {text}, count {bigint} NOT NULL, \
     detail {text} NOT NULL)",
    "CREATE INDEX _audit_at ON _audit (at)",
];

/// Everything by which somebody comes in, by the column `person`; a further kind of credential adds its table here.
const OF_PERSON: &[&str] = &[
    "DELETE FROM _auth_ceremonies WHERE person = $1",
    "DELETE FROM _auth_codes WHERE person = $1",
    "DELETE FROM _auth_credentials WHERE person = $1",
    "DELETE FROM _auth_devices WHERE person = $1",
    "DELETE FROM _auth_identities WHERE person = $1",
    "DELETE FROM _auth_links WHERE person = $1",
    "DELETE FROM _auth_passkeys WHERE person = $1",
    "DELETE FROM _auth_recovery_codes WHERE person = $1",
    "DELETE FROM _auth_sessions WHERE person = $1",
    "DELETE FROM _keys WHERE person = $1",
    "DELETE FROM _auth_totp WHERE person = $1",
];

/// Takes everything from somebody by which it, or anybody in its stead, could come in.
#[must_use]
pub fn of_person(person: &str) -> Vec<Statement> {
    OF_PERSON.iter().map(|sql| Statement::new(*sql, [person.into()])).collect()
}

/// Takes away what was mailed to somebody and waits to be shown: links and codes.
#[must_use]
pub fn forget_mailed(person: &str) -> Vec<Statement> {
    ["DELETE FROM _auth_codes WHERE person = $1", "DELETE FROM _auth_links WHERE person = $1"]
        .map(|sql| Statement::new(sql, [person.into()]))
        .to_vec()
}

/// Ends all sessions of somebody.
#[must_use]
pub fn end_sessions(person: &str) -> Statement {
    Statement::new("DELETE FROM _auth_sessions WHERE person = $1", [person.into()])
}

/// Tells all nodes that somebody's record or sessions have changed; in the transaction of the change.
#[must_use]
pub fn bump(person: &str, now: i64) -> Statement {
    Statement::new(
        "INSERT INTO _auth_epochs (person, epoch, at) VALUES ($1, 1, $2) \
         ON CONFLICT (person) DO UPDATE SET epoch = _auth_epochs.epoch + 1, at = excluded.at",
        [person.into(), now.into()],
    )
    .telling()
}
