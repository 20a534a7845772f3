//! Records with those that are expanded in them: read level by level, one statement an expansion, and written as one
//! answer at the end.

use std::{
    collections::{HashMap, hash_map::Entry},
    ops::Range,
};

use model::{Value, json};

use crate::layout::{Columns, Expand, Layout};

/// The most records that one answer may expand.
pub const ROWS: usize = 25_000;
/// The most bytes that one answer with expanded records may have.
pub const BYTES: usize = 32 << 20;

/// The answer would be larger than [`ROWS`] or [`BYTES`] allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooMuch;

/// Why a row could not be taken.
#[derive(Debug)]
pub enum Refused<E> {
    /// The database's error.
    Row(E),
    /// There are too many.
    TooMuch,
}

impl<E> From<E> for Refused<E> {
    fn from(error: E) -> Self {
        Self::Row(error)
    }
}

/// Records and what is expanded in them.
#[derive(Debug)]
pub struct Tree<'a> {
    /// The first is that of the records themselves.
    levels: Vec<Level<'a>>,
    /// How many levels have been asked for theirs.
    asked: usize,
    rows: usize,
    bytes: usize,
}

/// The records of one expansion, over all records that it is expanded in.
#[derive(Debug)]
struct Level<'a> {
    layout: &'a Layout,
    /// The objects, without their closing braces.
    bodies: Vec<u8>,
    /// Where each of them ends.
    ends: Vec<usize>,
    /// What is expanded in them, in the order of the layout.
    branches: Vec<Branch<'a>>,
}

/// One expansion below the records of a level.
#[derive(Debug)]
struct Branch<'a> {
    expand: &'a Expand,
    /// The distinct keys, and the number of each.
    keys: Vec<Value>,
    numbers: HashMap<Key, u32>,
    /// The number of each record's key; none where it is absent.
    of_row: Vec<Option<u32>>,
    /// The level with the records found, and which of them belong to each key.
    level: usize,
    groups: Vec<Range<usize>>,
    /// The keys whose lists had more records.
    cut: Vec<bool>,
}

/// A key that can be looked up.
#[derive(Debug, PartialEq, Eq, Hash)]
enum Key {
    Integer(i64),
    Uuid(uuid::Uuid),
    Text(Box<str>),
}

/// What is to be asked of the database: an expansion's statement with these of its own parameters.
#[derive(Debug)]
pub struct Question {
    /// Which of [`crate::Select::expands`].
    pub statement: usize,
    /// The values of its own parameters.
    pub own: Vec<Value>,
    level: usize,
    branch: usize,
}

impl<'a> Tree<'a> {
    /// A tree without records.
    #[must_use]
    pub fn new(layout: &'a Layout) -> Self {
        Self { levels: vec![Level::new(layout)], asked: 0, rows: 0, bytes: 0 }
    }

    /// How many records it has, those expanded in them not counted.
    #[must_use]
    pub fn length(&self) -> usize {
        self.levels[0].ends.len()
    }

    /// Takes the row of a record; returns which of its fields with a condition are open.
    ///
    /// # Errors
    /// That of the row.
    pub fn take<C: Columns>(&mut self, row: &C) -> Result<u64, C::Error> {
        self.levels[0].take(row)
    }

    /// What the records of the last level have to be asked; nothing where the tree is complete.
    pub fn questions(&mut self) -> Vec<Question> {
        let mut questions = Vec::new();
        let known = self.levels.len();
        for level in self.asked..known {
            for branch in 0..self.levels[level].branches.len() {
                let next = self.levels.len();
                let asked = &mut self.levels[level].branches[branch];
                asked.level = next;
                asked.numbers = HashMap::new();
                asked.groups = vec![0..0; asked.keys.len()];
                asked.cut = vec![false; asked.keys.len()];
                let (expand, keys) = (asked.expand, std::mem::take(&mut asked.keys));
                if !keys.is_empty() {
                    let mut own = vec![Value::List(keys)];
                    if let Some(limit) = expand.limit {
                        // One more of each list says whether it was cut; one more in all, whether there are too many.
                        let left = ROWS.saturating_sub(self.rows) + asked.groups.len() + 1;
                        own.extend([Value::Integer(i64::from(limit) + 1), Value::Integer(left as i64)]);
                    }
                    questions.push(Question { statement: expand.statement, own, level, branch });
                }
                self.levels.push(Level::new(&expand.layout));
            }
        }
        self.asked = known;
        questions
    }

