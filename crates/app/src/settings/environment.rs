//! What the environment says: overrides such as `MAINSTAY_SERVER__LISTEN`, and the values of `{ env = "NAME" }`.

use std::{collections::BTreeMap, fmt};

use super::keys::{self, SECTIONS};
use crate::{diagnostic::Report, nearest};

const PREFIX: &str = "MAINSTAY_";

/// The variables of the environment, by name. Their values may be secrets, so `Debug` shows names only.
#[derive(Clone, Default)]
pub struct Environment {
    variables: BTreeMap<String, String>,
}

impl fmt::Debug for Environment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.variables.keys()).finish()
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        Self { variables: variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect() }
    }
}

impl Environment {
    /// An environment without variables.
    #[must_use]
    pub fn empty() -> Self {
        Self::default()
    }

    /// The environment of this process. Variables that are not Unicode are no settings.
    #[must_use]
    pub fn of_process() -> Self {
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect()
    }

    /// The variable of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    /// Tells variables that look like settings and are none. A single `_` is no setting's: `MAINSTAY_HOME` is left alone.
    pub(super) fn check(&self, report: &mut Report) {
        for name in self.variables.keys() {
            let Some(rest) = name.strip_prefix(PREFIX).filter(|rest| rest.contains("__")) else { continue };
            if rest.split_once("__").is_some_and(|(section, key)| is_setting(section, key)) {
                continue;
            }
            let known: Vec<String> = SECTIONS
                .iter()
                .flat_map(|section| section.keys.iter().map(|key| variable(section.name, key.name)))
                .collect();
            let upper = name.to_ascii_uppercase();
            let near = known.iter().find(|known| **known == upper).map(String::as_str);
            let lower: Vec<String> = known.iter().map(|name| name.to_ascii_lowercase()).collect();
            let near = near
                .map(str::to_owned)
                .or_else(|| nearest::nearest(name, lower.iter().map(String::as_str)).map(str::to_ascii_uppercase));
            let source = report.sources.add(name, name);
            let place = report.sources.whole(source);
            let message = format!("the environment variable `{name}` is no setting");
            match near {
                Some(near) => report.error_with_help(&place, message, format!("did you mean `{near}`?")),
                None => report.error(&place, message),
            }
        }
    }
}

/// `MAINSTAY_SERVER__LISTEN` for `server.listen`.
pub(super) fn variable(section: &str, key: &str) -> String {
    format!("{PREFIX}{}__{}", section.to_ascii_uppercase(), key.to_ascii_uppercase())
}

/// Whether the parts, which must be in capitals, name a setting.
fn is_setting(section: &str, key: &str) -> bool {
    let capitals = |part: &str| !part.bytes().any(|byte| byte.is_ascii_lowercase());
    capitals(section) && capitals(key) && keys::find(&section.to_ascii_lowercase(), &key.to_ascii_lowercase()).is_some()
}
