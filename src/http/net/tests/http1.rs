use http::Version;
use tokio::io::AsyncWriteExt;

use super::super::RequestBodyError;
use super::house::{House, get, read_answer, read_to_end, short};
use crate::config::Net;

#[tokio::test]
async fn http1_keeps_the_connection_and_names_the_peer() {
    let mut house = House::open(Net::default(), None).await;
    let mut stream = house.connect().await;
    for _ in 0..2 {
        stream.write_all(get("/").as_bytes()).await.expect("sent");
        let text = read_answer(&mut stream).await;
        assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
        let (version, peer) = house.saw_request().await;
        assert_eq!(version, Version::HTTP_11);
        assert_eq!(peer.address, stream.local_addr().expect("an address"));
        assert!(!peer.tls && peer.server_name.is_none());
    }
    assert_eq!(house.connections.get(), 1);
}

#[tokio::test]
async fn a_client_that_closes_its_half_still_gets_its_answer() {
    let mut house = House::open(Net::default(), None).await;
    let mut stream = house.get("/wait").await;
    stream.shutdown().await.expect("half closed");
    house.saw_request().await;
    // Nothing tells when the listener has seen the end.
    tokio::time::sleep(short()).await;
    house.go.notify_one();
    assert!(read_to_end(&mut stream).await.ends_with("waited"));
}

#[tokio::test]
async fn silence_and_slow_headers_end_by_header_timeout() {
    let net = Net {
        header_timeout: short(),
        ..Net::default()
    };
    let house = House::open(net, None).await;
    // Nothing at all, the beginning of a request line, the beginning of HTTP/2.
    for sent in ["", "GET / HTTP/1.1\r\nhost:", "PRI * HTTP/2.0"] {
        let mut stream = house.sent(sent).await;
        assert_eq!(read_to_end(&mut stream).await, "", "{sent}");
    }
    // Also after a request, when idle time would still allow more.
    let mut stream = house.get("/").await;
    read_answer(&mut stream).await;
    stream.write_all(b"GET /").await.expect("sent");
    assert_eq!(read_to_end(&mut stream).await, "");
}

#[tokio::test]
async fn idle_connections_end_by_keepalive_timeout() {
    let net = Net {
        keepalive_timeout: short(),
        ..Net::default()
    };
    let mut house = House::open(net, None).await;
    let mut stream = house.get("/").await;
    read_answer(&mut stream).await;
    assert_eq!(read_to_end(&mut stream).await, "");
    house.saw_request().await;

    // A request that takes longer than both is not idle.
    let net = Net {
        keepalive_timeout: short(),
        header_timeout: short(),
        ..Net::default()
    };
    let mut house = House::open(net, None).await;
    let mut stream = house.get("/wait").await;
    house.saw_request().await;
    tokio::time::sleep(short() * 4).await;
    house.go.notify_one();
    assert!(read_to_end(&mut stream).await.ends_with("waited"));
}

#[tokio::test]
async fn a_body_that_pauses_ends_with_an_error() {
    let net = Net {
        body_idle_timeout: short(),
        ..Net::default()
    };
    let mut house = House::open(net, None).await;
    let head = b"PUT /body HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n12345";
    let _paused = house.sent(head).await;
    house.saw_request().await;
    assert!(matches!(
        house.saw_body().await,
        Err(RequestBodyError::Idle)
    ));

    let stream = house.sent(head).await;
    house.saw_request().await;
    drop(stream);
    assert!(matches!(
        house.saw_body().await,
        Err(RequestBodyError::Broken(_))
    ));
}

#[tokio::test]
async fn a_whole_body_arrives() {
    let mut house = House::open(Net::default(), None).await;
    let head = b"PUT /body HTTP/1.1\r\nhost: x\r\ncontent-length: 3000000\r\n\r\n";
    let mut stream = house.sent(head).await;
    stream.write_all(&vec![1; 3_000_000]).await.expect("sent");
    house.saw_request().await;
    assert_eq!(house.saw_body().await.expect("whole"), 3_000_000);
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_cut_off() {
    let net = Net {
        write_idle_timeout: short(),
        ..Net::default()
    };
    let mut house = House::open(net, None).await;
    let stream = house.get("/endless").await;
    house.saw_request().await;
    house.go.notified().await;
    drop(stream);
}

#[tokio::test]
async fn a_refused_upload_still_reads_its_answer() {
    let house = House::open(Net::default(), None).await;
    let head = b"PUT /refuse HTTP/1.1\r\nhost: x\r\ncontent-length: 8000000\r\n\r\n";
    let mut stream = house.sent(head).await;
    stream
        .write_all(&vec![1; 8_000_000])
        .await
        .expect("taken to the end");
    stream.shutdown().await.expect("half closed");
    let text = read_to_end(&mut stream).await;
    assert!(
        text.starts_with("HTTP/1.1 403 ") && text.ends_with("refused"),
        "{text}"
    );
}

#[tokio::test]
async fn what_follows_a_body_that_was_refused_unsent_is_no_part_of_it() {
    let house = House::open(Net::default(), None).await;
    let head =
        b"PUT /refuse HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\nexpect: 100-continue\r\n\r\n";
    let mut stream = house.sent(head).await;
    let text = read_to_end(&mut stream).await;
    assert!(text.starts_with("HTTP/1.1 403 "), "{text}");
    assert!(text.contains("\r\nconnection: close\r\n"), "{text}");
}

#[tokio::test]
async fn large_headers_are_refused() {
    let net = Net {
        header_bytes_max: 8 << 10,
        headers_max: 16,
        ..Net::default()
    };
    let house = House::open(net, None).await;
    let with = async |fields: String| {
        let head = format!("GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{fields}\r\n");
        let mut stream = house.sent(head).await;
        read_to_end(&mut stream).await
    };
    let field = |bytes: usize| format!("a: {}\r\n", "b".repeat(bytes));
    assert!(with(field(8_000)).await.starts_with("HTTP/1.1 200 "));
    assert!(with(field(8_200)).await.starts_with("HTTP/1.1 431 "));
    assert!(with(field(200_000)).await.starts_with("HTTP/1.1 431 "));
    assert!(
        with("a: b\r\n".repeat(14))
            .await
            .starts_with("HTTP/1.1 200 ")
    );
    assert!(
        with("a: b\r\n".repeat(15))
            .await
            .starts_with("HTTP/1.1 431 ")
    );
    let target = format!(
        "GET /{} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
        "a".repeat(8_200)
    );
    let mut stream = house.sent(target).await;
    assert!(read_to_end(&mut stream).await.starts_with("HTTP/1.1 431 "));
}

#[tokio::test]
async fn a_panic_is_a_500_and_harms_nobody_else() {
    let house = House::open(Net::default(), None).await;
    let mut stream = house.sent(get("/panic") + &get("/")).await;
    let text = read_answer(&mut stream).await;
    assert!(
        text.starts_with("HTTP/1.1 500 ") && text.contains("HTTP/1.1 200 "),
        "{text}"
    );
}

#[tokio::test]
async fn connections_over_the_limit_wait_for_a_place() {
    let net = Net {
        connections_max: 1,
        ..Net::default()
    };
    let mut house = House::open(net, None).await;
    let first = house.get("/wait").await;
    house.saw_request().await;
    let mut second = house.get("/").await;
    let waiting = tokio::time::timeout(short(), house.seen.recv()).await;
    assert!(waiting.is_err(), "{waiting:?}");
    drop(first);
    house.go.notify_one();
    read_answer(&mut second).await;
    assert_eq!(house.connections.get(), 1);
}
