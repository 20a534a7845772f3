//! `[limits]`: how often callers may ask, by path.

use std::time::Duration;

use crate::{
    diagnostic::Report,
    quantity::parse_duration,
    source::Place,
    tree::{Data, Node, Table, check_keys},
};

/// The section's name. Its keys are paths, so that it is not in the list of keys.
pub(crate) const SECTION: &str = "limits";
/// What holds unless the same paths are in the file: calls with passwords and codes have stricter limits of their own,
/// but nothing under `/auth/` is free.
pub(crate) const DEFAULT: (&str, &str) = ("/auth/*", "600/1m");
/// The greatest count of a rate.
pub(crate) const MOST: u32 = 1_000_000;
/// The longest period of a rate.
const LONGEST: Duration = Duration::from_secs(86_400);
/// What paths look like, for the JSON Schema.
pub(crate) const PATHS: &str = "^([A-Z]+ )?/[^\\s\"\\\\?#]*$";
/// What a rate looks like, for the JSON Schema.
pub(crate) const RATE: &str = "^[0-9]+/[0-9]*(ms|s|m|min|h|d)$";
/// Who may share a rate.
pub(crate) const PER: [(&str, Per); 3] = [("address", Per::Address), ("caller", Per::Caller), ("all", Per::All)];
const METHODS: [&str; 6] = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/// One rate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// The paths, with a method before them or for all: `/api/*`, `POST /api/orders`.
    pub paths: String,
    /// Operations in a period, 1 to 1,000,000.
    pub count: u32,
    /// The period, 1 s to 1 day.
    pub period: Duration,
    /// How many may come at once, 1 to 1,000,000.
    pub burst: u32,
    /// Who shares the rate.
    pub per: Per,
}

/// `per` of a limit
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Per {
    /// All from one address, of IPv6 from one /64.
    Address,
    /// All of one person or key; strangers by their address.
    Caller,
    /// Everyone together.
    All,
}

/// Reads all limits; the default stands in where the file says nothing of its paths.
pub(crate) fn read(file: &Table, report: &mut Report) -> Vec<Limit> {
    let mut limits = Vec::new();
    let table = file.get(SECTION).and_then(|entry| entry.node.table(report, "a table of limits"));
    let entries = table.map_or(&[][..], |table| table.entries.as_slice());
    if !entries.iter().any(|entry| entry.key == DEFAULT.0) {
        let (count, period) = parse(DEFAULT.1).unwrap_or((1, LONGEST));
        limits.push(Limit { paths: DEFAULT.0.to_owned(), count, period, burst: count, per: Per::Address });
    }
    for entry in entries {
        if !are_paths(&entry.key, &entry.place, report) {
            continue;
        }
        let one = std::slice::from_ref(&entry.node);
        let nodes = if let Data::List(items) = &entry.node.data { items.as_slice() } else { one };
        limits.extend(nodes.iter().filter_map(|node| limit(&entry.key, node, report)));
    }
    limits
}

fn are_paths(key: &str, place: &Place, report: &mut Report) -> bool {
    let expected = "expected a path, as in \"/api/*\" or \"POST /api/orders\"";
    let (method, path) = key.split_once(' ').map_or((None, key), |(method, path)| (Some(method), path));
    if let Some(method) = method
        && !METHODS.contains(&method)
    {
        report.error_with_help(place, expected, format!("before the path may stand one of {}", METHODS.join(", ")));
        return false;
    }
    let odd = |byte: u8| !byte.is_ascii_graphic() || matches!(byte, b'"' | b'\\' | b'?' | b'#' | b'%');
    if !path.starts_with('/') || path.bytes().any(odd) {
        let help = format!("\"/{}\"", path.trim_start_matches('/'));
        if path.is_empty() || path.starts_with('/') || path.bytes().any(odd) {
            report.error(place, expected);
        } else {
            report.error_with_help(place, expected, format!("did you mean {help}?"));
        }
        return false;
    }
    if path.split('/').any(|segment| segment.contains('*') && segment != "*") {
        report.error(place, "`*` stands for a whole part of a path, or at the end for all below: \"/api/*\"");
        return false;
    }
    true
}

fn limit(paths: &str, node: &Node, report: &mut Report) -> Option<Limit> {
    let Data::Table(table) = &node.data else {
        let (count, period) = rate(node, report)?;
        return Some(Limit { paths: paths.to_owned(), count, period, burst: count, per: Per::Address });
    };
    check_keys(table, &["rate", "burst", "per"], &[], report);
    let Some(entry) = table.get("rate") else {
        report.error(&node.place, "`rate` is missing, as in { rate = \"100/1m\" }");
        return None;
    };
    let (count, period) = rate(&entry.node, report)?;
    let burst = match table.get("burst") {
        None => count,
        Some(entry) => burst(&entry.node, report)?,
    };
    let per = match table.get("per") {
        None => Per::Address,
        Some(entry) => entry.node.choice(report, &PER)?,
    };
    Some(Limit { paths: paths.to_owned(), count, period, burst, per })
}

