//! `mainstay schema`

use std::process::ExitCode;

use super::{failure::Failure, terminal};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  mainstay schema resource > resource.schema.json\n  mainstay schema settings > \
                        settings.schema.json\n\nWith `#:schema ../resource.schema.json` at the top of a resource's file, \
                        editors that use Taplo complete and check it.")]
pub(super) struct Arguments {
    /// Whose schema.
    file: File,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum File {
    /// `mainstay.toml`
    Settings,
    /// A file of `resources/`
    Resource,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    terminal::json(&match arguments.file {
        File::Settings => app::json_schema_settings(),
        File::Resource => app::json_schema_resource(),
    });
    Ok(ExitCode::SUCCESS)
}
