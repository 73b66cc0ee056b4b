use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use names::NodeId;

/// A place in an activity log, between two of its entries, that stays where it is while the log
/// grows. As text it is opaque and fits into a query.
///
/// ```text
/// base64url: node (16 bytes), segment (8), how many of its entries come before in the order read (4)
/// ```
///
/// It says nothing of whose log it is: whoever shows it reads a log by a permit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// The node whose chain it is in.
    pub(super) node: NodeId,
    /// The segment's number.
    pub(super) number: u64,
    /// How many entries of the segment were passed; `WHOLE` when all were.
    pub(super) passed: u32,
}

/// The text is not a cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a cursor of an activity log")]
pub struct InvalidCursor;

impl Cursor {
    /// Behind a whole segment.
    pub(super) fn behind(node: NodeId, number: u64) -> Self {
        Self {
            node,
            number,
            passed: WHOLE,
        }
    }

    /// Whether no entry of the segment is left.
    pub(super) fn is_behind(&self) -> bool {
        self.passed == WHOLE
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = [0; BYTES];
        bytes[..16].copy_from_slice(self.node.bytes());
        bytes[16..24].copy_from_slice(&self.number.to_be_bytes());
        bytes[24..].copy_from_slice(&self.passed.to_be_bytes());
        f.write_str(&URL_SAFE_NO_PAD.encode(bytes))
    }
}

impl FromStr for Cursor {
    type Err = InvalidCursor;

    fn from_str(text: &str) -> Result<Self, InvalidCursor> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| InvalidCursor)?;
        let bytes: [u8; BYTES] = bytes.try_into().map_err(|_| InvalidCursor)?;
        let (node, rest) = bytes.split_at(16);
        let (number, passed) = rest.split_at(8);
        let cursor = Self {
            node: NodeId::from_slice(node).map_err(|_| InvalidCursor)?,
            number: u64::from_be_bytes(number.try_into().map_err(|_| InvalidCursor)?),
            passed: u32::from_be_bytes(passed.try_into().map_err(|_| InvalidCursor)?),
        };
        // A catalog counts to this.
        if i64::try_from(cursor.number).is_err() {
            return Err(InvalidCursor);
        }
        Ok(cursor)
    }
}

/// A node, a number and a count.
const BYTES: usize = 16 + 8 + 4;

/// More entries than a segment has.
const WHOLE: u32 = u32::MAX;
