//! What waits to be mailed, in the database: put there in the transaction of what it is about, so that nothing that was
//! promised is lost, and taken by whichever node is free. Codes and links lie in mails, so each row is sealed.
//!
//! A node takes a row by making it due later: until then it is that node's, and if the node dies another takes it.

use model::Problem;
use store::{Row, Statement};

use crate::{seal::MasterKey, secret};

/// How long a node has for a row that it took: microseconds.
pub const LEASE: i64 = 120_000_000;
/// The most rows that wait; the oldest go.
const MOST: i64 = 10_000;

/// A row that this node has taken.
#[derive(Debug, Clone)]
pub struct Taken {
    /// Its name.
    pub id: String,
    /// What was put there; none where another master key sealed it.
    pub open: Option<Vec<u8>>,
    /// How often it has been taken, this time included.
    pub tries: i64,
    /// When it is of no use any more: microseconds of UTC.
    pub expires_at: i64,
    /// Until when it is this node's.
    lease: i64,
}

/// Puts something there that is of use for so long (microseconds).
///
/// # Errors
/// It can't be sealed.
pub fn put(master: &MasterKey, what: &[u8], life: i64, now: i64) -> Result<Statement, Problem> {
    let id = secret::name();
    let sealed = master.seal(&place(&id), what)?;
    Ok(Statement::new(
        "INSERT INTO _mail (id, sealed, created_at, due_at, tries, expires_at) VALUES ($1, $2, $3, $3, 0, $4)",
        [id.into(), sealed.into(), now.into(), (now + life).into()],
    ))
}

/// Whether anything is due; a row where so.
#[must_use]
pub fn due(now: i64) -> Statement {
    Statement::new("SELECT id FROM _mail WHERE due_at <= $1 LIMIT 1", [now.into()])
}

/// Takes the rows that have been due for longest; each goes to one of those who ask at once.
#[must_use]
pub fn take(most: i64, now: i64) -> Statement {
    Statement::new(
        "UPDATE _mail SET due_at = $2, tries = tries + 1 WHERE due_at <= $1 AND id IN \
         (SELECT id FROM _mail WHERE due_at <= $1 ORDER BY due_at LIMIT $3) \
         RETURNING id, sealed, tries, expires_at, due_at",
        [now.into(), (now + LEASE).into(), most.into()],
    )
}

/// Lets the oldest go beyond those for which there is room.
#[must_use]
pub fn make_room() -> Statement {
    Statement::new(
        "DELETE FROM _mail WHERE id IN (SELECT id FROM _mail ORDER BY created_at DESC, id LIMIT 1000000 OFFSET $1)",
        [MOST.into()],
    )
}

impl Taken {
    /// Reads a row of [`take`].
    #[must_use]
    pub fn read(master: &MasterKey, row: &Row) -> Option<Self> {
        let id = row.text(0)?.to_owned();
        let open = master.open(&place(&id), row.bytes(1)?);
        Some(Self { open, tries: row.integer(2)?, expires_at: row.integer(3)?, lease: row.integer(4)?, id })
    }

    /// Puts something else in its place, where it is still this node's.
    ///
    /// # Errors
    /// It can't be sealed.
    pub fn replace(&self, master: &MasterKey, what: &[u8]) -> Result<Statement, Problem> {
        let sealed = master.seal(&place(&self.id), what)?;
        let replace = "UPDATE _mail SET sealed = $3 WHERE id = $1 AND due_at = $2";
        let gone = Problem::unavailable("the mail is another node's", "it took longer than its lease", 1);
        Ok(Statement::new(replace, [self.id.as_str().into(), self.lease.into(), sealed.into()]).or_else(gone))
    }

    /// It is done with.
    #[must_use]
    pub fn done(&self) -> Statement {
        let delete = "DELETE FROM _mail WHERE id = $1 AND due_at = $2";
        Statement::new(delete, [self.id.as_str().into(), self.lease.into()])
    }

    /// It is to be tried again at this time.
    #[must_use]
    pub fn later(&self, due_at: i64) -> Statement {
        let later = "UPDATE _mail SET due_at = $3 WHERE id = $1 AND due_at = $2";
        Statement::new(later, [self.id.as_str().into(), self.lease.into(), due_at.into()])
    }
}

fn place(id: &str) -> String {
    format!("mail/{id}")
}
