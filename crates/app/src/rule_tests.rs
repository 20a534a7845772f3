//! `tests/*.toml`: what an app's author expects of its rules, for `mainstay test`.

use std::{io, path::Path};

use model::{ResourceIndex, Right, Schema};
use serde_json::{Map, Value as Json};

use crate::{
    diagnostic::{Diagnostic, Report, Severity},
    load::{list_files, read_text, reason},
    nearest,
    source::{Place, Sources},
    tree::{self, Data, Entry, Node, Table, check_keys},
};

/// The word for somebody who is not signed in.
pub const STRANGER: &str = "stranger";

/// The files of `tests/`, and what is wrong with them.
#[derive(Debug)]
pub struct RuleTests {
    /// In the order of their names.
    pub files: Vec<TestFile>,
    /// Everything there is to tell.
    pub diagnostics: Vec<Diagnostic>,
    /// The texts, for [`crate::render`].
    pub sources: Sources,
}

/// A file: records, and tests that are made of them.
#[derive(Debug)]
pub struct TestFile {
    /// `tests/orders.toml`
    pub name: String,
    /// The records that are there before each test.
    pub records: Vec<Fixture>,
    /// The tests, in the order of the file.
    pub tests: Vec<RuleTest>,
}

/// A record that is there, by a name of the author's own.
#[derive(Debug)]
pub struct Fixture {
    /// Whose.
    pub resource: ResourceIndex,
    /// By which tests, and other records, know it.
    pub name: String,
    /// Its line.
    pub line: usize,
    /// Its fields; a reference may hold the name of another record.
    pub fields: Map<String, Json>,
}

/// A call, and what is expected of it.
#[derive(Debug)]
pub struct RuleTest {
    /// What the author calls it, or the call in words.
    pub name: String,
    /// Its line.
    pub line: usize,
    /// For each of whom it is made.
    pub who: Vec<Who>,
    /// The call.
    pub ask: Ask,
    /// What has to come of it.
    pub expect: Expect,
    /// Fields that have to be in the answer.
    pub shows: Vec<String>,
    /// Fields that must not be in it.
    pub hides: Vec<String>,
}

/// Who makes a call.
#[derive(Debug, Clone, PartialEq)]
pub enum Who {
    /// Nobody in particular.
    Stranger,
    /// A record of the people, by its name.
    Person(String),
    /// Somebody without a record.
    Somebody {
        /// The roles, without those that they include.
        roles: Vec<String>,
        /// The claims; null for none.
        claims: Json,
        /// The verified address.
        email: Option<String>,
    },
}

/// A call.
#[derive(Debug, Clone, PartialEq)]
pub enum Ask {
    /// A list.
    List {
        /// Whose records.
        resource: ResourceIndex,
        /// `filter=`
        filter: Option<String>,
    },
    /// One record, or a new one.
    One {
        /// What is done.
        right: Right,
        /// Whose.
        resource: ResourceIndex,
        /// The record's name, or an id; empty on creation.
        record: String,
        /// The body of a creation or a change.
        with: Json,
    },
}

/// What has to come of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expect {
    /// It is let through.
    Allowed,
    /// A rule stops it: 401 or 403.
    Denied,
    /// There is no such record for this caller: 404.
    Hidden,
    /// The body breaks a rule of a field, or `[validate]`: 422.
    Invalid,
    /// These records, by their names, in any order.
    Records(Vec<String>),
}

const WORDS: &[(&str, u8)] = &[("allowed", 0), ("denied", 1), ("hidden", 2), ("invalid", 3)];
const KEYS: &[&str] =
    &["name", "as", "list", "filter", "read", "create", "update", "delete", "with", "expect", "shows", "hides"];

/// Reads `tests/*.toml` of an app whose resources are good.
#[must_use]
pub fn load_rule_tests(directory: &Path, schema: &Schema) -> RuleTests {
    let mut report = Report::default();
    let mut files = Vec::new();
    let mut paths = match list_files(&directory.join("tests")) {
        Ok(paths) => paths,
        Err(error) => {
            if error.kind() != io::ErrorKind::NotFound {
                report.file(Severity::Error, "tests", format!("the directory can't be read: {}", reason(&error)), None);
            }
            Vec::new()
        }
    };
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "toml"));
    paths.sort();
    for path in paths {
        let Some(file) = path.file_name().map(|name| name.to_string_lossy().into_owned()) else { continue };
        let name = format!("tests/{file}");
        let Some(text) = read_text(&path, &name, &mut report) else { continue };
        let source = report.sources.add(&*name, &text);
        let Some(table) = tree::parse(&text, source, &mut report) else { continue };
        let mut reader = Reader { schema, report: &mut report, records: Vec::new() };
        let tests = reader.read(&table);
        let records = reader.records;
        files.push(TestFile { name, records, tests });
    }
    let Report { sources, diagnostics } = report;
    RuleTests { files, diagnostics, sources }
}

