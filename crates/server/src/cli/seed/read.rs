//! The files of `seed/`, line by line.

use std::{fs, io, path::Path};

use model::Schema;
use serde_json::Value as Json;

use super::SeedFile;
use crate::cli::{
    failure::Failure,
    records::{JsonLines, Row, Source},
    terminal,
};

/// A record and its place.
#[derive(Debug)]
pub(super) struct Line {
    /// From 1.
    pub(super) number: u64,
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
    rows: JsonLines,
    shown: String,
}

impl Lines {
    pub(super) fn open(file: &SeedFile) -> Result<Self, Failure> {
        let rows = JsonLines::open(Source::open(&file.path, &file.shown, false)?);
        Ok(Self { rows, shown: file.shown.clone() })
    }

    /// Some lines more; none at the end.
    ///
    /// # Errors
    /// A line is no JSON object.
    pub(super) fn batch(&mut self, most: usize, bytes: u64) -> Result<Vec<Line>, Failure> {
        let (mut lines, begin) = (Vec::new(), self.rows.position());
        while lines.len() < most && self.rows.position() - begin < bytes {
            let Some(Row { line, record }) = self.rows.next()? else { break };
            let record = record.map_err(|what| {
                Failure::new(format!("{}:{line}: {what}", self.shown))
                    .help("expected one JSON object on each line, as in {\"id\": 1, \"name\": \"Rock\"}")
            })?;
            lines.push(Line { number: line, record });
        }
        Ok(lines)
    }
}
