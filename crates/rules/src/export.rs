//! In which form streams of records leave.

/// The form of a stream of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One JSON object a line.
    Ndjson,
    /// RFC 4180, UTF-8, with a header of the fields' names.
    Csv {
        /// Text that a spreadsheet would take for a formula has a `'` before it.
        guarded: bool,
    },
}
