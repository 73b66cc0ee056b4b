use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use clap::ValueEnum;
use http::Method;

use crate::client::Client;
use crate::house::House;
use crate::load::BUCKET;
use crate::process;
use crate::rclone::Rclone;
use crate::sign::Key;

/// A server that is measured, with the one bucket.
pub enum Server {
    Bulkhead(House),
    Rclone(Rclone),
}

/// Which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    Bulkhead,
    Rclone,
}

impl Server {
    /// Starts one over an empty directory.
    pub async fn start(kind: Kind) -> Self {
        let server = match kind {
            Kind::Bulkhead => Self::Bulkhead(House::start().await),
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
            Self::Bulkhead(house) => {
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
            Self::Rclone(_) => Kind::Rclone,
        }
    }

    /// A client that may do everything.
    pub fn client(&self) -> Client {
        let (address, key): (SocketAddr, Key) = match self {
            Self::Bulkhead(house) => (house.api(), house.key.clone()),
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
            Self::Bulkhead(house) => house.pid().as_raw_nonzero().get(),
            Self::Rclone(rclone) => rclone.pid(),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bulkhead => "Bulkhead",
            Self::Rclone => "rclone crypt",
        })
    }
}
