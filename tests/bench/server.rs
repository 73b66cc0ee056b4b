use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use clap::ValueEnum;
use http::Method;
use serde_json::json;
use tokio::task::JoinSet;

use crate::bearer::Bearer;
use crate::client::Client;
use crate::house::House;
use crate::load::BUCKET;
use crate::process;
use crate::rclone::Rclone;
use crate::sign::Key;

/// A server that is measured, with the one bucket.
pub enum Server {
    Bulkhead(House),
    Crowded(House),
    Rclone(Rclone),
}

/// Which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    Bulkhead,
    /// Bulkhead with many organizations.
    Crowded,
    Rclone,
}

impl Server {
    /// Starts one over an empty directory; a crowded one holds so many organizations.
    pub async fn start(kind: Kind, organizations: usize) -> Self {
        let server = match kind {
            Kind::Bulkhead => Self::Bulkhead(House::start().await),
            Kind::Crowded => Self::Crowded(crowded(organizations).await),
            Kind::Rclone => Self::Rclone(Rclone::start()),
        };
        let bucket = format!("/{BUCKET}");
        let made = server.client().send(Method::PUT, &bucket, &[], "").await;
        let made = made.expect("an answer");
        assert!(made.status.is_success(), "{kind}: {made:?}");
        server
    }

    /// Starts it again, with an empty file cache if that is permitted; tells whether it was.
    pub async fn restart_cold(&mut self) -> bool {
        match self {
            Self::Bulkhead(house) | Self::Crowded(house) => {
                house.stop();
                house.restart().await;
            }
            Self::Rclone(rclone) => rclone.restart(),
        }
        process::drop_file_cache()
    }

    /// Which it is.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Bulkhead(_) => Kind::Bulkhead,
            Self::Crowded(_) => Kind::Crowded,
            Self::Rclone(_) => Kind::Rclone,
        }
    }

    /// A client that may do everything.
    pub fn client(&self) -> Client {
        let (address, key): (SocketAddr, Key) = match self {
            Self::Bulkhead(house) | Self::Crowded(house) => (house.api(), house.key.clone()),
            Self::Rclone(rclone) => (rclone.address(), Rclone::key()),
        };
        Client::new(address, key)
    }

    /// Time that its process has spent on a processor.
    pub fn cpu(&self) -> Duration {
        process::cpu(self.pid())
    }

    /// See [`process::peak_memory_bytes`].
    pub fn peak_memory_bytes(&self) -> u64 {
        process::peak_memory_bytes(self.pid())
    }

    /// See [`process::forget_peak_memory`].
    pub fn forget_peak_memory(&self) {
        process::forget_peak_memory(self.pid());
    }

    fn pid(&self) -> i32 {
        match self {
            Self::Bulkhead(house) | Self::Crowded(house) => house.pid().as_raw_nonzero().get(),
            Self::Rclone(rclone) => rclone.pid(),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bulkhead => "Bulkhead",
            Self::Crowded => "Bulkhead, crowded",
            Self::Rclone => "rclone crypt",
        })
    }
}

/// A server with so many organizations beside the one that is measured.
async fn crowded(organizations: usize) -> House {
    let mut house = House::start_with(&[("CONTROL_OPERATOR_TOKEN", TOKEN)]).await;
    let next = Arc::new(AtomicUsize::new(0));
    let mut makers = JoinSet::new();
    for _ in 0..MAKERS {
        let operator = Bearer::new(house.control(), TOKEN);
        let next = Arc::clone(&next);
        makers.spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= organizations {
                    break;
                }
                let named = json!({ "slug": format!("crowd-{number}") });
                let made = operator.post("/organizations", named).await;
                assert_eq!(made.status, 201, "{}", made.body);
            }
        });
    }
    makers.join_all().await;
    // What making them leaves to do is no part of a request.
    house.stop();
    house.restart().await;
    house
}

const TOKEN: &str = "operators-token-which-is-long-enough";
const MAKERS: usize = 64;
