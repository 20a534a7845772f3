//! The texts of mails: ours, or the app's own in `templates/`.

use std::{fs, io, path::Path};

use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value};
use thiserror::Error;

use crate::Mail;

/// Every mail, with its text: a first line `Subject: …`, an empty line, the body.
const BUILT_IN: &[(&str, &str)] = &[
    ("alert", include_str!("templates/alert.txt")),
    ("change_email", include_str!("templates/change_email.txt")),
    ("email_changed", include_str!("templates/email_changed.txt")),
    ("factor_added", include_str!("templates/factor_added.txt")),
    ("factor_removed", include_str!("templates/factor_removed.txt")),
    ("have_account", include_str!("templates/have_account.txt")),
    ("invite", include_str!("templates/invite.txt")),
    ("new_device", include_str!("templates/new_device.txt")),
    ("password_changed", include_str!("templates/password_changed.txt")),
    ("recovery_code_used", include_str!("templates/recovery_code_used.txt")),
    ("reset", include_str!("templates/reset.txt")),
    ("sign_in", include_str!("templates/sign_in.txt")),
    ("verify_email", include_str!("templates/verify_email.txt")),
];

/// The names of all mails: an app's `templates/NAME.txt` takes the place of ours, and `NAME.html` goes beside it.
pub const NAMES: [&str; 13] = [
    "alert",
    "change_email",
    "email_changed",
    "factor_added",
    "factor_removed",
    "have_account",
    "invite",
    "new_device",
    "password_changed",
    "recovery_code_used",
    "reset",
    "sign_in",
    "verify_email",
];

/// Steps that a template may take, so that none runs for ever.
const FUEL: u64 = 50_000;
/// The most bytes of a template.
const LARGEST: u64 = 256 << 10;

/// What is wrong with a template.
#[derive(Debug, Error)]
pub enum TemplateError {
    /// A file of `templates/` can't be read.
    #[error("templates/{file} can't be read")]
    Read {
        /// Its name.
        file: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A template is none, or can't be filled in.
    #[error("templates/{file}: {reason}")]
    Wrong {
        /// Its name.
        file: String,
        /// Why, with the line.
        reason: String,
    },
}

/// All templates of an app.
pub struct Templates {
    environment: Environment<'static>,
}

impl Templates {
    /// Ours, and those of the app's directory over them.
    ///
    /// # Errors
    /// A file can't be read, or is no template.
    pub fn load(directory: Option<&Path>) -> Result<Self, TemplateError> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_fuel(Some(FUEL));
        environment.set_auto_escape_callback(
            |name| {
                if name.ends_with(".html") { AutoEscape::Html } else { AutoEscape::None }
            },
        );
        for (name, text) in BUILT_IN {
            add(&mut environment, format!("{name}.txt"), (*text).to_owned())?;
        }
        for name in NAMES {
            for ending in ["txt", "html"] {
                let file = format!("{name}.{ending}");
                let Some(path) = directory.map(|directory| directory.join(&file)).filter(|path| path.is_file()) else {
                    continue;
                };
                let text = read(&path).map_err(|source| TemplateError::Read { file: file.clone(), source })?;
                add(&mut environment, file, text)?;
            }
        }
        Ok(Self { environment })
    }

    /// Fills a template in.
    ///
    /// # Errors
    /// The template names what is not there, or takes too long.
    pub fn fill(&self, name: &'static str, to: &str, values: &[(&str, &str)]) -> Result<Mail, TemplateError> {
        let text = self.render(&format!("{name}.txt"), values)?;
        let wrong = || TemplateError::Wrong {
            file: format!("{name}.txt"),
            reason: "the first line has to be `Subject: …`, the second one empty".to_owned(),
        };
        let (subject, body) = text.split_once('\n').ok_or_else(wrong)?;
        let subject = subject.strip_prefix("Subject:").ok_or_else(wrong)?.trim();
        let subject: String = subject.chars().filter(|character| !character.is_control()).collect();
        let html = format!("{name}.html");
        let html = match self.environment.get_template(&html) {
            Ok(_) => Some(self.render(&html, values)?),
            Err(_) => None,
        };
        Ok(Mail { template: name, to: to.to_owned(), subject, text: body.trim_start_matches('\n').to_owned(), html })
    }

    fn render(&self, file: &str, values: &[(&str, &str)]) -> Result<String, TemplateError> {
        let values = Value::from_pairs(values.iter().map(|(name, value)| (*name, Value::from(*value))));
        let rendered = self.environment.get_template(file).and_then(|template| template.render(values));
        rendered.map_err(|error| TemplateError::Wrong { file: file.to_owned(), reason: reason(&error) })
    }
}

fn add(environment: &mut Environment<'static>, file: String, text: String) -> Result<(), TemplateError> {
    let added = environment.add_template_owned(file.clone(), text);
    added.map_err(|error| TemplateError::Wrong { file, reason: reason(&error) })
}

fn read(path: &Path) -> io::Result<String> {
    if fs::metadata(path)?.len() > LARGEST {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it has more than {LARGEST} bytes")));
    }
    fs::read_to_string(path)
}

/// What is wrong and where, without the values that were filled in.
fn reason(error: &minijinja::Error) -> String {
    let line = error.line().map(|line| format!("line {line}: ")).unwrap_or_default();
    let detail = error.detail().map(|detail| format!(" ({detail})")).unwrap_or_default();
    format!("{line}{}{detail}", error.kind())
}
