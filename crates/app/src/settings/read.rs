//! The tree of `mainstay.toml`, and the environment over it, read into [`Settings`].

use std::{net::SocketAddr, path::Path, time::Duration};

use model::Secret;
use url::Url;

use super::{
    Auth, CorsOrigins, Environment, Events, Log, LogFormat, LogLevel, MailTexts, Network, Postgres, Server, Services,
    Settings, Sqlite, Synchronous, alerts,
    environment::variable,
    keys::{self, Form, LATER, SECTIONS},
    limits, roles, services,
};
use crate::{
    diagnostic::Report,
    outside::Outside,
    quantity::{parse_duration, parse_size, show_duration, show_size},
    resource::auth,
    source::Place,
    tree::{Data, Node, Table, check_keys_or},
};

/// Reads all settings. Where one is wrong, that is reported and its default stands in for it.
pub(crate) fn read(file: &Table, directory: &Path, environment: &Environment, report: &mut Report) -> Settings {
    let names: Vec<&str> =
        SECTIONS.iter().map(|section| section.name).chain(["roles", limits::SECTION, alerts::SECTION]).collect();
    check_keys_or(file, &names, LATER, section_of, report);
    for section in SECTIONS {
        let Some(entry) = file.get(section.name) else { continue };
        if let Some(table) = entry.node.table(report, "a table of settings") {
            let known: Vec<&str> = section.keys.iter().map(|key| key.name).collect();
            check_keys_or(table, &known, &[], section_of, report);
        }
    }
    environment.check(report);
    let roles = roles::read(file, report);
    let limits = limits::read(file, report);
    let alerts = alerts::read(file, Outside { directory, environment }, report);
    let mut reader = Reader { file, directory, environment, report };
    let server = read_server(&mut reader);
    let mail = MailTexts { from: read_sender(&mut reader, &server.public_url) };
    Settings {
        directory: directory.to_owned(),
        server,
        services: Services {
            database: services::database(&mut reader),
            cache: services::cache(&mut reader),
            bus: services::bus(&mut reader),
            files: services::files(&mut reader),
            mail: services::mail(&mut reader),
        },
        sqlite: Sqlite {
            synchronous: reader
                .choice("sqlite", "synchronous", &[("full", Synchronous::Full), ("normal", Synchronous::Normal)])
                .unwrap_or(Synchronous::Full),
        },
        postgres: Postgres { max_connections: reader.count("postgres", "max_connections").unwrap_or(16) },
        events: Events { retention: reader.duration("events", "retention").unwrap_or(Duration::from_secs(7 * 86_400)) },
        log: Log {
            format: reader
                .choice("log", "format", &[("text", LogFormat::Text), ("json", LogFormat::Json)])
                .unwrap_or(LogFormat::Json),
            level: reader
                .choice(
                    "log",
                    "level",
                    &[
                        ("error", LogLevel::Error),
                        ("warn", LogLevel::Warn),
                        ("info", LogLevel::Info),
                        ("debug", LogLevel::Debug),
                        ("trace", LogLevel::Trace),
                    ],
                )
                .unwrap_or(LogLevel::Info),
        },
        auth: Auth { master_key: read_master_key(&mut reader) },
        mail,
        roles,
        limits,
        alerts,
    }
}

fn read_sender(reader: &mut Reader<'_>, public_url: &str) -> String {
    let host = Url::parse(public_url).ok().and_then(|url| url.host_str().map(str::to_owned));
    let default = format!("no-reply@{}", host.as_deref().unwrap_or("localhost"));
    let Some((text, place)) = reader.text("mail", "from") else { return default };
    let address = text.rsplit_once('<').map_or(text.as_str(), |(_, rest)| rest.trim_end_matches('>'));
    if address.split('@').filter(|part| !part.is_empty()).count() != 2 || text.chars().any(char::is_control) {
        let message = "expected a sender, as in \"Shop <no-reply@shop.example>\"";
        reader.report.error(&place, message);
    }
    text
}

fn read_master_key(reader: &mut Reader<'_>) -> Option<Secret> {
    const SHORTEST: usize = 32;
    let (text, place) = reader.text("auth", "master_key")?;
    if text.len() < SHORTEST {
        let help = "`openssl rand -base64 32` makes one";
        reader.report.error_with_help(&place, format!("a master key has {SHORTEST} characters or more"), help);
        return None;
    }
    Some(Secret::new(text))
}

