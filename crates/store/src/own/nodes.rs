//! Tables by which nodes work together: what was guessed at any of them, and mails that any of them may send.

/// Counts under pseudonyms, errands sealed.
pub(super) const TABLES: &[&str] = &[
    // Failed tries, by what they count for: an address, an account, an account from an address.
    "CREATE TABLE _auth_attempts (key {text} NOT NULL PRIMARY KEY, since {bigint} NOT NULL, failures {bigint} NOT NULL, \
     blocked_until {bigint} NOT NULL, blocks {bigint} NOT NULL)",
    "CREATE INDEX _auth_attempts_since ON _auth_attempts (since)",
    // Mails that wait to be sent, or to be written. One that a node works at is due again when its lease is over.
    "CREATE TABLE _mail (id {text} NOT NULL PRIMARY KEY, sealed {bytes} NOT NULL, created_at {bigint} NOT NULL, \
     due_at {bigint} NOT NULL, tries {bigint} NOT NULL, expires_at {bigint} NOT NULL)",
    "CREATE INDEX _mail_due_at ON _mail (due_at)",
    "CREATE INDEX _mail_created_at ON _mail (created_at)",
];
