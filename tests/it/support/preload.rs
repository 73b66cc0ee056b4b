//! Libraries that stand between a program and the C library.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// A library that is loaded before the C library, in a directory of its own.
pub struct Preload {
    directory: TempDir,
}

impl Preload {
    /// Compiles `source`, which stands beside this file, with the C compiler that the build needs
    /// as well.
    pub fn new(source: &str) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let preload = Self { directory };
        let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/support");
        let output = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"])
            .args([preload.library(), beside.join(source)])
            .arg("-ldl")
            .output()
            .expect("a C compiler");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{errors}");
        preload
    }

    /// A file in the library's directory.
    pub fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The variables that a program runs with under it: `variable` names a file that both sides
    /// know.
    pub fn environment(&self, variable: &str, file: &Path) -> Vec<(String, String)> {
        let text = |path: &Path| path.display().to_string();
        vec![
            ("LD_PRELOAD".into(), text(&self.library())),
            (variable.into(), text(file)),
        ]
    }

    /// The variables that a program runs with under two libraries.
    pub fn both(one: Vec<(String, String)>, other: Vec<(String, String)>) -> Vec<(String, String)> {
        let mut both = BTreeMap::new();
        for (name, value) in one.into_iter().chain(other) {
            both.entry(name)
                .and_modify(|libraries| *libraries = format!("{libraries}:{value}"))
                .or_insert(value);
        }
        both.into_iter().collect()
    }

    fn library(&self) -> PathBuf {
        self.file("preload.so")
    }
}
