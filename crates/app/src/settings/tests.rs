//! Every setting, from the file and from the environment.

use std::{net::IpAddr, time::Duration};

use super::*;
use crate::{Loaded, Severity, load};

fn load_with(text: &str, variables: &[(&str, &str)]) -> (tempfile::TempDir, Loaded) {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("mainstay.toml"), text).unwrap();
    std::fs::write(directory.path().join("secret"), "postgres://app:hunter2@db/shop\n").unwrap();
    let loaded = load(directory.path(), &variables.iter().copied().collect());
    (directory, loaded)
}

fn settings(text: &str, variables: &[(&str, &str)]) -> Settings {
    let (_directory, loaded) = load_with(text, variables);
    assert!(!loaded.has_errors(), "{:?}", loaded.diagnostics);
    loaded.settings.unwrap()
}

#[test]
fn every_key_has_a_default() {
    let (directory, loaded) = load_with("", &[]);
    let settings = loaded.settings.unwrap();
    assert_eq!(settings.server.listen, "127.0.0.1:8080".parse().unwrap());
    assert_eq!(settings.server.public_url, "http://localhost:8080");
    assert_eq!(settings.server.cors_origins, CorsOrigins::Exactly(vec![]));
    assert_eq!(settings.server.max_body, 1 << 20);
    assert_eq!(settings.server.request_timeout, Duration::from_secs(30));
    assert_eq!(settings.services.database, Database::Sqlite(directory.path().join("data/app.db")));
    assert_eq!(settings.services.files, Files::Directory(directory.path().join("data/files")));
    assert_eq!(settings.sqlite.synchronous, Synchronous::Full);
    assert_eq!(settings.events.retention, Duration::from_secs(7 * 86_400));
    assert_eq!((settings.log.format, settings.log.level), (LogFormat::Json, LogLevel::Info));
}

#[test]
fn every_default_of_the_list_is_the_default_of_the_reader() {
    let mut text = String::new();
    for section in keys::SECTIONS {
        text.push_str(&format!("[{}]\n", section.name));
        for key in section.keys.iter().filter(|key| !key.default.is_empty()) {
            text.push_str(&format!("{} = {}\n", key.name, key.default));
        }
    }
    let (_first, given) = load_with(&text, &[]);
    let mut given = given.settings.unwrap();
    let (_second, defaults) = load_with("", &[]);
    let defaults = defaults.settings.unwrap();
    // The paths differ by the directory alone.
    given.services.clone_from(&defaults.services);
    given.directory.clone_from(&defaults.directory);
    assert_eq!(given, defaults);
}

#[test]
fn the_environment_wins_over_the_file() {
    let text = "[server]\nlisten = \"127.0.0.1:1\"\nmax_body = \"2MB\"\n[log]\nlevel = \"debug\"\n";
    let variables = [
        ("MAINSTAY_SERVER__LISTEN", "[::1]:2"),
        ("MAINSTAY_SERVER__CORS_ORIGINS", "https://a.example, http://b.example:81"),
        ("MAINSTAY_SERVER__TRUSTED_PROXIES", ""),
        ("MAINSTAY_SERVER__MAX_CONNECTIONS", "7"),
        ("MAINSTAY_EVENTS__RETENTION", "90m"),
        ("MAINSTAY_SQLITE__SYNCHRONOUS", "normal"),
        ("MAINSTAY_SERVICES__DATABASE", "postgres:///shop?host=/run/postgresql"),
        ("MAINSTAY", "ignored"),
        ("MAINSTAY_UNKNOWN", "ignored: no setting has a single underscore there"),
    ];
    let settings = settings(text, &variables);
    assert_eq!(settings.server.listen, "[::1]:2".parse().unwrap());
    assert_eq!(settings.server.public_url, "http://localhost:2", "it follows the port");
    assert_eq!(settings.server.max_body, 2 << 20, "the file stands where the environment is silent");
    let origins = ["https://a.example", "http://b.example:81"].map(str::to_owned).to_vec();
    assert_eq!(settings.server.cors_origins, CorsOrigins::Exactly(origins));
    assert_eq!(settings.server.max_connections, 7);
    assert_eq!(settings.events.retention, Duration::from_secs(5_400));
    assert_eq!(settings.sqlite.synchronous, Synchronous::Normal);
    assert_eq!(settings.log.level, LogLevel::Debug);
    assert!(matches!(settings.services.database, Database::Postgres(_)));
}

#[test]
fn a_good_override_makes_up_for_a_bad_file() {
    let settings = settings("[server]\nlisten = \"nowhere\"", &[("MAINSTAY_SERVER__LISTEN", "127.0.0.1:3")]);
    assert_eq!(settings.server.listen.port(), 3);
}

