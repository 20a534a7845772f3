//! Mails as they are made and carried.

use std::fs;

use crate::{Carrier, NAMES, Templates};

const VALUES: [(&str, &str); 15] = [
    ("app", "Shop"),
    ("code", "123456"),
    ("days", "7"),
    ("email", "ann@example.org"),
    ("factor", "a passkey"),
    ("link", "https://shop.example/reset#secret"),
    ("minutes", "10"),
    ("url", "https://shop.example"),
    ("alert", "guessing"),
    ("count", "61"),
    ("events", "sign_in_failed, mfa_failed"),
    ("last_at", "2026-03-01T12:00:00Z"),
    ("rate", "50/600s"),
    ("server", "https://shop.example"),
    ("who", "address 203.0.113.9"),
];

#[test]
fn every_mail_of_ours_can_be_filled_in() {
    let templates = Templates::load(None).unwrap();
    for name in NAMES {
        let mail = templates.fill(name, "ann@example.org", &VALUES).unwrap();
        assert!(!mail.subject.is_empty() && !mail.text.starts_with('\n') && mail.html.is_none(), "{name}");
    }
    let mail = templates.fill("reset", "ann@example.org", &VALUES).unwrap();
    assert!(mail.text.lines().any(|line| line == "https://shop.example/reset#secret"), "{}", mail.text);
}

#[test]
fn templates_of_the_app_take_the_place_of_ours() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("reset.txt"), "Subject: Neu\n\nHier: {{ link }}\n").unwrap();
    fs::write(directory.path().join("reset.html"), "<p>{{ app }}</p>").unwrap();
    let templates = Templates::load(Some(directory.path())).unwrap();
    let mut values = VALUES;
    values[0] = ("app", "<b>Shop</b>\r\nBcc: x@example.org");
    let mail = templates.fill("reset", "ann@example.org", &values).unwrap();
    assert_eq!((&*mail.subject, &*mail.text), ("Neu", "Hier: https://shop.example/reset#secret"));
    assert!(mail.html.unwrap().contains("&lt;b&gt;Shop"), "values are escaped");
    let subject = templates.fill("invite", "ann@example.org", &values).map(|mail| mail.subject);
    assert!(subject.is_err() || !subject.unwrap().contains(['\r', '\n']));
}

#[test]
fn a_template_that_is_none_is_named_with_its_line() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("reset.txt"), "Subject: x\n\n{{ link ").unwrap();
    let error = Templates::load(Some(directory.path())).err().unwrap().to_string();
    assert!(error.contains("templates/reset.txt: line 3"), "{error}");
    fs::write(directory.path().join("reset.txt"), "{% for x in range(100000) %}{{ x }}{% endfor %}").unwrap();
    let templates = Templates::load(Some(directory.path())).unwrap();
    assert!(templates.fill("reset", "ann@example.org", &VALUES).is_err(), "it would take too long");
}

#[tokio::test]
async fn a_mail_server_is_spoken_to_in_secret_unless_it_is_here() {
    for (url, good) in [
        ("smtp://localhost:2525", true),
        ("smtp://u:p%40ss@mail.example:587", true),
        ("smtps://mail.example", true),
        ("http://mail.example", false),
        ("smtp:mail", false),
    ] {
        assert_eq!(Carrier::smtp(url, "Shop <no-reply@shop.example>").is_ok(), good, "{url}");
    }
    assert!(Carrier::smtp("smtp://localhost", "nobody").is_err());
}
