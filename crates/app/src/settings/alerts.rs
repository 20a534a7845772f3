//! `[alerts.NAME]`: a rate of events of the audit log, and who is told when it is exceeded.

use std::time::Duration;

use model::{Secret, audit};
use url::Url;

use super::limits;
use crate::{
    diagnostic::Report,
    nearest,
    outside::Outside,
    quantity::{parse_duration, show_duration},
    source::Place,
    tree::{Entry, Node, Table, check_keys},
};

/// The section's name. Its keys are names that the app gives, so that it is not in the list of keys.
pub(crate) const SECTION: &str = "alerts";
/// The keys of an alert, with what they are for.
pub(crate) const KEYS: [(&str, &str); 7] = [
    ("on", "The events that count: a word of the audit log, `admin_*` for all that begin so, or a list of them."),
    ("rate", "How many of them in which time are told: \"50/10m\"."),
    ("per", "What they are counted by: the address, the account, or all together."),
    ("to", "Who is told: the URL of a webhook, or \"mailto:…\"."),
    ("secret", "What signs webhooks: `whsec_` and 24 to 64 bytes in base64."),
    ("allow_private", "Whether the webhook may be in a private network, and without TLS."),
    ("pause", "How long the same alert is not told again."),
];
/// What events are counted by.
pub(crate) const PER: [(&str, AlertPer); 3] =
    [("address", AlertPer::Address), ("account", AlertPer::Account), ("all", AlertPer::All)];
/// How long an alert is not told again, unless it says so.
pub(crate) const PAUSE: (&str, Duration) = ("1h", Duration::from_secs(3_600));
/// The most alerts.
const MOST: usize = 50;
/// The shortest and the longest pause.
const PAUSES: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(30 * 86_400));

/// One alert.
#[derive(Debug, Clone, PartialEq)]
pub struct Alert {
    /// What the app calls it.
    pub name: String,
    /// The events that count, each by its name.
    pub on: Vec<String>,
    /// How many are told, 1 to 1,000,000.
    pub count: u32,
    /// In which time, 1 s to 1 day.
    pub period: Duration,
    /// What they are counted by.
    pub per: AlertPer,
    /// Who is told.
    pub to: AlertTo,
    /// How long it is not told again, 10 s to 30 days.
    pub pause: Duration,
}

/// `per` of an alert
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlertPer {
    /// The address that they come from.
    Address,
    /// Who did them; where that is nobody, the account that they were tried on.
    Account,
    /// All together.
    All,
}

/// `to` of an alert
#[derive(Debug, Clone, PartialEq)]
pub enum AlertTo {
    /// A webhook.
    Webhook {
        /// Its URL, which may hold a secret.
        url: Secret,
        /// What signs it.
        secret: Secret,
        /// Whether it may be in a private network.
        allow_private: bool,
    },
    /// An address.
    Mail(String),
}

/// Reads all alerts; one that is wrong is told and left out.
pub(super) fn read(file: &Table, outside: Outside<'_>, report: &mut Report) -> Vec<Alert> {
    let Some(section) = file.get(SECTION) else { return Vec::new() };
    let Some(table) = section.node.table(report, "a table of alerts, as in [alerts.guessing]") else {
        return Vec::new();
    };
    if let Some(entry) = table.entries.get(MOST) {
        report.error(&entry.place, format!("an app has at most {MOST} alerts"));
    }
    table.entries.iter().take(MOST).filter_map(|entry| alert(entry, outside, report)).collect()
}

fn alert(entry: &Entry, outside: Outside<'_>, report: &mut Report) -> Option<Alert> {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if entry.key.is_empty() || entry.key.len() > 64 || !entry.key.bytes().all(good) {
        report.error(&entry.place, "an alert's name has 1 to 64 letters, digits, `_` and `-`");
        return None;
    }
    let table = entry.node.table(report, "a table, as in [alerts.guessing]")?;
    check_keys(table, &KEYS.map(|(name, _)| name), &[], report);
    let mut needed = |key: &str, example: &str| {
        let found = table.get(key);
        if found.is_none() {
            report.error(&entry.place, format!("`{key}` is missing, as in {key} = {example}"));
        }
        found
    };
    let (on, rate) = (needed("on", "\"sign_in_failed\""), needed("rate", "\"50/10m\""));
    let to = needed("to", "\"mailto:ops@shop.example\"");
    let on = on.and_then(|on| events(&on.node, report));
    let rate = rate.and_then(|rate| limits::rate(&rate.node, report));
    let per = match table.get("per") {
        Some(per) => per.node.choice(report, &PER),
        None => Some(AlertPer::Address),
    };
    let pause = match table.get("pause") {
        Some(pause) => pause_of(&pause.node, report),
        None => Some(PAUSE.1),
    };
    let to = to.and_then(|to| recipient(table, &to.node, outside, report));
    let (count, period) = rate?;
    Some(Alert { name: entry.key.clone(), on: on?, count, period, per: per?, to: to?, pause: pause? })
}

