//! A directory read into an app.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use model::Schema;
use rules::Catalog;

use crate::{
    diagnostic::{Diagnostic, Report, Severity},
    nearest,
    outside::Outside,
    policy,
    resource::{
        Neighbours, Places,
        file::{self, Draft},
        names, relations,
    },
    secret,
    settings::{self, Environment, Settings},
    source::Sources,
    tree::{self, Table},
};

/// The most bytes of a file.
const MAX_FILE: u64 = 1 << 20;
/// The most resources of an app.
const MAX_RESOURCES: usize = 1_000;

/// What came of reading an app.
#[derive(Debug)]
pub struct Loaded {
    /// The settings, unless `mainstay.toml` or the environment has a mistake.
    pub settings: Option<Settings>,
    /// The resources with their rules, unless one has a mistake.
    pub catalog: Option<Catalog>,
    /// Everything there is to tell, errors first, then by file and line.
    pub diagnostics: Vec<Diagnostic>,
    /// The files, for [`crate::render`].
    pub sources: Sources,
}

impl Loaded {
    /// Whether there is an error, so that the app can't be served.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }
}

/// Reads the app in a directory: `mainstay.toml`, which may be missing, and `resources/*.toml`. Every mistake is told, each
/// once, and no input whatever makes it panic.
#[must_use]
pub fn load(directory: &Path, environment: &Environment) -> Loaded {
    let mut report = Report::default();
    let settings = load_settings(directory, environment, &mut report);
    let errors = report.diagnostics.len();
    let catalog = load_resources(Outside { directory, environment }, settings.as_ref(), &mut report);
    let settings = if report.diagnostics[..errors].iter().any(is_error) { None } else { settings };
    let catalog = if report.diagnostics[errors..].iter().any(is_error) { None } else { catalog };
    let Report { sources, mut diagnostics } = report;
    diagnostics.sort_by(|left, right| {
        let key = |diagnostic: &Diagnostic| {
            (diagnostic.severity, diagnostic.file.clone(), diagnostic.start.line, diagnostic.start.column)
        };
        key(left).cmp(&key(right))
    });
    Loaded { settings, catalog, diagnostics, sources }
}

fn is_error(diagnostic: &Diagnostic) -> bool {
    diagnostic.severity == Severity::Error
}

fn load_settings(directory: &Path, environment: &Environment, report: &mut Report) -> Option<Settings> {
    const FILE: &str = "mainstay.toml";
    if !directory.is_dir() {
        report.file(Severity::Error, &directory.to_string_lossy(), "there is no such directory", None);
        return None;
    }
    let path = directory.join(FILE);
    let table = if path.exists() {
        let text = read_text(&path, FILE, report)?;
        let source = report.sources.add_masked(FILE, &text);
        tree::parse(&text, source, report)?
    } else {
        if !directory.join("resources").is_dir() {
            let help =
                "an app is a directory with a mainstay.toml or a resources directory; `mainstay new NAME` makes one";
            report.file(Severity::Error, FILE, "there is no app in this directory", Some(help.to_owned()));
            return None;
        }
        Table::default()
    };
    Some(settings::read(&table, directory, environment, report))
}

pub(crate) fn read_text(path: &Path, name: &str, report: &mut Report) -> Option<String> {
    try_read(path)
        .inspect_err(|reason| {
            report.file(Severity::Error, name, format!("the file can't be read: {reason}"), None);
        })
        .ok()
}

fn try_read(path: &Path) -> Result<String, String> {
    let size = fs::metadata(path).map_err(|error| reason(&error))?.len();
    if size > MAX_FILE {
        return Err(format!("it has more than {MAX_FILE} bytes"));
    }
    let bytes = fs::read(path).map_err(|error| reason(&error))?;
    String::from_utf8(bytes).map_err(|error| {
        let line = error.as_bytes()[..error.utf8_error().valid_up_to()].iter().filter(|byte| **byte == b'\n').count();
        format!("line {} is not UTF-8", line + 1)
    })
}

/// Why a file can't be read, in few words.
pub(crate) fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is none".to_owned(),
        kind => kind.to_string(),
    }
}

