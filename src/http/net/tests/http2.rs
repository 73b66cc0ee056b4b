use std::time::Duration;

use bytes::Bytes;
use http::{Request, Version};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinHandle;

use super::house::{House, short};
use crate::config::Net;

#[tokio::test]
async fn http2_survives_a_panic_and_ends_when_idle() {
    let net = Net {
        keepalive_timeout: short(),
        header_timeout: short(),
        ..Net::default()
    };
    let mut house = House::open(net, None).await;
    let (mut send, driver) = http2(&house, &h2::client::Builder::new()).await;
    for (path, status) in [("/panic", 500), ("/", 200), ("/body", 200)] {
        let (response, _) = send.send_request(get(path), true).expect("sent");
        let response = response.await.expect("answered");
        assert_eq!(response.status(), status);
        let mut body = response.into_body();
        while let Some(chunk) = body.data().await {
            chunk.expect("whole");
        }
        assert_eq!(house.saw_request().await.0, Version::HTTP_2);
        if path == "/body" {
            assert_eq!(house.saw_body().await.expect("whole"), 0);
        }
    }
    // A request that takes longer than both bounds is not idle; afterwards the connection is.
    let (response, _) = send.send_request(get("/wait"), true).expect("sent");
    house.saw_request().await;
    tokio::time::sleep(short() * 4).await;
    house.go.notify_one();
    assert_eq!(response.await.expect("answered").status(), 200);
    let _ended = driver.await.expect("no panic");
}

#[tokio::test]
async fn http2_streams_that_take_nothing_are_reset_and_others_go_on() {
    let net = Net {
        write_idle_timeout: short(),
        ..Net::default()
    };
    let mut house = House::open(net, None).await;
    let mut builder = h2::client::Builder::new();
    builder
        .initial_window_size(100_000)
        .initial_connection_window_size(10_000_000);
    let (mut send, _driver) = http2(&house, &builder).await;
    let (response, _) = send.send_request(get("/endless"), true).expect("sent");
    house.saw_request().await;
    let mut body = response.await.expect("answered").into_body();
    // The window is never given back.
    house.go.notified().await;
    let broken = loop {
        match body.data().await {
            Some(Ok(_)) => {}
            Some(Err(error)) => break error,
            None => panic!("an endless body ended"),
        }
    };
    assert!(broken.is_reset(), "{broken}");
    let (response, _) = send.send_request(get("/"), true).expect("sent");
    assert_eq!(response.await.expect("answered").status(), 200);
}

#[tokio::test]
async fn http2_readers_that_go_on_are_served_for_longer_than_the_bound() {
    let bound = Duration::from_millis(600);
    let net = Net {
        write_idle_timeout: bound,
        ..Net::default()
    };
    let mut house = House::open(net, None).await;
    let mut builder = h2::client::Builder::new();
    builder
        .initial_window_size(70_000)
        .initial_connection_window_size(70_000);
    let (mut send, _driver) = http2(&house, &builder).await;
    let (response, _) = send.send_request(get("/endless"), true).expect("sent");
    house.saw_request().await;
    let mut body = response.await.expect("answered").into_body();
    // Five times a quarter of the bound, with one window taken after each.
    for _ in 0..5 {
        tokio::time::sleep(bound / 4).await;
        let mut taken = 0;
        while taken < 70_000 {
            let chunk = body.data().await.expect("more").expect("no reset");
            taken += chunk.len();
        }
        body.flow_control()
            .release_capacity(taken)
            .expect("given back");
    }
}

#[tokio::test]
async fn a_flood_of_resets_ends_the_connection() {
    // Frames of RFC 9113: length (24 bits), type, flags, stream (32 bits), payload.
    fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).expect("short").to_be_bytes();
        [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
    }
    const HEADERS: u8 = 1;
    const RST_STREAM: u8 = 3;
    const SETTINGS: u8 = 4;
    const GOAWAY: u8 = 7;
    const ENHANCE_YOUR_CALM: [u8; 4] = [0, 0, 0, 11];
    // GET, http, /, and the authority x.
    let fields = [0x82, 0x86, 0x84, 0x41, 1, b'x'];

    let house = House::open(Net::default(), None).await;
    let mut stream = house.connect().await;
    let mut flood = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    flood.extend(frame(SETTINGS, 0, 0, &[]));
    for number in 0..2_000 {
        flood.extend(frame(HEADERS, 0x4 | 0x1, 2 * number + 1, &fields));
        flood.extend(frame(RST_STREAM, 0, 2 * number + 1, &[0, 0, 0, 8]));
    }
    let (mut reading, mut writing) = stream.split();
    let mut answered = Vec::new();
    // The connection may be closed before all is written, and with a reset.
    let write = async {
        writing.write_all(&flood).await?;
        writing.shutdown().await
    };
    let _ = tokio::join!(write, reading.read_to_end(&mut answered));

    let mut rest = answered.as_slice();
    let mut calmed = false;
    while let Some((head, tail)) = rest.split_first_chunk::<9>() {
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let (payload, next) = tail.split_at(length.min(tail.len()));
        calmed |= head[3] == GOAWAY && payload.get(4..8) == Some(&ENHANCE_YOUR_CALM[..]);
        rest = next;
    }
    assert!(calmed, "{answered:?}");
}

/// A connection that speaks HTTP/2 from the first byte, and the task that drives it.
async fn http2(
    house: &House,
    builder: &h2::client::Builder,
) -> (
    h2::client::SendRequest<Bytes>,
    JoinHandle<Result<(), h2::Error>>,
) {
    let stream = house.connect().await;
    let (send, connection) = builder.handshake(stream).await.expect("a connection");
    (send.ready().await.expect("ready"), tokio::spawn(connection))
}

fn get(path: &str) -> Request<()> {
    let request = Request::get(format!("http://x{path}")).version(Version::HTTP_2);
    request.body(()).expect("a request")
}