/// One pattern, or a list of them.
fn events(node: &Node, report: &mut Report) -> Option<Vec<String>> {
    let patterns: Vec<&Node> = match &node.data {
        crate::tree::Data::List(items) => items.iter().collect(),
        _ => vec![node],
    };
    let mut all: Vec<String> = Vec::new();
    for pattern in patterns {
        let text = pattern.text(report, "an event of the audit log, as in \"sign_in_failed\"")?;
        let found = audit::events_of(text);
        if found.is_empty() {
            let help = nearest::did_you_mean(text, audit::EVENTS.iter().map(|(name, _)| *name))
                .unwrap_or_else(|| "the page \"Audit and alerts\" lists them".to_owned());
            report.error_with_help(&pattern.place, format!("the audit log has no `{text}`"), help);
            return None;
        }
        all.extend(found.into_iter().map(str::to_owned));
    }
    if all.is_empty() {
        report.error(&node.place, "name an event at least, as in \"sign_in_failed\"");
        return None;
    }
    all.sort();
    all.dedup();
    Some(all)
}

fn pause_of(node: &Node, report: &mut Report) -> Option<Duration> {
    let text = node.text(report, "a time in a string, as in \"1h\"")?;
    let (least, most) = PAUSES;
    let pause = parse_duration(text).filter(|pause| (least..=most).contains(pause));
    if pause.is_none() {
        let (least, most) = (show_duration(least), show_duration(most));
        report.error(&node.place, format!("expected a time from {least} to {most}, as in \"1h\""));
    }
    pause
}

