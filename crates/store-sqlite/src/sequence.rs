//! Numbers that the single writer gives out: revisions (which are the log's sequences, too) and integer ids.
//!
//! Ids are never given twice, not even after the greatest was deleted: a high-water mark is kept in `_sequences`, a
//! block ahead of what was given, so that most inserts need not write it.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension};

/// How many ids one write of the mark reserves. A crash leaves a gap of fewer; an orderly end none.
const BLOCK: i64 = 1000;

/// What the writer has given out.
#[derive(Debug, Default)]
pub(crate) struct Sequences {
    revision: i64,
    ids: HashMap<String, Ids>,
}

#[derive(Debug)]
struct Ids {
    /// The latest id given or seen.
    last: i64,
    /// The mark in the database; 0 where the database's is not known to hold.
    reserved: i64,
}

impl Sequences {
    /// Goes on after the greatest sequence that any entry ever had.
    pub(crate) fn open(connection: &Connection) -> rusqlite::Result<Self> {
        let logged: Option<i64> = connection.query_row("SELECT max(seq) FROM _events", [], |row| row.get(0))?;
        let kept: Option<i64> = connection
            .query_row("SELECT reserved FROM _sequences WHERE resource = '_events'", [], |row| row.get(0))
            .optional()?;
        Ok(Self { revision: logged.unwrap_or(0).max(kept.unwrap_or(0)), ids: HashMap::new() })
    }

    /// The latest revision given.
    pub(crate) fn revision(&self) -> i64 {
        self.revision
    }

    pub(crate) fn next_revision(&mut self) -> i64 {
        self.revision += 1;
        self.revision
    }

    /// The next id of a resource.
    pub(crate) fn next_id(&mut self, connection: &Connection, resource: &str, greatest: &str) -> rusqlite::Result<i64> {
        let ids = match self.ids.get_mut(resource) {
            Some(ids) => ids,
            None => {
                let used: Option<i64> = connection.query_row(greatest, [], |row| row.get(0))?;
                let reserved: Option<i64> = connection
                    .query_row("SELECT reserved FROM _sequences WHERE resource = ?1", [resource], |row| row.get(0))
                    .optional()?;
                let last = used.unwrap_or(0).max(reserved.unwrap_or(0));
                self.ids.entry(resource.to_owned()).or_insert(Ids { last, reserved: 0 })
            }
        };
        // An import may have brought the greatest there is.
        let out = rusqlite::Error::IntegralValueOutOfRange(0, ids.last);
        let next = ids.last.checked_add(1).ok_or(out)?;
        if next > ids.reserved {
            let reserved = next.saturating_add(BLOCK - 1);
            connection
                .prepare_cached("INSERT OR REPLACE INTO _sequences (resource, reserved) VALUES (?1, ?2)")?
                .execute(rusqlite::params![resource, reserved])?;
            ids.reserved = reserved;
        }
        ids.last = next;
        Ok(next)
    }

    /// The id of a person that a seed brought: the mark is put above it, so that it is not given again when that person has
    /// gone and the program was started anew.
    pub(crate) fn brought(&mut self, connection: &Connection, resource: &str, id: i64) -> rusqlite::Result<()> {
        connection
            .prepare_cached(
                "INSERT INTO _sequences (resource, reserved) VALUES (?1, ?2) \
                 ON CONFLICT (resource) DO UPDATE SET reserved = max(reserved, excluded.reserved)",
            )?
            .execute(rusqlite::params![resource, id])?;
        self.seen(resource, id);
        Ok(())
    }

    /// An id that a client or a seed brought: later ones are given above it.
    pub(crate) fn seen(&mut self, resource: &str, id: i64) {
        if let Some(ids) = self.ids.get_mut(resource) {
            ids.last = ids.last.max(id);
        }
    }

    /// Gives back the ids that were reserved and not given, so that a restart leaves no gap. Where another process has moved
    /// a mark since, it stays: what that one has given is not known here.
    pub(crate) fn release(&self, connection: &Connection) -> rusqlite::Result<()> {
        let reserved = self.ids.iter().filter(|(_, ids)| ids.reserved > ids.last);
        for (resource, ids) in reserved {
            connection.execute(
                "UPDATE _sequences SET reserved = ?2 WHERE resource = ?1 AND reserved = ?3",
                rusqlite::params![resource, ids.last, ids.reserved],
            )?;
        }
        Ok(())
    }

    /// After a rollback: what was given stays given, and marks are written anew.
    pub(crate) fn rolled_back(&mut self) {
        for ids in self.ids.values_mut() {
            ids.reserved = 0;
        }
    }
}
