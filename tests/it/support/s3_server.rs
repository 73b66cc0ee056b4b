//! A real S3 server: the gateway of JuiceFS, which is built on MinIO's code, over a temporary
//! directory. `tests/setup` installs it; without it the tests that ask for it fail.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

/// A server with one empty bucket, stopped and removed when dropped.
pub struct S3Server {
    process: Child,
    port: u16,
    directory: TempDir,
}

impl S3Server {
    /// The bucket.
    pub const BUCKET: &'static str = "blobs";
    /// The region that the server signs for.
    pub const REGION: &'static str = "us-east-1";
    /// The public half of the access key.
    pub const ACCESS_KEY_ID: &'static str = "testuser";
    /// The secret half.
    pub const SECRET_ACCESS_KEY: &'static str = "testpassword";

    /// Starts a server on a free port and returns once it answers.
    pub fn start() -> Self {
        loop {
            let directory = tempfile::tempdir().expect("a temporary directory");
            format_volume(directory.path());
            let port = free_port();
            let mut server = Self {
                process: gateway(directory.path(), port),
                port,
                directory,
            };
            match server.await_answer() {
                Ok(()) => return server,
                // Another process was faster to take the port.
                Err(log) if log.contains("address already in use") => {}
                Err(log) => panic!("the S3 server stopped before it answered:\n{log}"),
            }
        }
    }

    /// `http://127.0.0.1:<port>`.
    pub fn endpoint(&self) -> String {
        format!("http://{}:{}", Ipv4Addr::LOCALHOST, self.port)
    }

    /// Stops the server, as a backend that dies; it keeps nothing open.
    pub fn kill(&mut self) {
        drop(self.process.stdin.take());
        self.process.wait().expect("the S3 server's exit status");
    }

    /// Asks until an unsigned request is refused as such: before that, the server either does
    /// not listen or says that it is not ready. The server's own output is the error.
    fn await_answer(&mut self) -> Result<(), String> {
        loop {
            if self.process.try_wait().expect("the process").is_some() {
                let log = fs::read_to_string(log_path(self.directory.path()));
                return Err(log.expect("the S3 server's log"));
            }
            if self.status().is_some_and(|status| status.contains(" 403 ")) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn status(&self) -> Option<String> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).ok()?;
        let request = format!("GET /{}/ HTTP/1.0\r\n\r\n", Self::BUCKET);
        stream.write_all(request.as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        answer.lines().next().map(str::to_owned)
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        self.kill();
    }
}

fn format_volume(directory: &Path) {
    let output = Command::new(program())
        .args(["format", "--storage", "file", "--trash-days", "0"])
        .arg("--bucket")
        .arg(format!("{}/objects/", directory.display()))
        .arg(catalog_url(directory))
        .arg(S3Server::BUCKET)
        .output()
        .unwrap_or_else(|error| panic!("{} ({error}): run tests/setup", program().display()));
    assert!(
        output.status.success(),
        "the S3 server's volume could not be made:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn gateway(directory: &Path, port: u16) -> Child {
    let log = File::create(log_path(directory)).expect("a log file");
    Command::new("sh")
        .args(["-c", SUPERVISE, "sh"])
        .arg(program())
        .args(["gateway", "--no-usage-report", "--no-banner"])
        .args(["--backup-meta", "0", "--metrics", "127.0.0.1:0"])
        .args([
            "--cache-dir",
            "memory",
            "--cache-size",
            "64M",
            "--buffer-size",
            "64M",
        ])
        .arg("--log")
        .arg(log_path(directory))
        .arg(catalog_url(directory))
        .arg(format!("{}:{port}", Ipv4Addr::LOCALHOST))
        .env("MINIO_ROOT_USER", S3Server::ACCESS_KEY_ID)
        .env("MINIO_ROOT_PASSWORD", S3Server::SECRET_ACCESS_KEY)
        .stdin(Stdio::piped())
        .stdout(log.try_clone().expect("a second handle"))
        .stderr(log)
        .spawn()
        .expect("the S3 server, which has just made its volume")
}

fn program() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/python/bin/juicefs")
}

/// Runs the server until it ends or standard input is closed, which also happens when the test's
/// process is killed: no server outlives its test.
const SUPERVISE: &str = r#"
    "$@" & server=$!
    exec 3<&0
    { read -r _ <&3; kill -9 "$server"; } &
    wait "$server"
"#;

fn catalog_url(directory: &Path) -> String {
    format!("sqlite3://{}/catalog.db", directory.display())
}

fn log_path(directory: &Path) -> PathBuf {
    directory.join("server.log")
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("its address").port()
}
