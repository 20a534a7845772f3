//! Rows read and checked on a thread of their own, some thousand ahead of the database.

use engine::Loader;
use tokio::sync::mpsc;

use super::words;
use crate::cli::{failure::Failure, records::Rows, writing::Batch};

/// Rows in one batch.
pub(super) const ROWS: usize = 2000;
/// Bytes in one batch, so that long rows do not fill the memory.
const BYTES: u64 = 4 << 20;

/// A piece of the file.
#[derive(Default)]
pub(super) struct Piece {
    pub(super) rows: Batch,
    /// Rows that can't be records: their lines, and why.
    pub(super) bad: Vec<(u64, String)>,
    /// How many bytes of the file have been read.
    pub(super) position: u64,
}

/// All pieces of a file.
pub(super) struct Pieces {
    pieces: mpsc::Receiver<Result<Piece, Failure>>,
}

impl Pieces {
    pub(super) fn start(mut rows: Rows, loader: Loader) -> Result<Self, Failure> {
        let (sender, pieces) = mpsc::channel(2);
        let work = move || {
            loop {
                let piece = read(&mut rows, &loader);
                if piece.as_ref().is_ok_and(|piece| piece.rows.is_empty() && piece.bad.is_empty()) {
                    return;
                }
                let last = piece.is_err();
                // A receiver that has gone needs nothing more.
                if sender.blocking_send(piece).is_err() || last {
                    return;
                }
            }
        };
        std::thread::Builder::new()
            .name("import-reader".to_owned())
            .spawn(work)
            .map_err(|error| Failure::caused("could not start a thread", &error))?;
        Ok(Self { pieces })
    }

    /// The next piece; none at the end.
    pub(super) async fn next(&mut self) -> Option<Result<Piece, Failure>> {
        self.pieces.recv().await
    }
}

fn read(rows: &mut Rows, loader: &Loader) -> Result<Piece, Failure> {
    let mut piece = Piece::default();
    let begin = rows.position();
    while piece.rows.len() + piece.bad.len() < ROWS && rows.position() - begin < BYTES {
        let Some(row) = rows.next()? else { break };
        match row.record.map(|record| (loader.read(&record), record)) {
            Ok((Ok(read), record)) => piece.rows.push(loader, row.line, read, record),
            Ok((Err(problem), _)) => piece.bad.push((row.line, words(&problem))),
            Err(what) => piece.bad.push((row.line, what)),
        }
    }
    piece.position = rows.position();
    Ok(piece)
}
