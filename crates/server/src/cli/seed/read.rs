//! The files of `seed/`, line by line.

use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, Read as _},
    path::Path,
};

use model::Schema;
use serde_json::Value as Json;

use super::SeedFile;
use crate::cli::{failure::Failure, terminal};

/// The most bytes of a line.
const LONGEST: u64 = 16 << 20;

/// A record and its place.
#[derive(Debug)]
pub(super) struct Line {
    /// From 1.
    pub(super) number: usize,
    pub(super) record: Json,
}

/// The files of `seed/` by name; none where there is no such directory.
///
/// # Errors
/// One belongs to no resource, or the directory can't be read.
pub(super) fn list(directory: &Path, schema: &Schema) -> Result<Vec<SeedFile>, Failure> {
    let failed = |error: &io::Error| Failure::caused("could not read the directory `seed`", error);
    let entries = match fs::read_dir(directory.join("seed")) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(&error)),
    };
    let mut seeds = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| failed(&error))?.path();
        let Some(file) = path.file_name().map(|name| name.to_string_lossy().into_owned()) else { continue };
        if file.starts_with('.') || !path.is_file() {
            continue;
        }
        let shown = format!("seed/{file}");
        let Some(name) = file.strip_suffix(".ndjson") else {
            if [".json", ".jsonl", ".csv"].iter().any(|ending| file.ends_with(ending)) {
                terminal::warning(&format!("{shown} is not read: seeds end in .ndjson, one JSON object a line"), None);
            }
            continue;
        };
        let Some(resource) = schema.find(name) else {
            let names = schema.resources().iter().map(|resource| resource.name.as_str());
            let failure = Failure::new(format!("{shown}: there is no resource `{name}`"));
            return Err(match rules::nearest(name, names) {
                Some(near) => failure.help(format!("did you mean `{near}`? Then rename it to seed/{near}.ndjson")),
                None => failure.help(format!("a file resources/{name}.toml would make it one")),
            });
        };
        seeds.push(SeedFile { resource, name: name.to_owned(), path, shown });
    }
    seeds.sort_by(|left, right| left.name.cmp(&right.name));
    Ok(seeds)
}

/// The lines of a file that are not empty, read as they are asked for.
pub(super) struct Lines {
    reader: BufReader<File>,
    shown: String,
    number: usize,
    /// The bytes of the latest line, so that its buffer is used again.
    buffer: Vec<u8>,
}

impl Lines {
    pub(super) fn open(file: &SeedFile) -> Result<Self, Failure> {
        let opened = File::open(&file.path);
        let opened = opened.map_err(|error| Failure::caused(format!("could not read {}", file.shown), &error))?;
        let reader = BufReader::with_capacity(1 << 16, opened);
        Ok(Self { reader, shown: file.shown.clone(), number: 0, buffer: Vec::new() })
    }

    /// Some lines more; none at the end.
    ///
    /// # Errors
    /// A line is no JSON object.
    pub(super) fn batch(&mut self, most: usize, bytes: usize) -> Result<Vec<Line>, Failure> {
        let (mut lines, mut taken) = (Vec::new(), 0);
        while lines.len() < most && taken < bytes {
            let Some(line) = self.next()? else { break };
            taken += self.buffer.len();
            lines.push(line);
        }
        Ok(lines)
    }

    fn next(&mut self) -> Result<Option<Line>, Failure> {
        loop {
            self.buffer.clear();
            let read = self.reader.by_ref().take(LONGEST).read_until(b'\n', &mut self.buffer);
            let read = read.map_err(|error| Failure::caused(format!("could not read {}", self.shown), &error))?;
            if read == 0 {
                return Ok(None);
            }
            self.number += 1;
            let number = self.number;
            let wrong = |what: &str| {
                Failure::new(format!("{}:{number}: {what}", self.shown))
                    .help("expected one JSON object on each line, as in {\"id\": 1, \"name\": \"Rock\"}")
            };
            if read as u64 == LONGEST && !self.buffer.ends_with(b"\n") {
                return Err(wrong(&format!("the line has more than {LONGEST} bytes")));
            }
            let mut text = self.buffer.as_slice();
            if number == 1 {
                text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
            }
            let text = text.trim_ascii();
            if text.is_empty() {
                continue;
            }
            // The parser takes the line for a whole body; its own line number is always 1.
            let record = web::parse_json(text)
                .map_err(|problem| wrong(problem.detail.strip_prefix("line 1, ").unwrap_or(&problem.detail)))?;
            if !record.is_object() {
                return Err(wrong("this is no object"));
            }
            return Ok(Some(Line { number, record }));
        }
    }
}
