//! The order in which a program syncs files and answers, seen from between it and the C library.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// A library that is loaded before the C library, and what it has written down.
pub struct Trace {
    directory: TempDir,
}

/// What the program did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A file or directory was synced, and that has succeeded.
    Synced(PathBuf),
    /// Bytes were about to leave on a TCP connection.
    Sending,
}

impl Trace {
    /// Compiles the library with the C compiler that the build needs as well.
    pub fn new() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let trace = Self { directory };
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/support/trace.c");
        let output = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"])
            .args([trace.library(), source])
            .arg("-ldl")
            .output()
            .expect("a C compiler");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{errors}");
        trace
    }

    /// The variables that a traced program runs with.
    pub fn environment(&self) -> Vec<(String, String)> {
        let text = |path: PathBuf| path.display().to_string();
        vec![
            ("LD_PRELOAD".into(), text(self.library())),
            ("TRACE_FILE".into(), text(self.file())),
        ]
    }

    /// Everything so far, in order.
    pub fn events(&self) -> Vec<Event> {
        let text = fs::read_to_string(self.file()).expect("a traced program has begun");
        // A line that is being written now belongs to nothing that has ended.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let event = |line: &str| match line.split_once(' ') {
            Some(("sync", path)) => Event::Synced(path.into()),
            Some(("send", _)) => Event::Sending,
            _ => panic!("no event: {line}"),
        };
        whole.lines().map(event).collect()
    }

    fn library(&self) -> PathBuf {
        self.directory.path().join("trace.so")
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("events")
    }
}
