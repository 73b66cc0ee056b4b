//! Measures the vault over `/api/v1`: reveals, each recorded durably before its value leaves, and
//! pages of a long list. `cargo bench --bench vault` builds and starts it.

#[path = "../it/support/bearer.rs"]
#[allow(dead_code, reason = "shared with the integration tests")]
mod bearer;
#[path = "../it/support/client.rs"]
#[allow(dead_code, reason = "shared with the integration tests")]
mod client;
#[path = "../it/support/house.rs"]
#[allow(dead_code, reason = "shared with the integration tests")]
mod house;
#[path = "../it/support/sign.rs"]
#[allow(dead_code, reason = "shared with the integration tests")]
mod sign;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bulkhead::clock::Clock;
use bulkhead::entropy::Entropy;
use clap::Parser;
use serde_json::json;
use tokio::task::JoinSet;

use bearer::{Bearer, PASSWORD};
use house::House;

/// Measure reveals and lists of secrets.
#[derive(Parser)]
struct Arguments {
    /// How long each line of the table is measured.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Connections at a time, each with one request in flight.
    #[arg(long, value_delimiter = ',', default_value = "1,16,64")]
    connections: Vec<usize>,
    /// How many secrets there are.
    #[arg(long, default_value_t = 10_000)]
    secrets: usize,
    /// How many secrets a page holds.
    #[arg(long, default_value_t = 1_000)]
    page: usize,
    /// What cargo says to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

#[tokio::main]
async fn main() {
    let arguments = Arguments::parse();
    let house = House::start_with(&[("CONTROL_OPERATOR_TOKEN", TOKEN)]).await;
    let owner = Owner::settle(house.control()).await;
    owner.fill(arguments.secrets).await;

    println!("| operation | connections | op/s | p50 ms | p99 ms |");
    println!("| --- | ---: | ---: | ---: | ---: |");
    let lasting = Duration::from_secs(arguments.seconds);
    for connections in arguments.connections {
        let run = owner.reveal(connections, lasting, arguments.secrets).await;
        run.print("reveal", connections);
    }
    for (name, is_changed) in [("page of a list", false), ("page after a write", true)] {
        let run = owner.list(arguments.page, lasting, is_changed).await;
        run.print(name, 1);
    }
}

/// The owner of an organization with many secrets.
#[derive(Clone)]
struct Owner {
    control: SocketAddr,
    token: String,
    secrets: String,
    clock: Clock,
}

/// What one measurement saw.
struct Run {
    elapsed: Duration,
    latencies: Vec<Duration>,
}

impl Run {
    fn print(mut self, name: &str, connections: usize) {
        self.latencies.sort_unstable();
        let at = |percent: usize| {
            let last = self.latencies.len().saturating_sub(1);
            let at = self.latencies.get(last * percent / 100);
            at.map_or(f64::NAN, |latency| latency.as_secs_f64() * 1e3)
        };
        let each_second = self.latencies.len() as f64 / self.elapsed.as_secs_f64();
        println!(
            "| {name} | {connections} | {each_second:.0} | {:.2} | {:.2} |",
            at(50),
            at(99)
        );
    }
}

impl Owner {
    async fn settle(control: SocketAddr) -> Self {
        let operator = Bearer::new(control, TOKEN);
        let account = json!({ "email": "ann@example.com", "name": "Ann", "password": PASSWORD });
        let made = operator.post("/operator/accounts", account).await;
        assert_eq!(made.status, 201, "{}", made.body);
        let log_in = json!({ "email": "ann@example.com", "password": PASSWORD });
        let session = Bearer::showing(control, None)
            .post("/sessions", log_in)
            .await;
        Self {
            control,
            token: session.text("token").to_owned(),
            secrets: format!("/organizations/{}/secrets", session.text("organization")),
            clock: Clock::system(),
        }
    }

    async fn fill(&self, secrets: usize) {
        let next = Arc::new(AtomicUsize::new(0));
        let mut writers = JoinSet::new();
        for _ in 0..FILLING {
            let (own, next) = (self.clone(), Arc::clone(&next));
            writers.spawn(async move {
                let bearer = Bearer::new(own.control, &own.token);
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= secrets {
                        return;
                    }
                    let secret =
                        json!({ "path": path(number), "value": { "text": "x".repeat(64) } });
                    let made = bearer.post(&own.secrets, secret).await;
                    assert_eq!(made.status, 201, "{}", made.body);
                }
            });
        }
        writers.join_all().await;
    }

    /// Reveals one of the secrets after another, uniformly at random, on every connection.
    async fn reveal(&self, connections: usize, lasting: Duration, secrets: usize) -> Run {
        let begun = self.clock.monotonic();
        let mut readers = JoinSet::new();
        for connection in 0..connections {
            let own = self.clone();
            readers.spawn(async move {
                let bearer = Bearer::new(own.control, &own.token);
                let entropy = Entropy::danger_seeded(connection as u64);
                let mut latencies = Vec::new();
                loop {
                    let sent = own.clock.monotonic();
                    if sent - begun >= lasting {
                        return latencies;
                    }
                    let number = usize::from_ne_bytes(entropy.bytes()) % secrets;
                    let encoded = path(number).replace('/', "%2F");
                    let value = format!("{}/{encoded}/value", own.secrets);
                    let revealed = bearer.get(&value).await;
                    assert_eq!(revealed.status, 200, "{}", revealed.body);
                    latencies.push(own.clock.monotonic() - sent);
                }
            });
        }
        let latencies = readers.join_all().await.concat();
        Run {
            elapsed: self.clock.monotonic() - begun,
            latencies,
        }
    }

    /// Lists page after page, and begins again at the end.
    async fn list(&self, page: usize, lasting: Duration, is_changed: bool) -> Run {
        let bearer = Bearer::new(self.control, &self.token);
        let begun = self.clock.monotonic();
        let mut latencies = Vec::new();
        let mut after = String::new();
        while self.clock.monotonic() - begun < lasting {
            if is_changed {
                let written = format!("{}/{}/versions", self.secrets, "bench%2F000000");
                let value = json!({ "value": { "text": "y" } });
                assert_eq!(bearer.post(&written, value).await.status, 201);
            }
            let target = format!("{}?limit={page}{after}", self.secrets);
            let sent = self.clock.monotonic();
            let listed = bearer.get(&target).await;
            latencies.push(self.clock.monotonic() - sent);
            assert_eq!(listed.status, 200, "{}", listed.body);
            after = match listed.body["next"].as_str() {
                Some(next) => format!("&after={next}"),
                None => String::new(),
            };
        }
        Run {
            elapsed: latencies.iter().sum(),
            latencies,
        }
    }
}

fn path(number: usize) -> String {
    format!("bench/{number:06}")
}

const TOKEN: &str = "operators-token-which-is-long-enough";
const FILLING: usize = 32;
