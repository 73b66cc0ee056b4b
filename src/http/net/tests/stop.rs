use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use super::house::{House, read_answer, read_to_end, short};
use crate::config::Net;

#[tokio::test]
async fn a_stop_finishes_what_is_in_flight_and_takes_nothing_new() {
    let mut house = House::open(Net::default(), None).await;
    let mut idle = house.get("/").await;
    read_answer(&mut idle).await;
    house.saw_request().await;
    let mut busy = house.get("/wait").await;
    house.saw_request().await;

    house.stop.request();
    assert_eq!(read_to_end(&mut idle).await, "");
    assert!(TcpStream::connect(house.address).await.is_err());
    assert!(!house.serving.is_finished());
    house.go.notify_one();
    assert!(read_to_end(&mut busy).await.ends_with("waited"));
    house.serving.await.expect("no panic");
    assert_eq!(house.connections.get(), 0);
}

#[tokio::test]
async fn a_stop_breaks_off_what_outlasts_the_drain() {
    let net = Net {
        drain_timeout: short(),
        ..Net::default()
    };
    let mut house = House::open(net, None).await;
    let mut busy = house.get("/wait").await;
    house.saw_request().await;
    house.stop.request();
    house.serving.await.expect("no panic");
    let mut rest = Vec::new();
    let _reset_or_end = busy.read_to_end(&mut rest).await;
    assert!(rest.is_empty());
    assert_eq!(house.connections.get(), 0);
}
