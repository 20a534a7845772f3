//! Rows that wait for records which rows further down make.
//!
//! Each is kept as its JSON, in memory up to [`IN_MEMORY`] and beyond that in a file without a name, and is looked up by the ids
//! that it waits for: whatever the order of a file, a row is read again once, and there are no passes over the rest.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
};

use engine::{LoadId, LoadRow, Loader};
use tempfile::SpooledTempFile;

use super::{Batch, Origin};
use crate::cli::failure::Failure;

/// Bytes of rows that are kept in memory.
const IN_MEMORY: usize = 64 << 20;
/// The most references that are waited for: about 120 bytes each, and twice the length of ids that are text.
const MOST: usize = 1_000_000;
/// Bytes in one batch, so that long rows do not fill the memory.
const BYTES: usize = 4 << 20;
/// How far it is followed what a row waits for, to say why.
const STEPS: usize = 1000;
/// The lines of a circle that are named.
const NAMED: usize = 10;

/// A row that waits.
#[derive(Debug, Clone, Copy)]
struct Kept {
    /// Where its JSON begins.
    at: u64,
    /// Bytes of it.
    length: usize,
    /// How many ids it waits for.
    needs: usize,
}

/// The rows that wait, by the lines that they begin in.
pub(super) struct Waiting {
    loader: Loader,
    /// The file's name.
    shown: String,
    /// The most rows in one batch.
    at_once: usize,
    records: SpooledTempFile,
    /// Where the next record goes.
    end: u64,
    rows: BTreeMap<u64, Kept>,
    /// Which ids are waited for, and by which lines.
    needs: BTreeSet<(LoadId, u64)>,
    /// Which ids the rows bring themselves, by line.
    ids: BTreeSet<(LoadId, u64)>,
    /// Lines that wait for nothing any more.
    ready: VecDeque<u64>,
    /// The first line that is not among those which have waited in vain.
    left: u64,
}