fn recipient(table: &Table, node: &Node, outside: Outside<'_>, report: &mut Report) -> Option<AlertTo> {
    let (text, place) = outside.text(node, "a URL, or \"mailto:…\"", report)?;
    let allow_private = match table.get("allow_private") {
        Some(entry) => entry.node.boolean(report)?,
        None => false,
    };
    let secret = table.get("secret");
    if let Some(address) = text.strip_prefix("mailto:") {
        for (key, entry) in [("secret", secret), ("allow_private", table.get("allow_private"))] {
            if let Some(entry) = entry {
                report.error(&entry.place, format!("`{key}` is for webhooks; this alert goes by mail"));
            }
        }
        return mail_to(address, &place, report);
    }
    let Some(url) = Url::parse(&text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
    else {
        let message = "expected the URL of a webhook, or \"mailto:\" and an address";
        report.error_with_help(&place, message, "\"https://hooks.example/mainstay\" or \"mailto:ops@shop.example\"");
        return None;
    };
    if url.scheme() == "http" && !allow_private {
        let help = "use https, or say `allow_private = true` where it is a host of your own network";
        report.error_with_help(&place, "a webhook goes over TLS", help);
        return None;
    }
    let Some(entry) = secret else {
        let help = "secret = { env = \"ALERTS_SECRET\" }; `echo whsec_$(openssl rand -base64 32)` makes one";
        report.error_with_help(&place, "`secret` is missing: it signs the webhook", help);
        return None;
    };
    let (secret, place) = outside.text(&entry.node, "a secret", report)?;
    if !is_secret(&secret) {
        let message = "a webhook's secret is `whsec_` and 24 to 64 bytes in base64";
        report.error_with_help(&place, message, "`echo whsec_$(openssl rand -base64 32)` makes one");
        return None;
    }
    Some(AlertTo::Webhook { url: Secret::new(text), secret: Secret::new(secret), allow_private })
}

fn mail_to(address: &str, place: &Place, report: &mut Report) -> Option<AlertTo> {
    let parts: Vec<&str> = address.split('@').collect();
    let odd =
        |letter: char| letter.is_whitespace() || letter.is_control() || matches!(letter, ',' | ';' | '<' | '>' | '?');
    if parts.len() != 2 || parts.iter().any(|part| part.is_empty()) || address.contains(odd) {
        report.error(place, "expected one address, as in \"mailto:ops@shop.example\"");
        return None;
    }
    Some(AlertTo::Mail(address.to_owned()))
}

/// Whether a text is a key as Standard Webhooks has it: without knowing base64 in full, its letters and length.
fn is_secret(text: &str) -> bool {
    let Some(encoded) = text.strip_prefix("whsec_") else { return false };
    let bare = encoded.trim_end_matches('=');
    let letters = bare.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'));
    let bytes = bare.len() * 3 / 4;
    letters && encoded.len() % 4 == 0 && encoded.len() - bare.len() <= 2 && (24..=64).contains(&bytes)
}

#[cfg(test)]
mod tests {
    use super::{AlertPer, AlertTo};
    use crate::{Environment, Severity, load, settings::Settings};

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    fn read(text: &str) -> (Option<Settings>, String) {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("mainstay.toml"), text).unwrap();
        let loaded = load(directory.path(), &Environment::empty());
        let errors = loaded.diagnostics.iter().filter(|told| told.severity == Severity::Error);
        (loaded.settings.clone(), errors.map(|told| format!("{told:?}\n")).collect())
    }

    #[test]
    fn alerts_are_read_in_all_their_forms() {
        let (settings, errors) = read(&format!(
            "[alerts.guessing]\non = \"sign_in_*\"\nrate = \"50/10m\"\nper = \"account\"\nto = \"https://x.example/in?t=1\"\n\
             secret = \"{SECRET}\"\n[alerts.power]\non = [\"admin_overruled\", \"roles_changed\"]\nrate = \"1/m\"\n\
             to = \"mailto:ops@x.example\"\npause = \"10m\"\n"
        ));
        assert_eq!(errors, "");
        let alerts = settings.unwrap().alerts;
        assert_eq!((alerts[0].on.len(), alerts[0].count, alerts[0].per), (2, 50, AlertPer::Account));
        assert!(matches!(&alerts[0].to, AlertTo::Webhook { allow_private: false, .. }));
        assert_eq!((alerts[1].to.clone(), alerts[1].pause.as_secs()), (AlertTo::Mail("ops@x.example".to_owned()), 600));
        assert!(!format!("{alerts:?}").contains("LaLaSw") && !format!("{alerts:?}").contains("t=1"));
    }

    #[test]
    fn slips_are_told_with_what_is_meant() {
        let good = [("on", "\"sign_in_failed\""), ("rate", "\"5/m\""), ("to", "\"mailto:a@b.example\"")];
        for (key, value, words) in [
            ("on", "\"sign_in_faild\"", "did you mean `sign_in_failed`"),
            ("on", "\"nothing_*\"", "has no `nothing_*`"),
            ("on", "[]", "name an event"),
            ("on", "", "`on` is missing"),
            ("rate", "\"many\"", "expected a rate"),
            ("to", "\"ops@b.example\"", "expected the URL of a webhook"),
            ("to", "\"mailto:nobody\"", "expected one address"),
            ("to", "\"http://b.example/\"", "a webhook goes over TLS"),
            ("to", "\"https://b.example/\"", "`secret` is missing"),
            ("secret", "\"whsec_c2hvcnQ=\"", "`secret` is for webhooks"),
            ("per", "\"adress\"", "did you mean \\\"address\\\""),
            ("pause", "\"1s\"", "from 10s to 30d"),
            ("rat", "\"1/s\"", "did you mean `rate`"),
        ] {
            let lines = good.iter().filter(|(known, _)| *known != key).map(|(key, value)| format!("{key} = {value}\n"));
            let own = if value.is_empty() { String::new() } else { format!("{key} = {value}\n") };
            let (_, errors) = read(&format!("[alerts.one]\n{}{own}", lines.collect::<String>()));
            assert!(errors.contains(words), "{key} = {value}: {errors}");
        }
        let short = read(
            "[alerts.one]\non = \"*\"\nrate = \"5/m\"\nto = \"https://b.example/\"\nsecret = \"whsec_c2hvcnQ=\"\n",
        );
        assert!(short.1.contains("24 to 64 bytes") && !short.1.contains("c2hvcnQ"), "{}", short.1);
    }
}
