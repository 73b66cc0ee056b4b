//! The real program, over a temporary directory: started, killed, stopped and started again.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use http::Method;
use rusqlite::Connection;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use super::client::{Client, Failure};
use super::sign::Key;

/// A server and what it stores. Dropped, both are gone.
pub struct House {
    /// What the first start printed: a key that may do everything in the first organization.
    pub key: Key,
    /// Tells the servers of one directory apart.
    name: &'static str,
    directory: Arc<TempDir>,
    environment: Vec<(String, String)>,
    running: Option<Running>,
    log: Arc<Mutex<String>>,
}

/// An organization that was made for a test.
pub struct Organization {
    /// Its short name.
    pub slug: String,
    /// A key that may do everything in it.
    pub key: Key,
}

impl House {
    /// Starts a server with its defaults, and returns once it is ready.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// Starts a server with `BULKHEAD_<name>` set to `value` for each of the settings.
    pub async fn start_with(settings: &[(&str, &str)]) -> Self {
        let owned = |(name, value): &(&str, &str)| (format!("BULKHEAD_{name}"), (*value).into());
        Self::start_in(settings.iter().map(owned).collect()).await
    }

    /// Starts a server with its defaults, whose data is too large for a file system in memory.
    pub async fn start_on_disk() -> Self {
        let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"));
        Self::start_at(directory.expect("a temporary directory"), Vec::new()).await
    }

