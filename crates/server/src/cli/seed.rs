//! `mainstay seed`: files of records into the database, in the order that references need.
//!
//! A record whose id is there already is left as it is, so a second run adds nothing to what has ids.

mod order;
mod read;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use engine::{Clock as _, Engine, LoadCounts, Loader, OnConflict, SystemClock};
use model::{Problem, ResourceIndex};
use rules::Catalog;
use serde_json::json;

use self::read::{Line, Lines};
use super::{
    database, exposure,
    failure::Failure,
    files,
    terminal::{self, bold, count},
    writing::{self, Batch, Writing},
};

/// Records in one transaction.
const AT_ONCE: usize = 1000;
/// Bytes of lines in one transaction, so that long lines do not fill the memory.
const BYTES_AT_ONCE: u64 = 8 << 20;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  mainstay seed\n  mainstay seed --json\n\nseed/NAME.ndjson holds records of the resource \
                        NAME, one JSON object a line, validated like any write. One whose `id` is there already is left \
                        as it is. Works beside a running server."
)]
pub(super) struct Arguments {
    /// The answer as JSON.
    #[arg(long)]
    json: bool,
}

/// A file of `seed/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SeedFile {
    pub(super) resource: ResourceIndex,
    /// The resource's name.
    pub(super) name: String,
    pub(super) path: PathBuf,
    /// As it is shown: `seed/products.ndjson`.
    pub(super) shown: String,
}

/// What came of a file.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) file: SeedFile,
    /// New records.
    pub(super) loaded: usize,
    /// Records that were there already.
    pub(super) present: usize,
}

pub(super) async fn run(directory: &Path, arguments: &Arguments) -> Result<ExitCode, Failure> {
    let app = files::load(directory)?;
    let seeds = find(directory, &app.catalog)?;
    if seeds.is_empty() {
        let failure = Failure::new("there is nothing to load: no file seed/NAME.ndjson");
        return Err(failure.help("one JSON object a line; NAME is the resource"));
    }
    let store = database::open(&app.settings, &app.catalog, directory).await?;
    let engine = Engine::new(Arc::clone(&app.catalog), Arc::clone(&store), Arc::new(SystemClock));
    let done = load(&engine, seeds).await;
    store.close().await;
    let done = done?;
    let (loaded, present) = totals(&done);
    if arguments.json {
        let file = |one: &Loaded| {
            json!({
                "file": one.file.shown,
                "resource": one.file.name,
                "loaded": one.loaded,
                "present": one.present,
            })
        };
        let files: Vec<_> = done.iter().map(file).collect();
        terminal::json(&json!({ "loaded": loaded, "present": present, "files": files }));
    } else {
        for one in &done {
            terminal::result(words(one));
        }
        terminal::result(format_args!("{loaded} loaded, {present} were there already."));
    }
    Ok(ExitCode::SUCCESS)
}

/// `products: 3503 loaded`.
pub(super) fn words(one: &Loaded) -> String {
    let present = if one.present > 0 { format!(", {} were there already", one.present) } else { String::new() };
    format!("{}: {} loaded{present}", bold(&one.file.name), one.loaded)
}

/// New records, and those that were there.
pub(super) fn totals(done: &[Loaded]) -> (usize, usize) {
    done.iter().fold((0, 0), |(loaded, present), one| (loaded + one.loaded, present + one.present))
}

/// The files of `seed/`, in the order that references need; none where there is no such directory.
///
/// # Errors
/// A file belongs to no resource, or they refer to each other in a circle.
pub(super) fn find(directory: &Path, catalog: &Catalog) -> Result<Vec<SeedFile>, Failure> {
    let seeds = read::list(directory, &catalog.schema)?;
    order::sort(&catalog.schema, seeds)
}

/// Loads files one after the other, each in the order in which its lines need each other.
///
/// # Errors
/// A line is wrong: nothing of its batch is kept, what was loaded before is.
pub(super) async fn load(engine: &Engine, seeds: Vec<SeedFile>) -> Result<Vec<Loaded>, Failure> {
    let mut done = Vec::with_capacity(seeds.len());
    for file in seeds {
        let outcome = load_file(engine, &file).await;
        terminal::end_progress();
        let LoadCounts { created, present, .. } = outcome?;
        done.push(Loaded { file, loaded: created, present });
    }
    Ok(done)
}

async fn load_file(engine: &Engine, file: &SeedFile) -> Result<LoadCounts, Failure> {
    let caller = exposure::operator("seed", SystemClock.now());
    let loader = engine.loader(caller, &file.name, OnConflict::Skip)?.without_repeats();
    let mut writing = Writing::new(engine, loader.clone(), &file.shown, AT_ONCE);
    let mut lines = Lines::open(file)?;
    let mut counts = LoadCounts::default();
    while let Some(batch) = next(&mut writing, &mut lines, &loader, &file.shown)? {
        let in_vain = batch.is_in_vain();
        let mut loading = engine.store().begin_loading().await?;
        let outcome = writing.write(&mut *loading, batch, 1).await?;
        if let Some(bad) = outcome.bad.first() {
            let why = if in_vain { writing.why(bad.line)? } else { None };
            return Err(located(&file.shown, bad.line, &bad.problem, why));
        }
        loading.commit().await?;
        counts.created += outcome.counts.created;
        counts.present += outcome.counts.present;
        let all = counts.created + counts.present;
        terminal::progress(format_args!("{}: {}", file.name, count(all, "line", "lines")));
    }
    Ok(counts)
}

/// What is to be written next: lines that have waited for those before, then the file's, in the end those that have waited in
/// vain.
fn next(writing: &mut Writing<'_>, lines: &mut Lines, loader: &Loader, shown: &str) -> Result<Option<Batch>, Failure> {
    if let Some(ready) = writing.ready()? {
        return Ok(Some(ready));
    }
    let mut batch = Batch::default();
    for Line { number, record } in lines.batch(AT_ONCE, BYTES_AT_ONCE)? {
        let row = loader.read(&record).map_err(|problem| located(shown, number, &problem, None))?;
        batch.push(loader, number, row, record);
    }
    if batch.is_empty() { writing.left() } else { Ok(Some(batch)) }
}

/// What is wrong with a line, and why that can't be mended by another order of lines, where that was tried.
fn located(shown: &str, line: u64, problem: &Problem, why: Option<String>) -> Failure {
    let mut told: Vec<String> = writing::flaws(problem)
        .map(|(pointer, detail)| {
            let pointer = if pointer.is_empty() { String::new() } else { format!(" {pointer}") };
            format!("{shown}:{line}:{pointer} {detail}")
        })
        .collect();
    if told.is_empty() {
        told.push(format!("{shown}:{line}: {}", problem.detail));
    }
    told.extend(why.map(|why| format!("{shown}:{line}: {why}")));
    Failure::new(told.join("\n"))
        .help("mend it and run `mainstay seed` again; nothing of this batch was kept, what came before it was")
}
