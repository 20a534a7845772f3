//! A bar on the terminal for what takes a while.

use std::time::{Duration, Instant};

use super::terminal;

/// How often it is drawn.
const PAUSE: Duration = Duration::from_millis(100);
/// Its width, in characters.
const WIDTH: usize = 24;

/// How far something is.
pub(super) struct Bar {
    /// When all of it is done, where that is known.
    total: Option<u64>,
    began: Instant,
    drawn: Option<Instant>,
}

impl Bar {
    pub(super) fn new(total: Option<u64>) -> Self {
        Self { total: total.filter(|total| *total > 0), began: Instant::now(), drawn: None }
    }

    /// Shows that so much of the total is done, and how many records that are.
    pub(super) fn show(&mut self, done: u64, records: u64) {
        if self.drawn.is_some_and(|drawn| drawn.elapsed() < PAUSE) {
            return;
        }
        self.drawn = Some(Instant::now());
        let seconds = self.began.elapsed().as_secs_f64();
        let rate = if seconds > 0.5 { format!(", {:.0}/s", records as f64 / seconds) } else { String::new() };
        let Some(total) = self.total else {
            return terminal::progress(format_args!("{records} records{rate}"));
        };
        let share = (done as f64 / total as f64).clamp(0.0, 1.0);
        let filled = (share * WIDTH as f64) as usize;
        let left = if seconds > 2.0 && share > 0.0 {
            format!(", {:.0} s left", seconds / share - seconds)
        } else {
            String::new()
        };
        let (full, empty) = ("█".repeat(filled), "░".repeat(WIDTH - filled));
        terminal::progress(format_args!("{full}{empty} {:.0} %  {records} records{rate}{left}", share * 100.0));
    }

    /// Takes it away.
    pub(super) fn end(&mut self) {
        if self.drawn.take().is_some() {
            terminal::end_progress();
        }
    }
}
