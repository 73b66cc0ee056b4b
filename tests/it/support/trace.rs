//! The order in which a program syncs files and answers, seen from between it and the C library.

use std::fs;
use std::path::PathBuf;

use super::preload::Preload;

/// A library that is loaded before the C library, and what it has written down.
pub struct Trace(Preload);

/// What the program did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A file or directory was synced, and that has succeeded.
    Synced(PathBuf),
    /// Bytes were about to leave on a TCP connection.
    Sending,
}

impl Trace {
    /// Nothing yet.
    pub fn new() -> Self {
        Self(Preload::new("trace.c"))
    }

    /// The variables that a traced program runs with.
    pub fn environment(&self) -> Vec<(String, String)> {
        self.0.environment("TRACE_FILE", &self.file())
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

    fn file(&self) -> PathBuf {
        self.0.file("events")
    }
}
