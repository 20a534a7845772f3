//! Mails that were promised come, once, whatever happens to the mail server or to the node that promised them.

mod server;

use serde_json::json;
use server::MailServer;
use testkit::{Database, TestApp};

use crate::accounts::{PASSWORD, USERS, sign_in};

const BOTH: [Database; 2] = [Database::Sqlite, Database::Postgres];

async fn app(database: Database, port: u16) -> TestApp {
    let files = [("mainstay.toml", "[mail]\nfrom = \"Shop <shop@example.org>\"\n"), ("resources/users.toml", USERS)];
    let mail = format!("smtp://127.0.0.1:{port}");
    TestApp::start_with(database, &files, &[("MAINSTAY_SERVICES__MAIL", &mail)]).await
}

async fn forget(app: &TestApp, email: &str) {
    app.stranger().post("/auth/password/forgot", json!({"email": email})).await.expect(202);
}

async fn sign_up(app: &TestApp, email: &str) {
    app.stranger().post("/auth/sign-up", json!({"email": email, "password": PASSWORD})).await.expect(201);
}

/// How many mails wait.
async fn waiting(app: &TestApp) -> usize {
    app.store().own_read(store::Statement::new("SELECT id FROM _mail", [])).await.expect("rows").len()
}

async fn until_none_waits(app: &TestApp) {
    for _ in 0..1_000 {
        if waiting(app).await == 0 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("mails still wait");
}

#[tokio::test]
async fn a_mail_outlives_a_mail_server_that_is_down_and_the_node_that_promised_it() {
    for database in BOTH {
        let port = MailServer::start(0).await.port;
        let mut app = app(database, port).await;
        sign_up(&app, "ann@example.org").await;
        forget(&app, "ann@example.org").await;
        forget(&app, "nobody@example.org").await;
        // Nobody takes it; the one to nobody is found to be so.
        while waiting(&app).await > 1 {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        app.stop_serving().await;
        let server = MailServer::start(port).await;
        let after = app.another_node().await;
        let mails = server.mails(1).await;
        assert_eq!(mails[0].to, "ann@example.org");
        assert!(mails[0].text.contains("/auth/reset#"), "{}", mails[0].text);
        until_none_waits(&after).await;
        assert_eq!(server.mails(1).await.len(), 1);
        after.stop().await;
        app.stop().await;
    }
}

#[tokio::test]
async fn a_mail_that_is_refused_for_now_is_sent_later_and_one_that_is_refused_for_good_is_not() {
    for database in BOTH {
        let server = MailServer::start(0).await;
        let app = app(database, server.port).await;
        sign_up(&app, "ann@example.org").await;
        server.refuse("451 come again");
        forget(&app, "ann@example.org").await;
        assert_eq!(server.mails(1).await[0].to, "ann@example.org");
        until_none_waits(&app).await;
        server.refuse("550 nobody here");
        forget(&app, "ann@example.org").await;
        until_none_waits(&app).await;
        // A wrong password of our own is no reason to lose a mail.
        server.refuse("535 who are you");
        forget(&app, "ann@example.org").await;
        server.mails(2).await;
        until_none_waits(&app).await;
        assert_eq!(server.mails(2).await.len(), 2);
        app.stop().await;
    }
}

#[tokio::test]
async fn each_of_two_nodes_mails_is_sent_once() {
    for database in BOTH {
        let server = MailServer::start(0).await;
        let app = app(database, server.port).await;
        let other = app.another_node().await;
        for number in 0..12 {
            sign_up(&app, &format!("{number}@example.org")).await;
        }
        let mut asking = tokio::task::JoinSet::new();
        for number in 0..12 {
            let person = if number % 2 == 0 { app.stranger() } else { other.stranger() };
            let body = json!({"email": format!("{number}@example.org")});
            asking.spawn(async move { person.post("/auth/password/forgot", body).await.expect(202) });
        }
        asking.join_all().await;
        server.mails(12).await;
        until_none_waits(&app).await;
        let mut to: Vec<String> = server.mails(12).await.into_iter().map(|mail| mail.to).collect();
        to.sort();
        let mut wanted: Vec<String> = (0..12).map(|number| format!("{number}@example.org")).collect();
        wanted.sort();
        assert_eq!(to, wanted);
        other.stop().await;
        app.stop().await;
    }
}

#[tokio::test]
async fn what_waits_is_sealed_and_goes_when_it_is_of_no_use() {
    for database in BOTH {
        let port = MailServer::start(0).await.port;
        let app = app(database, port).await;
        sign_up(&app, "ann@example.org").await;
        forget(&app, "ann@example.org").await;
        let all = store::Statement::new("SELECT sealed FROM _mail", []);
        let rows = app.store().own_read(all).await.expect("rows");
        let kept = String::from_utf8_lossy(rows[0].bytes(0).expect("bytes")).into_owned();
        assert!(!kept.contains("ann@") && !kept.contains("reset"), "{kept}");
        let age = store::Statement::new("UPDATE _mail SET expires_at = 0, due_at = 0", []);
        app.store().own(vec![age]).await.expect("an answer");
        until_none_waits(&app).await;
        app.stop().await;
    }
}

#[tokio::test]
async fn no_name_becomes_a_header() {
    let server = MailServer::start(0).await;
    let app = app(Database::Sqlite, server.port).await;
    sign_up(&app, "ann@example.org").await;
    for email in [
        "ann@example.org\r\nBcc: eve@example.org",
        "ann@example.org, eve@example.org",
        "<ann@example.org> eve@example.org",
        "\"x\r\nBcc: eve\"@example.org",
    ] {
        // Answered as any address is, and nobody's.
        forget(&app, email).await;
    }
    sign_in(&app, "ann@example.org\r\nBcc: eve@example.org", PASSWORD).await.expect(401);
    forget(&app, "ann@example.org").await;
    server.mails(1).await;
    until_none_waits(&app).await;
    let mails = server.mails(1).await;
    assert_eq!(mails.len(), 1);
    assert!(!mails[0].text.contains("eve"), "{}", mails[0].text);
    app.stop().await;
}
