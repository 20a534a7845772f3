//! Words on the terminal. Colours go where a terminal takes them and `NO_COLOR` does not forbid it.
//!
//! A reader that has gone (`mainstay … | head`) is no fault of the command, so nothing here fails.

use std::{
    fmt::Display,
    io::{self, IsTerminal as _, Write as _},
};

const BOLD: &str = "\x1b[1m";
const RED: &str = "\x1b[1;31m";
const YELLOW: &str = "\x1b[1;33m";
const GREEN: &str = "\x1b[1;32m";
const CYAN: &str = "\x1b[1;36m";
const DIM: &str = "\x1b[2m";
const PLAIN: &str = "\x1b[0m";

/// A line of a result.
pub(super) fn result(text: impl Display) {
    let _ = writeln!(anstream::stdout(), "{text}");
}

/// A result for programs.
pub(super) fn json(value: &serde_json::Value) {
    let _ = writeln!(anstream::stdout(), "{value:#}");
}

/// A line about what happens.
pub(super) fn tell(text: impl Display) {
    let _ = writeln!(anstream::stderr(), "{text}");
}

/// What went wrong, and what to do about it.
pub(super) fn error(what: &str, help: Option<&str>) {
    tell(format_args!("{RED}error{PLAIN}{BOLD}: {what}{PLAIN}"));
    if let Some(help) = help {
        tell(format_args!("  {CYAN}help{PLAIN}: {help}"));
    }
}

/// What someone may want to look at.
pub(super) fn warning(what: &str, help: Option<&str>) {
    tell(format_args!("{YELLOW}warning{PLAIN}{BOLD}: {what}{PLAIN}"));
    if let Some(help) = help {
        tell(format_args!("  {CYAN}help{PLAIN}: {help}"));
    }
}

/// A line that says what the program is at.
pub(super) fn step(what: impl Display) {
    tell(format_args!("{GREEN}●{PLAIN} {what}"));
}

pub(super) fn bold(text: impl Display) -> String {
    format!("{BOLD}{text}{PLAIN}")
}

pub(super) fn dim(text: impl Display) -> String {
    format!("{DIM}{text}{PLAIN}")
}

pub(super) fn red(text: impl Display) -> String {
    format!("{RED}{text}{PLAIN}")
}

/// Progress in place, where there is a terminal to show it on.
pub(super) fn progress(text: impl Display) {
    if io::stderr().is_terminal() {
        let mut out = anstream::stderr();
        let _ = write!(out, "\r\x1b[2K{text}");
        let _ = out.flush();
    }
}

/// Takes progress away again.
pub(super) fn end_progress() {
    progress("");
}

/// `1 step`, `2 steps`.
pub(super) fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}
