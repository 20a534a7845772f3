//! What PostgreSQL says went wrong, as a problem.

use std::error::Error as _;

use model::{Code, Problem};
use tokio_postgres::{Error, error::SqlState};

/// What clients are told while there is no database.
pub(crate) const UNREACHABLE: &str = "the database can't be reached";

/// 503 while nothing is heard from the database.
pub(crate) fn silent() -> Problem {
    Problem::unavailable(UNREACHABLE, "the database is silent", 1)
}

/// The same for a write that was given up in the middle: whether it was made is not known.
pub(crate) fn silent_in_a_write() -> Problem {
    unsure(silent())
}

/// A problem that leaves open whether the write was made.
pub(crate) fn unsure(problem: Problem) -> Problem {
    let detail = "the connection to the database was lost; the write may or may not have been made";
    Problem { detail: detail.into(), ..problem }
}

/// A connection that could not be made: 503, whatever the reason, since there is nothing that the request could do about it.
pub(crate) fn unconnected(error: &Error) -> Problem {
    if error.code().is_some() { problem(error) } else { Problem::unavailable(UNREACHABLE, cause(error), 1) }
}

/// A fault of the database: 503 where it may heal, 500 where it is ours. The client learns nothing of it.
pub(crate) fn problem(error: &Error) -> Problem {
    let cause = cause(error);
    let Some(code) = error.code() else {
        return match is_dead(error) {
            true => Problem::unavailable(UNREACHABLE, cause, 1),
            false => Problem::internal(cause),
        };
    };
    if *code == SqlState::CHARACTER_NOT_IN_REPERTOIRE {
        return Problem {
            cause: Some(cause),
            ..Problem::new(Code::BadRequest, "a text has a character that no record holds")
        };
    }
    if *code == SqlState::PROGRAM_LIMIT_EXCEEDED {
        let detail = "the record is larger than the database holds";
        return Problem { cause: Some(cause), ..Problem::new(Code::PayloadTooLarge, detail) };
    }
    let (detail, after) = match code {
        code if *code == SqlState::DISK_FULL => ("the disk is full; nothing was stored", 5),
        code if *code == SqlState::LOCK_NOT_AVAILABLE || is_rival(code) => {
            ("others change the same records; nothing was stored", 1)
        }
        code if *code == SqlState::QUERY_CANCELED => ("the request took too long", 1),
        code if *code == SqlState::DATA_CORRUPTED => ("the database is damaged; restore a backup", 60),
        code if is_stale(error) || *code == SqlState::UNDEFINED_TABLE || *code == SqlState::UNDEFINED_COLUMN => {
            ("the database has another schema than the app", 1)
        }
        // Classes: connection, resources, operator's intervention, system; and a server that only reads.
        code if ["08", "53", "57", "58", "28", "3D"].iter().any(|class| code.code().starts_with(class))
            || [SqlState::READ_ONLY_SQL_TRANSACTION, SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE].contains(code) =>
        {
            (UNREACHABLE, 1)
        }
        _ => return Problem::internal(cause),
    };
    Problem::unavailable(detail, cause, after)
}

/// Whether a prepared statement is from before a migration, or no longer known.
pub(crate) fn is_stale(error: &Error) -> bool {
    error
        .code()
        .is_some_and(|code| [SqlState::FEATURE_NOT_SUPPORTED, SqlState::INVALID_SQL_STATEMENT_NAME].contains(code))
}

/// Whether the connection is of no use any more.
pub(crate) fn is_dead(error: &Error) -> bool {
    let ends = [SqlState::ADMIN_SHUTDOWN, SqlState::CRASH_SHUTDOWN, SqlState::CANNOT_CONNECT_NOW];
    error.is_closed() || error.code().map_or_else(|| is_io(error), |code| ends.contains(code))
}

fn is_io(error: &Error) -> bool {
    io_kind(error).is_some()
}

/// What went wrong with the connection itself, where that is what went wrong.
pub(crate) fn io_kind(error: &Error) -> Option<std::io::ErrorKind> {
    error.source()?.downcast_ref::<std::io::Error>().map(std::io::Error::kind)
}

/// Whether a transaction lost against another one, and may win when it is made again.
pub(crate) fn is_rival(code: &SqlState) -> bool {
    [SqlState::T_R_DEADLOCK_DETECTED, SqlState::T_R_SERIALIZATION_FAILURE].contains(code)
}

/// The error with its sources, for the log.
fn cause(error: &Error) -> String {
    let mut text = format!("PostgreSQL: {error}");
    let mut source = error.source();
    while let Some(inner) = source {
        text.push_str(&format!(": {inner}"));
        source = inner.source();
    }
    text
}
