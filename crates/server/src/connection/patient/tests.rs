//! Slow clients, on real sockets.

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use super::*;

const SHORT: Duration = Duration::from_millis(50);
const LONG: Duration = Duration::from_secs(60);

async fn pair(limits: Limits) -> (Patient, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let other = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (own, _) = listener.accept().await.unwrap();
    let refuse = |status| format!("instead of {status}").into_bytes();
    (Patient::new(own, Wire::new(Instant::now()), limits, Box::new(refuse), Box::new(())), other)
}

#[tokio::test]
async fn a_client_that_stops_reading_is_dropped() {
    let (mut own, _silent) = pair(Limits { head: LONG, idle: LONG, write: SHORT }).await;
    let error = own.write_all(&vec![0; 64 << 20]).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
}

#[tokio::test]
async fn a_client_that_reads_slowly_gets_everything() {
    let (mut own, mut other) = pair(Limits { head: LONG, idle: LONG, write: Duration::from_millis(500) }).await;
    let reading = tokio::spawn(async move {
        let (mut all, mut piece) = (0, vec![0; 1 << 20]);
        loop {
            tokio::time::sleep(Duration::from_millis(5)).await;
            match other.read(&mut piece).await.unwrap() {
                0 => return all,
                read => all += read,
            }
        }
    });
    own.write_all(&vec![7; 16 << 20]).await.unwrap();
    own.shutdown().await.unwrap();
    assert_eq!(reading.await.unwrap(), 16 << 20);
}

#[tokio::test]
async fn a_client_that_says_nothing_or_half_a_head_is_dropped() {
    for begins in [&b""[..], b"P", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r", b"GET / HTTP/1.1\r\nHost:"] {
        let (mut own, mut other) = pair(Limits { head: SHORT, idle: LONG, write: LONG }).await;
        other.write_all(begins).await.unwrap();
        let mut buffer = Vec::new();
        let read = own.read_to_end(&mut buffer).await;
        assert_eq!(read.unwrap_err().kind(), io::ErrorKind::TimedOut, "{begins:?}");
    }
}

#[tokio::test]
async fn between_requests_there_is_more_time_and_then_an_end_in_good_order() {
    let (mut own, mut other) = pair(Limits { head: SHORT, idle: 6 * SHORT, write: LONG }).await;
    other.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let mut buffer = [0; 64];
    let _ = own.read(&mut buffer).await.unwrap();
    let wire = Arc::clone(&own.wire);
    drop(wire.begin());
    let began = Instant::now();
    tokio::select! {
        read = own.read(&mut buffer) => panic!("{read:?}"),
        () = wire.closing() => {}
    }
    assert!(began.elapsed() >= 5 * SHORT, "{:?}", began.elapsed());
}

#[tokio::test]
async fn while_a_request_is_under_way_nobody_is_hurried() {
    let (mut own, _other) = pair(Limits { head: SHORT, idle: SHORT, write: LONG }).await;
    let _going = own.wire.begin();
    let mut buffer = [0; 8];
    assert!(tokio::time::timeout(4 * SHORT, own.read(&mut buffer)).await.is_err(), "it still waits");
}

#[tokio::test]
async fn a_bare_refusal_is_replaced_and_read_in_spite_of_what_is_still_sent() {
    let (mut own, mut other) = pair(Limits { head: LONG, idle: LONG, write: LONG }).await;
    other.write_all(&[b'x'; 1000]).await.unwrap();
    let bare = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n";
    own.write_all(bare).await.unwrap();
    let ending = tokio::spawn(async move { own.shutdown().await });
    other.write_all(&[b'x'; 1000]).await.unwrap();
    let mut text = String::new();
    other.read_to_string(&mut text).await.unwrap();
    assert_eq!(text, "instead of 400");
    drop(other);
    ending.await.unwrap().unwrap();
}
