//! Measures the program beside a peer that encrypts, in one run on one machine, and prints a
//! table. `tests/bench/run` builds and starts it.
//!
//! Load and servers share the machine's cores, so what is true of both servers is the comparison;
//! the CPU columns are the server's alone.

#[path = "../it/support/bearer.rs"]
#[allow(dead_code, reason = "shared with the integration tests")]
mod bearer;
#[path = "../it/support/client.rs"]
#[allow(dead_code, reason = "shared with the integration tests")]
mod client;
#[path = "../it/support/house.rs"]
#[allow(dead_code, reason = "shared with the integration tests")]
mod house;
mod load;
mod process;
mod rclone;
mod server;
#[path = "../it/support/sign.rs"]
#[allow(dead_code, reason = "shared with the integration tests")]
mod sign;

use std::time::Duration;

use clap::{Parser, ValueEnum};

use load::{Load, Operation};
use server::{Kind, Server};

/// Measure Bulkhead beside rclone's S3 server over its crypt remote.
#[derive(Parser)]
struct Arguments {
    /// How long each line of the table is measured.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Connections at a time, each with one request in flight.
    #[arg(long, value_delimiter = ',', default_value = "1,16,64")]
    connections: Vec<usize>,
    /// Measure beside them a server that holds so many organizations more.
    #[arg(long, default_value_t = 0)]
    organizations: usize,
    /// Measure one server alone.
    #[arg(long)]
    only: Option<Kind>,
    /// Measure these alone. What reads needs the writes of its size before it.
    #[arg(long, value_delimiter = ',')]
    operations: Option<Vec<Operation>>,
    /// What cargo says to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

#[tokio::main]
async fn main() {
    let arguments = Arguments::parse();
    let mut servers = Vec::new();
    for kind in [Kind::Bulkhead, Kind::Crowded, Kind::Rclone] {
        let is_asked = match kind {
            Kind::Crowded => arguments.organizations > 0,
            Kind::Bulkhead | Kind::Rclone => true,
        };
        if is_asked && arguments.only.is_none_or(|only| only == kind) {
            let server = Server::start(kind, arguments.organizations).await;
            servers.push((server, Load::new()));
        }
    }
    let lasting = Duration::from_secs(arguments.seconds);
    let asked = |operation: &Operation| match &arguments.operations {
        Some(operations) => operations.contains(operation),
        None => true,
    };

    println!(
        "| operation | connections | server | op/s | MB/s | p50 ms | p99 ms | CPU ms/op | CPU s/GB | peak MB | failed |"
    );
    println!("| --- | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
    for operation in Operation::value_variants().iter().copied().filter(asked) {
        for &connections in &arguments.connections {
            for (server, load) in &mut servers {
                server.forget_peak_memory();
                let before = server.cpu();
                let run = load.run(server, operation, connections, lasting).await;
                row(&operation.to_string(), connections, server, &run, before);
            }
        }
    }
    let cold = [Operation::GetSmall, Operation::GetLarge];
    for operation in cold.into_iter().filter(asked) {
        for (server, load) in &mut servers {
            let is_cold = server.restart_cold().await;
            let before = server.cpu();
            let run = load
                .run_once_each(server, operation, COLD_CONNECTIONS, lasting)
                .await;
            let name = format!(
                "{operation}, {}",
                if is_cold { "cold" } else { "restarted" }
            );
            row(&name, COLD_CONNECTIONS, server, &run, before);
        }
    }
}

fn row(name: &str, connections: usize, server: &Server, run: &load::Run, cpu_before: Duration) {
    let cpu = (server.cpu() - cpu_before).as_secs_f64();
    let seconds = run.elapsed.as_secs_f64();
    let operations = run.latencies_us.len() as f64;
    let gigabytes = run.bytes as f64 / 1e9;
    // What moves few bytes has a cost per operation, not per byte.
    let or_none = |value: f64| match value.is_finite() {
        true => format!("{value:.2}"),
        false => "–".to_owned(),
    };
    println!(
        "| {name} | {connections} | {} | {:.0} | {:.1} | {:.2} | {:.2} | {} | {} | {} | {} |",
        server.kind(),
        operations / seconds,
        run.bytes as f64 / 1e6 / seconds,
        run.percentile_ms(50),
        run.percentile_ms(99),
        format_args!("{:.3}", cpu * 1e3 / operations),
        or_none(match run.bytes as f64 / operations {
            few if few < BYTES_COUNT_FROM => f64::NAN,
            _ => cpu / gigabytes,
        }),
        server.peak_memory_bytes() >> 20,
        run.failed,
    );
}

/// The bytes of an operation from which on they are what it costs.
const BYTES_COUNT_FROM: f64 = 65536.0;
const COLD_CONNECTIONS: usize = 16;
