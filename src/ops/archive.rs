use bytes::Bytes;
use sha2::{Digest, Sha256};
use tar::{Builder, EntryType, Header};

/// Writes a tar archive (POSIX.1-2001, "pax") entry by entry, in memory that does not grow with
/// it. After every [`LINES_MAX`] entries, and at the end, an entry of the manifest tells the
/// SHA-256 of each; the last of all, `MANIFEST.json`, tells how many there were and sums the
/// manifest up: an archive that does not end with it was cut.
pub struct Archive {
    lines: Vec<u8>,
    lines_count: usize,
    entries: u64,
    parts: u64,
    manifest: Sha256,
    at_seconds: u64,
    entry: Option<Entry>,
}

/// The entry that is being written.
struct Entry {
    name: String,
    size: u64,
    written: u64,
    hash: Sha256,
}

/// The entry that was begun has another size than was said: the archive cannot go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the entry {0} does not have the size that was said")]
pub struct WrongSize(String);

impl Archive {
    /// An empty one; its entries carry a time.
    pub fn new(at_ms: u64) -> Self {
        Self {
            lines: Vec::new(),
            lines_count: 0,
            entries: 0,
            parts: 0,
            manifest: Sha256::new(),
            at_seconds: at_ms / 1_000,
            entry: None,
        }
    }

    /// Begins an entry of `size` bytes: what stands before them.
    pub fn begin(&mut self, name: String, size: u64) -> Bytes {
        let head = head(&name, size, self.at_seconds);
        self.entry = Some(Entry {
            name,
            size,
            written: 0,
            hash: Sha256::new(),
        });
        head.into()
    }

    /// Counts a piece of the entry that was begun.
    pub fn count(&mut self, piece: &[u8]) {
        if let Some(entry) = &mut self.entry {
            entry.hash.update(piece);
            entry.written += piece.len() as u64;
        }
    }

    /// Ends the entry that was begun: what stands after its bytes.
    pub fn end(&mut self) -> Result<Bytes, WrongSize> {
        let Some(entry) = self.entry.take() else {
            return Ok(Bytes::new());
        };
        if entry.written != entry.size {
            return Err(WrongSize(entry.name));
        }
        let sum = hex::encode(entry.hash.finalize());
        let line = serde_json::json!({ "name": entry.name, "size": entry.size, "sha256": sum });
        self.lines.extend_from_slice(line.to_string().as_bytes());
        self.lines.push(b'\n');
        self.lines_count += 1;
        self.entries += 1;
        let mut after = padding(entry.size);
        if self.lines_count >= LINES_MAX {
            after.extend(self.manifest_part());
        }
        Ok(after.into())
    }

    /// The end of the archive.
    pub fn close(mut self) -> Bytes {
        let mut all = match self.lines_count {
            0 => Vec::new(),
            _ => self.manifest_part(),
        };
        let summary = serde_json::json!({
            "entries": self.entries,
            "manifests": self.parts,
            "sha256": hex::encode(self.manifest.finalize()),
        });
        all.extend(plain(
            "MANIFEST.json",
            summary.to_string().as_bytes(),
            self.at_seconds,
        ));
        // Two blocks of zeros end an archive.
        all.resize(all.len() + 2 * BLOCK, 0);
        all.into()
    }

    fn manifest_part(&mut self) -> Vec<u8> {
        self.parts += 1;
        self.lines_count = 0;
        let lines = std::mem::take(&mut self.lines);
        self.manifest.update(&lines);
        let name = format!("manifest/{:08}.jsonl", self.parts);
        plain(&name, &lines, self.at_seconds)
    }
}

/// A name of an entry that stays below `folder` wherever it is unpacked: each segment of what is
/// below, parted by `/`, is kept but for `%`, control characters and backslashes, which are
/// percent-encoded, as are the dots of `.` and `..`; an empty segment becomes a lone `%`.
pub fn entry_name(folder: &str, below: &str) -> String {
    let mut name = folder.to_owned();
    for segment in below.split('/') {
        name.push('/');
        match segment {
            "" => name.push('%'),
            "." => name.push_str("%2E"),
            ".." => name.push_str("%2E%2E"),
            other => {
                for character in other.chars() {
                    if character == '%' || character == '\\' || character.is_control() {
                        let mut bytes = [0; 4];
                        for byte in character.encode_utf8(&mut bytes).bytes() {
                            name.push_str(&format!("%{byte:02X}"));
                        }
                    } else {
                        name.push(character);
                    }
                }
            }
        }
    }
    name
}

fn plain(name: &str, bytes: &[u8], at_seconds: u64) -> Vec<u8> {
    let mut all = head(name, bytes.len() as u64, at_seconds);
    all.extend_from_slice(bytes);
    all.extend(padding(bytes.len() as u64));
    all
}

/// Extended header and header. Name and size stand in the extended one, which knows no bounds.
fn head(name: &str, size: u64, at_seconds: u64) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    let size_text = size.to_string();
    let extensions = [("path", name.as_bytes()), ("size", size_text.as_bytes())];
    let mut all = match builder.append_pax_extensions(extensions) {
        Ok(()) => std::mem::take(builder.get_mut()),
        // A vector takes all that is written.
        Err(_) => Vec::new(),
    };
    let mut header = Header::new_ustar();
    header.set_entry_type(EntryType::Regular);
    header.set_mode(0o600);
    header.set_mtime(at_seconds);
    header.set_size(size);
    // What reads no extended headers sees at least how the name begins.
    let short: String = name.chars().filter(char::is_ascii).take(99).collect();
    for (place, byte) in header.as_old_mut().name.iter_mut().zip(short.bytes()) {
        *place = byte;
    }
    header.set_cksum();
    all.extend_from_slice(header.as_bytes());
    all
}

fn padding(size: u64) -> Vec<u8> {
    let over = (size % BLOCK as u64) as usize;
    vec![0; (BLOCK - over) % BLOCK]
}

const BLOCK: usize = 512;
const LINES_MAX: usize = 1_000;
