//! A lowered condition: known beforehand, or text.

use std::fmt;

/// A condition as SQL; where the text yields NULL, the condition is false.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Predicate {
    /// It holds of every row.
    Always,
    /// It holds of no row.
    Never,
    /// It holds where this text is true. The text can stand beside `AND`.
    Text(String),
    /// Alternatives joined by `OR`: needs parentheses beside `AND`, which [`fmt::Display`] puts.
    Alternatives(String),
}

impl Predicate {
    /// All of them hold.
    pub fn all(parts: impl IntoIterator<Item = Self>) -> Self {
        let mut texts = Vec::new();
        for part in parts {
            match part {
                Self::Always => {}
                Self::Never => return Self::Never,
                Self::Text(_) | Self::Alternatives(_) => texts.push(part),
            }
        }
        match texts.len() {
            0 => Self::Always,
            1 => texts.remove(0),
            _ => Self::Text(join(&texts, " AND ", Self::to_string)),
        }
    }

    /// One of them holds at least.
    pub fn any(parts: impl IntoIterator<Item = Self>) -> Self {
        let mut alternatives = Vec::new();
        for part in parts {
            match part {
                Self::Never => {}
                Self::Always => return Self::Always,
                Self::Text(_) | Self::Alternatives(_) => alternatives.push(part),
            }
        }
        match alternatives.len() {
            0 => Self::Never,
            // One that is left alone may be several itself, and has to stay so.
            1 => alternatives.remove(0),
            // `AND` binds tighter than `OR`.
            _ => Self::Alternatives(join(&alternatives, " OR ", Self::text)),
        }
    }

    /// Whether it is known to hold of no row.
    #[must_use]
    pub fn is_never(&self) -> bool {
        matches!(self, Self::Never)
    }

    /// Whether it is known to hold of every row.
    #[must_use]
    pub fn is_always(&self) -> bool {
        matches!(self, Self::Always)
    }

    /// Text that can stand beside `OR`.
    fn text(&self) -> String {
        match self {
            Self::Alternatives(text) => text.clone(),
            other => other.to_string(),
        }
    }

    /// True exactly where the condition is not: unlike `NOT`, also where the text yields NULL.
    #[must_use]
    pub(crate) fn fails(&self) -> Self {
        match self {
            Self::Always => Self::Never,
            Self::Never => Self::Always,
            Self::Text(text) | Self::Alternatives(text) => Self::Text(format!("({text}) IS NOT TRUE")),
        }
    }
}

fn join(parts: &[Predicate], word: &str, text: impl Fn(&Predicate) -> String) -> String {
    parts.iter().map(text).collect::<Vec<_>>().join(word)
}

impl fmt::Display for Predicate {
    /// Text that can stand beside `AND`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Always => formatter.write_str("TRUE"),
            Self::Never => formatter.write_str("FALSE"),
            Self::Text(text) => formatter.write_str(text),
            Self::Alternatives(text) => write!(formatter, "({text})"),
        }
    }
}

#[cfg(test)]
mod tests;
