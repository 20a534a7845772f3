//! `mainstay import`: records from a file into a resource.
//!
//! One thread reads and checks rows, the database writes them; between them are a few batches, so that a file of any
//! length takes the memory of some thousand rows.

mod pieces;

use std::{path::PathBuf, process::ExitCode, sync::Arc};

use std::path::Path;

use engine::{Clock as _, Engine, LoadCounts, OnConflict, SystemClock};
use model::Problem;
use serde_json::json;
use store::Loading;

use self::pieces::{Pieces, ROWS};
use super::{
    database, exposure,
    failure::Failure,
    files,
    progress::Bar,
    records::{Format, Rows, Source},
    terminal::{self, count},
    writing::{self, Batch, Writing},
};

/// Bad rows that are told; of more, only their number.
const TOLD: usize = 100;

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
    let writing = Writing::new(engine, loader.clone(), &shown, ROWS);
    let pieces = Pieces::start(rows, loader)?;
    let mut import =
        Import { engine, writing, pieces, shown, done: Done::default(), position: 0, bar: Bar::new(length) };
    let outcome = match arguments.keep_going {
        true => import.what_fits().await,
        false => import.all_or_nothing().await,
    };
    import.bar.end();
    outcome.map(|()| import.done)
}

struct Import<'a> {
    engine: &'a Engine,
    writing: Writing<'a>,
    pieces: Pieces,
    shown: String,
    done: Done,
    /// How many bytes of the file have been read.
    position: u64,
    bar: Bar,
}

impl Import<'_> {
    /// Everything in one transaction; the first bad batch ends it.
    async fn all_or_nothing(&mut self) -> Result<(), Failure> {
        let mut loading = self.engine.store().begin_loading().await?;
        while let Some(batch) = self.next().await? {
            if self.done.bad == 0 {
                // Rows that have waited in vain are all bad, so one of them would not say much.
                let most = if batch.is_in_vain() { TOLD } else { 1 };
                self.write(&mut *loading, batch, most).await?;
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
    async fn what_fits(&mut self) -> Result<(), Failure> {
        while let Some(batch) = self.next().await? {
            let mut loading = self.engine.store().begin_loading().await?;
            self.write(&mut *loading, batch, usize::MAX).await?;
            loading.commit().await?;
        }
        Ok(())
    }

    /// What is to be written next: rows that have waited for those before, then the file's, in the end those that have waited
    /// in vain.
    async fn next(&mut self) -> Result<Option<Batch>, Failure> {
        if let Some(ready) = self.writing.ready()? {
            return Ok(Some(ready));
        }
        let Some(piece) = self.pieces.next().await.transpose()? else { return self.writing.left() };
        self.position = piece.position;
        // Rows that can't be records.
        for (line, what) in &piece.bad {
            self.tell(*line, what);
        }
        Ok(Some(piece.rows))
    }

    /// Writes a batch, and tells its bad rows, `most` of them. What fails without being a row's fault ends the import.
    async fn write(&mut self, loading: &mut dyn Loading, batch: Batch, most: usize) -> Result<(), Failure> {
        let in_vain = batch.is_in_vain();
        let outcome = self.writing.write(loading, batch, most).await?;
        let all = &mut self.done.counts;
        all.created += outcome.counts.created;
        all.updated += outcome.counts.updated;
        all.present += outcome.counts.present;
        let records = all.created + all.updated + all.present;
        self.bar.show(self.position, records as u64);
        for bad in outcome.bad {
            let mut what = words(&bad.problem);
            if in_vain
                && self.done.bad < TOLD
                && let Some(why) = self.writing.why(bad.line)?
            {
                what = format!("{what}\n{why}");
            }
            self.tell(bad.line, &what);
        }
        Ok(())
    }

    /// Tells a bad row, a line for each thing that is wrong with it.
    fn tell(&mut self, line: u64, what: &str) {
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

/// What is wrong with a row, a line for each field.
fn words(problem: &Problem) -> String {
    let flaw = |(within, detail): (String, &str)| {
        let separator = if within.is_empty() { "" } else { ": " };
        format!("{within}{separator}{detail}")
    };
    match problem.errors.as_slice() {
        [] => problem.detail.clone(),
        _ => writing::flaws(problem).map(flaw).collect::<Vec<_>>().join("\n"),
    }
}
