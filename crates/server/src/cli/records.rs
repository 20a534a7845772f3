//! Records from files: NDJSON and CSV, row by row, in bounded memory.

mod csv;
mod ndjson;
mod source;

use model::Resource;
use serde_json::Value as Json;

use self::csv::CsvRows;
pub(super) use self::{ndjson::JsonLines, source::Source};
use super::failure::Failure;

/// The most bytes of a row.
const LONGEST: usize = 16 << 20;

/// A row of a file.
#[derive(Debug)]
pub(super) struct Row {
    /// The line that it begins in, from 1.
    pub(super) line: u64,
    /// An object, or what is wrong with the row.
    pub(super) record: Result<Json, String>,
}

/// How records stand in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    /// Comma-separated values (RFC 4180) with a header.
    Csv,
    /// One JSON object a line.
    Ndjson,
}

impl Format {
    /// The format that a file's name says.
    pub(super) fn of_name(name: &str) -> Option<Self> {
        let (_, ending) = name.rsplit_once('.')?;
        match ending.to_ascii_lowercase().as_str() {
            "csv" | "tsv" => Some(Self::Csv),
            "ndjson" | "jsonl" => Some(Self::Ndjson),
            _ => None,
        }
    }
}

/// The rows of a file, read as they are asked for.
pub(super) enum Rows {
    Csv(CsvRows),
    Ndjson(JsonLines),
}

impl Rows {
    /// Begins to read records of a resource.
    ///
    /// # Errors
    /// The file can't be read, is no text in UTF-8, or has a header that names no fields.
    pub(super) fn open(source: Source, format: Format, delimiter: u8, resource: &Resource) -> Result<Self, Failure> {
        Ok(match format {
            Format::Csv => Self::Csv(CsvRows::open(source, delimiter, resource)?),
            Format::Ndjson => Self::Ndjson(JsonLines::open(source)),
        })
    }

    /// The next row; none at the end.
    ///
    /// # Errors
    /// The file can't be read on.
    pub(super) fn next(&mut self) -> Result<Option<Row>, Failure> {
        match self {
            Self::Csv(rows) => rows.next(),
            Self::Ndjson(lines) => lines.next(),
        }
    }

    /// How many bytes have been read.
    pub(super) fn position(&self) -> u64 {
        match self {
            Self::Csv(rows) => rows.position(),
            Self::Ndjson(lines) => lines.position(),
        }
    }
}

/// What is wrong with bytes that are no UTF-8; none where they are.
fn not_utf8(bytes: &[u8]) -> Option<String> {
    let error = std::str::from_utf8(bytes).err()?;
    let at = error.valid_up_to();
    let column = std::str::from_utf8(&bytes[..at]).map_or(0, |before| before.chars().count()) + 1;
    let byte = bytes.get(at).copied().unwrap_or_default();
    Some(format!(
        "no UTF-8: byte 0x{byte:02X} at character {column}; if the file is in Latin-1 or Windows-1252, convert it with \
         `iconv -f WINDOWS-1252 -t UTF-8`"
    ))
}
