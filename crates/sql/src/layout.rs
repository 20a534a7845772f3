//! What the columns of a row are, and rows as bytes of an answer.

use model::{Field, Resource, Value, json};
use rules::{Type, plan::View};

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
/// revision, and the sort keys that are no field of the answer.
#[derive(Debug)]
pub struct Layout {
    fields: Vec<Selected>,
    /// Where the revision stands.
    pub revision: usize,
    /// The types of the sort keys, and in which columns they stand.
    pub keys: Vec<(Type, usize)>,
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
    /// The layout of a view's rows, without sort keys so far.
    pub(crate) fn new(resource: &Resource, view: &View) -> Self {
        let mut next = view.fields.len();
        let fields = view.fields.iter().map(|seen| {
            let field = resource.get(seen.field).clone();
            let mut label = Vec::new();
            json::write_string(&field.name, &mut label);
            label.push(b':');
            let verdict = seen.condition.as_ref().map(|_| {
                next += 1;
                next - 1
            });
            Selected { label, field, verdict }
        });
        Self { fields: fields.collect(), revision: next, keys: Vec::new() }
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

    /// Hands on the JSON of each field by its number; that of one which is not open is `null`. `scratch` is used again.
    ///
    /// # Errors
    /// That of the row.
    pub fn cells<C: Columns>(
        &self,
        row: &C,
        scratch: &mut Vec<u8>,
        mut take: impl FnMut(usize, &[u8]),
    ) -> Result<(), C::Error> {
        for (position, selected) in self.fields.iter().enumerate() {
            scratch.clear();
            match selected.verdict {
                Some(verdict) if !row.truth(verdict)? => scratch.extend_from_slice(b"null"),
                _ => row.write(&selected.field, position, scratch)?,
            }
            take(position, scratch);
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
        Self { layout, limit: limit as usize, last: None, items, length: 0, next: None }
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
        if self.length > 0 {
            self.items.push(b',');
        }
        self.layout.encode(row, &mut self.items)?;
        self.length += 1;
        if self.length == self.limit {
            self.last = Some(self.layout.sort_keys(row)?);
        }
        Ok(true)
    }
}
