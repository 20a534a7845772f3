//! Mistakes in an app, told as a good compiler tells them.

use std::{fmt::Write as _, ops::Range};

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet, renderer::DecorStyle};
use serde_json::{Value as Json, json};

use crate::source::{Place, Position, Sources};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The app can't be served.
    Error,
    /// It can be served, and does something that was hardly meant.
    Warning,
    /// Worth knowing: what strangers may read, what only administrators may do.
    Note,
}

impl Severity {
    /// The word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// One thing to tell about an app, and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// The file, relative to the app's directory with `/` between; or the name of an environment variable.
    pub file: String,
    /// Bytes of the file; none where the file as a whole is meant.
    pub span: Option<Range<usize>>,
    /// Where the span begins (1:1 for a whole file).
    pub start: Position,
    /// Where the span ends: the column after its last character.
    pub end: Position,
    /// What is wrong: lower case, no full stop. Never a secret.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl Diagnostic {
    /// One object of `mainstay check --json`: `severity`, `file`, `line`, `column`, `end_line`, `end_column`, `message`,
    /// `help`.
    #[must_use]
    pub fn to_json(&self) -> Json {
        json!({
            "severity": self.severity.name(),
            "file": self.file,
            "line": self.start.line,
            "column": self.start.column,
            "end_line": self.end.line,
            "end_column": self.end.column,
            "message": self.message,
            "help": self.help,
        })
    }
}

/// All diagnostics as text for people, each with its source underlined; in colours where asked.
#[must_use]
pub fn render(diagnostics: &[Diagnostic], sources: &Sources, color: bool) -> String {
    let renderer = if color { Renderer::styled() } else { Renderer::plain() }.decor_style(DecorStyle::Ascii);
    let mut text = String::new();
    for diagnostic in diagnostics {
        let level = match diagnostic.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
            Severity::Note => Level::NOTE,
        };
        let mut group = match (&diagnostic.span, sources.text(&diagnostic.file)) {
            (Some(span), Some(source)) => level.primary_title(&*diagnostic.message).element(
                Snippet::source(source).path(&*diagnostic.file).annotation(AnnotationKind::Primary.span(span.clone())),
            ),
            _ => level.primary_title(&*diagnostic.message).element(annotate_snippets::Origin::path(&*diagnostic.file)),
        };
        if let Some(help) = &diagnostic.help {
            group = group.element(Level::HELP.message(&**help));
        }
        // Writing into a string can't fail.
        let _ = writeln!(text, "{}\n", renderer.render(&[group]));
    }
    text
}

/// Collects diagnostics: errors one a place, so that a mistake has no echo.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) sources: Sources,
    pub(crate) diagnostics: Vec<Diagnostic>,
}

impl Report {
    pub(crate) fn error(&mut self, place: &Place, message: impl Into<String>) {
        self.tell(Severity::Error, place, message.into(), None);
    }

    pub(crate) fn error_with_help(&mut self, place: &Place, message: impl Into<String>, help: impl Into<String>) {
        self.tell(Severity::Error, place, message.into(), Some(help.into()));
    }

    pub(crate) fn tell(&mut self, severity: Severity, place: &Place, message: String, help: Option<String>) {
        let span = self.sources.clamp(place);
        let file = self.sources.name(place.source).to_owned();
        let told =
            |known: &Diagnostic| known.severity == severity && known.file == file && known.span.as_ref() == Some(&span);
        if severity == Severity::Error && self.diagnostics.iter().any(told) {
            return;
        }
        let (start, end) =
            (self.sources.position(place.source, span.start), self.sources.position(place.source, span.end));
        self.diagnostics.push(Diagnostic { severity, file, span: Some(span), start, end, message, help });
    }

    /// A mistake of a file as a whole: it can't be read, or should not be there.
    pub(crate) fn file(&mut self, severity: Severity, file: &str, message: impl Into<String>, help: Option<String>) {
        let start = Position { line: 1, column: 1 };
        let (file, message) = (file.to_owned(), message.into());
        self.diagnostics.push(Diagnostic { severity, file, span: None, start, end: start, message, help });
    }

    pub(crate) fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }
}
