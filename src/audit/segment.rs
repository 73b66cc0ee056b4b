use std::convert::Infallible;

use minicbor::{Decoder, Encoder, decode, encode};
use names::{NodeId, OrgId};
use sha2::{Digest, Sha256};

use super::entry::Entry;
use crate::catalog::AuditSegmentRow;
use crate::keyring::{OrgKeys, Record, RowRefused};

/// What a sealed segment holds. The hash of these bytes goes into the segment after it: a hash of
/// plaintext, so that wrapping a record under another key leaves the chain whole.
///
/// ```text
/// CBOR: [ 1 (version), the hash of the segment before (32 bytes, zeros for number 0),
///         when it was written (ms, never before the one before), [ entry, … ] ]
/// ```
pub(super) struct Segment {
    /// SHA-256 of the plaintext of the segment before.
    pub(super) previous: Hash,
    /// When it was made, milliseconds since the epoch. Never goes back within a chain, even if the
    /// calendar is set back.
    pub(super) written_ms: u64,
    /// What happened, in the order in which it was recorded.
    pub(super) entries: Vec<Entry>,
}

/// A SHA-256.
pub(super) type Hash = [u8; 32];

/// The plaintext of a segment with what its row says in clear.
pub(super) struct Plaintext {
    /// The encoded segment.
    pub(super) bytes: Vec<u8>,
    /// Its hash.
    pub(super) hash: Hash,
    /// When it was made.
    pub(super) written_ms: u64,
    /// When the first event in it happened.
    pub(super) first_ms: u64,
    /// When the last did.
    pub(super) last_ms: u64,
    /// How many events are in it.
    pub(super) events: u64,
}

impl Segment {
    /// Writes it down.
    pub(super) fn encode(&self) -> Result<Plaintext, encode::Error<Infallible>> {
        let mut encoder = Encoder::new(Vec::new());
        encoder
            .array(4)?
            .u8(VERSION)?
            .bytes(&self.previous)?
            .u64(self.written_ms)?
            .encode(&self.entries)?;
        let bytes = encoder.into_writer();
        let (first_ms, last_ms) = self.span();
        Ok(Plaintext {
            hash: hash(&bytes),
            bytes,
            written_ms: self.written_ms,
            first_ms,
            last_ms,
            events: self.entries.iter().map(|entry| entry.count).sum(),
        })
    }

    /// Reads what [`encode`](Self::encode) wrote, all of it.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, decode::Error> {
        let mut decoder = Decoder::new(bytes);
        if decoder.array()? != Some(4) || decoder.u8()? != VERSION {
            return Err(decode::Error::message("not a segment of version 1"));
        }
        let previous = decoder
            .bytes()?
            .try_into()
            .map_err(|_| decode::Error::message("a hash has 32 bytes"))?;
        let written_ms = decoder.u64()?;
        let entries = decoder.decode()?;
        if decoder.position() != bytes.len() {
            return Err(decode::Error::message("bytes behind the segment"));
        }
        Ok(Self {
            previous,
            written_ms,
            entries,
        })
    }

    /// When the first and the last event in it happened. Requests end in another order than they
    /// began in, so neither is at a known place.
    pub(super) fn span(&self) -> (u64, u64) {
        let first = self.entries.iter().map(|entry| entry.at_ms).min();
        let last = self.entries.iter().map(|entry| entry.until_ms).max();
        (first.unwrap_or(0), last.unwrap_or(0))
    }

    /// Checks that its row, by which it is found, gives the times that it holds.
    pub(super) fn check_span(&self, row: &AuditSegmentRow) -> Result<(), String> {
        if self.span() == (row.first_ms, row.last_ms) {
            Ok(())
        } else {
            Err("its row gives other times than it holds".to_owned())
        }
    }
}

impl Plaintext {
    /// Seals it for its place.
    pub(super) fn seal(
        &self,
        keys: &OrgKeys,
        node: NodeId,
        number: u64,
    ) -> Result<AuditSegmentRow, RowRefused> {
        let sealed = at(keys.org(), node, number, |record| {
            keys.seal_record(record, &self.bytes)
        })?;
        Ok(AuditSegmentRow {
            org: keys.org(),
            node,
            number,
            first_ms: self.first_ms,
            last_ms: self.last_ms,
            sealed,
            key_version: keys.newest_version(),
        })
    }
}

/// Opens the segment that `row` holds as number `number` of `node`'s chain, and returns it with
/// the hash of its plaintext.
pub(super) fn open(
    keys: &OrgKeys,
    node: NodeId,
    number: u64,
    row: &AuditSegmentRow,
) -> Result<(Segment, Hash), String> {
    let bytes = at(keys.org(), node, number, |record| {
        keys.open_record(record, &row.sealed)
    })
    .map_err(|error| error.to_string())?;
    let segment = Segment::decode(&bytes).map_err(|error| error.to_string())?;
    Ok((segment, hash(&bytes)))
}

/// Opens the segment that `row` holds in its own place, if its row gives the times that it holds.
pub(super) fn open_row(keys: &OrgKeys, row: &AuditSegmentRow) -> Result<(Segment, Hash), String> {
    let (segment, hash) = open(keys, row.node, row.number, row)?;
    segment.check_span(row)?;
    Ok((segment, hash))
}

/// Hands over the place of a segment's record.
fn at<T>(org: OrgId, node: NodeId, number: u64, act: impl FnOnce(Record<'_>) -> T) -> T {
    act(Record {
        table: "audit_segments",
        primary_key: &[org.bytes(), node.bytes(), &number.to_be_bytes()],
        column: "events",
    })
}

fn hash(bytes: &[u8]) -> Hash {
    Sha256::digest(bytes).into()
}

/// The first item of every segment.
const VERSION: u8 = 1;