fn burst(node: &Node, report: &mut Report) -> Option<u32> {
    let Data::Integer(number) = node.data else { return node.refuse(report, "an integer") };
    let good = u32::try_from(number).ok().filter(|number| (1..=MOST).contains(number));
    if good.is_none() {
        report.error(&node.place, format!("expected an integer from 1 to {MOST}"));
    }
    good
}

pub(super) fn rate(node: &Node, report: &mut Report) -> Option<(u32, Duration)> {
    let parsed = parse(node.text(report, "a rate in a string, as in \"100/1m\"")?);
    if parsed.is_none() {
        let message = "expected a rate: 1 to 1000000 operations in 1s to 1d, as in \"100/1m\" or \"5/s\"";
        report.error(&node.place, message);
    }
    parsed
}

/// `100/1m`; `5/s` is `5/1s`.
fn parse(text: &str) -> Option<(u32, Duration)> {
    let (count, period) = text.split_once('/')?;
    let count = count.trim().parse().ok().filter(|count| (1..=MOST).contains(count))?;
    let period = period.trim();
    let one = if period.starts_with(|first: char| first.is_ascii_digit()) { "" } else { "1" };
    let period = parse_duration(&format!("{one}{period}"))?;
    (Duration::from_secs(1)..=LONGEST).contains(&period).then_some((count, period))
}

#[cfg(test)]
mod tests {
    use crate::{Environment, Severity, load, settings::Settings};

    fn read(text: &str) -> (Option<Settings>, Vec<String>) {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("mainstay.toml"), text).unwrap();
        let loaded = load(directory.path(), &Environment::empty());
        let errors = loaded.diagnostics.iter().filter(|told| told.severity == Severity::Error);
        (loaded.settings.clone(), errors.map(|told| format!("{told:?}")).collect())
    }

    #[test]
    fn limits_are_read_in_all_their_forms() {
        let (settings, errors) = read(
            "[limits]\n\"/api/*\" = \"100/1m\"\n\"POST /api/orders\" = { rate = \"5/s\", burst = 20, per = \"caller\" }\n\
             \"/*\" = [\"10/s\", { rate = \"1000/1h\", per = \"all\" }]\n",
        );
        assert!(errors.is_empty(), "{errors:?}");
        let shown: Vec<String> = settings
            .unwrap()
            .limits
            .iter()
            .map(|limit| format!("{} {}/{:?} {} {:?}", limit.paths, limit.count, limit.period, limit.burst, limit.per))
            .collect();
        assert_eq!(
            shown,
            [
                "/auth/* 600/60s 600 Address",
                "/api/* 100/60s 100 Address",
                "POST /api/orders 5/1s 20 Caller",
                "/* 10/1s 10 Address",
                "/* 1000/3600s 1000 All",
            ]
        );
    }

    #[test]
    fn the_default_can_be_changed_and_lifted() {
        assert_eq!(read("").0.unwrap().limits.len(), 1);
        assert_eq!(read("[limits]\n\"/auth/*\" = \"5/1m\"").0.unwrap().limits[0].count, 5);
        assert!(read("[limits]\n\"/auth/*\" = []").0.unwrap().limits.is_empty());
    }

    #[test]
    fn slips_are_told_with_what_is_meant() {
        for (line, words) in [
            ("\"api/*\" = \"1/s\"", "did you mean \\\"/api/*\\\""),
            ("\"get /api\" = \"1/s\"", "one of GET"),
            ("\"/api/or*\" = \"1/s\"", "whole part"),
            ("\"/api?x\" = \"1/s\"", "expected a path"),
            ("\"/api\" = \"many\"", "expected a rate"),
            ("\"/api\" = \"0/s\"", "expected a rate"),
            ("\"/api\" = \"1/2d\"", "expected a rate"),
            ("\"/api\" = 5", "expected a rate in a string"),
            ("\"/api\" = { rate = \"1/s\", burst = 0 }", "from 1 to 1000000"),
            ("\"/api\" = { rate = \"1/s\", per = \"adress\" }", "did you mean \\\"address\\\""),
            ("\"/api\" = { rat = \"1/s\" }", "did you mean `rate`"),
            ("\"/api\" = { burst = 1 }", "`rate` is missing"),
        ] {
            let (_, errors) = read(&format!("[limits]\n{line}\n"));
            assert!(errors.iter().any(|error| error.contains(words)), "{line}: {errors:?}");
        }
    }
}
