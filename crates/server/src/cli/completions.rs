//! `mainstay completions`

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use clap::CommandFactory as _;

use super::failure::Failure;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  mainstay completions bash > ~/.local/share/bash-completion/completions/mainstay\n  \
                        mainstay completions zsh > ~/.zfunc/_mainstay"
)]
pub(super) struct Arguments {
    /// For which shell.
    shell: clap_complete::Shell,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let mut text = Vec::new();
    clap_complete::generate(arguments.shell, &mut super::Arguments::command(), "mainstay", &mut text);
    // A reader that has gone has what it wanted.
    let _ = io::stdout().write_all(&text);
    Ok(ExitCode::SUCCESS)
}
