use std::io;

use serde::Serialize;
use zeroize::Zeroizing;

/// JSON in a buffer that is wiped, and that never grows: what grew would leave copies behind.
///
/// # Errors
/// What the value's own serialization gives rise to.
pub fn wiped_json(value: &impl Serialize) -> serde_json::Result<Zeroizing<Vec<u8>>> {
    let mut length = Length(0);
    serde_json::to_writer(&mut length, value)?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(length.0));
    serde_json::to_writer(&mut *bytes, value)?;
    Ok(bytes)
}

/// Counts what is written.
struct Length(usize);

impl io::Write for Length {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
