//! Patterns of what all engines share, in the form of each.
//!
//! The author's pattern is read here and written anew for each engine, so that `.`, classes and anchors mean the same: `.`
//! is anything but a line feed, `^` and `$` are the ends of the whole text, and `\d \w \s` are ASCII. Counts are bounded, so
//! that matching is linear in the text everywhere.

use std::{fmt::Write as _, iter::Peekable, str::Chars};

use model::field::Pattern;

use crate::expression::CommonPattern;

/// The most that a count may ask for (PostgreSQL's own limit), and counts within counts together.
const MAX_COUNT: u32 = 255;
/// The deepest that groups may nest.
const MAX_DEPTH: usize = 16;

/// Reads a pattern.
///
/// # Errors
///
/// What in it isn't shared by all engines: look-around, back references, Unicode classes, unbounded repetition of counts.
pub fn common_pattern(source: &str) -> Result<CommonPattern, String> {
    let mut reader = Reader { rest: source.chars().peekable(), rust: String::new(), postgres: String::new() };
    reader.alternatives(0)?;
    if reader.rest.next().is_some() {
        return Err("`)` closes no group; write `\\)` for the character".to_owned());
    }
    let regex = regex::RegexBuilder::new(&reader.rust)
        .size_limit(1 << 20)
        .build()
        .map_err(|_| "the pattern is too large".to_owned())?;
    let pattern = Pattern { source: source.to_owned(), regex };
    Ok(CommonPattern { pattern, postgres: reader.postgres.into() })
}

struct Reader<'a> {
    rest: Peekable<Chars<'a>>,
    rust: String,
    postgres: String,
}

/// A shorthand class: its letter, and what stands between the brackets in Rust and in PostgreSQL.
const SHORTHANDS: [(char, &str, &str); 3] =
    [('d', "0-9", "0-9"), ('w', "A-Za-z0-9_", "A-Za-z0-9_"), ('s', r"\t\n\x0B\x0C\r ", r"\t\n\u000B\u000C\r ")];

