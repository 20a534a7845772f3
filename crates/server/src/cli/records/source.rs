//! The bytes of a file or of standard input.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read, Seek as _, Write as _},
    path::Path,
};

use crate::cli::failure::Failure;

/// Bytes, as they are shown in messages.
pub(in crate::cli) struct Source {
    reader: BufReader<Box<dyn Read + Send>>,
    /// The file's name.
    pub(in crate::cli) shown: String,
    /// How many bytes there are.
    pub(in crate::cli) length: Option<u64>,
    position: u64,
}

impl Source {
    /// A file; `-` is standard input, which is copied to a temporary file where it has to be read `at_once`.
    ///
    /// # Errors
    /// It can't be read, or holds no text in UTF-8.
    pub(in crate::cli) fn open(path: &Path, shown: &str, at_once: bool) -> Result<Self, Failure> {
        let failed = |error: io::Error| Failure::caused(format!("could not read {shown}"), &error);
        if path != Path::new("-") {
            let file = File::open(path).map_err(failed)?;
            let about = file.metadata().map_err(failed)?;
            if about.is_dir() {
                return Err(Failure::new(format!("{shown} is a directory")));
            }
            let length = about.is_file().then_some(about.len());
            return Self::of(Box::new(file), shown, length);
        }
        if !at_once {
            return Self::of(Box::new(io::stdin()), "standard input", None);
        }
        let spooled = spool().map_err(|error| Failure::caused("could not keep standard input in a file", &error))?;
        let length = spooled.metadata().ok().map(|about| about.len());
        Self::of(Box::new(spooled), "standard input", length)
    }

    /// Bytes from anywhere.
    ///
    /// # Errors
    /// They can't be read, or are no text in UTF-8.
    pub(in crate::cli) fn of(bytes: Box<dyn Read + Send>, shown: &str, length: Option<u64>) -> Result<Self, Failure> {
        let mut reader = BufReader::with_capacity(1 << 17, bytes);
        let shown = shown.to_owned();
        let start = reader.fill_buf().map_err(|error| Failure::caused(format!("could not read {shown}"), &error))?;
        if let Some((what, help)) = refuse_foreign(start) {
            return Err(Failure::new(format!("{shown}: {what}")).help(help));
        }
        let mark = if start.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
        reader.consume(mark);
        Ok(Self { reader, shown, length, position: mark as u64 })
    }

    /// Bytes that are at hand; none at the end.
    ///
    /// # Errors
    /// They can't be read.
    pub(super) fn bytes(&mut self) -> Result<&[u8], Failure> {
        let shown = &self.shown;
        self.reader.fill_buf().map_err(|error| Failure::caused(format!("could not read {shown}"), &error))
    }

    /// Goes on behind some of them.
    pub(super) fn consume(&mut self, bytes: usize) {
        self.reader.consume(bytes);
        self.position += bytes as u64;
    }

    /// How many bytes have been read.
    pub(super) fn position(&self) -> u64 {
        self.position
    }
}

/// Standard input in a file that is gone when it is closed: what comes slowly must not hold a transaction open.
fn spool() -> io::Result<File> {
    let mut file = tempfile::tempfile()?;
    io::copy(&mut io::stdin().lock(), &mut file)?;
    file.flush()?;
    file.rewind()?;
    Ok(file)
}

/// What bytes are that are no text in UTF-8, and what to do about it.
fn refuse_foreign(start: &[u8]) -> Option<(&'static str, &'static str)> {
    let utf16 = "`iconv -f UTF-16 -t UTF-8 FILE` converts it; a spreadsheet saves \"CSV UTF-8\"";
    let zeros = |first: usize| start.iter().skip(first).step_by(2).take(8).filter(|byte| **byte == 0).count();
    match start {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => {
            Some(("the file is in UTF-32; UTF-8 is needed", "`iconv -f UTF-32 -t UTF-8 FILE` converts it"))
        }
        [0xff, 0xfe, ..] => Some(("the file is in UTF-16 (little-endian); UTF-8 is needed", utf16)),
        [0xfe, 0xff, ..] => Some(("the file is in UTF-16 (big-endian); UTF-8 is needed", utf16)),
        [0x1f, 0x8b, ..] => {
            Some(("the file is compressed with gzip", "`gunzip -c FILE | mainstay import RESOURCE - …`"))
        }
        [0x28, 0xb5, 0x2f, 0xfd, ..] => {
            Some(("the file is compressed with zstd", "`zstd -dc FILE | mainstay import RESOURCE - …`"))
        }
        [b'P', b'K', 3, 4, ..] => {
            Some(("the file is a zip archive or a spreadsheet", "unpack it, or save it as CSV in UTF-8"))
        }
        _ if start.len() >= 16 && zeros(0).max(zeros(1)) >= 7 => {
            Some(("the file looks like UTF-16 without a byte order mark; UTF-8 is needed", utf16))
        }
        _ => None,
    }
}
