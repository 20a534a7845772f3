//! Where calls go, and where they don't.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::*;

fn call(url: &str, trusted: Option<&str>) -> Call {
    Call {
        method: Method::GET,
        url: url.parse().unwrap(),
        headers: HeaderMap::new(),
        body: Vec::new(),
        limit: 1000,
        trusted: trusted.map(|url| Origin::of(&url.parse().unwrap())),
    }
}

/// A server that answers every connection alike, and its URL.
async fn server(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = [0; 1024];
                let _ = stream.read(&mut request).await;
                let _ = stream.write_all(answer.as_bytes()).await;
            });
        }
    });
    url
}

#[test]
fn a_name_with_one_private_address_is_not_called() {
    let addresses = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<SocketAddr>>();
    let public = addresses(&["8.8.8.8:0", "[2606:4700::1111]:0"]);
    assert_eq!(public_only(public.clone()).unwrap(), public);
    assert!(public_only(addresses(&["8.8.8.8:0", "10.0.0.1:0"])).is_err());
    assert!(public_only(addresses(&["[::1]:0", "8.8.8.8:0"])).is_err());
}

#[test]
fn only_public_addresses_are_public() {
    let public = ["8.8.8.8", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"];
    for address in public {
        assert!(is_public(address.parse().unwrap()), "{address}");
    }
    let private = "0.0.0.0 10.1.2.3 100.64.0.1 127.0.0.1 127.255.255.255 169.254.169.254 172.16.0.1 172.31.255.255 192.168.1.1 \
        192.0.0.8 198.19.0.1 224.0.0.1 240.0.0.1 255.255.255.255 :: ::1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::7f00:1 ::ffff:0:7f00:1 \
        64:ff9b::7f00:1 64:ff9b:1::1 2002:7f00:1::1 2001::1 2001:db8::1 fc00::1 fd12::1 fe80::1 fec0::1 ff02::1 100::1 4000::1";
    for address in private.split_whitespace() {
        assert!(!is_public(address.parse().unwrap()), "{address}");
    }
}

#[tokio::test]
async fn private_places_are_not_called() {
    let client = Client::default();
    let urls =
        ["https://127.0.0.1/", "https://[::1]/", "https://[::ffff:10.0.0.1]/", "https://0x7f.1/", "https://localhost/"];
    for url in urls {
        let error = client.send(call(url, None)).await.unwrap_err();
        assert!(matches!(error, Error::Private(_)), "{url}: {error:?}");
    }
    let error = client.send(call("http://example.com/", None)).await.unwrap_err();
    assert!(matches!(error, Error::Scheme(_)), "{error:?}");
}

#[tokio::test]
async fn the_origin_that_the_operator_named_is_called_and_no_other_port_of_it() {
    let url = server("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi").await;
    let other = server("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nno").await;
    let client = Client::default();
    let answer = client.send(call(&url, Some(&url))).await.unwrap();
    assert_eq!((answer.status, answer.body.as_slice()), (200, b"hi".as_slice()));
    assert!(client.send(call(&other, Some(&url))).await.is_err());
}

#[tokio::test]
async fn redirects_are_answers_and_long_answers_are_errors() {
    let client = Client::default();
    let url = server("HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n").await;
    assert_eq!(client.send(call(&url, Some(&url))).await.unwrap().status, 302);
    let long = "HTTP/1.1 200 OK\r\ncontent-length: 2000\r\n\r\n".to_owned() + &"x".repeat(2000);
    let url = server(long.leak()).await;
    let error = client.send(call(&url, Some(&url))).await.unwrap_err();
    assert!(matches!(error, Error::TooLarge { limit: 1000, .. }), "{error:?}");
}

#[tokio::test]
async fn a_message_names_the_host_and_nothing_else_of_the_url() {
    let client = Client::default();
    let url = "http://127.0.0.1:1/secret?token=secret";
    let error = client.send(call(url, Some(url))).await.unwrap_err();
    let mut told = format!("{error} {error:?}");
    let mut cause = std::error::Error::source(&error);
    while let Some(source) = cause {
        told.push_str(&format!("{source} {source:?}"));
        cause = source.source();
    }
    assert!(told.contains("127.0.0.1") && !told.contains("secret"), "{told}");
}
