//! Rows read and checked on a thread of their own, some thousand ahead of the database.

use engine::{LoadRow, Loader};
use tokio::sync::mpsc;

use super::words;
use crate::cli::{failure::Failure, records::Rows};

/// Rows in one batch.
const ROWS: usize = 2000;
/// Bytes in one batch, so that long rows do not fill the memory.
const BYTES: u64 = 4 << 20;

/// Rows on their way.
#[derive(Default)]
pub(super) struct Batch {
    /// The lines that the rows begin in.
    pub(super) lines: Vec<u64>,
    pub(super) rows: Vec<LoadRow>,
    /// Rows that can't be records: their lines, and why.
    pub(super) bad: Vec<(u64, String)>,
    /// How many bytes of the file have been read.
    pub(super) position: u64,
}

/// All batches of a file.
pub(super) struct Batches {
    batches: mpsc::Receiver<Result<Batch, Failure>>,
}

impl Batches {
    pub(super) fn start(mut rows: Rows, loader: Loader) -> Result<Self, Failure> {
        let (sender, batches) = mpsc::channel(2);
        let work = move || {
            loop {
                let batch = read(&mut rows, &loader);
                if batch.as_ref().is_ok_and(|batch| batch.lines.is_empty() && batch.bad.is_empty()) {
                    return;
                }
                let last = batch.is_err();
                // A receiver that has gone needs nothing more.
                if sender.blocking_send(batch).is_err() || last {
                    return;
                }
            }
        };
        std::thread::Builder::new()
            .name("import-reader".to_owned())
            .spawn(work)
            .map_err(|error| Failure::caused("could not start a thread", &error))?;
        Ok(Self { batches })
    }

    /// The next batch; none at the end.
    pub(super) async fn next(&mut self) -> Option<Result<Batch, Failure>> {
        self.batches.recv().await
    }
}

fn read(rows: &mut Rows, loader: &Loader) -> Result<Batch, Failure> {
    let mut batch = Batch::default();
    let begin = rows.position();
    while batch.lines.len() + batch.bad.len() < ROWS && rows.position() - begin < BYTES {
        let Some(row) = rows.next()? else { break };
        match row.record.map(|record| loader.read(&record)) {
            Ok(Ok(read)) => {
                batch.lines.push(row.line);
                batch.rows.push(read);
            }
            Ok(Err(problem)) => batch.bad.push((row.line, words(&problem))),
            Err(what) => batch.bad.push((row.line, what)),
        }
    }
    batch.position = rows.position();
    Ok(batch)
}
