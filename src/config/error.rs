use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Why the program does not start with these settings. It is always the operator's turn, and the
/// text says where to look; it never holds a secret's value.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file that the operator named cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file: the settings, or one that holds a secret.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// A file that the program keeps cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// A setting is unknown, ill-formed, or does not go with another.
    #[error("{place}: {message}")]
    Invalid {
        /// Where it was set.
        place: Place,
        /// What is wrong with it.
        message: String,
    },
}

/// Where a setting comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A line of the settings file.
    Line {
        /// The file, as the operator named it.
        file: Arc<Path>,
        /// Counted from 1.
        line: usize,
        /// Counted from 1, in characters.
        column: usize,
    },
    /// A file as a whole.
    File(Arc<Path>),
    /// An environment variable.
    Variable(Arc<str>),
    /// Set nowhere: the default of this section and key.
    Default(&'static str, &'static str),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line { file, line, column } => {
                write!(f, "{}:{line}:{column}", file.display())
            }
            Self::File(path) => path.display().fmt(f),
            Self::Variable(name) => write!(f, "variable {name}"),
            Self::Default(section, key) => write!(f, "default of [{section}] {key}"),
        }
    }
}
