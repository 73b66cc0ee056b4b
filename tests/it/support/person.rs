//! A person at a shell: the real command line with a home of its own, which knows of a server only
//! what was typed.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output, Stdio};

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::LocalModes;
use serde_json::Value;
use tempfile::TempDir;

/// Somebody with a home directory.
pub struct Person {
    home: TempDir,
    variables: Vec<(String, String)>,
}

/// A command that runs at a terminal.
pub struct Terminal {
    process: Child,
    screen: File,
    shown: String,
}

impl Person {
    /// Somebody who has not used the program yet.
    pub fn new() -> Self {
        Self {
            home: tempfile::tempdir().expect("a temporary directory"),
            variables: Vec::new(),
        }
    }

    /// The operator of the server at an address, by variables.
    pub fn operator(control: SocketAddr) -> Self {
        Self::new()
            .with("BULKHEAD_URL", &format!("http://{control}"))
            .with("BULKHEAD_TOKEN", OPERATOR_TOKEN)
    }

    /// Sets a variable for all commands.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Somebody with an account that the operator made, logged in to the personal organization.
    pub fn with_account(control: SocketAddr, email: &str, name: &str) -> Self {
        let operator = Self::operator(control);
        let password = operator.file("password", PASSWORD);
        let create = ["account", "create", email, "--name", name];
        operator.done(&[&create[..], &["--password-file", &password]].concat());
        let person = Self::new();
        let password = person.file("password", PASSWORD);
        let url = format!("http://{control}");
        let log_in = ["login", "--url", &url, "--email", email];
        person.done(&[&log_in[..], &["--password-file", &password]].concat());
        person
    }

    /// Writes a file into the home directory, and tells its path.
    pub fn file(&self, name: &str, contents: &str) -> String {
        let path = self.home.path().join(name);
        fs::write(&path, contents).expect("a file");
        path.display().to_string()
    }

    /// Where the profiles are kept.
    pub fn profiles(&self) -> PathBuf {
        self.home.path().join(".config/bulkhead/profiles.toml")
    }

    /// Runs a command to its end, without a terminal.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.run_fed(arguments, "")
    }

    /// As [`run`](Self::run), with a text on standard input.
    pub fn run_fed(&self, arguments: &[&str], input: &str) -> Output {
        let mut process = self
            .program(env!("CARGO_BIN_EXE_bulkhead"))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program runs");
        let mut fed = process.stdin.take().expect("piped");
        // A command that does not read what it is fed has its reasons.
        let _unread = fed.write_all(input.as_bytes());
        drop(fed);
        process.wait_with_output().expect("its output")
    }

    /// Runs a command that has to succeed, and tells what it printed.
    pub fn done(&self, arguments: &[&str]) -> String {
        printed(arguments, self.run(arguments))
    }

    /// As [`done`](Self::done), with a text on standard input.
    pub fn done_fed(&self, arguments: &[&str], input: &str) -> String {
        printed(arguments, self.run_fed(arguments, input))
    }

    /// Runs a command with `--json` that has to succeed, and reads its lines.
    pub fn json(&self, arguments: &[&str]) -> Vec<Value> {
        let printed = self.done(&[arguments, &["--json"]].concat());
        let value = |line: &str| serde_json::from_str(line).expect("a line of JSON");
        printed.lines().map(value).collect()
    }

    /// Runs a command that has to fail, and tells what it said.
    pub fn refused(&self, arguments: &[&str]) -> String {
        refusal(arguments, self.run(arguments))
    }

    /// Begins a command at a terminal.
    pub fn at_terminal(&self, arguments: &[&str]) -> Terminal {
        let screen = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        grantpt(&screen).expect("a terminal");
        unlockpt(&screen).expect("a terminal");
        let path = ptsname(&screen, Vec::new()).expect("a terminal");
        let flags = OFlags::RDWR | OFlags::NOCTTY;
        let keyboard = rustix::fs::open(path, flags, Mode::empty()).expect("a terminal");
        let keyboard = || Stdio::from(keyboard.try_clone().expect("a terminal"));
        let process = self
            .program("setsid")
            .args(["--ctty", "--wait", env!("CARGO_BIN_EXE_bulkhead")])
            .args(arguments)
            .stdin(keyboard())
            .stdout(keyboard())
            .stderr(keyboard())
            .spawn()
            .expect("setsid of util-linux");
        Terminal {
            process,
            screen: File::from(screen),
            shown: String::new(),
        }
    }

    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(name);
        command.env_clear().current_dir(self.home.path());
        command.env("HOME", self.home.path());
        command.env("PATH", env!("PATH"));
        command.envs(self.variables.iter().cloned());
        command
    }
}

impl Terminal {
    /// Waits until a text is shown.
    pub fn awaits(&mut self, text: &str) {
        while !self.shown.contains(text) {
            assert!(self.reads(), "`{text}` never came: {}", self.shown);
        }
    }

    /// Types a line.
    pub fn types(&mut self, line: &str) {
        self.presses(&format!("{line}\n"));
    }

    /// Presses keys.
    pub fn presses(&mut self, keys: &str) {
        self.screen.write_all(keys.as_bytes()).expect("a terminal");
    }

    /// Whether it shows what is typed.
    pub fn echoes(&self) -> bool {
        let modes = rustix::termios::tcgetattr(&self.screen).expect("a terminal");
        modes.local_modes.contains(LocalModes::ECHO)
    }

    /// Waits for the end, and tells how it came and all that was shown.
    pub fn ends(mut self) -> (ExitStatus, String) {
        while self.reads() {}
        (self.process.wait().expect("its exit status"), self.shown)
    }

    fn reads(&mut self) -> bool {
        let mut piece = [0; 1024];
        // A terminal whose other side is closed gives an error, not an end.
        let length = self.screen.read(&mut piece).unwrap_or_default();
        let text = String::from_utf8_lossy(&piece[..length]);
        self.shown.push_str(&text);
        length > 0
    }
}

/// What a command that failed said, in one line.
pub fn refusal(arguments: &[&str], output: Output) -> String {
    let said = String::from_utf8(output.stderr).expect("text");
    let arguments = arguments.join(" ");
    assert_eq!(output.status.code(), Some(1), "{arguments}: {said}");
    assert_eq!(said.lines().count(), 1, "{arguments}: {said}");
    said
}

fn printed(arguments: &[&str], output: Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {said}", arguments.join(" "));
    String::from_utf8(output.stdout).expect("text")
}

/// What the operator of a test's server shows.
pub const OPERATOR_TOKEN: &str = "the-token-of-the-operator-in-tests";
/// The password of everybody in tests.
pub const PASSWORD: &str = "a correct horse, a battery";