/// A file of `resources/` whose name is good.
struct ResourceFile {
    name: String,
    /// Its source and tree; none where its syntax is wrong, though the resource exists all the same.
    content: Option<(usize, Table)>,
}

fn load_resources(outside: Outside<'_>, settings: Option<&Settings>, report: &mut Report) -> Option<Catalog> {
    let files = read_resource_files(outside.directory, report);
    let empty = Table::default();
    let known: Vec<_> = files
        .iter()
        .map(|file| (file.name.clone(), file::id_kind(file.content.as_ref().map_or(&empty, |(_, table)| table))))
        .collect();
    let neighbours = Neighbours::new(known);
    let mut complete = true;
    let (mut resources, mut places): (Vec<_>, Vec<Places>) = (Vec::new(), Vec::new());
    for ResourceFile { name, content } in &files {
        complete &= content.is_some();
        let Some((source, table)) = content else { continue };
        let draft: Draft = file::read(name, *source, table, &neighbours, outside, report);
        complete &= draft.complete;
        resources.push(draft.resource);
        places.push(draft.places);
    }
    if !complete {
        return None;
    }
    let schema = Schema::new(resources).with_roles(settings.map(|settings| settings.roles.clone()).unwrap_or_default());
    relations::check(&schema, &places, report);
    relations::check_people(&schema, &places, report);
    policy::compile(schema, &places, settings, report)
}

/// All files in the order of their names.
fn read_resource_files(directory: &Path, report: &mut Report) -> Vec<ResourceFile> {
    let mut paths = match list_files(&directory.join("resources")) {
        Ok(paths) => paths,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => {
            let message = format!("the directory can't be read: {}", reason(&error));
            report.file(Severity::Error, "resources", message, None);
            return Vec::new();
        }
    };
    paths.sort();
    let mut files: Vec<ResourceFile> = Vec::new();
    for path in paths {
        let Some(file) = path.file_name().map(|name| name.to_string_lossy().into_owned()) else { continue };
        let shown = format!("resources/{file}");
        let Some(name) = file.strip_suffix(".toml") else {
            misnamed(&file, &shown, report);
            continue;
        };
        if files.len() == MAX_RESOURCES {
            report.file(Severity::Error, &shown, format!("an app has at most {MAX_RESOURCES} resources"), None);
            break;
        }
        let fault = names::resource_fault(name);
        let content = read_text(&path, &shown, report).and_then(|text| {
            let source = report.sources.add(&*shown, &secret::mask_client_secrets(&text));
            Some((source, tree::parse(&text, source, report)?))
        });
        match fault {
            None => files.push(ResourceFile { name: name.to_owned(), content }),
            Some((message, suggestion)) => {
                let help = suggestion.as_ref().map(|name| format!("rename it to {name}.toml"));
                report.file(Severity::Error, &shown, message, help);
                // Under its better name it is read all the same, so that references to that name are no mistakes.
                if let Some(name) = suggestion {
                    files.push(ResourceFile { name, content });
                }
            }
        }
    }
    if files.is_empty() && !report.has_errors() {
        let help = "a file resources/notes.toml makes the API /api/notes";
        report.file(Severity::Warning, "resources", "this app has no resources", Some(help.to_owned()));
    }
    files.sort_by(|left, right| left.name.cmp(&right.name));
    // Two files can have one name only where one was renamed here.
    files.dedup_by(|left, right| left.name == right.name);
    files
}

/// Plain files; what editors leave lying about is none of ours.
pub(crate) fn list_files(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let hidden = path.file_name().is_none_or(|name| {
            let name = name.to_string_lossy();
            name.starts_with(['.', '#']) || name.ends_with('~')
        });
        if !hidden && path.is_file() {
            paths.push(path);
        }
    }
    Ok(paths)
}

/// A file that hardly was meant to be ignored.
fn misnamed(file: &str, shown: &str, report: &mut Report) {
    let Some((_, ending)) = file.rsplit_once('.') else { return };
    let near = nearest::nearest(ending, ["toml"]).is_some();
    if near || ending.eq_ignore_ascii_case("toml") || matches!(ending, "yaml" | "yml" | "json") {
        report.file(Severity::Warning, shown, "this file is not read: resources end in .toml", None);
    }
}
