//! The files that were read, as diagnostics show them.

use std::ops::Range;

use crate::secret;

/// The texts that diagnostics point into, with secrets masked.
#[derive(Debug, Default, Clone)]
pub struct Sources {
    files: Vec<Source>,
}

#[derive(Debug, Clone)]
struct Source {
    name: String,
    text: String,
    /// Where each line begins.
    lines: Vec<usize>,
}

/// A range of bytes in one of the sources.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) source: usize,
    pub(crate) span: Range<usize>,
}

/// A line and a column, both from 1; the column counts characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
}

impl Sources {
    /// Adds a file that may hold secrets, which are masked.
    pub(crate) fn add_masked(&mut self, name: impl Into<String>, text: &str) -> usize {
        self.add(name, &secret::mask(text))
    }

    /// Adds a file, or a variable of the environment (with its name for text); gives its number.
    pub(crate) fn add(&mut self, name: impl Into<String>, text: &str) -> usize {
        let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        self.files.push(Source { name: name.into(), text: text.to_owned(), lines });
        self.files.len() - 1
    }

    /// The whole of a source.
    pub(crate) fn whole(&self, source: usize) -> Place {
        Place { source, span: 0..self.files[source].text.len() }
    }

    pub(crate) fn name(&self, source: usize) -> &str {
        &self.files[source].name
    }

    /// The masked text of a file by its name, if it was read.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.files.iter().find(|file| file.name == name).map(|file| file.text.as_str())
    }

    /// The span, moved to the borders of characters and into the text.
    pub(crate) fn clamp(&self, place: &Place) -> Range<usize> {
        let text = &self.files[place.source].text;
        let floor = |at: usize| (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        let start = floor(place.span.start);
        start..floor(place.span.end).max(start)
    }

    /// The place of a range in the text of a TOML string, which stands at `string`. Where the string is not written as it
    /// reads, for it has escapes, that is the whole of it.
    pub(crate) fn within(&self, string: &Place, range: &Range<usize>, decoded: &str) -> Place {
        let span = self.clamp(string);
        let raw = &self.files[string.source].text[span.clone()];
        // A quote of one or three characters, and after three the line feed that TOML leaves out.
        let start = [1, 3, 4, 5].into_iter().find(|start| {
            raw.get(*start..)
                .is_some_and(|rest| rest.strip_prefix(decoded).is_some_and(|quote| quote.len() == (*start).min(3)))
        });
        match start {
            Some(start) if range.end <= decoded.len() && range.start <= range.end => {
                let from = span.start + start;
                Place { source: string.source, span: from + range.start..from + range.end }
            }
            _ => string.clone(),
        }
    }

    pub(crate) fn position(&self, source: usize, offset: usize) -> Position {
        let file = &self.files[source];
        let line = file.lines.partition_point(|start| *start <= offset).max(1);
        let start = file.lines[line - 1];
        Position { line, column: file.text[start..offset].chars().count() + 1 }
    }
}
