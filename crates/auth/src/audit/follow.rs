//! Following the log: every line once, as it comes, and a folded one again when it has grown.
//!
//! Lines are in the order of their moments, and a moment is when a request came: its line is there for others only once the
//! request has been carried out. So a follower looks back a while each time, and remembers what it has told already.

use std::collections::HashMap;

use model::Problem;
use store::{Store, own::audit::Wanted};

use super::lines::{Line, PAGE, Place, pages};

/// How far a look reaches back behind the look before: microseconds. Longer than any request takes.
const BACK: i64 = 60_000_000;

/// A reader that goes on.
#[derive(Debug)]
pub struct Follower {
    wanted: Wanted,
    /// Where in the history it is; none once it has caught up.
    history: Option<Option<Place>>,
    /// When it last looked.
    looked: i64,
    /// Where the present look is.
    place: Option<Place>,
    /// The counts of the lines of late.
    told: HashMap<String, (i64, i64)>,
}

impl Follower {
    /// Follows from `wanted.since` on, or from now.
    #[must_use]
    pub fn new(wanted: Wanted, now: i64) -> Self {
        let since = Some(wanted.since.unwrap_or(now));
        let history = wanted.since.map(|_| None);
        Self { wanted: Wanted { since, ..wanted }, history, looked: now, place: None, told: HashMap::new() }
    }

    /// Lines that have not been told yet, some hundred at most, and whether there may be more of them right now.
    ///
    /// # Errors
    /// The database can't be asked; nothing is lost then.
    pub async fn next(&mut self, store: &dyn Store, now: i64) -> Result<(Vec<Line>, bool), Problem> {
        let since = self.wanted.since.unwrap_or(now);
        if let Some(place) = &self.history {
            let lines = pages(store, &self.wanted, place.as_ref(), PAGE).await?;
            let more = lines.len() == PAGE as usize;
            self.history = more.then(|| lines.last().map(Line::place));
            self.note(&lines);
            return Ok((lines, more));
        }
        let wanted = Wanted { since: Some(since.max(self.looked - BACK)), ..self.wanted.clone() };
        let found = pages(store, &wanted, self.place.as_ref(), PAGE).await?;
        let more = found.len() == PAGE as usize;
        self.place = found.last().filter(|_| more).map(Line::place);
        if !more {
            self.looked = now;
            let oldest = now - 2 * BACK;
            self.told.retain(|_, (at, _)| *at > oldest);
        }
        let is_new = |line: &Line| self.told.get(&line.id).is_none_or(|(_, count)| *count < line.count);
        let lines: Vec<Line> = found.into_iter().filter(is_new).collect();
        self.note(&lines);
        Ok((lines, more))
    }

    fn note(&mut self, lines: &[Line]) {
        let oldest = self.looked - 2 * BACK;
        for line in lines.iter().filter(|line| line.at > oldest) {
            self.told.insert(line.id.clone(), (line.at, line.count));
        }
    }
}
