//! TOML as a tree in which everything knows its place.

use toml_edit::{Document, Item, TableLike, Value};

use crate::{
    diagnostic::Report,
    nearest,
    source::{Place, Sources},
};

/// A value and where it stands.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) place: Place,
    pub(crate) data: Data,
}

#[derive(Debug, Clone)]
pub(crate) enum Data {
    Text(String),
    Integer(i64),
    Float(f64),
    Boolean(bool),
    /// A TOML date or time, as it is written.
    Moment(String),
    List(Vec<Node>),
    Table(Table),
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Table {
    pub(crate) entries: Vec<Entry>,
}

/// A key and its value.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) place: Place,
    pub(crate) node: Node,
}

/// Reads a source that was added already; a mistake in its syntax goes to the report.
pub(crate) fn parse(text: &str, source: usize, report: &mut Report) -> Option<Table> {
    match Document::parse(text) {
        Ok(document) => Some(read_table(document.as_table(), source, &report.sources)),
        Err(error) => {
            let span = error.span().unwrap_or(0..0);
            // The reader may have stopped at the end of a line; what is underlined should not run into the next one.
            let line = text.get(span.start..).map_or(0, |rest| rest.find('\n').unwrap_or(rest.len()));
            let end = span.end.min(span.start + line);
            let message = error.message().trim().replace('\n', ", ");
            report.error(&Place { source, span: span.start..end }, format!("this is no TOML: {message}"));
            None
        }
    }
}

fn read_table(table: &dyn TableLike, source: usize, sources: &Sources) -> Table {
    let mut entries = Vec::new();
    for (name, _) in table.iter() {
        let Some((key, item)) = table.get_key_value(name) else { continue };
        let place = Place { source, span: key.span().unwrap_or(0..0) };
        if let Some(node) = read_item(item, source, &place, sources) {
            entries.push(Entry { key: name.to_owned(), place, node });
        }
    }
    Table { entries }
}

/// A table made by dotted keys has no place of its own; it takes the key's.
fn read_item(item: &Item, source: usize, key: &Place, sources: &Sources) -> Option<Node> {
    let at = |span: Option<std::ops::Range<usize>>| span.map_or_else(|| key.clone(), |span| Place { source, span });
    Some(match item {
        Item::None => return None,
        Item::Value(value) => read_value(value, source, key, sources),
        Item::Table(table) => Node { place: at(table.span()), data: Data::Table(read_table(table, source, sources)) },
        Item::ArrayOfTables(tables) => {
            let items = tables
                .iter()
                .map(|table| Node { place: at(table.span()), data: Data::Table(read_table(table, source, sources)) });
            Node { place: at(tables.span()), data: Data::List(items.collect()) }
        }
    })
}

fn read_value(value: &Value, source: usize, key: &Place, sources: &Sources) -> Node {
    let place = value.span().map_or_else(|| key.clone(), |span| Place { source, span });
    let data = match value {
        Value::String(text) => Data::Text(text.value().clone()),
        Value::Integer(integer) => Data::Integer(*integer.value()),
        Value::Float(float) => Data::Float(*float.value()),
        Value::Boolean(truth) => Data::Boolean(*truth.value()),
        Value::Datetime(moment) => Data::Moment(moment.value().to_string()),
        Value::Array(items) => Data::List(items.iter().map(|item| read_value(item, source, &place, sources)).collect()),
        Value::InlineTable(table) => Data::Table(read_table(table, source, sources)),
    };
    Node { place, data }
}

impl Table {
    pub(crate) fn get(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }
}

impl Node {
    /// What it is, for messages.
    pub(crate) fn describe(&self) -> &'static str {
        match self.data {
            Data::Text(_) => "a string",
            Data::Integer(_) => "an integer",
            Data::Float(_) => "a float",
            Data::Boolean(_) => "a boolean",
            Data::Moment(_) => "a date or time",
            Data::List(_) => "a list",
            Data::Table(_) => "a table",
        }
    }

    pub(crate) fn text(&self, report: &mut Report, expected: &str) -> Option<&str> {
        match &self.data {
            Data::Text(text) => Some(text),
            _ => self.refuse(report, expected),
        }
    }

    pub(crate) fn boolean(&self, report: &mut Report) -> Option<bool> {
        match self.data {
            Data::Boolean(truth) => Some(truth),
            _ => self.refuse(report, "`true` or `false`"),
        }
    }

    pub(crate) fn table(&self, report: &mut Report, expected: &str) -> Option<&Table> {
        match &self.data {
            Data::Table(table) => Some(table),
            _ => self.refuse(report, expected),
        }
    }

    pub(crate) fn list(&self, report: &mut Report, expected: &str) -> Option<&[Self]> {
        match &self.data {
            Data::List(items) => Some(items),
            _ => self.refuse(report, expected),
        }
    }

    /// One of some words.
    pub(crate) fn choice<T: Copy>(&self, report: &mut Report, choices: &[(&str, T)]) -> Option<T> {
        let words = || choices.iter().map(|(word, _)| *word);
        let listed = || words().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", ");
        let Data::Text(text) = &self.data else { return self.refuse(report, &format!("one of {}", listed())) };
        if let Some((_, chosen)) = choices.iter().find(|(word, _)| word == text) {
            return Some(*chosen);
        }
        let message = format!("expected one of {}", listed());
        match nearest::nearest(text, words()) {
            Some(word) => report.error_with_help(&self.place, message, format!("did you mean \"{word}\"?")),
            None => report.error(&self.place, message),
        }
        None
    }

    /// Says what was expected instead; always none, so that it can end a reader.
    pub(crate) fn refuse<T>(&self, report: &mut Report, expected: &str) -> Option<T> {
        report.error(&self.place, format!("expected {expected}, found {}", self.describe()));
        None
    }

    /// The value as JSON; dates and times become strings.
    pub(crate) fn to_json(&self) -> serde_json::Value {
        match &self.data {
            Data::Text(text) | Data::Moment(text) => text.clone().into(),
            Data::Integer(integer) => (*integer).into(),
            Data::Float(float) => (*float).into(),
            Data::Boolean(truth) => (*truth).into(),
            Data::List(items) => items.iter().map(Self::to_json).collect(),
            Data::Table(table) => table.entries.iter().map(|entry| (entry.key.clone(), entry.node.to_json())).collect(),
        }
    }
}

/// Tells keys that nobody knows, with the nearest one known; and those of a later version.
pub(crate) fn check_keys(table: &Table, known: &[&str], later: &[&str], report: &mut Report) {
    check_keys_or(table, known, later, |_| None, report);
}

/// The same; `elsewhere` may know where a key belongs.
pub(crate) fn check_keys_or(
    table: &Table,
    known: &[&str],
    later: &[&str],
    elsewhere: impl Fn(&str) -> Option<String>,
    report: &mut Report,
) {
    for entry in &table.entries {
        let key = &entry.key;
        if known.contains(&key.as_str()) {
            continue;
        }
        if later.contains(&key.as_str()) {
            report.error(&entry.place, format!("`{key}` is not available in this version yet"));
            continue;
        }
        let help = nearest::did_you_mean(key, known.iter().copied())
            .or_else(|| elsewhere(key))
            .unwrap_or_else(|| format!("known here: {}", known.join(", ")));
        report.error_with_help(&entry.place, format!("unknown key `{key}`"), help);
    }
}
