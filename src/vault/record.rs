use std::collections::BTreeMap;

use minicbor::{CborLen, Decode, Decoder, Encode};
use names::SecretPath;
use zeroize::Zeroizing;

use super::due::Due;
use super::error::VaultError;
use super::model::{Description, Kind, Settings, State, Value, VersionInfo, VersionState};
use super::policy::StoredPolicy;
use crate::catalog::RecordRow;

/// A secret as its record has it: what is shown of it, and which record holds each value.
#[derive(Debug, Clone)]
pub(super) struct Held {
    pub(super) description: Description,
    /// The records of the versions, in their order; destroyed ones have none.
    pub(super) values: Vec<[u8; 16]>,
    /// Counts versions: numbers are never given twice.
    pub(super) last_number: u64,
    /// Up to when it has been told what time brought to the secret.
    pub(super) told_ms: u64,
}

/// The record of a secret as CBOR.
#[derive(Encode, Decode, CborLen)]
#[cbor(map)]
struct Stored {
    #[n(0)]
    path: String,
    #[n(1)]
    suffix: String,
    #[n(2)]
    kind: u8,
    #[n(3)]
    description: String,
    #[n(4)]
    tags: BTreeMap<String, String>,
    #[n(5)]
    versions: Vec<StoredVersion>,
    #[n(6)]
    last_number: u64,
    #[n(7)]
    versions_max: Option<u32>,
    #[n(8)]
    check_required: bool,
    #[n(9)]
    delete_versions_after_ms: Option<u64>,
    #[n(10)]
    expires_ms: Option<u64>,
    #[n(11)]
    remind_ms: Option<u64>,
    #[n(12)]
    custom: BTreeMap<String, String>,
    #[n(13)]
    changed_ms: u64,
    #[n(15)]
    told_ms: u64,
    #[n(16)]
    policy: Option<StoredPolicy>,
}

#[derive(Encode, Decode, CborLen)]
#[cbor(map)]
struct StoredVersion {
    #[n(0)]
    number: u64,
    #[n(1)]
    name: String,
    #[n(2)]
    stages: Vec<String>,
    #[n(3)]
    created_ms: u64,
    #[n(4)]
    deleted_ms: Option<u64>,
    #[n(5)]
    is_destroyed: bool,
    #[cbor(n(6), with = "minicbor::bytes")]
    value: [u8; 16],
}

/// The record of a version as CBOR.
#[derive(Encode, Decode, CborLen)]
#[cbor(map)]
struct StoredValue<'a> {
    #[n(0)]
    is_text: bool,
    #[cbor(b(1), with = "minicbor::bytes")]
    bytes: &'a [u8],
}

impl Held {
    pub(super) fn encode(&self) -> Result<Vec<u8>, VaultError> {
        let Description {
            path,
            suffix,
            kind,
            description,
            tags,
            settings,
            policy,
            versions,
            changed_ms,
            ..
        } = &self.description;
        let stored = Stored {
            path: path.to_string(),
            suffix: suffix.clone(),
            kind: *kind as u8,
            description: description.clone(),
            tags: tags.clone(),
            versions: versions
                .iter()
                .zip(&self.values)
                .map(|(version, value)| StoredVersion {
                    number: version.number,
                    name: version.name.clone(),
                    stages: version.stages.clone(),
                    created_ms: version.created_ms,
                    deleted_ms: match version.state {
                        VersionState::Deleted { at_ms } => Some(at_ms),
                        VersionState::Live | VersionState::Destroyed => None,
                    },
                    is_destroyed: version.state == VersionState::Destroyed,
                    value: *value,
                })
                .collect(),
            last_number: self.last_number,
            versions_max: settings.versions_max,
            check_required: settings.check_required,
            delete_versions_after_ms: settings.delete_versions_after_ms,
            expires_ms: settings.expires_ms,
            remind_ms: settings.remind_ms,
            custom: settings.custom.clone(),
            changed_ms: *changed_ms,
            told_ms: self.told_ms,
            policy: policy.as_ref().map(StoredPolicy::of),
        };
        minicbor::to_vec(&stored).map_err(VaultError::damaged)
    }