    /// Starts a server with these variables beside those that every test sets.
    pub async fn start_in(environment: Vec<(String, String)>) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        Self::start_at(directory, environment).await
    }

    async fn start_at(directory: TempDir, environment: Vec<(String, String)>) -> Self {
        fs::create_dir(directory.path().join("data")).expect("a directory");
        let mut house = Self {
            name: "server",
            directory: Arc::new(directory),
            environment,
            running: None,
            key: Key {
                id: String::new(),
                secret: String::new(),
            },
            log: Arc::default(),
        };
        let printed = house.restart().await;
        let export = |name: &str| {
            let found = printed.get(name).cloned();
            found.unwrap_or_else(|| panic!("the first start prints {name}: {printed:?}"))
        };
        house.key = Key {
            id: export("AWS_ACCESS_KEY_ID"),
            secret: export("AWS_SECRET_ACCESS_KEY"),
        };
        house
    }

    /// Starts another server on the same data, and returns once it is ready.
    pub async fn beside(&self) -> Self {
        let mut beside = Self {
            key: self.key.clone(),
            name: "beside",
            directory: Arc::clone(&self.directory),
            environment: self.environment.clone(),
            running: None,
            log: Arc::default(),
        };
        beside.restart().await;
        beside
    }

    /// The catalog as whoever can write the file has it.
    pub fn database(&self) -> Connection {
        Connection::open(self.data().join("catalog.sqlite")).expect("a catalog")
    }

    /// Where the server keeps its data.
    pub fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// The file of the root key.
    pub fn root_file(&self) -> PathBuf {
        self.directory.path().join("root.key")
    }

    /// The address of the S3 door.
    pub fn api(&self) -> SocketAddr {
        self.running().api
    }

    /// The address of the operator's door.
    pub fn control(&self) -> SocketAddr {
        self.running().control
    }

    /// A client with the key that the first start printed.
    pub fn client(&self) -> Client {
        self.client_of(&self.key)
    }

    /// A client with another key.
    pub fn client_of(&self, key: &Key) -> Client {
        Client::new(self.api(), key.clone())
    }

    /// Makes an organization and a key for it, by the command line.
    pub fn create_organization(&self, slug: &str) -> Organization {
        let made = self.command(&["org", "create", slug, "--json"]);
        let slug = made["slug"].as_str().expect("a slug").to_owned();
        let key = self.create_key(&slug, &[]);
        Organization { slug, key }
    }

    /// Makes a key for an organization, by the command line with further arguments.
    pub fn create_key(&self, slug: &str, arguments: &[&str]) -> Key {
        let command = ["key", "create", "--org", slug, "--json"];
        let made = self.command(&[&command, arguments].concat());
        let text = |name: &str| made[name].as_str().expect("a text").to_owned();
        Key {
            id: text("id"),
            secret: text("secret"),
        }
    }

    /// Runs a command of the program that answers with JSON.
    pub fn command(&self, arguments: &[&str]) -> Value {
        let output = self.run(arguments);
        assert!(
            output.status.success(),
            "bulkhead {}: {}",
            arguments.join(" "),
            String::from_utf8_lossy(&output.stderr)
        );
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
            panic!("{error}: {}", String::from_utf8_lossy(&output.stdout));
        })
    }

    /// Runs a command of the program to its end, whatever that is.
    pub fn run(&self, arguments: &[&str]) -> Output {
        let output = self.program().args(arguments).output();
        output.expect("the program runs")
    }

    /// Ends the server at once, as a crash or a power cut would end it.
    pub fn kill(&mut self) {
        self.end(Signal::KILL);
    }

    /// Asks the server to stop, waits until it has, and tells how it ended.
    pub fn stop(&mut self) -> ExitStatus {
        self.end(Signal::TERM)
    }

    /// Waits until the server has ended by itself, and tells how.
    pub fn ended(&mut self) -> ExitStatus {
        let running = self.running.take().expect("it runs");
        running.wait()
    }

    /// Starts the server again on the same data, on other ports, and returns what it printed as
    /// `export NAME=value`.
    pub async fn restart(&mut self) -> BTreeMap<String, String> {
        assert!(self.running.is_none(), "it runs");
        let mut process = self.spawn();
        let (found, addresses) = mpsc::channel();
        let log = Arc::clone(&self.log);
        let errors = process.stderr.take().expect("piped");
        thread::spawn(move || read_log(BufReader::new(errors), &log, &found));

        let listening = self.await_addresses(&addresses);
        self.running = Some(Running {
            process,
            api: listening["api"],
            control: listening["control"],
        });
        self.await_ready().await;
        self.exports()
    }

    /// The server's process.
    pub fn pid(&self) -> Pid {
        assert!(self.running.is_some(), "it runs");
        let text = fs::read_to_string(self.written("pid")).expect("written at start");
        Pid::from_raw(text.trim().parse().expect("a number")).expect("a process")
    }

    /// The most memory that the server has used since it started, bytes.
    pub fn peak_memory_bytes(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid().as_raw_nonzero()))
            .expect("a running process");
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = peak.and_then(|text| text.trim().strip_suffix(" kB"));
        kib.and_then(|text| text.parse::<u64>().ok())
            .expect("VmHWM")
            << 10
    }

    /// Everything that the server has logged.
    pub fn log(&self) -> String {
        self.log.lock().expect("no panic while it is held").clone()
    }

    fn spawn(&self) -> Child {
        Command::new("sh")
            .args(["-c", SUPERVISE, "sh"])
            .arg(self.written("pid"))
            .arg(env!("CARGO_BIN_EXE_bulkhead"))
            .arg("serve")
            .envs(self.variables())
            .stdin(Stdio::piped())
            .stdout(File::create(self.printed()).expect("a file"))
            .stderr(Stdio::piped())
            .spawn()
            .expect("a shell")
    }

    /// Where the server's standard output goes: what it prints before it is ready can be read
    /// once it is.
    fn printed(&self) -> PathBuf {
        self.written("printed")
    }

    /// A file that tells of this server.
    fn written(&self, what: &str) -> PathBuf {
        self.directory.path().join(format!("{}.{what}", self.name))
    }

    fn exports(&self) -> BTreeMap<String, String> {
        let printed = fs::read_to_string(self.printed()).expect("a file");
        let export = |line: &str| {
            let (name, value) = line.strip_prefix("export ")?.split_once('=')?;
            Some((name.to_owned(), value.trim_matches(['\'', '"']).to_owned()))
        };
        printed.lines().filter_map(export).collect()
    }

    fn program(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bulkhead"));
        command.envs(self.variables());
        command
    }

    fn variables(&self) -> impl Iterator<Item = (String, String)> {
        let below = |name: &str| self.directory.path().join(name).display().to_string();
        [
            ("DATA_DIR", below("data")),
            ("ROOT_FILE", self.root_file().display().to_string()),
            ("AUDIT_CHECKPOINT_FILE", below("checkpoints.jsonl")),
            ("API_LISTEN", "127.0.0.1:0".into()),
            ("CONTROL_LISTEN", "127.0.0.1:0".into()),
            ("LOG_FORMAT", "json".into()),
        ]
        .into_iter()
        .map(|(name, value)| (format!("BULKHEAD_{name}"), value))
        .chain(self.environment.iter().cloned())
    }

    /// The listeners' addresses, from the log. A server that ends before it listens closes its
    /// standard error, and so the channel.
    fn await_addresses(
        &self,
        found: &Receiver<(String, SocketAddr)>,
    ) -> BTreeMap<String, SocketAddr> {
        let mut addresses = BTreeMap::new();
        while !(addresses.contains_key("api") && addresses.contains_key("control")) {
            match found.recv() {
                Ok((name, address)) => addresses.insert(name, address),
                Err(_) => panic!("the server ended before it listened:\n{}", self.log()),
            };
        }
        addresses
    }

    async fn await_ready(&self) {
        let nobody = Key {
            id: String::new(),
            secret: String::new(),
        };
        let control = Client::new(self.control(), nobody);
        loop {
            match control.send_unsigned(Method::GET, "/readyz", &[], "").await {
                Ok(answer) if answer.status.is_success() => return,
                Ok(_) => tokio::time::sleep(Duration::from_millis(5)).await,
                Err(error) => self.ended_early(&error),
            }
        }
    }

    fn ended_early(&self, error: &Failure) -> ! {
        panic!(
            "the server ended before it was ready: {error}\n{}",
            self.log()
        );
    }

    fn end(&mut self, signal: Signal) -> ExitStatus {
        let pid = self.pid();
        let running = self.running.take().expect("it runs");
        kill_process(pid, signal).expect("a process of our own");
        running.wait()
    }

    fn running(&self) -> &Running {
        self.running.as_ref().expect("it runs")
    }
}

