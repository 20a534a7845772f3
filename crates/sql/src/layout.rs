//! What the columns of a row are, and rows as bytes of an answer.

use model::{Field, Value, json};
use rules::{
    Type,
    plan::{Expansion, ReadPlan},
};

use crate::{
    Dialect,
    select::own_field,
    statement::Statement,
    tree::{TooMuch, Tree},
};

/// A row, as its database reads it.
pub trait Columns {
    /// What can go wrong.
    type Error;

    /// Appends a field of the answer.
    ///
    /// # Errors
    /// That of the database.
    fn write(&self, field: &Field, position: usize, out: &mut Vec<u8>) -> Result<(), Self::Error>;

    /// A truth value; null is no.
    ///
    /// # Errors
    /// That of the database.
    fn truth(&self, position: usize) -> Result<bool, Self::Error>;

    /// A value that an expression of a type yields.
    ///
    /// # Errors
    /// That of the database.
    fn value(&self, of: &Type, position: usize) -> Result<Value, Self::Error>;
}

/// What the columns of a plan's rows are: the fields of the answer, the verdicts of those that have a condition, the
/// revision, the keys of what is expanded, and the sort keys that are no field of the answer.
#[derive(Debug)]
pub struct Layout {
    fields: Vec<Selected>,
    /// Where the revision stands.
    pub revision: usize,
    /// How many columns there are before those sort keys.
    pub(crate) width: usize,
    /// The types of the sort keys, and in which columns they stand.
    pub keys: Vec<(Type, usize)>,
    /// What is expanded.
    pub expands: Vec<Expand>,
}

/// An expansion, ready to be asked.
#[derive(Debug)]
pub struct Expand {
    pub(crate) name: String,
    /// `"name":`
    pub(crate) label: Vec<u8>,
    /// Which of [`crate::Select::expands`].
    pub(crate) statement: usize,
    /// The key's type, and in which column it stands of the records that this is expanded in.
    pub(crate) key: (Type, usize),
    /// In which column of its own rows the number of the key stands.
    pub(crate) number: usize,
    /// The most records of a list; none for one record.
    pub(crate) limit: Option<u32>,
    pub(crate) layout: Layout,
}

impl Expand {
    pub(crate) fn new(
        name: &str,
        statement: usize,
        key: (Type, usize),
        number: usize,
        limit: Option<u32>,
        layout: Layout,
    ) -> Self {
        Self { name: name.to_owned(), label: label(name), statement, key, number, limit, layout }
    }
}

/// `"name":`
fn label(name: &str) -> Vec<u8> {
    let mut label = Vec::new();
    json::write_string(name, &mut label);
    label.push(b':');
    label
}

/// One field of the answer.
#[derive(Debug)]
struct Selected {
    /// `"name":`
    label: Vec<u8>,
    field: Field,
    /// Where the verdict of its condition stands, if it has one.
    verdict: Option<usize>,
}

impl Layout {
    /// The layout of a plan's rows, without sort keys and expansions so far.
    pub(crate) fn new(plan: &ReadPlan) -> Self {
        let resource = plan.catalog.schema.get(plan.resource);
        let mut next = plan.view.fields.len();
        let fields = plan.view.fields.iter().map(|seen| {
            let field = resource.get(seen.field).clone();
            let verdict = seen.condition.as_ref().map(|_| {
                next += 1;
                next - 1
            });
            Selected { label: label(&field.name), field, verdict }
        });
        let fields = fields.collect();
        Self { fields, revision: next, width: next + 1, keys: Vec::new(), expands: Vec::new() }
    }

    /// Where the key of each expansion stands: in the column of a field that is answered, or in one of its own, which
    /// `select` is told of.
    pub(crate) fn place_keys(plan: &ReadPlan, revision: usize, mut select: impl FnMut(&Expansion)) -> Vec<usize> {
        let mut next = revision + 1;
        let place = |expansion: &Expansion| {
            let own = own_field(&expansion.key);
            let answered = plan.view.fields.iter().position(|seen| own == Some(seen.field));
            answered.unwrap_or_else(|| {
                select(expansion);
                next += 1;
                next - 1
            })
        };
        plan.expand.iter().map(place).collect()
    }

