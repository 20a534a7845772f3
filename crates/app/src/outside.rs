//! Values that come from outside the files: `{ env = "NAME" }` and `{ file = "path" }`.

use std::path::Path;

use crate::{
    diagnostic::Report,
    settings::Environment,
    source::Place,
    tree::{Data, Node, check_keys},
};

/// Where values come from that stand in no file of the app.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outside<'a> {
    /// The app's directory, from which paths go.
    pub(crate) directory: &'a Path,
    pub(crate) environment: &'a Environment,
}

impl Outside<'_> {
    /// A string, or what `{ env = … }` or `{ file = … }` stand for. No message repeats a value from outside.
    pub(crate) fn text(&self, node: &Node, expected: &str, report: &mut Report) -> Option<(String, Place)> {
        let Data::Table(table) = &node.data else {
            return node.text(report, expected).map(|text| (text.to_owned(), node.place.clone()));
        };
        check_keys(table, &["env", "file"], &[], report);
        let (env, file) = (table.get("env"), table.get("file"));
        match (env, file) {
            (Some(entry), None) => {
                let name = entry.node.text(report, "the name of an environment variable")?;
                let Some(value) = self.environment.get(name) else {
                    report.error(&entry.node.place, format!("the environment variable `{name}` is not set"));
                    return None;
                };
                Some((value.to_owned(), entry.node.place.clone()))
            }
            (None, Some(entry)) => {
                let name = entry.node.text(report, "the path of a file")?;
                // Secrets are often written with a line feed at the end.
                match std::fs::read_to_string(self.directory.join(name)) {
                    Ok(value) => Some((value.trim_end_matches(['\n', '\r']).to_owned(), entry.node.place.clone())),
                    Err(error) => {
                        let message = format!("the file can't be read: {}", crate::load::reason(&error));
                        report.error(&entry.node.place, message);
                        None
                    }
                }
            }
            // A misspelt key was told of already.
            (None, None) if !table.entries.is_empty() => None,
            _ => {
                report.error(&node.place, "expected a string, `{ env = \"NAME\" }` or `{ file = \"path\" }`");
                None
            }
        }
    }
}
