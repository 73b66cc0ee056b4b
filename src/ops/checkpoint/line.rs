use names::{NodeId, OrgId};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::audit::{ChainHead, Head};
use crate::catalog::{RowTag, SealedRowSet};
use crate::keyring::{OrgKeys, RowRefused};
use crate::ops::time::rfc3339;

/// What stood at one time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Checkpoint {
    /// When it was written, milliseconds since the epoch.
    pub(crate) at_ms: u64,
    /// By which process.
    pub(crate) node: NodeId,
    /// The last change of the catalog.
    pub(crate) seq: u64,
    /// The head of the chain of changes.
    pub(crate) head: [u8; 32],
    /// What all rows came to there.
    pub(crate) rows: SealedRowSet,
    /// The chains of activity logs that grew since the checkpoint before.
    pub(crate) logs: Vec<ChainHead>,
    /// SHA-256 of the line before, without its end; zeros in the first.
    pub(crate) previous: [u8; 32],
}

/// A line of a checkpoint file that reads like one. Nothing in it may be believed before
/// [`verify`](Self::verify), or before a later line that holds its hash was verified.
///
/// ```text
/// {"format":1,"at":"…","at_ms":…,"node":"…","seq":…,"head":"…","rows":{"count":…,"sum":"…"},
///  "logs":[{"org":"…","node":"…","segments":…,"hash":"…"}],"previous":"…","key_version":…,
///  "mac":"…"}
/// ```
///
/// The MAC stands under the platform's key, over the text before `,"mac"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line<'a> {
    /// What it says.
    pub(crate) claimed: Checkpoint,
    /// SHA-256 of the line, which the next one holds.
    pub(crate) hash: [u8; 32],
    signed: &'a str,
    tag: RowTag,
}

/// The line is not one of a checkpoint file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is no checkpoint")]
pub(crate) struct NoCheckpoint;

impl Checkpoint {
    /// The line, without its end.
    pub(super) fn sign(&self, platform: &OrgKeys) -> String {
        let text = Text {
            format: FORMAT,
            at: rfc3339(self.at_ms),
            at_ms: self.at_ms,
            node: self.node.to_string(),
            seq: self.seq,
            head: hex::encode(self.head),
            rows: TextRows {
                count: self.rows.rows,
                sum: hex::encode(self.rows.sum),
            },
            logs: self.logs.iter().map(TextLog::from).collect(),
            previous: hex::encode(self.previous),
            key_version: platform.newest_version(),
            mac: None,
        };
        // A struct of texts and numbers has no way to fail.
        let mut line = serde_json::to_string(&text).unwrap_or_default();
        line.pop();
        let tag = platform.authenticate_text(KIND, line.as_bytes());
        line.push_str(MAC);
        line.push_str(&hex::encode(tag.mac));
        line.push_str("\"}");
        line
    }
}

impl<'a> Line<'a> {
    /// Reads a line without its end.
    pub(crate) fn read(line: &'a str) -> Result<Self, NoCheckpoint> {
        let text: Text = serde_json::from_str(line).map_err(|_| NoCheckpoint)?;
        let (signed, _) = line.rsplit_once(MAC).ok_or(NoCheckpoint)?;
        if text.format != FORMAT {
            return Err(NoCheckpoint);
        }
        Ok(Self {
            claimed: Checkpoint {
                at_ms: text.at_ms,
                node: parse(&text.node)?,
                seq: text.seq,
                head: hash(&text.head)?,
                rows: SealedRowSet {
                    rows: text.rows.count,
                    sum: hash(&text.rows.sum)?,
                },
                logs: text
                    .logs
                    .iter()
                    .map(TextLog::read)
                    .collect::<Result<_, _>>()?,
                previous: hash(&text.previous)?,
            },
            hash: Sha256::digest(line).into(),
            signed,
            tag: RowTag {
                key_version: text.key_version,
                mac: hash(text.mac.as_deref().unwrap_or_default())?,
            },
        })
    }

    /// Checks its MAC. [`RowRefused::NoKey`] when the version of the platform's key that signed it
    /// has been rotated away.
    pub(crate) fn verify(&self, platform: &OrgKeys) -> Result<(), RowRefused> {
        platform.verify_text(KIND, self.signed.as_bytes(), self.tag)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    format: u32,
    at: String,
    at_ms: u64,
    node: String,
    seq: u64,
    head: String,
    rows: TextRows,
    logs: Vec<TextLog>,
    previous: String,
    key_version: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    mac: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TextRows {
    count: i64,
    sum: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TextLog {
    org: String,
    node: String,
    segments: u64,
    hash: String,
}

impl From<&ChainHead> for TextLog {
    fn from(chain: &ChainHead) -> Self {
        Self {
            org: chain.org.to_string(),
            node: chain.node.to_string(),
            segments: chain.head.segments,
            hash: hex::encode(chain.head.hash),
        }
    }
}

impl TextLog {
    fn read(&self) -> Result<ChainHead, NoCheckpoint> {
        Ok(ChainHead {
            org: parse::<OrgId>(&self.org)?,
            node: parse(&self.node)?,
            head: Head {
                segments: self.segments,
                hash: hash(&self.hash)?,
            },
        })
    }
}

fn parse<T: std::str::FromStr>(text: &str) -> Result<T, NoCheckpoint> {
    text.parse().map_err(|_| NoCheckpoint)
}

fn hash(text: &str) -> Result<[u8; 32], NoCheckpoint> {
    let mut hash = [0; 32];
    hex::decode_to_slice(text, &mut hash).map_err(|_| NoCheckpoint)?;
    Ok(hash)
}

const FORMAT: u32 = 1;
/// What the MAC is bound to, besides the platform and its key.
const KIND: &str = "checkpoints";
const MAC: &str = ",\"mac\":\"";
