//! A disk that fails, or is slow, when it is told to.

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

use super::preload::Preload;

/// A library under which writes and syncs fail or take their time.
pub struct Faults(Preload);

/// What is the matter with the files whose path contains a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Writing to them fails.
    Write(&'static str, Errno),
    /// Syncing them fails.
    Sync(&'static str, Errno),
    /// Each write to them begins so many microseconds late.
    Slow(&'static str, u32),
}

/// How a call fails. The numbers are those of Linux.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Errno {
    /// EIO: the device.
    Io = 5,
    /// ENOSPC: no room is left.
    Full = 28,
    /// EDQUOT: no room is left to this user.
    Quota = 122,
}

impl Faults {
    /// None, until it is told.
    pub fn new() -> Self {
        Self(Preload::new("faults.c"))
    }

    /// The variables that the program runs with.
    pub fn environment(&self) -> Vec<(String, String)> {
        self.0.environment("FAULTS_FILE", &self.file())
    }

    /// From now on, this is the matter and nothing else.
    pub fn begin(&self, faults: &[Fault]) {
        let mut lines = String::new();
        for fault in faults {
            let _infallible = match fault {
                Fault::Write(path, error) => writeln!(lines, "write {} {path}", *error as i32),
                Fault::Sync(path, error) => writeln!(lines, "sync {} {path}", *error as i32),
                Fault::Slow(path, microseconds) => writeln!(lines, "slow {microseconds} {path}"),
            };
        }
        // No call may see a part of it.
        let aside = self.0.file("faults.new");
        fs::write(&aside, lines).expect("a file of our own");
        fs::rename(aside, self.file()).expect("a file of our own");
    }

    /// From now on, nothing is the matter.
    pub fn end(&self) {
        fs::remove_file(self.file()).expect("they had begun");
    }

    fn file(&self) -> PathBuf {
        self.0.file("faults")
    }
}
