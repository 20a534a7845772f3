//! `mainstay export`: records of a resource into a file.

use std::{
    io::{self, BufWriter, IsTerminal as _, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use engine::{Clock as _, Engine, ListRequest, SystemClock};
use model::Caller;
use rules::{export::Form, query::Query};
use serde_json::Value as Json;
use tempfile::NamedTempFile;

use super::{
    database, exposure,
    failure::Failure,
    files,
    progress::Bar,
    records::Format,
    terminal::{self, count},
};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  mainstay export products > products.ndjson\n  mainstay export products -o products.csv\n  \
                        mainstay export orders --filter 'total > 100' --fields total,customer --sort -total -o big.csv\n\nAll \
                        records that match, in one state of the database, whatever the access rules say; hidden fields never \
                        leave. Works beside a running server."
)]
pub(super) struct Arguments {
    /// The resource.
    resource: String,
    /// The form of the records: as the file's name ends, else ndjson.
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Only records for which this CEL expression holds.
    #[arg(long, value_name = "CEL")]
    filter: Option<String>,
    /// Only these fields, with commas between; `id` always.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    fields: Option<Vec<String>>,
    /// The order: up to 4 fields with commas between, `-` before one that goes down.
    #[arg(long, value_name = "NAMES", allow_hyphen_values = true)]
    sort: Option<String>,
    /// Put a `'` before text in CSV that a spreadsheet would take for a formula.
    #[arg(long)]
    spreadsheet: bool,
    /// Where to; it is there only once it is whole.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(super) async fn run(directory: &Path, arguments: &Arguments) -> Result<ExitCode, Failure> {
    let app = files::load(directory)?;
    let store = database::open(&app.settings, &app.catalog, directory).await?;
    let engine = Engine::new(Arc::clone(&app.catalog), Arc::clone(&store), Arc::new(SystemClock));
    let done = write(&engine, arguments).await;
    store.close().await;
    let records = done?;
    if let Some(file) = &arguments.output {
        terminal::tell(format_args!("{} in {}", count(records as usize, "record", "records"), file.display()));
    }
    Ok(ExitCode::SUCCESS)
}

async fn write(engine: &Engine, arguments: &Arguments) -> Result<u64, Failure> {
    let query = query(arguments)?;
    let form = form(arguments)?;
    let mut bar = Bar::new(total(engine, arguments, &query).await?);
    let mut rows = engine.export(caller(), &arguments.resource, query, form).await?;
    let mut target = Target::open(arguments.output.as_deref())?;
    let mut records = 0;
    while let Some(piece) = rows.next().await {
        let piece = piece.inspect_err(|_| terminal::end_progress())?;
        records += piece.records;
        if !target.write(&piece.bytes)? {
            bar.end();
            return Ok(records);
        }
        if target.shows_progress() {
            bar.show(records, records);
        }
    }
    bar.end();
    target.close()?;
    Ok(records)
}

/// How many records there will be, where somebody watches.
async fn total(engine: &Engine, arguments: &Arguments, query: &Query) -> Result<Option<u64>, Failure> {
    if !io::stderr().is_terminal() {
        return Ok(None);
    }
    let mut query = query.clone();
    (query.page.limit, query.page.count) = (1, true);
    let list = engine.list(caller(), &arguments.resource, ListRequest { query, ..ListRequest::default() }).await?;
    let list: Json = serde_json::from_slice(&list.body).unwrap_or_default();
    Ok(list["count"].as_u64())
}

fn query(arguments: &Arguments) -> Result<Query, Failure> {
    let mut query = Query::default();
    query.form.filter = arguments.filter.clone().filter(|filter| !filter.is_empty());
    query.form.sort = web::sort_keys("--sort", arguments.sort.as_deref())?;
    query.form.fields = arguments.fields.clone();
    query.page.limit = u32::MAX;
    Ok(query)
}

fn form(arguments: &Arguments) -> Result<Form, Failure> {
    let named = arguments.output.as_ref().and_then(|file| Format::of_name(&file.to_string_lossy()));
    match arguments.format.or(named).unwrap_or(Format::Ndjson) {
        Format::Csv => Ok(Form::Csv { guarded: arguments.spreadsheet }),
        Format::Ndjson if arguments.spreadsheet => {
            Err(Failure::new("`--spreadsheet` is for CSV").help("add `--format csv`"))
        }
        Format::Ndjson => Ok(Form::Ndjson),
    }
}

/// Who exports: whoever can read the files of the app.
fn caller() -> Caller {
    exposure::operator("export", SystemClock.now())
}

/// Where the records go.
enum Target {
    Stdout(BufWriter<io::Stdout>),
    /// A file beside the one that was asked for, which it becomes in the end.
    File {
        file: BufWriter<NamedTempFile>,
        to: PathBuf,
    },
}

impl Target {
    fn open(output: Option<&Path>) -> Result<Self, Failure> {
        let Some(to) = output else { return Ok(Self::Stdout(BufWriter::with_capacity(1 << 16, io::stdout()))) };
        let parent = to.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let file = NamedTempFile::new_in(parent)
            .map_err(|error| Failure::caused(format!("could not write into {}", parent.display()), &error))?;
        Ok(Self::File { file: BufWriter::with_capacity(1 << 16, file), to: to.to_owned() })
    }

    /// Whether the terminal has room for it.
    fn shows_progress(&self) -> bool {
        match self {
            Self::Stdout(_) => !io::stdout().is_terminal(),
            Self::File { .. } => true,
        }
    }

    /// Writes a piece; false where nobody reads any more.
    fn write(&mut self, bytes: &[u8]) -> Result<bool, Failure> {
        let written = match self {
            Self::Stdout(out) => out.write_all(bytes),
            Self::File { file, .. } => file.write_all(bytes),
        };
        match written {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
            Err(error) => Err(Failure::caused("could not write the records", &error)),
        }
    }

    fn close(self) -> Result<(), Failure> {
        let failed = |error: io::Error| Failure::caused("could not write the records", &error);
        match self {
            Self::Stdout(mut out) => match out.flush() {
                Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(failed(error)),
                _ => Ok(()),
            },
            Self::File { file, to } => {
                let file = file.into_inner().map_err(|error| failed(error.into_error()))?;
                file.as_file().sync_all().map_err(failed)?;
                file.persist(&to)
                    .map(|_| ())
                    .map_err(|error| Failure::caused(format!("could not write {}", to.display()), &error.error))
            }
        }
    }
}
