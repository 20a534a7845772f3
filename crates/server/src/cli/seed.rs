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

use engine::{Clock as _, Engine, SystemClock};
use model::{Problem, ResourceIndex, problem};
use rules::Catalog;
use serde_json::{Value as Json, json};

use self::read::{Line, Lines};
use super::{
    database, exposure,
    failure::Failure,
    files,
    terminal::{self, bold, count},
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

/// Loads files one after the other.
///
/// # Errors
/// A line is wrong: nothing of its batch is kept, what was loaded before is.
pub(super) async fn load(engine: &Engine, seeds: Vec<SeedFile>) -> Result<Vec<Loaded>, Failure> {
    let mut done = Vec::with_capacity(seeds.len());
    for file in seeds {
        let mut lines = Lines::open(&file)?;
        let (mut loaded, mut present) = (0, 0);
        loop {
            let batch = lines.batch(AT_ONCE, BYTES_AT_ONCE)?;
            if batch.is_empty() {
                break;
            }
            let new = load_batch(engine, &file, batch.as_slice()).await?;
            loaded += new;
            present += batch.len() - new;
            terminal::progress(format_args!("{}: {}", file.name, count(loaded + present, "line", "lines")));
        }
        terminal::end_progress();
        done.push(Loaded { file, loaded, present });
    }
    Ok(done)
}

async fn load_batch(engine: &Engine, file: &SeedFile, batch: &[Line]) -> Result<usize, Failure> {
    let caller = exposure::operator("seed", SystemClock.now());
    let records: Vec<Json> = batch.iter().map(|line| line.record.clone()).collect();
    engine.load(caller, &file.name, &records).await.map_err(|problem| {
        terminal::end_progress();
        located(&file.shown, batch, &problem)
    })
}

/// A problem of a batch, told by the lines of the file.
fn located(shown: &str, batch: &[Line], problem: &Problem) -> Failure {
    let mut told = Vec::new();
    for flaw in &problem.errors {
        let (problem::Place::Pointer(at) | problem::Place::Parameter(at)) = &flaw.at;
        let mut parts = at.trim_start_matches('/').splitn(2, '/');
        let line =
            parts.next().and_then(|position| position.parse::<usize>().ok()).and_then(|number| batch.get(number));
        match line {
            Some(line) => {
                let pointer = parts.next().map(|rest| format!(" /{rest}")).unwrap_or_default();
                told.push(format!("{shown}:{}:{pointer} {}", line.number, flaw.detail));
            }
            None => told.push(format!("{shown}: {at} {}", flaw.detail)),
        }
    }
    if told.is_empty() {
        let (first, last) = (batch.first().map_or(0, |line| line.number), batch.last().map_or(0, |line| line.number));
        let cause = problem.cause.as_ref().map(|cause| format!(": {cause}")).unwrap_or_default();
        told.push(format!("{shown}: lines {first} to {last}: {}{cause}", problem.detail));
    }
    Failure::new(told.join("\n"))
        .help("mend it and run `mainstay seed` again; nothing of this batch was kept, what came before it was")
}