impl Drop for House {
    fn drop(&mut self) {
        if self.running.is_some() {
            self.kill();
        }
    }
}

struct Running {
    /// The shell that supervises the server; it ends with the server's status.
    process: Child,
    api: SocketAddr,
    control: SocketAddr,
}

impl Running {
    fn wait(mut self) -> ExitStatus {
        // `wait` would close it, which ends the server at once.
        let guard = self.process.stdin.take();
        let status = self.process.wait().expect("its exit status");
        drop(guard);
        status
    }
}

/// Writes the server's process number to the file that is its first argument, and ends as the
/// server ends. Closed standard input ends the server, which also happens when the test's process
/// is killed: no server outlives its test.
const SUPERVISE: &str = r#"
    file=$1; shift
    "$@" </dev/null & server=$!
    echo "$server" >"$file"
    exec 3<&0
    { read -r _ <&3; kill -9 "$server"; } >/dev/null 2>&1 & guard=$!
    exec >/dev/null 2>&1
    wait "$server"; status=$?
    kill "$guard"
    exit "$status"
"#;

fn read_log(lines: impl BufRead, log: &Mutex<String>, found: &Sender<(String, SocketAddr)>) {
    for line in lines.lines().map_while(Result::ok) {
        if let Ok(event) = serde_json::from_str::<Value>(&line)
            && let Some(name) = event["message"]
                .as_str()
                .and_then(|m| m.strip_suffix(" listens"))
            && let Some(address) = event["address"].as_str().and_then(|a| a.parse().ok())
        {
            // Nobody waits for a listener that opens later.
            let _unheard = found.send((name.to_owned(), address));
        }
        let mut log = log.lock().expect("no panic while it is held");
        log.push_str(&line);
        log.push('\n');
    }
}
