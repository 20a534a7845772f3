//! What a URL says of TLS, and what can not be.

use tokio_postgres::{Config, config::SslMode};

use super::{set_up, take_wishes};

fn mode(url: &str) -> Result<SslMode, String> {
    let (rest, wishes) = take_wishes(url);
    let mut config: Config = rest.parse().expect("a URL");
    set_up(&mut config, &wishes)?;
    Ok(config.get_ssl_mode())
}

#[test]
fn a_url_says_how_much_tls_there_has_to_be() {
    for (url, expected) in [
        ("postgres://a@localhost/x", SslMode::Disable),
        ("postgres://a@127.0.0.1/x?connect_timeout=3", SslMode::Disable),
        ("postgres://a@db.example/x", SslMode::Prefer),
        ("postgres://a@localhost,db.example/x", SslMode::Prefer),
        ("postgres://a@localhost/x?sslmode=prefer", SslMode::Prefer),
        ("postgres://a@db.example/x?sslmode=disable", SslMode::Disable),
        ("postgres://a@db.example/x?sslmode=require&connect_timeout=3", SslMode::Require),
        ("postgres://a@db.example/x?sslmode=verify-full", SslMode::Require),
        ("postgres://a@localhost/x?sslmode=verify-ca&sslrootcert=system", SslMode::Require),
    ] {
        assert_eq!(mode(url).as_ref(), Ok(&expected), "{url}");
    }
}

#[test]
fn what_can_not_be_is_said() {
    for (url, part) in [
        ("postgres://a@x/x?sslmode=allow", "sslmode=allow is none of disable, prefer"),
        ("postgres://a@x/x?sslmode=verify-ca&sslrootcert=/no/such%20file", "sslrootcert=/no/such file can't be read"),
        ("postgres://a@x/x?sslmode=require&sslcert=/a", "go together"),
    ] {
        let told = mode(url).expect_err(url);
        assert!(told.contains(part), "{told}");
    }
}

#[test]
fn what_is_not_about_tls_stays_in_the_url() {
    let (rest, _) = take_wishes("postgres://a@x/x?connect_timeout=3&sslmode=require&application_name=y");
    assert_eq!(rest, "postgres://a@x/x?connect_timeout=3&application_name=y");
    let (rest, _) = take_wishes("postgres://a@x/x?sslmode=require");
    assert_eq!(rest, "postgres://a@x/x");
}