    /// Takes a row of the answer to a question; the rows of one key come together, in their order.
    ///
    /// # Errors
    /// That of the row, or that there are too many.
    pub fn answer<C: Columns>(&mut self, question: &Question, row: &C) -> Result<(), Refused<C::Error>> {
        let branch = &mut self.levels[question.level].branches[question.branch];
        let next = branch.level;
        let number = match row.value(&rules::Type::Integer, branch.expand.number)? {
            Value::Integer(number) => usize::try_from(number).unwrap_or(usize::MAX),
            _ => usize::MAX,
        };
        let Some(group) = branch.groups.get(number).cloned() else { return Ok(()) };
        if branch.expand.limit.is_some_and(|limit| group.len() >= limit as usize) {
            branch.cut[number] = true;
            return Ok(());
        }
        let level = &mut self.levels[next];
        let (row_number, before) = (level.ends.len(), level.bodies.len());
        level.take(row)?;
        self.rows += 1;
        self.bytes += level.bodies.len() - before;
        if self.rows > ROWS || self.bytes > BYTES {
            return Err(Refused::TooMuch);
        }
        let start = if group.is_empty() { row_number } else { group.start };
        self.levels[question.level].branches[question.branch].groups[number] = start..row_number + 1;
        Ok(())
    }

    /// Appends a record with what is expanded in it.
    ///
    /// # Errors
    /// The answer is too large.
    pub fn write(&self, record: usize, out: &mut Vec<u8>) -> Result<(), TooMuch> {
        self.write_row(0, record, out)
    }

    fn write_row(&self, level: usize, row: usize, out: &mut Vec<u8>) -> Result<(), TooMuch> {
        let level = &self.levels[level];
        let start = row.checked_sub(1).map_or(0, |before| level.ends[before]);
        let body = &level.bodies[start..level.ends[row]];
        if out.len() + body.len() > BYTES {
            return Err(TooMuch);
        }
        out.extend_from_slice(body);
        let mut separator: &[u8] = if body == b"{" { b"\"expand\":{" } else { b",\"expand\":{" };
        for branch in &level.branches {
            out.extend_from_slice(separator);
            separator = b",";
            out.extend_from_slice(&branch.expand.label);
            self.write_branch(branch, row, out)?;
        }
        if !level.branches.is_empty() {
            out.push(b'}');
        }
        let mut separator: &[u8] = b",\"expand_more\":[";
        for branch in level.branches.iter().filter(|branch| branch.is_cut(row)) {
            out.extend_from_slice(separator);
            separator = b",";
            json::write_string(&branch.expand.name, out);
        }
        if separator == b"," {
            out.push(b']');
        }
        out.push(b'}');
        Ok(())
    }

    fn write_branch(&self, branch: &Branch<'_>, row: usize, out: &mut Vec<u8>) -> Result<(), TooMuch> {
        let rows = branch.rows(row);
        if branch.expand.limit.is_none() {
            if rows.is_empty() {
                out.extend_from_slice(b"null");
                return Ok(());
            }
            return self.write_row(branch.level, rows.start, out);
        }
        out.push(b'[');
        for (position, row) in rows.enumerate() {
            if position > 0 {
                out.push(b',');
            }
            self.write_row(branch.level, row, out)?;
        }
        out.push(b']');
        Ok(())
    }
}

impl<'a> Level<'a> {
    fn new(layout: &'a Layout) -> Self {
        let branches = layout.expands.iter().map(Branch::new).collect();
        Self { layout, bodies: Vec::new(), ends: Vec::new(), branches }
    }

    fn take<C: Columns>(&mut self, row: &C) -> Result<u64, C::Error> {
        let mask = self.layout.encode(row, &mut self.bodies)?;
        // The closing brace comes after what is expanded.
        self.bodies.pop();
        self.ends.push(self.bodies.len());
        for branch in &mut self.branches {
            let (of, position) = &branch.expand.key;
            branch.know(row.value(of, *position)?);
        }
        Ok(mask)
    }
}

impl<'a> Branch<'a> {
    fn new(expand: &'a Expand) -> Self {
        Self {
            expand,
            keys: Vec::new(),
            numbers: HashMap::new(),
            of_row: Vec::new(),
            level: 0,
            groups: Vec::new(),
            cut: Vec::new(),
        }
    }

    /// Takes the key of the next record.
    fn know(&mut self, value: Value) {
        let key = match &value {
            Value::Integer(number) => Key::Integer(*number),
            Value::Uuid(uuid) => Key::Uuid(*uuid),
            Value::Text(text) => Key::Text(text.clone()),
            _ => {
                self.of_row.push(None);
                return;
            }
        };
        let next = self.keys.len() as u32;
        self.of_row.push(Some(match self.numbers.entry(key) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(free) => {
                free.insert(next);
                self.keys.push(value);
                next
            }
        }));
    }

    fn number(&self, row: usize) -> Option<usize> {
        self.of_row.get(row).copied().flatten().map(|number| number as usize)
    }

    fn rows(&self, row: usize) -> Range<usize> {
        self.number(row).and_then(|number| self.groups.get(number).cloned()).unwrap_or(0..0)
    }

    fn is_cut(&self, row: usize) -> bool {
        self.number(row).is_some_and(|number| self.cut.get(number) == Some(&true))
    }
}