impl Reader<'_> {
    fn both(&mut self, text: &str) {
        self.rust.push_str(text);
        self.postgres.push_str(text);
    }

    /// A character that stands for itself, in brackets or outside.
    fn literal(&mut self, character: char) -> Result<(), String> {
        if character == '\0' {
            return Err("a pattern can't contain NUL".to_owned());
        }
        if character.is_ascii_alphanumeric() {
            self.rust.push(character);
            self.postgres.push(character);
            return Ok(());
        }
        let code = u32::from(character);
        // Writing into a string can't fail.
        let _ = write!(self.rust, "\\x{{{code:X}}}");
        let _ =
            if code > 0xFFFF { write!(self.postgres, "\\U{code:08X}") } else { write!(self.postgres, "\\u{code:04X}") };
        Ok(())
    }

    fn alternatives(&mut self, depth: usize) -> Result<(), String> {
        if depth > MAX_DEPTH {
            return Err(format!("the groups of the pattern nest deeper than {MAX_DEPTH}"));
        }
        loop {
            self.branch(depth)?;
            if self.rest.next_if_eq(&'|').is_none() {
                return Ok(());
            }
            self.both("|");
        }
    }

    fn branch(&mut self, depth: usize) -> Result<(), String> {
        while let Some(character) = self.rest.next_if(|character| !matches!(character, '|' | ')')) {
            let start = self.rust.len();
            match character {
                '^' | '$' => {
                    self.both(if character == '^' { "^" } else { "$" });
                    if let Some(count) = self.rest.peek().filter(|next| "*+?{".contains(**next)) {
                        return Err(format!("`{count}` can't follow an anchor"));
                    }
                    continue;
                }
                '.' => self.both(r"[^\n]"),
                '(' => self.group(depth)?,
                '[' => self.class()?,
                '\\' => self.escape()?,
                '*' | '+' | '?' | '{' => {
                    return Err(format!(
                        "`{character}` has nothing to repeat; write `\\{character}` for the character"
                    ));
                }
                other => self.literal(other)?,
            }
            self.count(start)?;
        }
        Ok(())
    }

    fn group(&mut self, depth: usize) -> Result<(), String> {
        if self.rest.next_if_eq(&'?').is_some() && self.rest.next_if_eq(&':').is_none() {
            return Err("of the groups with `(?`, only `(?:…)` is supported".to_owned());
        }
        if self.rest.peek() == Some(&')') {
            return Err("a group can't be empty".to_owned());
        }
        self.both("(?:");
        self.alternatives(depth + 1)?;
        if self.rest.next_if_eq(&')').is_none() {
            return Err("a group is never closed: `)` expected".to_owned());
        }
        self.both(")");
        Ok(())
    }

    fn escape(&mut self) -> Result<(), String> {
        let Some(escaped) = self.rest.next() else { return Err("the pattern ends in a backslash".to_owned()) };
        if let Some((_, rust, postgres)) = shorthand(escaped) {
            let open = if escaped.is_ascii_uppercase() { "[^" } else { "[" };
            let (rust, postgres) = (format!("{open}{rust}]"), format!("{open}{postgres}]"));
            self.rust.push_str(&rust);
            self.postgres.push_str(&postgres);
            return Ok(());
        }
        let character = escaped_character(escaped)?;
        self.literal(character)
    }

    fn class(&mut self) -> Result<(), String> {
        let negated = self.rest.next_if_eq(&'^').is_some();
        self.both(if negated { "[^" } else { "[" });
        let mut empty = true;
        loop {
            let Some(character) = self.rest.next() else {
                return Err("a class is never closed: `]` expected".to_owned());
            };
            if character == ']' && !empty {
                self.both("]");
                return Ok(());
            }
            empty = false;
            let Some(first) = self.class_member(character)? else { continue };
            if self.rest.peek() != Some(&'-') {
                self.literal(first)?;
                continue;
            }
            self.rest.next();
            match self.rest.peek().copied() {
                // A hyphen at the end stands for itself.
                Some(']') | None => {
                    self.literal(first)?;
                    self.literal('-')?;
                }
                Some(next) => {
                    self.rest.next();
                    let Some(last) = self.class_member(next)? else {
                        return Err("a range can't end in a class".to_owned());
                    };
                    if last < first {
                        return Err(format!("the range `{first}-{last}` runs backwards"));
                    }
                    self.literal(first)?;
                    self.both("-");
                    self.literal(last)?;
                }
            }
        }
    }

    /// A character of a class; none where it was a shorthand, which is written already.
    fn class_member(&mut self, character: char) -> Result<Option<char>, String> {
        match character {
            '[' => Err("write `\\[` for the character; classes within classes aren't supported".to_owned()),
            ']' => Err("a class can't be empty; write `\\]` for the character".to_owned()),
            '\\' => {
                let Some(escaped) = self.rest.next() else {
                    return Err("a class is never closed: `]` expected".to_owned());
                };
                match shorthand(escaped) {
                    Some(_) if escaped.is_ascii_uppercase() => Err(format!("`\\{escaped}` can't stand in a class")),
                    Some((_, rust, postgres)) => {
                        self.rust.push_str(rust);
                        self.postgres.push_str(postgres);
                        Ok(None)
                    }
                    None => escaped_character(escaped).map(Some),
                }
            }
            other => Ok(Some(other)),
        }
    }

    /// A count after what stands from a place of the Rust form on.
    fn count(&mut self, start: usize) -> Result<(), String> {
        let Some(character) = self.rest.next_if(|character| "*+?{".contains(*character)) else { return Ok(()) };
        match character {
            '{' => {
                let count: String = std::iter::from_fn(|| self.rest.next_if(|character| *character != '}')).collect();
                if self.rest.next().is_none() {
                    return Err("a count is never closed: `}` expected".to_owned());
                }
                let (least, most) = bounds(&count).ok_or_else(|| {
                    format!("`{{{count}}}` is no count from 0 to {MAX_COUNT}; write `\\{{` for the character")
                })?;
                // Counts within counts multiply, and with them the size of the machine.
                let inner = inner_counts(&self.rust[start..]);
                let largest = most.unwrap_or(least).max(1);
                if u64::from(largest) * inner > 1000 {
                    return Err("counts within counts ask for more than 1000 repetitions".to_owned());
                }
                let written = match most {
                    Some(most) if most == least => format!("{{{least}}}"),
                    Some(most) => format!("{{{least},{most}}}"),
                    None => format!("{{{least},}}"),
                };
                self.both(&written);
            }
            other => self.both(other.encode_utf8(&mut [0; 4])),
        }
        match self.rest.peek() {
            Some(next) if "*+?{".contains(*next) => Err(format!("`{next}` can't follow another count")),
            _ => Ok(()),
        }
    }
}

/// The product of the counts in a part of a pattern, at most.
fn inner_counts(written: &str) -> u64 {
    let mut product: u64 = 1;
    let mut rest = written;
    while let Some(at) = rest.find('{') {
        // `\x{2F}` is a character.
        let is_character = rest[..at].ends_with("\\x");
        rest = &rest[at + 1..];
        let Some(end) = rest.find('}') else { break };
        if !is_character {
            let largest = rest[..end].split(',').filter_map(|bound| bound.parse::<u64>().ok()).max();
            product = product.saturating_mul(largest.unwrap_or(1).max(1));
        }
    }
    product
}

fn bounds(count: &str) -> Option<(u32, Option<u32>)> {
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse().ok()).flatten().filter(|number| *number <= MAX_COUNT)
    };
    match count.split_once(',') {
        None => number(count).map(|exact| (exact, Some(exact))),
        Some((least, "")) => number(least).map(|least| (least, None)),
        Some((least, most)) => {
            let (least, most) = (number(least)?, number(most)?);
            (least <= most).then_some((least, Some(most)))
        }
    }
}

fn shorthand(letter: char) -> Option<(char, &'static str, &'static str)> {
    SHORTHANDS.into_iter().find(|(known, ..)| letter.eq_ignore_ascii_case(known))
}

fn escaped_character(letter: char) -> Result<char, String> {
    match letter {
        't' => Ok('\t'),
        'n' => Ok('\n'),
        'r' => Ok('\r'),
        'f' => Ok('\x0C'),
        'v' => Ok('\x0B'),
        other if other.is_ascii_alphanumeric() => Err(format!("`\\{other}` isn't supported by all databases")),
        other => Ok(other),
    }
}

#[cfg(test)]
mod tests;
