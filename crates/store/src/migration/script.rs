//! Migrations written by hand: `migrations/NNNN_name.sql`, run once each, in order, before the plan.

use std::{fmt::Write as _, fs, path::Path};

use sha2::{Digest as _, Sha256};

use super::report::MigrationError;

/// A script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// The number that its name begins with.
    pub number: u32,
    /// The file's name without `.sql`.
    pub name: String,
    /// Its SQL.
    pub text: String,
    /// SHA-256 of the text, in hexadecimal; line ends do not count.
    pub checksum: String,
}

/// Reads all scripts of a directory, in order; none where there is no such directory.
///
/// # Errors
/// [`MigrationError::Read`], or [`MigrationError::BadScript`] for a name that is not `NNNN_name.sql` or a number that is
/// there twice.
pub fn read(directory: &Path) -> Result<Vec<Script>, MigrationError> {
    let failed = |path: &Path, source| MigrationError::Read { path: path.to_owned(), source };
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(directory, error)),
    };
    let mut scripts = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| failed(directory, error))?.path();
        if path.extension().is_some_and(|extension| extension == "sql") {
            let text = fs::read_to_string(&path).map_err(|error| failed(&path, error))?;
            let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            scripts.push(script(&file, text)?);
        }
    }
    scripts.sort_by(|left, right| (left.number, &left.name).cmp(&(right.number, &right.name)));
    if let Some(twice) = scripts.windows(2).find(|pair| pair[0].number == pair[1].number) {
        let problem = format!("`{}.sql` has the same number", twice[0].name);
        return Err(MigrationError::BadScript { file: format!("{}.sql", twice[1].name), problem });
    }
    Ok(scripts)
}

fn script(file: &str, text: String) -> Result<Script, MigrationError> {
    let name = file.strip_suffix(".sql").unwrap_or(file);
    let number = name
        .split_once('_')
        .filter(|(digits, rest)| {
            digits.len() >= 4 && digits.bytes().all(|byte| byte.is_ascii_digit()) && !rest.is_empty()
        })
        .and_then(|(digits, _)| digits.parse().ok());
    let Some(number) = number else {
        let problem = "the name has to be four digits, `_`, a name and `.sql`, as in `0001_fill_prices.sql`";
        return Err(MigrationError::BadScript { file: file.to_owned(), problem: problem.to_owned() });
    };
    let checksum = checksum(&text);
    Ok(Script { number, name: name.to_owned(), text, checksum })
}

/// The scripts that have not run yet, by name and checksum of those that have.
///
/// # Errors
/// [`MigrationError::ChangedScript`] where one that ran has another text now.
pub fn pending<'a>(scripts: &'a [Script], ran: &[(String, String)]) -> Result<Vec<&'a Script>, MigrationError> {
    let mut waiting = Vec::new();
    for script in scripts {
        match ran.iter().find(|(name, _)| *name == script.name) {
            None => waiting.push(script),
            Some((_, checksum)) if *checksum == script.checksum => {}
            Some(_) => return Err(MigrationError::ChangedScript(script.name.clone())),
        }
    }
    Ok(waiting)
}

fn checksum(text: &str) -> String {
    let digest = Sha256::digest(text.replace("\r\n", "\n").as_bytes());
    digest.iter().fold(String::new(), |mut out, byte| {
        // Writing into a string can't fail.
        let _ = write!(out, "{byte:02x}");
        out
    })
}

/// The first statement that would end the migration's transaction, if any: `COMMIT`, `ROLLBACK`, `BEGIN`, ….
#[must_use]
pub fn transaction_control(sql: &str) -> Option<String> {
    const WORDS: &[&str] = &["ABORT", "BEGIN", "COMMIT", "END", "PREPARE", "RELEASE", "ROLLBACK", "SAVEPOINT", "START"];
    first_words(sql).into_iter().find(|word| WORDS.contains(&word.as_str()))
}

/// The first word of each statement, in capitals. Strings, quoted names, dollar quotes and comments are skipped.
fn first_words(sql: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut at_start = true;
    let mut rest = sql;
    while let Some(first) = rest.chars().next() {
        let length = token_length(rest, first);
        let (token, after) = rest.split_at(length);
        rest = after;
        match first {
            ';' => at_start = true,
            _ if first.is_whitespace() || token.starts_with("--") || token.starts_with("/*") => {}
            _ => {
                if at_start && first.is_ascii_alphabetic() {
                    words.push(token.to_ascii_uppercase());
                }
                at_start = false;
            }
        }
    }
    words
}

fn token_length(rest: &str, first: char) -> usize {
    let until = |from: usize, end: &str| rest[from..].find(end).map_or(rest.len(), |found| from + found + end.len());
    let is_word = |character: char| character.is_alphanumeric() || character == '_';
    match first {
        '\'' | '"' => until(1, &first.to_string()),
        '-' if rest.starts_with("--") => until(2, "\n"),
        '/' if rest.starts_with("/*") => comment_length(rest),
        '$' => match rest[1..].find(|character| !is_word(character)) {
            // `$1` is a parameter, no tag.
            Some(end)
                if rest[1 + end..].starts_with('$') && !rest[1..].starts_with(|first: char| first.is_ascii_digit()) =>
            {
                until(end + 2, &rest[..end + 2])
            }
            _ => 1,
        },
        // An escape string: a backslash hides the quotation mark after it.
        'e' | 'E' if rest[1..].starts_with('\'') => escape_string_length(rest),
        _ if is_word(first) => rest.find(|character| !is_word(character) && character != '$').unwrap_or(rest.len()),
        _ => first.len_utf8(),
    }
}

/// Comments nest in PostgreSQL.
fn comment_length(rest: &str) -> usize {
    let bytes = rest.as_bytes();
    let (mut depth, mut at) = (0_usize, 0);
    while at < bytes.len() {
        match &bytes[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

fn escape_string_length(rest: &str) -> usize {
    let bytes = rest.as_bytes();
    let mut at = 2;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'\'' => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

#[cfg(test)]
mod tests;
