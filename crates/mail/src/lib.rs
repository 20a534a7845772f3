//! Outgoing mail: templates into mails, and carriers that take them out. When a mail is written and tried again is for those to
//! say who have it sent.

mod carrier;
mod template;

pub use carrier::{Carrier, Kept, SendError, SetupError};
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
