//! Every section and key of `mainstay.toml`: the reader, the environment and the JSON Schema all go by this list.

/// A section.
pub(crate) struct Section {
    pub(crate) name: &'static str,
    pub(crate) doc: &'static str,
    pub(crate) keys: &'static [Key],
}

/// A key of a section.
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) doc: &'static str,
    pub(crate) form: Form,
    /// The default as JSON; empty where it depends on other keys.
    pub(crate) default: &'static str,
}

/// What a key's value looks like.
#[derive(Clone, Copy)]
pub(crate) enum Form {
    Text,
    Texts,
    Size {
        least: u64,
        most: u64,
    },
    /// In milliseconds.
    Duration {
        least: u64,
        most: u64,
    },
    Count {
        least: u64,
        most: u64,
    },
    Choice(&'static [&'static str]),
}

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

const fn key(name: &'static str, form: Form, default: &'static str, doc: &'static str) -> Key {
    Key { name, doc, form, default }
}

pub(crate) const SECTIONS: &[Section] = &[
    Section {
        name: "server",
        doc: "How the server is reached.",
        keys: &[
            key(
                "listen",
                Form::Text,
                "\"127.0.0.1:8080\"",
                "The address and port to listen on; port 0 takes a free one.",
            ),
            key(
                "public_url",
                Form::Text,
                "",
                "How the outside reaches this server, used in links. http://localhost and the port of `listen` unless set.",
            ),
            key(
                "cors_origins",
                Form::Texts,
                "[]",
                "The origins of pages that may call the API, exactly: \"https://shop.example\". \"*\" alone admits any, without credentials.",
            ),
            key(
                "max_body",
                Form::Size { least: 1 << 10, most: 1 << 30 },
                "\"1MB\"",
                "The most bytes of a request's body, 1KB to 1GB.",
            ),
            key(
                "request_timeout",
                Form::Duration { least: 100, most: HOUR },
                "\"30s\"",
                "How long a request may take, 100ms to 1h.",
            ),
            key(
                "shutdown_timeout",
                Form::Duration { least: 0, most: 10 * MINUTE },
                "\"10s\"",
                "How long a stop waits for requests that run, up to 10m.",
            ),
            key(
                "max_connections",
                Form::Count { least: 1, most: 1_000_000 },
                "10000",
                "The most connections at a time; more wait.",
            ),
            key(
                "trusted_proxies",
                Form::Texts,
                "[]",
                "Addresses or networks (\"10.0.0.0/8\") whose X-Forwarded-For is believed.",
            ),
        ],
    },
    Section {
        name: "services",
        doc: "Backing services, attached by URL. The defaults need nothing installed.",
        keys: &[
            key(
                "database",
                Form::Text,
                "\"sqlite:data/app.db\"",
                "Where records are kept: \"sqlite:PATH\" or \"postgres://user@host/name\".",
            ),
            key("cache", Form::Text, "\"memory:\"", "What is kept for a while: \"memory:\"."),
            key("bus", Form::Text, "\"memory:\"", "How nodes hear of each other: \"memory:\"."),
            key("files", Form::Text, "\"file:data/files\"", "Where uploaded files are kept: \"file:PATH\"."),
            key(
                "mail",
                Form::Text,
                "\"log:\"",
                "How mail is sent: \"log:\" writes it to the log, \"smtp://user:password@host:587\" hands it to a server, \"file:PATH\" writes a file each.",
            ),
        ],
    },
    Section {
        name: "sqlite",
        doc: "How SQLite is used.",
        keys: &[key(
            "synchronous",
            Form::Choice(&["full", "normal"]),
            "\"full\"",
            "\"full\": a write is on disk before it is acknowledged. \"normal\": a power cut may lose the last writes.",
        )],
    },
    Section {
        name: "postgres",
        doc: "How PostgreSQL is used.",
        keys: &[key(
            "max_connections",
            Form::Count { least: 2, most: 1_000 },
            "16",
            "The most connections to the database.",
        )],
    },
    Section {
        name: "events",
        doc: "The event log.",
        keys: &[key(
            "retention",
            Form::Duration { least: MINUTE, most: 3_650 * DAY },
            "\"7d\"",
            "How long entries of the event log are kept, 1m to 3650d.",
        )],
    },
    Section {
        name: "log",
        doc: "The log of requests and faults.",
        keys: &[
            key("format", Form::Choice(&["text", "json"]), "\"json\"", "How a line looks."),
            key(
                "level",
                Form::Choice(&["error", "warn", "info", "debug", "trace"]),
                "\"info\"",
                "The least level that is written.",
            ),
        ],
    },
    Section {
        name: "auth",
        doc: "What the sign-in of people needs to know of this machine. The rest stands in the [auth] of their resource.",
        keys: &[key(
            "master_key",
            Form::Text,
            "",
            "Seals signing keys and TOTP secrets in the database: 32 characters or more, by { env = … } or { file = … }. On SQLite it is made in data/keys where absent.",
        )],
    },
    Section {
        name: "mail",
        doc: "What mails say. Their texts can be replaced by files in templates/.",
        keys: &[key(
            "from",
            Form::Text,
            "",
            "The sender: \"Shop <no-reply@shop.example>\". no-reply@ and the host of `public_url` unless set.",
        )],
    },
];

/// Sections of the contract that this version does not have.
pub(crate) const LATER: &[&str] = &["channels", "functions", "gateway", "inbound", "jobs", "search", "tls", "webhooks"];

pub(crate) fn find(section: &str, key: &str) -> Option<&'static Key> {
    let section = SECTIONS.iter().find(|known| known.name == section)?;
    section.keys.iter().find(|known| known.name == key)
}
