use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bulkhead::clock::Clock;
use bytes::Bytes;
use clap::ValueEnum;
use http::{Method, StatusCode};
use tokio::task::JoinSet;

use crate::client::{Client, Failure};
use crate::server::{Kind, Server};

/// What is measured, in this order: writes first, since what follows reads what they wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Operation {
    /// PUT of 4 KiB under a new key.
    PutSmall,
    /// GET of one of these, uniformly at random.
    GetSmall,
    /// HEAD of one of these.
    Head,
    /// A list of the 100 keys below one of the prefixes, at random.
    List,
    /// PUT of 64 MiB under a new key.
    PutLarge,
    /// GET of one of these.
    GetLarge,
    /// GET of 64 KiB of one of these, at a random place.
    Range,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PutSmall => "PUT 4 KiB",
            Self::GetSmall => "GET 4 KiB",
            Self::Head => "HEAD",
            Self::List => "LIST 100 keys",
            Self::PutLarge => "PUT 64 MiB",
            Self::GetLarge => "GET 64 MiB",
            Self::Range => "GET 64 KiB of 64 MiB",
        })
    }
}

/// The load on one server, and what it has written there.
pub struct Load {
    small: Arc<Written>,
    large: Arc<Written>,
}

/// What one measurement saw.
pub struct Run {
    /// From the first request to the end of the last.
    pub elapsed: Duration,
    /// Of what succeeded, ascending, microseconds.
    pub latencies_us: Vec<u64>,
    /// Bytes of bodies, both ways.
    pub bytes: u64,
    /// How many requests failed.
    pub failed: u64,
}

impl Run {
    /// The latency that `percent` of the requests do not exceed, milliseconds.
    pub fn percentile_ms(&self, percent: usize) -> f64 {
        let last = self.latencies_us.len().saturating_sub(1);
        let at = self.latencies_us.get(last * percent / 100);
        at.map_or(f64::NAN, |us| *us as f64 / 1e3)
    }
}

impl Load {
    /// Nothing is written yet.
    pub fn new() -> Self {
        Self {
            small: Arc::new(Written::new("small", 4 << 10)),
            large: Arc::new(Written::new("large", 64 << 20)),
        }
    }

    /// Repeats an operation on every connection for a while.
    pub async fn run(
        &self,
        server: &Server,
        operation: Operation,
        connections: usize,
        lasting: Duration,
    ) -> Run {
        self.measure(server, operation, connections, lasting, Picks::Any)
            .await
    }

    /// As [`run`](Self::run), but never reads an object twice.
    pub async fn run_once_each(
        &self,
        server: &Server,
        operation: Operation,
        connections: usize,
        lasting: Duration,
    ) -> Run {
        self.measure(server, operation, connections, lasting, Picks::OnceEach)
            .await
    }

    async fn measure(
        &self,
        server: &Server,
        operation: Operation,
        connections: usize,
        lasting: Duration,
        picks: Picks,
    ) -> Run {
        let objects = match operation {
            Operation::PutLarge | Operation::GetLarge | Operation::Range => &self.large,
            _ => &self.small,
        };
        let client = Arc::new(server.client());
        let clock = Clock::system();
        let begun = Arc::new(AtomicU64::new(0));
        let mut workers = JoinSet::new();
        for number in 0..connections {
            let worker = Worker {
                kind: server.kind(),
                client: Arc::clone(&client),
                objects: Arc::clone(objects),
                operation,
                picks,
                begun: Arc::clone(&begun),
                chance: Chance(SEED ^ number as u64),
            };
            workers.spawn(worker.work(clock.clone(), lasting));
        }
        let mut run = Run {
            elapsed: Duration::ZERO,
            latencies_us: Vec::new(),
            bytes: 0,
            failed: 0,
        };
        while let Some(part) = workers.join_next().await {
            let part = part.expect("no panic");
            run.latencies_us.extend(part.latencies_us);
            run.bytes += part.bytes;
            run.failed += part.failed;
        }
        run.elapsed = clock.monotonic();
        run.latencies_us.sort_unstable();
        run
    }
}

/// Which objects a read asks for.
#[derive(Clone, Copy)]
enum Picks {
    Any,
    OnceEach,
}

/// Objects of one size; the key of each follows from its number.
struct Written {
    name: &'static str,
    body: Bytes,
    count: AtomicU64,
}

impl Written {
    fn new(name: &'static str, size: usize) -> Self {
        let mut chance = Chance(SEED);
        let body = (0..size / 8)
            .flat_map(|_| chance.next().to_le_bytes())
            .collect();
        Self {
            name,
            body,
            count: AtomicU64::new(0),
        }
    }

    fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    fn target(&self, number: u64) -> String {
        format!(
            "/{BUCKET}/{}/{:06}/{:02}",
            self.name,
            number / 100,
            number % 100
        )
    }
}

struct Worker {
    kind: Kind,
    client: Arc<Client>,
    objects: Arc<Written>,
    operation: Operation,
    picks: Picks,
    begun: Arc<AtomicU64>,
    chance: Chance,
}

impl Worker {
    async fn work(mut self, clock: Clock, lasting: Duration) -> Run {
        let mut run = Run {
            elapsed: Duration::ZERO,
            latencies_us: Vec::new(),
            bytes: 0,
            failed: 0,
        };
        while clock.monotonic() < lasting {
            let Some(number) = self.pick() else { break };
            let begun = clock.monotonic();
            let outcome = self.ask(number).await;
            let took = clock.monotonic() - begun;
            match outcome {
                Ok((status, bytes)) if status.is_success() => {
                    run.latencies_us
                        .push(took.as_micros().try_into().unwrap_or(u64::MAX));
                    run.bytes += bytes;
                }
                other => {
                    if run.failed == 0 {
                        eprintln!("{}, {}: {other:?}", self.kind, self.operation);
                    }
                    run.failed += 1;
                }
            }
        }
        run
    }

    /// The next object: a new one for a write, one that is there for a read.
    fn pick(&mut self) -> Option<u64> {
        let written = self.objects.count();
        match (self.operation, self.picks) {
            (Operation::PutSmall | Operation::PutLarge, _) => {
                Some(self.objects.count.fetch_add(1, Ordering::Relaxed))
            }
            (_, Picks::Any) => (written > 0).then(|| self.chance.below(written)),
            (_, Picks::OnceEach) => {
                let turn = self.begun.fetch_add(1, Ordering::Relaxed);
                // A stride that shares no factor with the count visits all, out of order.
                let stride = (written / 2..).find(|stride| gcd(*stride, written) == 1)?;
                (turn < written).then(|| turn * stride % written)
            }
        }
    }

    /// Status, and bytes moved.
    async fn ask(&mut self, number: u64) -> Result<(StatusCode, u64), Failure> {
        let client = Arc::clone(&self.client);
        let target = self.objects.target(number);
        let size = self.objects.body.len() as u64;
        match self.operation {
            Operation::PutSmall | Operation::PutLarge => {
                let body = self.objects.body.clone();
                let (status, _) = drain(&client, Method::PUT, &target, &[], body).await?;
                Ok((status, size))
            }
            Operation::GetSmall | Operation::GetLarge => {
                let answer = drain(&client, Method::GET, &target, &[], "").await?;
                whole(answer, size)
            }
            Operation::Range => {
                let first = self.chance.below(size - RANGE);
                let range = format!("bytes={first}-{}", first + RANGE - 1);
                let range = [("range", range.as_str())];
                whole(
                    drain(&client, Method::GET, &target, &range, "").await?,
                    RANGE,
                )
            }
            Operation::Head => drain(&client, Method::HEAD, &target, &[], "").await,
            Operation::List => {
                let (name, prefix) = (self.objects.name, number / 100);
                let query = format!("list-type=2&max-keys=1000&prefix={name}%2F{prefix:06}%2F");
                let target = format!("/{BUCKET}?{query}");
                let (status, _) = drain(&client, Method::GET, &target, &[], "").await?;
                Ok((status, 0))
            }
        }
    }
}

/// The answer, if its body is as long as it must be.
fn whole(answer: (StatusCode, u64), length: u64) -> Result<(StatusCode, u64), Failure> {
    match answer {
        (status, bytes) if status.is_success() && bytes != length => {
            Err(format!("{bytes} bytes instead of {length}").into())
        }
        answer => Ok(answer),
    }
}

/// SplitMix64: the same load in every run.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// The one bucket.
pub const BUCKET: &str = "bench";

const RANGE: u64 = 64 << 10;
const SEED: u64 = 7;

/// The bytes of the answer's body are counted and not kept.
async fn drain(
    client: &Client,
    method: Method,
    target: &str,
    fields: &[(&'static str, &str)],
    body: impl Into<Bytes>,
) -> Result<(StatusCode, u64), Failure> {
    let mut length = 0;
    let count = |piece: &[u8]| length += piece.len() as u64;
    let status = client.receive(method, target, fields, body, count).await?;
    Ok((status, length))
}