    /// Makes the statements of what is expanded.
    pub(crate) fn prepare_expands(&mut self, plan: &ReadPlan, dialect: &dyn Dialect, statements: &mut Vec<Statement>) {
        let places = Self::place_keys(plan, self.revision, |_| ());
        let expands = plan.expand.iter().zip(places);
        self.expands =
            expands.map(|(expansion, key)| crate::expand::prepare(expansion, key, dialect, statements)).collect();
    }

    /// Appends a row as an object; returns which of the fields with a condition are open.
    ///
    /// # Errors
    /// That of the row.
    pub fn encode<C: Columns>(&self, row: &C, out: &mut Vec<u8>) -> Result<u64, C::Error> {
        let mut mask = 0;
        let mut conditional = 0;
        let mut separator = b'{';
        for (position, selected) in self.fields.iter().enumerate() {
            if let Some(verdict) = selected.verdict {
                let open = row.truth(verdict)?;
                mask |= u64::from(open) << (conditional % 64);
                conditional += 1;
                if !open {
                    continue;
                }
            }
            out.push(separator);
            separator = b',';
            out.extend_from_slice(&selected.label);
            row.write(&selected.field, position, out)?;
        }
        if separator == b'{' {
            out.push(b'{');
        }
        out.push(b'}');
        Ok(mask)
    }

    /// The names of the fields.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().map(|selected| selected.field.name.as_str())
    }

    /// Hands on each field with its JSON; that of one which is not open is `null`. `scratch` is used again.
    ///
    /// # Errors
    /// That of the row.
    pub fn cells<C: Columns>(
        &self,
        row: &C,
        scratch: &mut Vec<u8>,
        mut take: impl FnMut(&Field, &[u8]),
    ) -> Result<(), C::Error> {
        for (position, selected) in self.fields.iter().enumerate() {
            scratch.clear();
            match selected.verdict {
                Some(verdict) if !row.truth(verdict)? => scratch.extend_from_slice(b"null"),
                _ => row.write(&selected.field, position, scratch)?,
            }
            take(&selected.field, scratch);
        }
        Ok(())
    }

    /// The sort keys of a row.
    ///
    /// # Errors
    /// That of the row.
    pub fn sort_keys<C: Columns>(&self, row: &C) -> Result<Vec<Value>, C::Error> {
        self.keys.iter().map(|(of, position)| row.value(of, *position)).collect()
    }
}

/// A page as it grows, row by row.
#[derive(Debug)]
pub struct Page<'a> {
    layout: &'a Layout,
    limit: usize,
    last: Option<Vec<Value>>,
    /// Where records are expanded: they wait there for it.
    pub tree: Option<Tree<'a>>,
    /// The JSON objects, separated by commas.
    pub items: Vec<u8>,
    /// How many they are.
    pub length: usize,
    /// The sort keys of the last one, where more follow.
    pub next: Option<Vec<Value>>,
}

impl<'a> Page<'a> {
    /// An empty page of so many records at most.
    #[must_use]
    pub fn new(layout: &'a Layout, limit: u32) -> Self {
        let items = Vec::with_capacity(2048);
        let tree = (!layout.expands.is_empty()).then(|| Tree::new(layout));
        Self { layout, limit: limit as usize, last: None, tree, items, length: 0, next: None }
    }

    /// Takes the next row; false where the page is full. One row more than is answered says whether there is a next page.
    ///
    /// # Errors
    /// That of the row.
    pub fn take<C: Columns>(&mut self, row: &C) -> Result<bool, C::Error> {
        if self.length == self.limit {
            self.next = self.last.take();
            return Ok(false);
        }
        if let Some(tree) = &mut self.tree {
            tree.take(row)?;
        } else {
            if self.length > 0 {
                self.items.push(b',');
            }
            self.layout.encode(row, &mut self.items)?;
        }
        self.length += 1;
        if self.length == self.limit {
            self.last = Some(self.layout.sort_keys(row)?);
        }
        Ok(true)
    }

    /// Writes the records that waited for what is expanded in them.
    ///
    /// # Errors
    /// The answer is too large.
    pub fn finish(mut self) -> Result<Self, TooMuch> {
        if let Some(tree) = self.tree.take() {
            for record in 0..tree.length() {
                if record > 0 {
                    self.items.push(b',');
                }
                tree.write(record, &mut self.items)?;
            }
        }
        Ok(self)
    }
}
