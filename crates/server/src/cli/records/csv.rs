//! CSV as RFC 4180 has it, with a header of field names.
//!
//! Read here and not by a crate, because `""` (the empty text) and nothing (no value) are two things to us, and because a
//! row may be of any length without taking more memory than a row may have.

use model::{Field, Resource, Shape};
use serde_json::{Map, Number, Value as Json};

use super::{LONGEST, Row, Source, not_utf8};
use crate::cli::failure::Failure;

/// Cells of a row beyond which they are not kept: more than any resource has fields.
const MOST_CELLS: usize = 4096;

/// The rows of a file.
pub(in crate::cli) struct CsvRows {
    scanner: Scanner,
    columns: Vec<Field>,
}

impl CsvRows {
    pub(super) fn open(source: Source, delimiter: u8, resource: &Resource) -> Result<Self, Failure> {
        let mut scanner = Scanner::new(source, delimiter);
        let shown = scanner.source.shown.clone();
        let help = "the first row names the fields, as in `id,name,price`";
        let Some(line) = scanner.scan()? else {
            return Err(Failure::new(format!("{shown} is empty; it needs a header at least")).help(help));
        };
        let wrong = |what: String| Failure::new(format!("{shown}:{line}: {what}"));
        if let Some(what) = scanner.fault.take() {
            return Err(wrong(what).help(help));
        }
        let mut columns: Vec<Field> = Vec::with_capacity(scanner.cells.len());
        for number in 0..scanner.cells.len() {
            let name = scanner.text(number).map_err(wrong)?.trim().to_owned();
            let field = resource.field(&name).map(|field| resource.get(field).clone());
            let Some(field) = field else { return Err(unknown(&name, delimiter, resource, wrong)) };
            if columns.iter().any(|known| known.name == name) {
                return Err(wrong(format!("the column `{name}` stands twice")));
            }
            columns.push(field);
        }
        Ok(Self { scanner, columns })
    }

    pub(super) fn position(&self) -> u64 {
        self.scanner.source.position()
    }

    pub(super) fn next(&mut self) -> Result<Option<Row>, Failure> {
        let Some(line) = self.scanner.scan()? else { return Ok(None) };
        let record = match self.scanner.fault.take() {
            Some(what) => Err(what),
            None => self.record(),
        };
        Ok(Some(Row { line, record }))
    }

    fn record(&self) -> Result<Json, String> {
        let (cells, columns) = (self.scanner.cells.len(), self.columns.len());
        if cells != columns {
            return Err(format!("the row has {cells} cells; the header has {columns}"));
        }
        let mut record = Map::with_capacity(columns);
        for (number, field) in self.columns.iter().enumerate() {
            let text = self.scanner.text(number).map_err(|what| format!("/{}: {what}", field.name))?;
            // An empty cell says nothing; an empty text stands in quotes.
            if text.is_empty() && !self.scanner.cells[number].quoted {
                continue;
            }
            record.insert(field.name.clone(), value(field, text)?);
        }
        Ok(Json::Object(record))
    }
}

fn unknown(name: &str, delimiter: u8, resource: &Resource, wrong: impl Fn(String) -> Failure) -> Failure {
    let names = resource.fields.iter().map(|field| field.name.as_str());
    let failure = wrong(format!("{} has no field `{name}`", resource.name));
    let other = [';', '\t', '|', ',']
        .into_iter()
        .find(|other| u32::from(*other) != u32::from(delimiter) && name.contains(*other));
    match (other, rules::nearest(name, names)) {
        (Some('\t'), _) => failure.help("the cells seem to be separated by tabs: add `--delimiter tab`"),
        (Some(other), _) => {
            failure.help(format!("the cells seem to be separated by `{other}`: add `--delimiter '{other}'`"))
        }
        (None, Some(near)) => failure.help(format!("did you mean `{near}`?")),
        (None, None) => failure.help("the first row names the fields, as in `id,name,price`"),
    }
}

/// A cell as the JSON that says the same; what doesn't fit the field stays text, and is told by those who check it.
fn value(field: &Field, text: &str) -> Result<Json, String> {
    let json = || web::parse_json(text.as_bytes()).map_err(|_| format!("/{}: expected JSON", field.name));
    if field.is_list() {
        return json();
    }
    let read = match field.shape {
        Shape::Json => return json(),
        Shape::Integer => text.trim().parse::<i64>().ok().map(Json::from),
        Shape::Float => text.trim().parse::<f64>().ok().and_then(Number::from_f64).map(Json::Number),
        Shape::Boolean => match text.trim() {
            "true" | "TRUE" | "True" => Some(Json::Bool(true)),
            "false" | "FALSE" | "False" => Some(Json::Bool(false)),
            _ => None,
        },
        Shape::Text { .. } => None,
        // Spaces around a number or a date mean nothing.
        Shape::Decimal { .. } | Shape::DateTime | Shape::Date | Shape::Uuid => Some(Json::from(text.trim())),
    };
    Ok(read.unwrap_or_else(|| Json::from(text)))
}

