//! Rows as lines of a stream.

use model::{Shape, csv};
use rules::export::Form;

use crate::layout::{Columns, Layout};

/// A piece of a stream has about so many bytes; one row may make it longer.
const PIECE: usize = 64 << 10;

/// Lines as they grow, row by row.
#[derive(Debug)]
pub struct Lines<'a> {
    layout: &'a Layout,
    form: Form,
    bytes: Vec<u8>,
    records: u64,
    scratch: Vec<u8>,
}

impl<'a> Lines<'a> {
    /// No rows so far; in CSV there is a header already.
    #[must_use]
    pub fn new(layout: &'a Layout, form: Form) -> Self {
        let mut bytes = Vec::with_capacity(PIECE + 4096);
        if let Form::Csv { guarded } = form {
            for (position, name) in layout.names().enumerate() {
                if position > 0 {
                    bytes.push(b',');
                }
                csv::write_text(name, guarded, &mut bytes);
            }
            bytes.extend_from_slice(b"\r\n");
        }
        Self { layout, form, bytes, records: 0, scratch: Vec::new() }
    }

    /// Takes a row; true where the piece is long enough.
    ///
    /// # Errors
    /// That of the row.
    pub fn take<C: Columns>(&mut self, row: &C) -> Result<bool, C::Error> {
        match self.form {
            Form::Ndjson => {
                self.layout.encode(row, &mut self.bytes)?;
                self.bytes.push(b'\n');
            }
            Form::Csv { guarded } => {
                let (scratch, bytes) = (&mut self.scratch, &mut self.bytes);
                let mut first = true;
                self.layout.cells(row, scratch, |field, cell| {
                    if !std::mem::take(&mut first) {
                        bytes.push(b',');
                    }
                    match field.shape {
                        Shape::Json => csv::write_json(cell, bytes),
                        _ => csv::write_cell(cell, guarded, bytes),
                    }
                })?;
                self.bytes.extend_from_slice(b"\r\n");
            }
        }
        self.records += 1;
        Ok(self.bytes.len() >= PIECE)
    }

    /// How many bytes wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.bytes.len()
    }

    /// What has grown since the last cut, and how many records it has.
    pub fn cut(&mut self) -> (Vec<u8>, u64) {
        let bytes = std::mem::replace(&mut self.bytes, Vec::with_capacity(PIECE + 4096));
        (bytes, std::mem::take(&mut self.records))
    }
}
