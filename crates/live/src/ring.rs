//! The latest entries of the log, in memory.

use std::{collections::VecDeque, sync::Arc};

use model::ResourceIndex;
use rules::Catalog;

use crate::kept::Kept;

/// The most entries that are kept.
const ENTRIES: usize = 4096;
/// About how many bytes they may take together.
const BYTES: usize = 16 << 20;
/// The most entries that one subscription holds, and about how many bytes they may have (one entry may be larger).
const PIECE: usize = 32;
const PIECE_BYTES: usize = 256 << 10;

/// Every entry above `floor`, as far as `upto`.
pub(crate) struct Ring {
    /// The app that the entries were read for.
    catalog: Arc<Catalog>,
    floor: i64,
    upto: i64,
    entries: VecDeque<Arc<Kept>>,
    bytes: usize,
}

/// What follows a position, for one resource.
#[derive(Default)]
pub(crate) struct Piece {
    /// In order.
    pub(crate) entries: VecDeque<Arc<Kept>>,
    /// Nothing about the resource is left out below this.
    pub(crate) upto: i64,
    /// The greatest sequence of any entry met on the way; 0 for none.
    pub(crate) met: i64,
    bytes: usize,
}

impl Ring {
    pub(crate) fn new(catalog: Arc<Catalog>, at: i64) -> Self {
        Self { catalog, floor: at, upto: at, entries: VecDeque::new(), bytes: 0 }
    }

    /// As far as it has got.
    pub(crate) fn upto(&self) -> i64 {
        self.upto
    }

    /// Whether its entries are those of this version of the app.
    pub(crate) fn is_of(&self, catalog: &Arc<Catalog>) -> bool {
        Arc::ptr_eq(&self.catalog, catalog)
    }

    /// Adds what follows, and lets the oldest go.
    pub(crate) fn push(&mut self, entries: impl IntoIterator<Item = Kept>, upto: i64) {
        for entry in entries {
            self.bytes += entry.size;
            self.entries.push_back(Arc::new(entry));
        }
        self.upto = upto;
        while self.entries.len() > ENTRIES || self.bytes > BYTES {
            let Some(oldest) = self.entries.pop_front() else { break };
            self.bytes -= oldest.size;
            self.floor = oldest.sequence;
        }
    }

    /// What follows a position; none where the ring does not reach back to it.
    pub(crate) fn read(&self, catalog: &Arc<Catalog>, resource: ResourceIndex, after: i64) -> Option<Piece> {
        if !self.is_of(catalog) || after < self.floor {
            return None;
        }
        let begin = self.entries.partition_point(|entry| entry.sequence <= after);
        let upto = self.upto.max(after);
        Some(Piece::gather(self.entries.range(begin..).cloned(), resource, upto))
    }
}

impl Piece {
    /// The entries of a resource, as many as one subscription may hold; `upto` is where they come from all of them.
    pub(crate) fn gather(entries: impl IntoIterator<Item = Arc<Kept>>, resource: ResourceIndex, upto: i64) -> Self {
        let mut piece = Self { upto, ..Self::default() };
        for entry in entries {
            if entry.resource == resource {
                let full = piece.entries.len() == PIECE || piece.bytes + entry.size > PIECE_BYTES;
                if full && !piece.entries.is_empty() {
                    piece.upto = piece.met;
                    break;
                }
                piece.bytes += entry.size;
                piece.met = entry.sequence;
                piece.entries.push_back(entry);
            } else {
                piece.met = entry.sequence;
            }
        }
        piece
    }
}
