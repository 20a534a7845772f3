//! `mainstay import`: records from a file into a resource.
//!
//! One thread reads and checks rows, the database writes them; between them are a few batches, so that a file of any
//! length takes the memory of some thousand rows.

mod batches;

use std::{path::PathBuf, process::ExitCode, sync::Arc};

use std::path::Path;

use engine::{Clock as _, Engine, LoadCounts, LoadRow, Loader, OnConflict, SystemClock};
use model::{Problem, problem::Place};
use serde_json::json;
use store::Loading;

use self::batches::{Batch, Batches};
use super::{
    database, exposure,
    failure::Failure,
    files,
    progress::Bar,
    records::{Format, Rows, Source},
    terminal::{self, count},
};

/// Bad rows that are told; of more, only their number.
const TOLD: usize = 100;
/// How often a batch is tried again without a bad row; then its rows are written one by one.
const ROUNDS: usize = 4;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  mainstay import products products.csv\n  mainstay import products new.ndjson --on-conflict \
                        update\n  zcat big.csv.gz | mainstay import products - --format csv --keep-going\n\nEvery row is \
                        validated like any write. A row may bring its `id`. All rows are written or none; with `--keep-going` \
                        bad rows are told and left out, and the rest goes in some thousand at a time."
)]
pub(super) struct Arguments {
    /// The resource.
    resource: String,
    /// The file; `-` is standard input.
    file: PathBuf,
    /// The form of the rows: as the file's name ends.
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// What becomes of a row whose `id` is there already.
    #[arg(long, value_enum, default_value = "fail")]
    on_conflict: Existing,
    /// Leave bad rows out, and go on.
    #[arg(long)]
    keep_going: bool,
    /// What separates the cells of CSV: a character, or `tab`.
    #[arg(long, value_name = "CHARACTER", value_parser = delimiter)]
    delimiter: Option<u8>,
    /// The answer as JSON.
    #[arg(long)]
    json: bool,
}

/// What becomes of a row whose `id` is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Existing {
    /// It is a bad row.
    Fail,
    /// The record stays as it is.
    Skip,
    /// The record gets the values that the row has.
    Update,
}

fn delimiter(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        b"tab" | b"\\t" => Ok(b'\t'),
        [one] if one.is_ascii() && !one.is_ascii_alphanumeric() && !b"\"\r\n".contains(one) => Ok(*one),
        _ => Err("expected one character, as in `;`, or `tab`".to_owned()),
    }
}

