//! Backing services by URL. No message here repeats a URL: it may hold a password.

use model::Secret;
use url::Url;

use super::{Bus, Cache, Database, Files, Mail, read::Reader};
use crate::{nearest, source::Place};

/// The forms that a service's URL has now, and the schemes that come later.
struct Schemes {
    now: &'static [&'static str],
    example: &'static str,
    later: &'static [&'static str],
}

const DATABASE: Schemes = Schemes {
    now: &["sqlite", "postgres", "postgresql"],
    example: "\"sqlite:data/app.db\" or \"postgres://user@host/name\"",
    later: &["mysql", "mariadb"],
};
const CACHE: Schemes = Schemes { now: &["memory"], example: "\"memory:\"", later: &["redis", "rediss", "valkey"] };
const BUS: Schemes =
    Schemes { now: &["memory"], example: "\"memory:\"", later: &["nats", "amqp", "amqps", "redis", "rediss", "tls"] };
const FILES: Schemes = Schemes { now: &["file"], example: "\"file:data/files\"", later: &["s3"] };
const MAIL: Schemes = Schemes {
    now: &["log", "smtp", "smtps", "file"],
    example: "\"log:\" or \"smtp://user:password@host:587\"",
    later: &[],
};

pub(super) fn database(reader: &mut Reader<'_>) -> Database {
    let default = Database::Sqlite(reader.directory.join("data/app.db"));
    let Some((scheme, rest, whole, place)) = find(reader, "database", &DATABASE) else { return default };
    if scheme == "sqlite" {
        return path(reader, &rest, &place, "\"sqlite:data/app.db\"").map_or(default, Database::Sqlite);
    }
    let good =
        Url::parse(&whole).is_ok_and(|url| url.has_host() || url.query().is_some_and(|query| query.contains("host=")));
    if !good || !rest.starts_with("//") {
        reader.report.error(&place, "expected a URL of a PostgreSQL database, as in \"postgres://user@host/name\"");
        return default;
    }
    Database::Postgres(Secret::new(whole))
}

pub(super) fn cache(reader: &mut Reader<'_>) -> Cache {
    bare(reader, "cache", &CACHE);
    Cache::Memory
}

pub(super) fn bus(reader: &mut Reader<'_>) -> Bus {
    bare(reader, "bus", &BUS);
    Bus::Memory
}

pub(super) fn mail(reader: &mut Reader<'_>) -> Mail {
    let Some((scheme, rest, whole, place)) = find(reader, "mail", &MAIL) else { return Mail::Log };
    match scheme.as_str() {
        "log" => {
            if !rest.is_empty() {
                reader.report.error(&place, "expected \"log:\", with nothing after the colon");
            }
            Mail::Log
        }
        "file" => path(reader, &rest, &place, "\"file:data/mail\"").map_or(Mail::Log, Mail::Directory),
        _ if Url::parse(&whole).is_ok_and(|url| url.has_host()) => Mail::Smtp(Secret::new(whole)),
        _ => {
            reader.report.error(&place, "expected a URL of a mail server, as in \"smtp://user:password@host:587\"");
            Mail::Log
        }
    }
}

pub(super) fn files(reader: &mut Reader<'_>) -> Files {
    let default = Files::Directory(reader.directory.join("data/files"));
    let Some((_, rest, _, place)) = find(reader, "files", &FILES) else { return default };
    path(reader, &rest, &place, "\"file:data/files\"").map_or(default, Files::Directory)
}

/// A service whose URL is its scheme and nothing more.
fn bare(reader: &mut Reader<'_>, key: &str, schemes: &Schemes) {
    if let Some((_, rest, _, place)) = find(reader, key, schemes)
        && !rest.is_empty()
    {
        reader.report.error(&place, format!("expected {}, with nothing after the colon", schemes.example));
    }
}

/// The scheme in lower case, what follows its colon, the whole text and its place.
fn find(reader: &mut Reader<'_>, key: &str, schemes: &Schemes) -> Option<(String, String, String, Place)> {
    let (text, place) = reader.text("services", key)?;
    let expected = format!("expected {}", schemes.example);
    let Some((scheme, rest)) = text.split_once(':') else {
        reader.report.error(&place, expected);
        return None;
    };
    let scheme = scheme.to_ascii_lowercase();
    if schemes.now.contains(&scheme.as_str()) {
        let rest = rest.to_owned();
        return Some((scheme, rest, text, place));
    }
    if schemes.later.contains(&scheme.as_str()) {
        let message = format!("`{scheme}:` is not available in this version yet");
        reader.report.error_with_help(&place, message, expected);
        return None;
    }
    match nearest::nearest(&scheme, schemes.now.iter().copied()) {
        Some(near) => reader.report.error_with_help(&place, expected, format!("did you mean `{near}:`?")),
        None => reader.report.error(&place, expected),
    }
    None
}

fn path(reader: &mut Reader<'_>, rest: &str, place: &Place, example: &str) -> Option<std::path::PathBuf> {
    // `sqlite:///var/app.db` is the path with a slash in front, as elsewhere; `sqlite://app.db` would be a host.
    let path = rest.strip_prefix("//").unwrap_or(rest);
    if path.is_empty() || path == ":memory:" || path.contains(['?', '#', '\0']) {
        reader.report.error(place, format!("expected a path without `?` and `#`, as in {example}"));
        return None;
    }
    Some(reader.directory.join(path))
}
