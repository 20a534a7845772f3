//! The tables of second factors and passkeys.

/// Secrets sealed or as hashes; public keys as they are.
pub(super) const TABLES: &[&str] = &[
    // Authenticator apps, one a person. `step` is the time step of the last code that counted; `failures` are wrong codes in a
    // row, and none is looked at before `next_at`.
    "CREATE TABLE _auth_totp (person {text} NOT NULL PRIMARY KEY, id {text} NOT NULL, sealed {bytes} NOT NULL, \
     step {bigint} NOT NULL, failures {bigint} NOT NULL, next_at {bigint} NOT NULL, created_at {bigint} NOT NULL, \
     confirmed_at {bigint}, used_at {bigint})",
    "CREATE TABLE _auth_recovery_codes (secret {bytes} NOT NULL PRIMARY KEY, person {text} NOT NULL, \
     created_at {bigint} NOT NULL, used_at {bigint})",
    "CREATE INDEX _auth_recovery_codes_person ON _auth_recovery_codes (person)",
    // Passkeys. `handle` is what authenticators call the person.
    "CREATE TABLE _auth_passkeys (id {text} NOT NULL PRIMARY KEY, person {text} NOT NULL, handle {text} NOT NULL, \
     rp_id {text} NOT NULL, credential_id {bytes} NOT NULL UNIQUE, credential {text} NOT NULL, name {text} NOT NULL, \
     created_at {bigint} NOT NULL, used_at {bigint})",
    "CREATE INDEX _auth_passkeys_person ON _auth_passkeys (person)",
    // Ceremonies that have begun.
    "CREATE TABLE _auth_ceremonies (secret {bytes} NOT NULL PRIMARY KEY, purpose {text} NOT NULL, person {text}, \
     state {text} NOT NULL, expires_at {bigint} NOT NULL)",
    "CREATE INDEX _auth_ceremonies_person ON _auth_ceremonies (person)",
    "CREATE INDEX _auth_ceremonies_expires_at ON _auth_ceremonies (expires_at)",
];