pub(super) async fn run(directory: &Path, arguments: &Arguments) -> Result<ExitCode, Failure> {
    let app = files::load(directory)?;
    let shown = arguments.file.display().to_string();
    let Some(format) = arguments.format.or_else(|| Format::of_name(&shown)) else {
        return Err(
            Failure::new(format!("what is in {shown}?")).help("say it with `--format csv` or `--format ndjson`")
        );
    };
    let store = database::open(&app.settings, &app.catalog, directory).await?;
    let engine = Engine::new(Arc::clone(&app.catalog), Arc::clone(&store), Arc::new(SystemClock));
    let done = import(&engine, arguments, format, &shown).await;
    store.close().await;
    let done = done?;
    let LoadCounts { created, updated, present } = done.counts;
    if arguments.json {
        let bad = done.bad;
        terminal::json(&json!({ "created": created, "updated": updated, "present": present, "bad": bad }));
    } else {
        let updated = if updated > 0 { format!(", {updated} updated") } else { String::new() };
        let present = if present > 0 { format!(", {present} were there already") } else { String::new() };
        let bad =
            if done.bad > 0 { format!(", {} left out", count(done.bad, "bad row", "bad rows")) } else { String::new() };
        terminal::result(format_args!("{created} imported{updated}{present}{bad}."));
    }
    Ok(if done.bad == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What came of a file.
#[derive(Debug, Default)]
struct Done {
    counts: LoadCounts,
    bad: usize,
}

async fn import(engine: &Engine, arguments: &Arguments, format: Format, shown: &str) -> Result<Done, Failure> {
    let on_conflict = match arguments.on_conflict {
        Existing::Fail => OnConflict::Fail,
        Existing::Skip => OnConflict::Skip,
        Existing::Update => OnConflict::Update,
    };
    let caller = exposure::operator("import", SystemClock.now());
    let loader = engine.loader(caller, &arguments.resource, on_conflict)?;
    let source = Source::open(&arguments.file, shown, !arguments.keep_going)?;
    let (shown, length) = (source.shown.clone(), source.length);
    let standard = if shown.ends_with(".tsv") { b'\t' } else { b',' };
    let delimiter = arguments.delimiter.unwrap_or(standard);
    let rows = Rows::open(source, format, delimiter, loader.resource())?;
    let mut batches = Batches::start(rows, loader.clone())?;
    let mut import = Import {
        engine,
        loader,
        shown,
        keep_going: arguments.keep_going,
        done: Done::default(),
        bar: Bar::new(length),
    };
    let outcome = match arguments.keep_going {
        true => import.what_fits(&mut batches).await,
        false => import.all_or_nothing(&mut batches).await,
    };
    import.bar.end();
    outcome.map(|()| import.done)
}

struct Import<'a> {
    engine: &'a Engine,
    loader: Loader,
    shown: String,
    keep_going: bool,
    done: Done,
    bar: Bar,
}

impl Import<'_> {
    /// Everything in one transaction; the first bad batch ends it.
    async fn all_or_nothing(&mut self, batches: &mut Batches) -> Result<(), Failure> {
        let mut loading = self.engine.store().begin_loading().await?;
        while let Some(batch) = batches.next().await {
            let batch = batch?;
            self.tell_unread(&batch);
            if self.done.bad == 0 {
                self.write(&mut *loading, batch).await?;
            }
            if self.done.bad > 0 {
                drop(loading);
                self.bar.end();
                let bad = count(self.done.bad, "bad row", "bad rows");
                return Err(Failure::new(format!("{}: {bad}; nothing was imported", self.shown))
                    .help("mend it and run it again, or leave bad rows out with `--keep-going`"));
            }
        }
        loading.commit().await?;
        Ok(())
    }

    /// Each batch in a transaction of its own, without its bad rows.
    async fn what_fits(&mut self, batches: &mut Batches) -> Result<(), Failure> {
        while let Some(batch) = batches.next().await {
            let batch = batch?;
            self.tell_unread(&batch);
            let mut loading = self.engine.store().begin_loading().await?;
            self.write(&mut *loading, batch).await?;
            loading.commit().await?;
        }
        Ok(())
    }

    /// Writes a batch, and tells its bad rows. What fails without being a row's fault ends the import.
    async fn write(&mut self, loading: &mut dyn Loading, batch: Batch) -> Result<(), Failure> {
        let Batch { mut lines, mut rows, position, .. } = batch;
        for _ in 0..ROUNDS {
            match self.engine.load_rows(&self.loader, loading, &rows).await {
                Ok(counts) => {
                    self.count(counts, position);
                    return Ok(());
                }
                Err(problem) => {
                    let Some(bad) = position_of(&problem).filter(|bad| *bad < rows.len()) else { break };
                    rows.remove(bad);
                    let line = lines.remove(bad);
                    self.tell(line, &problem)?;
                    if !self.keep_going {
                        return Ok(());
                    }
                }
            }
        }
        for (line, row) in lines.into_iter().zip(rows) {
            self.write_one(loading, line, row, position).await?;
            if self.done.bad > 0 && !self.keep_going {
                break;
            }
        }
        Ok(())
    }

    async fn write_one(
        &mut self,
        loading: &mut dyn Loading,
        line: u64,
        row: LoadRow,
        position: u64,
    ) -> Result<(), Failure> {
        match self.engine.load_rows(&self.loader, loading, &[row]).await {
            Ok(counts) => self.count(counts, position),
            Err(problem) => self.tell(line, &problem)?,
        }
        Ok(())
    }

    fn count(&mut self, counts: LoadCounts, position: u64) {
        let all = &mut self.done.counts;
        all.created += counts.created;
        all.updated += counts.updated;
        all.present += counts.present;
        self.bar.show(position, (all.created + all.updated + all.present) as u64);
    }

    /// Tells the rows of a batch that can't be records.
    fn tell_unread(&mut self, batch: &Batch) {
        for (line, what) in &batch.bad {
            self.tell_words(*line, what);
        }
    }

    /// Tells a bad row; a fault of the database is none.
    fn tell(&mut self, line: u64, problem: &Problem) -> Result<(), Failure> {
        if problem.code.status() >= 500 {
            return Err(Failure::from(problem.clone()));
        }
        self.tell_words(line, &words(problem));
        Ok(())
    }

    fn tell_words(&mut self, line: u64, what: &str) {
        self.done.bad += 1;
        match self.done.bad {
            bad if bad <= TOLD => {
                self.bar.end();
                what.lines().for_each(|what| terminal::tell(format_args!("{}:{line}: {what}", self.shown)));
            }
            bad if bad == TOLD + 1 => terminal::tell("… further bad rows are only counted"),
            _ => {}
        }
    }
}

/// The row that a problem is about, by its place in the batch.
fn position_of(problem: &Problem) -> Option<usize> {
    let Place::Pointer(at) = &problem.errors.first()?.at else { return None };
    at.strip_prefix('/')?.split('/').next()?.parse().ok()
}

/// What is wrong with a row, a line for each field.
fn words(problem: &Problem) -> String {
    let flaw = |flaw: &model::Flaw| {
        let (Place::Pointer(at) | Place::Parameter(at)) = &flaw.at;
        // The first part is the row's place in the batch, where it has one.
        let within = at.strip_prefix('/').unwrap_or(at);
        let within = match within.split_once('/') {
            Some((number, rest)) if number.bytes().all(|byte| byte.is_ascii_digit()) => format!("/{rest}"),
            None if !within.is_empty() && within.bytes().all(|byte| byte.is_ascii_digit()) => String::new(),
            _ => at.clone(),
        };
        let separator = if within.is_empty() { "" } else { ": " };
        format!("{within}{separator}{}", flaw.detail)
    };
    match problem.errors.as_slice() {
        [] => problem.detail.clone(),
        flaws => flaws.iter().map(flaw).collect::<Vec<_>>().join("\n"),
    }
}
