//! PostgreSQL over TLS: the shared server behind a door that speaks TLS, with certificates of the tests' own.

#![expect(clippy::expect_used, reason = "a test that can't begin has failed")]

mod database;

use std::sync::Arc;

use database::Database;
use model::Code;
use store::conformance::{
    schema::schema,
    world::{World, refused},
};
use store_postgres::PostgresStore;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        RootCertStore, ServerConfig,
        crypto::aws_lc_rs::default_provider,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
        server::WebPkiClientVerifier,
    },
};

fn file(name: &str) -> String {
    format!("{}/tests/tls/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn certificates(name: &str) -> impl Iterator<Item = CertificateDer<'static>> {
    CertificateDer::pem_file_iter(file(name)).expect("a file").map(|one| one.expect("a certificate"))
}

/// Who comes in: anybody, or who shows a certificate of `client-ca.pem`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Clients {
    All,
    Certified,
}

fn acceptor(clients: Clients) -> TlsAcceptor {
    let provider = Arc::new(default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("versions");
    let builder = if clients == Clients::Certified {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(certificates("client-ca.pem"));
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
        builder.with_client_cert_verifier(verifier.expect("a verifier"))
    } else {
        builder.with_no_client_auth()
    };
    let key = PrivateKeyDer::from_pem_file(file("server.key")).expect("a key");
    let config = builder.with_single_cert(certificates("server.pem").collect(), key).expect("a pair");
    TlsAcceptor::from(Arc::new(config))
}

/// A door to the server that takes TLS and nothing else, but for requests to cancel; the URL below it.
async fn door(database: &Database, clients: Clients) -> String {
    let config: tokio_postgres::Config = database.url.parse().expect("a URL");
    let Some(tokio_postgres::config::Host::Tcp(host)) = config.get_hosts().first() else { panic!("no host") };
    let server = (host.clone(), config.get_ports().first().copied().unwrap_or(5432));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let acceptor = acceptor(clients);
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let (acceptor, server) = (acceptor.clone(), server.clone());
            tokio::spawn(async move {
                let mut asked = [0; 8];
                client.read_exact(&mut asked).await.ok()?;
                // `SSLRequest`; whoever begins without it is sent away.
                if asked != [0, 0, 0, 8, 4, 210, 22, 47] {
                    return None;
                }
                client.write_all(b"S").await.ok()?;
                let mut client = acceptor.accept(client).await.ok()?;
                let mut server = TcpStream::connect(server).await.ok()?;
                tokio::io::copy_bidirectional(&mut client, &mut server).await.ok()
            });
        }
    });
    let user = config.get_user().expect("a user");
    format!("postgres://{user}@HOST:{port}/{}", config.get_dbname().expect("a name"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_with_tls_is_believed_as_the_url_says() {
    let database = Database::create(&schema()).await;
    let door = door(&database, Clients::All).await;
    let (ca, other) = (file("ca.pem"), file("other-ca.pem"));
    for (host, query, good) in [
        ("localhost", "sslmode=prefer".to_owned(), true),
        ("localhost", "sslmode=require".to_owned(), true),
        ("127.0.0.1", "sslmode=require".to_owned(), true),
        ("localhost", format!("sslmode=require&sslrootcert={ca}"), true),
        ("localhost", format!("sslmode=require&sslrootcert={other}"), false),
        ("localhost", format!("sslmode=verify-ca&sslrootcert={ca}"), true),
        ("127.0.0.1", format!("sslmode=verify-ca&sslrootcert={ca}"), true),
        ("localhost", format!("sslmode=verify-ca&sslrootcert={other}"), false),
        ("localhost", format!("sslmode=verify-full&sslrootcert={ca}"), true),
        ("127.0.0.1", format!("sslmode=verify-full&sslrootcert={ca}"), false),
        ("localhost", format!("sslmode=verify-full&sslrootcert={other}"), false),
        ("localhost", "sslmode=disable".to_owned(), false),
    ] {
        let url = format!("{}?{query}", door.replace("HOST", host));
        match PostgresStore::open(&url, 2).await {
            Ok(store) => {
                assert!(good, "{host} {query}");
                let world = World::new(Arc::new(store));
                world.room(&format!("{host} {query}"), "x").await;
                world.log(1).await;
                world.store.close().await;
            }
            Err(problem) => {
                assert!(!good, "{host} {query}: {problem:?}");
                assert_eq!(problem.code, Code::Unavailable);
            }
        }
    }
    database.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_asks_for_a_certificate_is_shown_it() {
    let database = Database::create(&schema()).await;
    let url =
        format!("{}?sslmode=verify-full&sslrootcert={}", door(&database, Clients::Certified).await, file("ca.pem"));
    let url = url.replace("HOST", "localhost");
    let refusal = PostgresStore::open(&url, 1).await.map(|_| ());
    assert_eq!(refused(refusal).0, Code::Unavailable, "without one");
    let strange = format!("{url}&sslcert={}&sslkey={}", file("server.pem"), file("server.key"));
    let refusal = PostgresStore::open(&strange, 1).await.map(|_| ());
    assert_eq!(refused(refusal).0, Code::Unavailable, "with one of another authority");
    let shown = format!("{url}&sslcert={}&sslkey={}", file("client.pem"), file("client.key"));
    let world = World::new(Arc::new(PostgresStore::open(&shown, 1).await.expect("a store")));
    world.room("r", "x").await;
    world.log(1).await;
    world.store.close().await;
    database.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_hangs_up_is_cancelled_over_tls_too() {
    let database = Database::create(&schema()).await;
    let url = format!("{}?sslmode=verify-full&sslrootcert={}", door(&database, Clients::All).await, file("ca.pem"));
    let world = World::new(Arc::new(PostgresStore::open(&url.replace("HOST", "localhost"), 2).await.expect("a store")));
    let other = database::connect(&database.url).await;
    other.batch_execute("BEGIN; LOCK TABLE rooms").await.expect("a lock");
    let fields = [("id", model::Value::text("r"))];
    let asking = world.try_create("rooms", &fields);
    assert!(tokio::time::timeout(std::time::Duration::from_millis(200), asking).await.is_err());
    let mut busy = 1;
    for _ in 0..100 {
        let waiting =
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
        busy = other.query_one(waiting, &[]).await.expect("a count").get::<_, i64>(0);
        if busy == 0 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(busy, 0);
    other.batch_execute("ROLLBACK").await.expect("unlocked");
    world.store.close().await;
    database.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_tls_is_refused_where_there_has_to_be_some() {
    let database = Database::create(&schema()).await;
    let network = plain_door(&database).await;
    for mode in ["require", "verify-full"] {
        let refusal = PostgresStore::open(&format!("{network}?sslmode={mode}"), 1).await.map(|_| ());
        assert_eq!(refused(refusal).0, Code::Unavailable);
    }
    let store = PostgresStore::open(&format!("{network}?sslmode=prefer"), 1).await.expect("a store without TLS");
    store::Store::close(&store).await;
    database.remove().await;
}

/// A door that answers that the server has no TLS.
async fn plain_door(database: &Database) -> String {
    let config: tokio_postgres::Config = database.url.parse().expect("a URL");
    let Some(tokio_postgres::config::Host::Tcp(host)) = config.get_hosts().first() else { panic!("no host") };
    let server = (host.clone(), config.get_ports().first().copied().unwrap_or(5432));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let server = server.clone();
            tokio::spawn(async move {
                let mut asked = [0; 8];
                client.read_exact(&mut asked).await.ok()?;
                client.write_all(b"N").await.ok()?;
                let mut server = TcpStream::connect(server).await.ok()?;
                tokio::io::copy_bidirectional(&mut client, &mut server).await.ok()
            });
        }
    });
    let user = config.get_user().expect("a user");
    format!("postgres://{user}@127.0.0.1:{port}/{}", config.get_dbname().expect("a name"))
}