/// A cell within the row's bytes.
#[derive(Debug, Clone, Copy)]
struct Cell {
    start: usize,
    end: usize,
    quoted: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before a cell.
    Start,
    /// In a cell without quotes.
    Plain,
    /// Between quotes.
    Quoted,
    /// Behind a quote that ends the cell, unless another one follows.
    Closed,
}

/// Rows taken apart.
struct Scanner {
    source: Source,
    delimiter: u8,
    /// The line that is being read, from 1.
    line: u64,
    row: Vec<u8>,
    cells: Vec<Cell>,
    /// What is wrong with the row.
    fault: Option<String>,
    /// The last byte was a CR that ended a row: an LF now belongs to it.
    after_cr: bool,
}

impl Scanner {
    fn new(source: Source, delimiter: u8) -> Self {
        Self { source, delimiter, line: 1, row: Vec::new(), cells: Vec::new(), fault: None, after_cr: false }
    }

    fn text(&self, number: usize) -> Result<&str, String> {
        let cell = self.cells[number];
        let bytes = &self.row[cell.start..cell.end];
        std::str::from_utf8(bytes).map_err(|_| not_utf8(bytes).unwrap_or_default())
    }

    /// Reads a row that is not empty, and says in which line it begins; none at the end.
    fn scan(&mut self) -> Result<Option<u64>, Failure> {
        loop {
            let Some(line) = self.scan_any()? else { return Ok(None) };
            let empty = matches!(self.cells.as_slice(), [only] if only.start == only.end && !only.quoted);
            if !empty || self.fault.is_some() {
                return Ok(Some(line));
            }
        }
    }

    fn scan_any(&mut self) -> Result<Option<u64>, Failure> {
        self.row.clear();
        self.cells.clear();
        self.fault = None;
        let mut begun = None;
        let (mut state, mut start, mut quoted) = (State::Start, 0, false);
        loop {
            let delimiter = self.delimiter;
            let bytes = self.source.bytes()?;
            if bytes.is_empty() {
                let Some(line) = begun else { return Ok(None) };
                if state == State::Quoted {
                    self.fault.get_or_insert_with(|| "a quote that is never closed".to_owned());
                }
                self.cells.push(Cell { start, end: self.row.len(), quoted });
                return Ok(Some(line));
            }
            let mut taken = 0;
            let mut ended = false;
            for byte in bytes {
                taken += 1;
                if std::mem::take(&mut self.after_cr) && *byte == b'\n' {
                    continue;
                }
                begun.get_or_insert(self.line);
                self.line += u64::from(*byte == b'\n');
                let breaks = matches!(*byte, b'\n' | b'\r');
                match state {
                    State::Quoted if *byte == b'"' => {
                        state = State::Closed;
                        continue;
                    }
                    State::Closed if *byte == b'"' => state = State::Quoted,
                    State::Quoted => {}
                    State::Start if *byte == b'"' => {
                        (state, quoted) = (State::Quoted, true);
                        continue;
                    }
                    _ if *byte == delimiter => {
                        if self.cells.len() < MOST_CELLS {
                            self.cells.push(Cell { start, end: self.row.len(), quoted });
                        }
                        (state, start, quoted) = (State::Start, self.row.len(), false);
                        continue;
                    }
                    _ if breaks => {
                        ended = true;
                        self.after_cr = *byte == b'\r';
                        self.line += u64::from(self.after_cr);
                        break;
                    }
                    State::Closed => {
                        self.fault.get_or_insert_with(|| {
                            "text behind a closing quote; a quote in a cell is written twice".to_owned()
                        });
                        state = State::Plain;
                    }
                    State::Plain if *byte == b'"' => {
                        let what =
                            "a quote inside of a cell; the whole cell has to be quoted, and the quote written twice";
                        self.fault.get_or_insert_with(|| what.to_owned());
                    }
                    State::Start | State::Plain => state = State::Plain,
                }
                if self.row.len() < LONGEST {
                    self.row.push(*byte);
                } else {
                    self.fault.get_or_insert_with(|| format!("the row has more than {} MiB", LONGEST >> 20));
                }
            }
            self.source.consume(taken);
            if ended {
                self.cells.push(Cell { start, end: self.row.len(), quoted });
                return Ok(begun.or(Some(self.line)));
            }
        }
    }
}
