//! Outgoing mail: templates into mails, mails through a bounded queue to a carrier, off the path of any request.
//!
//! A mail that can't be delivered now is tried again for some minutes; one that can't be delivered at all is told of in the
//! log, by its template and never by its text, which may hold a secret.

mod carrier;
mod queue;
mod template;

pub use carrier::{Carrier, Kept, SetupError};
pub use queue::{Post, Stop};
pub use template::{NAMES, TemplateError, Templates};

/// A mail, ready to go.
#[derive(Clone, PartialEq, Eq)]
pub struct Mail {
    /// Which template it was made of.
    pub template: &'static str,
    /// The recipient's address.
    pub to: String,
    /// The subject, on one line.
    pub subject: String,
    /// For everybody.
    pub text: String,
    /// For those who like it; only where the app has a template for it.
    pub html: Option<String>,
}

impl std::fmt::Debug for Mail {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Mail").field("template", &self.template).field("to", &self.to).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