impl Waiting {
    pub(super) fn new(loader: Loader, shown: &str, at_once: usize) -> Self {
        Self {
            loader,
            shown: shown.to_owned(),
            at_once,
            records: tempfile::spooled_tempfile(IN_MEMORY),
            end: 0,
            rows: BTreeMap::new(),
            needs: BTreeSet::new(),
            ids: BTreeSet::new(),
            ready: VecDeque::new(),
            left: 0,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Whether a row with this id waits that stands before a line.
    pub(super) fn is_ahead(&self, id: &LoadId, line: u64) -> bool {
        first(&self.ids, id).is_some_and(|first| first < line)
    }

    /// Has a row wait until all of `needs` are made.
    ///
    /// # Errors
    /// Too much waits already, or there is no room for it.
    pub(super) fn put(
        &mut self,
        Origin { line, record }: Origin,
        id: Option<LoadId>,
        needs: BTreeSet<LoadId>,
    ) -> Result<(), Failure> {
        if self.needs.len() + needs.len() > MOST {
            return Err(self.too_many(line));
        }
        let json = record.to_string();
        self.append(json.as_bytes()).map_err(|error| {
            let what = format!("{}:{line}: could not keep a row that waits for others in a temporary file", self.shown);
            Failure::caused(what, &error)
                .help("make room where temporary files are, or name another directory in TMPDIR")
        })?;
        let at = self.end;
        self.end += json.len() as u64;
        self.rows.insert(line, Kept { at, length: json.len(), needs: needs.len() });
        self.ids.extend(id.map(|id| (id, line)));
        self.needs.extend(needs.into_iter().map(|id| (id, line)));
        Ok(())
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.rows.is_empty() {
            self.end = 0;
        }
        self.records.seek(SeekFrom::Start(self.end))?;
        self.records.write_all(bytes)
    }

    fn too_many(&self, line: u64) -> Failure {
        let names: Vec<String> = self.loader.own_references().map(|field| format!("`{}`", field.name)).collect();
        let what = format!("{}:{line}: more than {MOST} references to records that come further down", self.shown);
        Failure::new(what).help(format!(
            "put records before those that refer to them; or import the file without {} first, and then again with \
             `--on-conflict update`",
            names.join(", ")
        ))
    }

    /// Notes that there is a record with this id now, or will be before what is released by it.
    pub(super) fn made(&mut self, id: &LoadId) {
        let lines: Vec<u64> = all(&self.needs, id).collect();
        for line in lines {
            self.needs.remove(&(id.clone(), line));
            if let Some(row) = self.rows.get_mut(&line) {
                row.needs -= 1;
                if row.needs == 0 {
                    self.ready.push_back(line);
                }
            }
        }
    }

    /// Rows that wait for nothing any more, each behind those that it has waited for.
    ///
    /// # Errors
    /// They can't be read.
    pub(super) fn ready(&mut self) -> Result<Option<Batch>, Failure> {
        let (mut batch, mut bytes) = (Batch::default(), 0);
        while batch.len() < self.at_once
            && bytes < BYTES
            && let Some(line) = self.ready.pop_front()
        {
            let Some(kept) = self.rows.remove(&line) else { continue };
            let (origin, row) = self.read(line, kept)?;
            if let Some(id) = row.id() {
                self.ids.remove(&(id.clone(), line));
                self.made(&id);
            }
            bytes += kept.length;
            batch.add(origin, row);
        }
        Ok(Some(batch).filter(|batch| !batch.is_empty()))
    }

    /// Rows that still wait when nothing is to come, in the order of lines. They stay where they are, to say why.
    ///
    /// # Errors
    /// They can't be read.
    pub(super) fn left(&mut self) -> Result<Option<Batch>, Failure> {
        let (mut batch, mut bytes) = (Batch { in_vain: true, ..Batch::default() }, 0);
        while batch.len() < self.at_once
            && bytes < BYTES
            && let Some((&line, &kept)) = self.rows.range(self.left..).next()
        {
            let (origin, row) = self.read(line, kept)?;
            batch.add(origin, row);
            bytes += kept.length;
            self.left = line + 1;
        }
        Ok(Some(batch).filter(|batch| !batch.is_empty()))
    }

    fn read(&mut self, line: u64, kept: Kept) -> Result<(Origin, LoadRow), Failure> {
        let failed = |error: io::Error| Failure::caused("could not read the rows that wait for others again", &error);
        let mut json = vec![0; kept.length];
        self.records.seek(SeekFrom::Start(kept.at)).map_err(failed)?;
        self.records.read_exact(&mut json).map_err(failed)?;
        let record = serde_json::from_slice(&json).map_err(|error| failed(error.into()))?;
        // It was a good row before.
        let row = self.loader.read(&record)?;
        Ok((Origin { line, record }, row))
    }

    /// Why a row of those that are left has waited in vain; none where it refers to nothing that is missing.
    ///
    /// # Errors
    /// The rows can't be read.
    pub(super) fn why(&mut self, line: u64) -> Result<Option<String>, Failure> {
        let mut path = vec![line];
        let mut at = line;
        let end = loop {
            let Some(id) = self.reference_of(at)? else { break None };
            let Some(next) = first(&self.ids, &id) else {
                break Some(format!("no record has the id {id}, nor has a good row of the file"));
            };
            if let Some(begin) = path.iter().position(|line| *line == next) {
                break Some(circle(&path[begin..]));
            }
            if path.len() == STEPS {
                break None;
            }
            path.push(next);
            at = next;
        };
        let Some(next) = path.get(1) else { return Ok(end) };
        let end = end.unwrap_or_else(|| "that one waits in vain, too".to_owned());
        Ok(Some(format!("it waits for line {next}: {end}")))
    }

    /// A record that a row refers to and waits for.
    fn reference_of(&mut self, line: u64) -> Result<Option<LoadId>, Failure> {
        let Some(&kept) = self.rows.get(&line) else { return Ok(None) };
        let (_, row) = self.read(line, kept)?;
        let needs = self.loader.needs(&row);
        Ok(needs.into_iter().find(|id| self.needs.contains(&(id.clone(), line))))
    }
}

fn circle(lines: &[u64]) -> String {
    let mut named: Vec<String> = lines.iter().take(NAMED).map(u64::to_string).collect();
    if lines.len() > NAMED {
        named.push(format!("… ({} in all)", lines.len()));
    }
    let named = named.join(", ");
    format!(
        "lines {named} refer to each other in a circle; leave one reference out, and set it once the records are there"
    )
}

/// The lines that a set has for an id, in order.
fn all(set: &BTreeSet<(LoadId, u64)>, id: &LoadId) -> impl Iterator<Item = u64> {
    set.range((id.clone(), 0)..=(id.clone(), u64::MAX)).map(|(_, line)| *line)
}

/// The first line that a set has for an id.
fn first(set: &BTreeSet<(LoadId, u64)>, id: &LoadId) -> Option<u64> {
    all(set, id).next()
}
