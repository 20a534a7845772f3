//! Why a command failed, for the one who typed it.

use std::error::Error;

use model::{Problem, problem::Place};
use store::migration::MigrationError;

use super::terminal;

/// Why a command failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// The reasons are on the terminal already.
    Told,
    /// What went wrong, and what to do about it.
    Because { what: String, help: Option<String> },
}

impl Failure {
    pub(super) fn new(what: impl Into<String>) -> Self {
        Self::Because { what: what.into(), help: None }
    }

    /// With the causes of an error below it.
    pub(super) fn caused(what: impl Into<String>, error: &dyn Error) -> Self {
        Self::new(format!("{}: {}", what.into(), chain(error)))
    }

    /// An error with the causes below it.
    pub(super) fn chain(error: &dyn Error) -> Self {
        Self::new(chain(error))
    }

    pub(super) fn help(self, text: impl Into<String>) -> Self {
        match self {
            Self::Because { what, .. } => Self::Because { what, help: Some(text.into()) },
            Self::Told => Self::Told,
        }
    }

    /// Shows it, unless that has been done.
    pub(super) fn show(&self) {
        if let Self::Because { what, help } = self {
            terminal::error(what, help.as_deref());
        }
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        let mut what = problem.detail.clone();
        if let Some(cause) = &problem.cause {
            what = format!("{what}: {cause}");
        }
        for flaw in problem.errors.iter().filter(|flaw| flaw.detail != problem.detail) {
            let (Place::Pointer(at) | Place::Parameter(at)) = &flaw.at;
            what = format!("{what}\n  {at}: {}", flaw.detail);
        }
        Self::new(what)
    }
}

impl From<MigrationError> for Failure {
    fn from(error: MigrationError) -> Self {
        match &error {
            MigrationError::Refused(refusals) => {
                let all: String = refusals.iter().map(|refusal| format!("\n  {refusal}")).collect();
                Self::new(format!("records that are there do not fit; nothing has changed{all}"))
                    .help("change these records, or loosen the resource, and run it again")
            }
            MigrationError::DataLoss(words) => {
                let all: String = words.iter().map(|words| format!("\n  {words}")).collect();
                Self::new(format!("data would be lost; nothing has changed{all}")).help(
                    "`mainstay migrate apply --allow-data-loss` does it all the same; for a new name, `renamed_from = \
                     \"old\"` keeps the values",
                )
            }
            _ => Self::new(chain(&error)),
        }
    }
}

/// An error and what lies below it.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut below = error.source();
    while let Some(cause) = below {
        let words = cause.to_string();
        // Some errors repeat their source.
        if !text.ends_with(&words) {
            text = format!("{text}: {words}");
        }
        below = cause.source();
    }
    text
}