#[test]
fn every_key_can_come_from_the_environment() {
    for section in keys::SECTIONS {
        for key in section.keys {
            let value = match key.name {
                "from" => "Shop <no-reply@shop.example>".to_owned(),
                "public_url" => "https://shop.example".to_owned(),
                "master_key" => "0123456789abcdef0123456789abcdef".to_owned(),
                _ => key.default.trim_matches(['"', '[', ']']).to_owned(),
            };
            let name = environment::variable(section.name, key.name);
            let (_directory, good) = load_with("", &[(&name, &value)]);
            assert!(!good.has_errors(), "{name}={value}: {:?}", good.diagnostics);
            let (_directory, bad) = load_with("", &[(&name, "\u{1} bad :")]);
            let told = bad.diagnostics.iter().find(|diagnostic| diagnostic.severity == Severity::Error);
            assert_eq!(told.map(|told| told.file.as_str()), Some(name.as_str()), "{name}");
        }
    }
}

#[test]
fn a_value_may_stand_elsewhere() {
    let text = "[server]\nlisten = { env = \"LISTEN\" }\ncors_origins = [{ env = \"ORIGIN\" }]\n[services]\ndatabase = { file = \"secret\" }\n";
    let settings = settings(text, &[("LISTEN", "127.0.0.1:9"), ("ORIGIN", "https://a.example")]);
    assert_eq!(settings.server.listen.port(), 9);
    assert_eq!(settings.server.cors_origins, CorsOrigins::Exactly(vec!["https://a.example".into()]));
    let Database::Postgres(url) = &settings.services.database else { panic!("{:?}", settings.services) };
    assert_eq!(url.expose(), "postgres://app:hunter2@db/shop");
    assert!(!format!("{settings:?} {url}").contains("hunter2"));
}

#[test]
fn services_are_told_by_their_urls() {
    let database = |url: &str| {
        let (directory, loaded) = load_with(&format!("[services]\ndatabase = \"{url}\""), &[]);
        let path = directory.path().to_owned();
        (path, loaded.settings.map(|settings| settings.services.database))
    };
    let (path, sqlite) = database("sqlite:other/shop.db");
    assert_eq!(sqlite, Some(Database::Sqlite(path.join("other/shop.db"))));
    assert_eq!(database("sqlite:///var/shop.db").1, Some(Database::Sqlite("/var/shop.db".into())));
    for good in ["postgres://a@b/c", "postgresql://a:p@b:5433/c?sslmode=require", "POSTGRES://b"] {
        assert!(matches!(database(good).1, Some(Database::Postgres(_))), "{good}");
    }
    for bad in
        ["", "sqlite", "sqlite:", "sqlite::memory:", "sqlite:a?mode=ro", "postgres:a", "postgres://", "mysql://a", "x"]
    {
        assert_eq!(database(bad).1, None, "{bad}");
    }
}

#[test]
fn networks_hold_their_addresses() {
    let holds =
        |network: &str, address: &str| network.parse::<Network>().unwrap().contains(address.parse::<IpAddr>().unwrap());
    assert!(holds("10.0.0.0/8", "10.255.0.1"));
    assert!(holds("10.0.0.0/8", "::ffff:10.1.2.3"));
    assert!(!holds("10.0.0.0/8", "11.0.0.1"));
    assert!(holds("10.0.0.1", "10.0.0.1"));
    assert!(!holds("10.0.0.1", "10.0.0.2"));
    assert!(holds("0.0.0.0/0", "8.8.8.8"));
    assert!(!holds("0.0.0.0/0", "::1"));
    assert!(holds("::/0", "::1"));
    assert!(holds("2001:db8::/32", "2001:db8:1::1"));
    assert!(!holds("2001:db8::/32", "2001:db9::1"));
    for bad in ["", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/+8", "::/129", "proxy", "10.0.0"] {
        assert!(bad.parse::<Network>().is_err(), "{bad}");
    }
}

#[test]
fn sizes_and_times_are_read_with_their_units() {
    use crate::quantity::{parse_duration, parse_size};
    assert_eq!(parse_size("64KB"), Some(65_536));
    assert_eq!(parse_size("1 MB"), Some(1 << 20));
    assert_eq!(parse_size("512"), Some(512));
    for bad in ["", "MB", "-1", "1.5MB", "1TB", "99999999999GB"] {
        assert_eq!(parse_size(bad), None, "{bad}");
    }
    assert_eq!(parse_duration("250ms"), Some(Duration::from_millis(250)));
    assert_eq!(parse_duration("7d"), Some(Duration::from_secs(604_800)));
    for bad in ["", "30", "s", "-1s", "1w", "1.5h", "999999999999999999d"] {
        assert_eq!(parse_duration(bad), None, "{bad}");
    }
}
