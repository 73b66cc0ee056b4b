use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::sign::Key;

/// rclone's S3 server over its crypt remote over a directory.
pub struct Rclone {
    directory: TempDir,
    address: SocketAddr,
    process: Child,
}

impl Rclone {
    /// Starts it and returns once it listens.
    pub fn start() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        fs::create_dir(directory.path().join("store")).expect("a directory");
        let (address, process) = spawn(directory.path());
        Self {
            directory,
            address,
            process,
        }
    }

    /// Ends it and starts it again on the same files.
    pub fn restart(&mut self) {
        self.end();
        (self.address, self.process) = spawn(self.directory.path());
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its process.
    pub fn pid(&self) -> i32 {
        self.process.id().cast_signed()
    }

    /// The one key that it knows.
    pub fn key() -> Key {
        Key {
            id: "bench".into(),
            secret: "benchsecret".into(),
        }
    }

    fn end(&mut self) {
        // It may have ended by itself.
        let _gone = self.process.kill();
        let _status = self.process.wait();
    }
}

impl Drop for Rclone {
    fn drop(&mut self) {
        self.end();
    }
}

fn spawn(directory: &Path) -> (SocketAddr, Child) {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|socket| socket.local_addr());
    let address = free.expect("a free port");
    let Key { id, secret } = Rclone::key();
    let mut process = Command::new(program())
        .args(["serve", "s3", "sealed:", "--addr", &address.to_string()])
        .args(["--auth-key", &format!("{id},{secret}")])
        .env("RCLONE_CONFIG", directory.join("none.conf"))
        .env("RCLONE_CONFIG_SEALED_TYPE", "crypt")
        .env("RCLONE_CONFIG_SEALED_REMOTE", directory.join("store"))
        .env("RCLONE_CONFIG_SEALED_PASSWORD", obscured("a password"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("rclone");
    while TcpStream::connect(address).is_err() {
        let status = process.try_wait().expect("a process of our own");
        assert!(status.is_none(), "rclone ended: {status:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
    (address, process)
}

/// The form in which rclone keeps passwords.
fn obscured(password: &str) -> String {
    let output = Command::new(program()).args(["obscure", password]).output();
    let output =
        output.unwrap_or_else(|error| panic!("{} ({error}): run tests/setup", program().display()));
    String::from_utf8(output.stdout)
        .expect("text")
        .trim()
        .to_owned()
}

fn program() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/python/bin/rclone")
}