/// The section that has a key, which stands in another or in none.
fn section_of(key: &str) -> Option<String> {
    if let Some(section) = SECTIONS.iter().find(|section| section.keys.iter().any(|known| known.name == key)) {
        return Some(format!("`{key}` belongs to [{}]", section.name));
    }
    let of_people = auth::KEYS.iter().any(|(known, _)| *known == key);
    of_people.then(|| format!("`{key}` belongs to the [auth] of the resource that holds the people"))
}

fn read_server(reader: &mut Reader<'_>) -> Server {
    let listen = read_listen(reader);
    Server {
        listen,
        public_url: read_public_url(reader).unwrap_or_else(|| format!("http://localhost:{}", listen.port())),
        cors_origins: read_cors_origins(reader),
        max_body: reader.size("server", "max_body").unwrap_or(1 << 20),
        request_timeout: reader.duration("server", "request_timeout").unwrap_or(Duration::from_secs(30)),
        shutdown_timeout: reader.duration("server", "shutdown_timeout").unwrap_or(Duration::from_secs(10)),
        max_connections: reader.count("server", "max_connections").unwrap_or(10_000),
        trusted_proxies: read_trusted_proxies(reader),
    }
}

fn read_listen(reader: &mut Reader<'_>) -> SocketAddr {
    let default = SocketAddr::from(([127, 0, 0, 1], 8080));
    let Some((text, place)) = reader.text("server", "listen") else { return default };
    text.parse().unwrap_or_else(|_| {
        let message = "expected an address and a port, as in \"127.0.0.1:8080\" or \"[::]:8080\"";
        if text.starts_with("localhost:") || text.starts_with(':') {
            let help = "an address is made of numbers: 127.0.0.1 for this machine alone, 0.0.0.0 for everyone";
            reader.report.error_with_help(&place, message, help);
        } else {
            reader.report.error(&place, message);
        }
        default
    })
}

fn read_public_url(reader: &mut Reader<'_>) -> Option<String> {
    let (text, place) = reader.text("server", "public_url")?;
    let good = Url::parse(&text).ok().filter(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none()
    });
    if good.is_none() {
        let message = "expected an http or https URL without query, as in \"https://shop.example\"";
        reader.report.error(&place, message);
    }
    good.map(|url| url.as_str().trim_end_matches('/').to_owned())
}

fn read_cors_origins(reader: &mut Reader<'_>) -> CorsOrigins {
    let listed = reader.texts("server", "cors_origins").unwrap_or_default();
    if let [(only, _)] = listed.as_slice()
        && only == "*"
    {
        return CorsOrigins::Any;
    }
    let mut origins = Vec::new();
    for (text, place) in listed {
        let origin = Url::parse(&text).ok().map(|url| url.origin().ascii_serialization());
        match origin {
            Some(origin) if origin == text && origin.starts_with("http") => origins.push(text),
            Some(origin) if origin.starts_with("http") => {
                let message = "expected an origin exactly as browsers send it";
                reader.report.error_with_help(&place, message, format!("write \"{origin}\""));
            }
            _ if text == "*" => {
                reader.report.error(&place, "\"*\" admits every origin, so it has to stand alone");
            }
            _ => reader.report.error(&place, "expected an origin, as in \"https://shop.example\""),
        }
    }
    CorsOrigins::Exactly(origins)
}

fn read_trusted_proxies(reader: &mut Reader<'_>) -> Vec<Network> {
    let mut networks = Vec::new();
    for (text, place) in reader.texts("server", "trusted_proxies").unwrap_or_default() {
        match text.parse() {
            Ok(network) => networks.push(network),
            Err(_) => {
                reader
                    .report
                    .error(&place, "expected an IP address or a network, as in \"10.0.0.1\" or \"10.0.0.0/8\"");
            }
        }
    }
    networks
}

/// Looks settings up: in the environment first, then in the file.
pub(super) struct Reader<'a> {
    file: &'a Table,
    pub(super) directory: &'a Path,
    environment: &'a Environment,
    pub(super) report: &'a mut Report,
}

