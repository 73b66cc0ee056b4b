use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::durable::{directory_of, sync_directory};

/// The checkpoint file, locked against other processes that append to it for as long as this is
/// held. What it does blocks.
pub(crate) struct CheckpointFile {
    file: File,
}

/// How far the file was read.
pub(crate) struct Appended {
    /// Where the last whole line ends.
    pub(crate) end: u64,
    /// Whether more bytes stand behind it: a line that a crash cut short.
    pub(crate) torn: bool,
}

impl CheckpointFile {
    /// Opens the file, made for its owner alone if it is not there, and waits for its lock.
    pub(crate) fn lock(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .mode(0o600)
            .open(path)?;
        file.lock()?;
        if file.metadata()?.len() == 0 {
            // Perhaps made just now: its first line would be lost with its name.
            sync_directory(directory_of(path))?;
        }
        Ok(Self { file })
    }

    /// Opens the file to read it, if it is there, and waits until nobody appends.
    pub(crate) fn lock_shared(path: &Path) -> io::Result<Option<Self>> {
        match File::open(path) {
            Ok(file) => {
                file.lock_shared()?;
                Ok(Some(Self { file }))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Gives the whole lines from `start` on, which is where a line begins, to `each`, without their
    /// ends. What is not UTF-8 becomes a line that no checkpoint is.
    pub(crate) fn each_line_from(
        &mut self,
        start: u64,
        mut each: impl FnMut(&str),
    ) -> io::Result<Appended> {
        let length = self.file.metadata()?.len();
        if length < start {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the checkpoint file has become shorter",
            ));
        }
        self.file.seek(SeekFrom::Start(start))?;
        let mut reader = BufReader::new((&mut self.file).take(length - start));
        let (mut end, mut line) = (start, Vec::new());
        loop {
            line.clear();
            let read = reader.read_until(b'\n', &mut line)?;
            if line.pop() != Some(b'\n') {
                let torn = read > 0;
                return Ok(Appended { end, torn });
            }
            end += read as u64;
            each(&String::from_utf8_lossy(&line));
        }
    }

    /// Appends a line and makes it durable. Returns where it ends. A torn line before it is ended
    /// first, so that this one begins a line.
    pub(crate) fn append(&mut self, line: &str, torn: bool) -> io::Result<u64> {
        let start = if torn { "\n" } else { "" };
        self.file.write_all(format!("{start}{line}\n").as_bytes())?;
        self.file.sync_all()?;
        Ok(self.file.metadata()?.len())
    }
}
