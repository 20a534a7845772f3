//! What SQLite says went wrong, as a problem.

use model::{Code, FieldIndex, Problem, Resource};
use rusqlite::{Error, ErrorCode, ffi};
use store::refusal;

const FULL: &str = "the disk is full; nothing was stored";
const UNREACHABLE: &str = "the database can't be reached; nothing was stored";
const FAILING: &str = "the disk fails; nothing was stored";
const READ_ONLY: &str = "the database can't be written; nothing was stored";
const MOVED: &str = "the database was moved or replaced under the server, which has to be started again";
const DAMAGED: &str = "the database is damaged; restore a backup";

/// A fault of the database: 503 where it may heal, 500 where it is ours. The client learns nothing of it.
pub(crate) fn problem(error: &Error) -> Problem {
    let cause = format!("SQLite: {error}");
    let moved = error.sqlite_extended_error_code() == Some(ffi::SQLITE_READONLY_DBMOVED);
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => Problem::unavailable(FULL, cause, 5),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            Problem::unavailable("the database is busy; nothing was stored", cause, 1)
        }
        Some(ErrorCode::ReadOnly) if moved => Problem::unavailable(MOVED, cause, 60),
        Some(ErrorCode::ReadOnly) => Problem::unavailable(READ_ONLY, cause, 5),
        Some(ErrorCode::SystemIoFailure) => Problem::unavailable(FAILING, cause, 5),
        Some(ErrorCode::CannotOpen) => Problem::unavailable(UNREACHABLE, cause, 5),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Problem::unavailable(DAMAGED, cause, 60),
        Some(ErrorCode::OperationInterrupted) => Problem::unavailable("the request took too long", cause, 1),
        Some(ErrorCode::TooBig) => {
            let mut problem = Problem::new(Code::PayloadTooLarge, "the record is larger than the database holds");
            problem.cause = Some(cause);
            problem
        }
        _ => Problem::internal(cause),
    }
}

/// Whether the disk, not the request, keeps a write from being made.
pub(crate) fn is_of_the_disk(problem: &Problem) -> bool {
    [FULL, UNREACHABLE, FAILING, READ_ONLY, MOVED].contains(&problem.detail.as_str())
}

/// Whether the database was found to be damaged.
pub(crate) fn is_damage(problem: &Problem) -> bool {
    problem.detail == DAMAGED
}

/// Whether a statement failed because a value is taken, a target is missing, or another reason.
pub(crate) enum Constraint {
    /// A unique index; the message names its columns.
    Unique(String),
    /// A foreign key.
    Reference,
    /// Anything else.
    None,
}

pub(crate) fn constraint(error: &Error) -> Constraint {
    match error {
        Error::SqliteFailure(failure, message) => match failure.extended_code {
            ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY | ffi::SQLITE_CONSTRAINT_ROWID => {
                Constraint::Unique(message.clone().unwrap_or_default())
            }
            ffi::SQLITE_CONSTRAINT_FOREIGNKEY => Constraint::Reference,
            _ => Constraint::None,
        },
        _ => Constraint::None,
    }
}

/// A 409 for a taken value. SQLite says `UNIQUE constraint failed: posts.slug, posts.author`.
pub(crate) fn conflict(resource: &Resource, message: &str) -> Problem {
    let prefix = format!("{}.", resource.name);
    let columns = message.rsplit_once(": ").map_or("", |(_, columns)| columns);
    let fields: Vec<FieldIndex> = columns
        .split(", ")
        .filter_map(|column| column.strip_prefix(&prefix))
        .filter_map(|name| resource.field(name))
        .collect();
    refusal::taken(resource, &fields)
}