/// Where a setting's value was found.
enum Found<'a> {
    Variable(&'a str, Place),
    File(&'a Node),
}

impl<'a> Reader<'a> {
    fn find(&mut self, section: &str, key: &str) -> Option<Found<'a>> {
        debug_assert!(keys::find(section, key).is_some(), "{section}.{key} is not in the list of keys");
        let name = variable(section, key);
        if let Some(value) = self.environment.get(&name) {
            return Some(Found::Variable(value, self.show(section, &name, value)));
        }
        let Data::Table(table) = &self.file.get(section)?.node.data else { return None };
        table.get(key).map(|entry| Found::File(&entry.node))
    }

    /// The place of a variable's value. That of a service or of `[auth]` may be a secret, so there the name alone is shown.
    fn show(&mut self, section: &str, name: &str, value: &str) -> Place {
        if matches!(section, "services" | "auth") {
            let source = self.report.sources.add(name, name);
            return self.report.sources.whole(source);
        }
        let text = format!("{name}={value}");
        let source = self.report.sources.add_masked(name, &text);
        Place { source, span: name.len() + 1..text.len() }
    }

    /// A string, or what `{ env = … }` or `{ file = … }` stand for.
    pub(super) fn text(&mut self, section: &str, key: &str) -> Option<(String, Place)> {
        match self.find(section, key)? {
            Found::Variable(value, place) => Some((value.to_owned(), place)),
            Found::File(node) => self.resolve(node, "a string"),
        }
    }

    fn resolve(&mut self, node: &Node, expected: &str) -> Option<(String, Place)> {
        Outside { directory: self.directory, environment: self.environment }.text(node, expected, self.report)
    }

    /// A list of strings; in the environment they are separated by commas.
    fn texts(&mut self, section: &str, key: &str) -> Option<Vec<(String, Place)>> {
        match self.find(section, key)? {
            Found::Variable(value, place) => {
                let items = value.split(',').map(str::trim).filter(|item| !item.is_empty());
                Some(items.map(|item| (item.to_owned(), place.clone())).collect())
            }
            Found::File(node) => {
                let items = node.list(self.report, "a list of strings")?;
                Some(items.iter().filter_map(|item| self.resolve(item, "a string")).collect())
            }
        }
    }

    /// A number within the limits of its key.
    fn count(&mut self, section: &str, key: &str) -> Option<usize> {
        let Some(Form::Count { least, most }) = keys::find(section, key).map(|key| key.form) else { return None };
        let (number, place) = match self.find(section, key)? {
            Found::Variable(value, place) => (value.trim().parse().ok(), place),
            Found::File(Node { data: Data::Integer(integer), place }) => (u64::try_from(*integer).ok(), place.clone()),
            Found::File(node) => return node.refuse(self.report, "an integer"),
        };
        let good = number.filter(|number| (least..=most).contains(number));
        if good.is_none() {
            self.report.error(&place, format!("expected an integer from {least} to {most}"));
        }
        good.and_then(|number| usize::try_from(number).ok())
    }

    /// A size such as `"1MB"`, or a number of bytes, within the limits of its key.
    fn size(&mut self, section: &str, key: &str) -> Option<usize> {
        let Some(Form::Size { least, most }) = keys::find(section, key).map(|key| key.form) else { return None };
        let (bytes, place) = match self.find(section, key)? {
            Found::Variable(value, place) => (parse_size(value), place),
            Found::File(Node { data: Data::Integer(integer), place }) => (u64::try_from(*integer).ok(), place.clone()),
            Found::File(node) => {
                let (text, place) = self.resolve(node, "a size, as in \"1MB\"")?;
                (parse_size(&text), place)
            }
        };
        let good = bytes.filter(|bytes| (least..=most).contains(bytes));
        if good.is_none() {
            let (least, most) = (show_size(least), show_size(most));
            self.report.error(&place, format!("expected a size from {least} to {most}, as in \"1MB\""));
        }
        good.and_then(|bytes| usize::try_from(bytes).ok())
    }

    /// A span of time such as `"30s"`, within the limits of its key.
    fn duration(&mut self, section: &str, key: &str) -> Option<Duration> {
        let Some(Form::Duration { least, most }) = keys::find(section, key).map(|key| key.form) else { return None };
        let (least, most) = (Duration::from_millis(least), Duration::from_millis(most));
        let (text, place) = match self.find(section, key)? {
            Found::Variable(value, place) => (value.to_owned(), place),
            Found::File(node) => self.resolve(node, "a time in a string, as in \"30s\"")?,
        };
        let good = parse_duration(&text).filter(|span| (least..=most).contains(span));
        if good.is_none() {
            let (least, most) = (show_duration(least), show_duration(most));
            self.report
                .error(&place, format!("expected a time from {least} to {most}, as in \"30s\", \"5m\" or \"7d\""));
        }
        good
    }

    fn choice<T: Copy>(&mut self, section: &str, key: &str, choices: &[(&str, T)]) -> Option<T> {
        let (text, place) = self.text(section, key)?;
        Node { place, data: Data::Text(text) }.choice(self.report, choices)
    }
}