    /// Reads what [`encode`](Self::encode) wrote into the record of `row`.
    pub(super) fn decode(row: &RecordRow, bytes: &[u8]) -> Result<Self, VaultError> {
        let stored: Stored = whole(bytes)?;
        let path = SecretPath::parse(&stored.path).map_err(VaultError::damaged)?;
        let kind = Kind::ALL
            .into_iter()
            .find(|kind| *kind as u8 == stored.kind)
            .ok_or_else(unreadable)?;
        let values = stored.versions.iter().map(|version| version.value);
        Ok(Self {
            values: values.collect(),
            last_number: stored.last_number,
            told_ms: stored.told_ms,
            description: Description {
                path,
                id: row.id,
                suffix: stored.suffix,
                kind,
                description: stored.description,
                tags: stored.tags,
                settings: Settings {
                    versions_max: stored.versions_max,
                    check_required: stored.check_required,
                    delete_versions_after_ms: stored.delete_versions_after_ms,
                    expires_ms: stored.expires_ms,
                    remind_ms: stored.remind_ms,
                    custom: stored.custom,
                },
                policy: match stored.policy {
                    Some(policy) => Some(policy.read().ok_or_else(unreadable)?),
                    None => None,
                },
                state: match (row.state, row.expires_ms) {
                    (ACTIVE, _) => State::Active,
                    (DELETED, Some(at_ms)) => State::Deleted { at_ms },
                    _ => return Err(unreadable()),
                },
                versions: stored
                    .versions
                    .into_iter()
                    .map(|version| VersionInfo {
                        number: version.number,
                        name: version.name,
                        stages: version.stages,
                        created_ms: version.created_ms,
                        state: match (version.is_destroyed, version.deleted_ms) {
                            (true, _) => VersionState::Destroyed,
                            (false, Some(at_ms)) => VersionState::Deleted { at_ms },
                            (false, None) => VersionState::Live,
                        },
                    })
                    .collect(),
                created_ms: row.created_ms,
                changed_ms: stored.changed_ms,
                sequence: row.sequence,
            },
        })
    }

    /// The state and the end of the record. A secret in use ends nowhere: there stands when
    /// something is next to be told of it.
    pub(super) fn row_state(&self) -> (u8, Option<u64>) {
        match self.description.state {
            State::Active => (ACTIVE, self.next_due_ms()),
            State::Deleted { at_ms } => (DELETED, Some(at_ms)),
        }
    }

    fn next_due_ms(&self) -> Option<u64> {
        let times = Due::of(&self.description.settings).map(|(_, at_ms)| at_ms);
        times.filter(|at_ms| *at_ms > self.told_ms).min()
    }
}

/// A value as its record holds it, in a buffer that is wiped and never grows.
pub(super) fn encode_value(value: &Value) -> Result<Zeroizing<Vec<u8>>, VaultError> {
    let stored = StoredValue {
        is_text: value.is_text(),
        bytes: value.expose(),
    };
    let mut bytes = Zeroizing::new(Vec::with_capacity(minicbor::len(&stored)));
    minicbor::encode(&stored, &mut *bytes).map_err(VaultError::damaged)?;
    Ok(bytes)
}

/// Reads what [`encode_value`] wrote.
pub(super) fn decode_value(bytes: &[u8]) -> Result<Value, VaultError> {
    let stored: StoredValue<'_> = whole(bytes)?;
    if !stored.is_text {
        return Ok(Value::Binary(Zeroizing::new(stored.bytes.to_vec())));
    }
    let text = std::str::from_utf8(stored.bytes).map_err(|_| unreadable())?;
    Ok(Value::Text(Zeroizing::new(text.to_owned())))
}

pub(super) fn whole<'a, T: Decode<'a, ()>>(bytes: &'a [u8]) -> Result<T, VaultError> {
    let mut decoder = Decoder::new(bytes);
    let value = decoder.decode().map_err(|_| unreadable())?;
    if decoder.position() == bytes.len() {
        Ok(value)
    } else {
        Err(unreadable())
    }
}

/// An authentic record that this program does not write.
pub(super) fn unreadable() -> VaultError {
    VaultError::damaged("a secret's record is unreadable")
}

const ACTIVE: u8 = 1;
const DELETED: u8 = 2;