struct Reader<'a> {
    schema: &'a Schema,
    report: &'a mut Report,
    records: Vec<Fixture>,
}

impl Reader<'_> {
    fn read(&mut self, table: &Table) -> Vec<RuleTest> {
        check_keys(table, &["records", "test"], &[], self.report);
        if let Some(entry) = table.get("records")
            && let Some(records) = entry.node.table(self.report, "tables of records, as in [records.orders]")
        {
            for entry in &records.entries {
                self.read_records(entry);
            }
        }
        let Some(entry) = table.get("test") else { return Vec::new() };
        let Some(tests) = entry.node.list(self.report, "tests, each under [[test]]") else { return Vec::new() };
        tests.iter().filter_map(|node| self.read_test(node)).collect()
    }

    fn line(&self, place: &Place) -> usize {
        self.report.sources.position(place.source, place.span.start).line
    }

    fn resource(&mut self, name: &str, place: &Place) -> Option<ResourceIndex> {
        let found = self.schema.find(name);
        if found.is_none() {
            let names = self.schema.resources().iter().map(|resource| resource.name.as_str());
            let help = nearest::did_you_mean(name, names).unwrap_or_else(|| "it needs a file in resources/".to_owned());
            self.report.error_with_help(place, format!("there is no resource `{name}`"), help);
        }
        found
    }

    fn read_records(&mut self, entry: &Entry) {
        let Some(resource) = self.resource(&entry.key, &entry.place) else { return };
        let Some(records) = entry.node.table(self.report, "records by name, as in first = { … }") else { return };
        for record in &records.entries {
            let Some(fields) = record.node.table(self.report, "a record: its fields") else { continue };
            let known: Vec<&str> = self.schema.get(resource).fields.iter().map(|field| field.name.as_str()).collect();
            check_keys(fields, &known, &[], self.report);
            if record.key == STRANGER {
                self.report.error(&record.place, "`stranger` is whoever is not signed in, and no record");
            }
            let line = self.line(&record.place);
            let Json::Object(fields) = record.node.to_json() else { continue };
            self.records.push(Fixture { resource, name: record.key.clone(), line, fields });
        }
    }

    fn read_test(&mut self, node: &Node) -> Option<RuleTest> {
        let table = node.table(self.report, "a test")?;
        check_keys(table, KEYS, &[], self.report);
        let ask = self.ask(table, &node.place)?;
        let who = self.who(table);
        let expect = self.expect(table, &ask, &node.place)?;
        let name = match table.get("name") {
            Some(entry) => entry.node.text(self.report, "a string")?.to_owned(),
            None => self.words(&ask),
        };
        let (shows, hides) = (self.texts(table, "shows"), self.texts(table, "hides"));
        Some(RuleTest { name, line: self.line(&node.place), who, ask, expect, shows, hides })
    }

    fn words(&self, ask: &Ask) -> String {
        match ask {
            Ask::List { resource, .. } => format!("list {}", self.schema.get(*resource).name),
            Ask::One { right, resource, record, .. } => {
                let slash = if record.is_empty() { "" } else { "/" };
                format!("{} {}{slash}{record}", right.name(), self.schema.get(*resource).name)
            }
        }
    }

    fn texts(&mut self, table: &Table, key: &str) -> Vec<String> {
        let Some(items) = table.get(key).and_then(|entry| entry.node.list(self.report, "a list of strings")) else {
            return Vec::new();
        };
        items.iter().filter_map(|item| item.text(self.report, "a string").map(str::to_owned)).collect()
    }

    fn ask(&mut self, table: &Table, place: &Place) -> Option<Ask> {
        const CALLS: [(&str, Option<Right>); 5] = [
            ("list", None),
            ("read", Some(Right::Read)),
            ("create", Some(Right::Create)),
            ("update", Some(Right::Update)),
            ("delete", Some(Right::Delete)),
        ];
        let mut found = CALLS.iter().filter_map(|(key, right)| Some((table.get(key)?, *right)));
        let Some((entry, right)) = found.next() else {
            self.report.error(place, "a test needs one of `list`, `read`, `create`, `update`, `delete`");
            return None;
        };
        if let Some((other, _)) = found.next() {
            self.report.error(&other.place, format!("one call is one test, and this one has `{}` already", entry.key));
        }
        let text = entry.node.text(self.report, "a resource, or RESOURCE/RECORD")?;
        let (name, record) = text.split_once('/').unwrap_or((text, ""));
        let resource = self.resource(name, &entry.node.place)?;
        let of_record = matches!(right, Some(Right::Read | Right::Update | Right::Delete));
        if of_record == record.is_empty() {
            let message = if of_record { "which record?" } else { "expected a resource alone" };
            let help = if of_record { format!("write \"{name}/RECORD\"") } else { format!("write \"{name}\"") };
            self.report.error_with_help(&entry.node.place, message, help);
            return None;
        }
        let Some(right) = right else {
            let filter = table.get("filter").and_then(|entry| entry.node.text(self.report, "CEL in a string"));
            return Some(Ask::List { resource, filter: filter.map(str::to_owned) });
        };
        let with = table.get("with").map_or_else(|| Json::Object(Map::new()), |entry| entry.node.to_json());
        Some(Ask::One { right, resource, record: record.to_owned(), with })
    }

    fn who(&mut self, table: &Table) -> Vec<Who> {
        let Some(entry) = table.get("as") else { return vec![Who::Stranger] };
        match &entry.node.data {
            Data::List(items) => items.iter().filter_map(|item| self.one(item)).collect(),
            _ => self.one(&entry.node).into_iter().collect(),
        }
    }

    fn one(&mut self, node: &Node) -> Option<Who> {
        if let Data::Table(table) = &node.data {
            check_keys(table, &["roles", "claims", "email"], &[], self.report);
            let roles = self.texts(table, "roles");
            let claims = table.get("claims").map(|entry| entry.node.to_json()).unwrap_or_default();
            let email = table.get("email").and_then(|entry| entry.node.text(self.report, "a string"));
            return Some(Who::Somebody { roles, claims, email: email.map(str::to_owned) });
        }
        let name = node.text(self.report, "the name of a person, \"stranger\", or { roles = […] }")?;
        if name == STRANGER {
            return Some(Who::Stranger);
        }
        let people = self.schema.people().map(|(index, _, _)| index);
        let known: Vec<&str> = self
            .records
            .iter()
            .filter(|record| Some(record.resource) == people)
            .map(|record| record.name.as_str())
            .chain([STRANGER])
            .collect();
        if known.contains(&name) {
            return Some(Who::Person(name.to_owned()));
        }
        let help = nearest::did_you_mean(name, known).unwrap_or_else(|| match self.schema.people() {
            Some((_, people, _)) => format!("add it under [records.{}]", people.name),
            None => "this app has no people: write { roles = [\"…\"] }".to_owned(),
        });
        self.report.error_with_help(&node.place, format!("there is no person `{name}` in this file"), help);
        None
    }

    fn expect(&mut self, table: &Table, ask: &Ask, place: &Place) -> Option<Expect> {
        let Some(entry) = table.get("expect") else {
            if table.get("shows").is_some() || table.get("hides").is_some() {
                return Some(Expect::Allowed);
            }
            let help = "\"allowed\", \"denied\", \"hidden\", \"invalid\", or the records of a list";
            self.report.error_with_help(place, "a test needs `expect`", help);
            return None;
        };
        if let (Data::List(items), Ask::List { .. }) = (&entry.node.data, ask) {
            let names = items.iter().filter_map(|item| item.text(self.report, "a record's name").map(str::to_owned));
            return Some(Expect::Records(names.collect()));
        }
        if matches!(ask, Ask::List { .. }) {
            return entry.node.refuse(self.report, "a list of records' names");
        }
        Some(match entry.node.choice(self.report, WORDS)? {
            0 => Expect::Allowed,
            1 => Expect::Denied,
            2 => Expect::Hidden,
            _ => Expect::Invalid,
        })
    }
}
