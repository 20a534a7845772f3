//! One JSON object a line; empty lines don't count.

use super::{LONGEST, Row, Source, not_utf8};
use crate::cli::failure::Failure;

/// The lines of a file.
pub(in crate::cli) struct JsonLines {
    source: Source,
    line: u64,
    /// The bytes of the latest line, so that its buffer is used again.
    buffer: Vec<u8>,
}

impl JsonLines {
    pub(in crate::cli) fn open(source: Source) -> Self {
        Self { source, line: 0, buffer: Vec::new() }
    }

    pub(in crate::cli) fn position(&self) -> u64 {
        self.source.position()
    }

    pub(in crate::cli) fn next(&mut self) -> Result<Option<Row>, Failure> {
        while let Some(whole) = self.read_line()? {
            let text = self.buffer.trim_ascii();
            if text.is_empty() && whole {
                continue;
            }
            let record = match whole {
                false => Err(format!("the line has more than {} MiB", LONGEST >> 20)),
                true => parse(text),
            };
            return Ok(Some(Row { line: self.line, record }));
        }
        Ok(None)
    }

    /// Reads a line into the buffer: none at the end, false where it is too long and only its beginning was kept.
    fn read_line(&mut self) -> Result<Option<bool>, Failure> {
        self.buffer.clear();
        let (mut any, mut whole) = (false, true);
        loop {
            let bytes = self.source.bytes()?;
            if bytes.is_empty() {
                self.line += u64::from(any);
                return Ok(any.then_some(whole));
            }
            any = true;
            let end = bytes.iter().position(|byte| *byte == b'\n');
            let piece = &bytes[..end.unwrap_or(bytes.len())];
            whole &= self.buffer.len() + piece.len() <= LONGEST;
            if whole {
                self.buffer.extend_from_slice(piece);
            }
            let taken = piece.len() + usize::from(end.is_some());
            self.source.consume(taken);
            if end.is_some() {
                self.line += 1;
                return Ok(Some(whole));
            }
        }
    }
}

fn parse(text: &[u8]) -> Result<serde_json::Value, String> {
    if let Some(what) = not_utf8(text) {
        return Err(what);
    }
    // The parser takes the line for a whole body; its own line number is always 1.
    let record = web::parse_json(text)
        .map_err(|problem| problem.detail.strip_prefix("line 1, ").unwrap_or(&problem.detail).to_owned())?;
    if record.is_object() {
        Ok(record)
    } else {
        Err("this is no object; expected one JSON object on each line".to_owned())
    }
}
