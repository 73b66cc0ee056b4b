use minicbor::{CborLen, Decode, Encode};
use names::PrincipalId;

use super::error::TenancyError;
use super::record::{Body, Held, Refused, draft, insertion};
use super::service::Tenancy;
use super::text::{Label, Value};
use crate::authz::{Action, Permit, ReadAgentRecords, WriteAgentRecords};
use crate::catalog::{Conflict, RecordKind, RecordQuery};
use crate::keyring::RecordDraft;

/// Something that an agent keeps as its context: a skill, a setting, a piece of knowledge or a
/// conversation, under a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentRecord {
    /// What it is.
    pub kind: AgentRecordKind,
    /// Under which name.
    pub name: Label,
    /// What it says.
    pub value: Value,
    /// When it was first written, milliseconds since the epoch.
    pub created_ms: u64,
    /// When it was last written.
    pub modified_ms: u64,
    /// Its state: changes only what it is compared with.
    pub etag: u64,
}

/// What an agent keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum AgentRecordKind {
    /// How to do something.
    Skill = 1,
    /// How it is set.
    Setting = 2,
    /// What it knows.
    Knowledge = 3,
    /// What was said.
    Conversation = 4,
}

/// What must be there when a record is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// Anything or nothing.
    Any,
    /// Nothing.
    Absent,
    /// The record in this state.
    Etag(u64),
}

/// Where a listing of records goes on. Opaque to callers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordCursor([u8; 16]);

/// A page of a listing.
#[derive(Debug, Clone)]
pub struct RecordPage<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// Where to go on, if there may be more.
    pub next: Option<RecordCursor>,
}

/// What the record holds. Its parent is the agent, its state the kind, its lookup the name.
#[derive(Debug, Clone, Encode, Decode, CborLen)]
#[cbor(map)]
pub(super) struct AgentRecordBody {
    #[n(0)]
    name: String,
    #[n(1)]
    is_json: bool,
    #[n(2)]
    value: String,
    #[n(3)]
    modified_ms: u64,
}

impl Body for AgentRecordBody {
    const KIND: RecordKind = RecordKind::AgentRecord;
}

impl AgentRecordKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [
        Self::Skill,
        Self::Setting,
        Self::Knowledge,
        Self::Conversation,
    ];

    /// As people write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Skill => "skill",
            Self::Setting => "setting",
            Self::Knowledge => "knowledge",
            Self::Conversation => "conversation",
        }
    }

    /// The kind that is written so.
    pub fn named(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

impl RecordCursor {
    /// Takes the text that [`Display`](std::fmt::Display) gave.
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 16];
        hex::decode_to_slice(text, &mut bytes).ok()?;
        Some(Self(bytes))
    }

    pub(super) fn after(id: [u8; 16]) -> Self {
        Self(id)
    }

    pub(super) fn id(self) -> [u8; 16] {
        self.0
    }
}

impl std::fmt::Display for RecordCursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl Tenancy {
    /// Up to `max` records of a kind, or of all, that the agent keeps, in an order of no meaning
    /// that stays.
    pub async fn agent_records(
        &self,
        permit: Permit<ReadAgentRecords>,
        kind: Option<AgentRecordKind>,
        after: Option<RecordCursor>,
        max: u32,
    ) -> Result<RecordPage<AgentRecord>, TenancyError> {
        self.living_agent(permit.org(), permit.agent()).await?;
        let query = RecordQuery {
            parent: Some(*permit.agent().bytes()),
            state: kind.map(|kind| kind as u8),
            after: after.map(RecordCursor::id),
            max,
        };
        let page = self.records::<AgentRecordBody>(permit.org(), query).await?;
        let is_full = page.len() == max as usize;
        Ok(RecordPage {
            next: page
                .last()
                .filter(|_| is_full)
                .map(|held| RecordCursor::after(held.row.id)),
            items: page
                .iter()
                .map(Held::agent_record)
                .collect::<Result<_, _>>()?,
        })
    }

    /// A record that the agent keeps.
    pub async fn agent_record_named(
        &self,
        permit: Permit<ReadAgentRecords>,
        kind: AgentRecordKind,
        name: &Label,
    ) -> Result<AgentRecord, TenancyError> {
        let held = self.agent_record_held(&permit, kind, name).await?;
        held.ok_or(NO_SUCH_RECORD)?.agent_record()
    }

    /// Writes a record that the agent keeps.
    pub async fn put_agent_record(
        &self,
        permit: Permit<WriteAgentRecords>,
        kind: AgentRecordKind,
        name: &Label,
        value: Value,
        expected: Expected,
    ) -> Result<AgentRecord, TenancyError> {
        let (org, agent) = (permit.org(), permit.agent());
        let living = self.living_agent(org, agent).await?;
        let now_ms = self.clock.now_ms();
        let (is_json, text) = value.parts();
        let body = AgentRecordBody {
            name: name.as_str().to_owned(),
            is_json,
            value: text.to_owned(),
            modified_ms: now_ms,
        };
        let before = self.agent_record_held(&permit, kind, name).await?;
        let keys = self.keys(org).await?;
        let write = match (before, expected) {
            (Some(_), Expected::Absent) | (None, Expected::Etag(_)) => {
                return Err(TenancyError::Changed);
            }
            (Some(before), expected) => {
                if let Expected::Etag(etag) = expected {
                    before.expect(Some(etag))?;
                }
                Held {
                    row: before.row,
                    body,
                }
                .replacement(&keys)?
            }
            (None, _) => {
                let draft = RecordDraft {
                    parent: Some(*agent.bytes()),
                    lookup: Some(self.agent_record_lookup(&permit, kind, name).await?),
                    state: kind as u8,
                    ..draft::<AgentRecordBody>(self.new_id(), now_ms)
                };
                insertion(&keys, draft, &body)?
            }
        };
        // An agent that is being deleted keeps nothing new.
        let guards = vec![living.unchanged()];
        match self.commit_records(org, vec![write], guards).await {
            Ok(()) => {}
            Err(Refused::Conflict(Conflict::Exists | Conflict::Missing)) => {
                return Err(TenancyError::Changed);
            }
            Err(refused) => return Err(refused.into()),
        }
        let held = self.agent_record_held(&permit, kind, name).await?;
        held.ok_or(TenancyError::Changed)?.agent_record()
    }

    /// Deletes a record that the agent keeps.
    pub async fn delete_agent_record(
        &self,
        permit: Permit<WriteAgentRecords>,
        kind: AgentRecordKind,
        name: &Label,
        etag: Option<u64>,
    ) -> Result<(), TenancyError> {
        let held = self.agent_record_held(&permit, kind, name).await?;
        let held = held.ok_or(NO_SUCH_RECORD)?;
        held.expect(etag)?;
        match self
            .commit_records(permit.org(), vec![held.deletion()], Vec::new())
            .await
        {
            Err(Refused::Conflict(Conflict::Missing)) => Err(NO_SUCH_RECORD),
            done => Ok(done?),
        }
    }

    async fn agent_record_held<A>(
        &self,
        permit: &Permit<A>,
        kind: AgentRecordKind,
        name: &Label,
    ) -> Result<Option<Held<AgentRecordBody>>, TenancyError>
    where
        A: Action<Resource = crate::authz::OfHome>,
    {
        let lookup = self.agent_record_lookup(permit, kind, name).await?;
        let held = self.record_by_lookup::<AgentRecordBody>(permit.org(), &lookup);
        match held.await? {
            Some(held) if held.row.parent != Some(*permit.agent().bytes()) => {
                Err(TenancyError::misplaced("a record of an agent"))
            }
            held => Ok(held),
        }
    }

    async fn agent_record_lookup<A>(
        &self,
        permit: &Permit<A>,
        kind: AgentRecordKind,
        name: &Label,
    ) -> Result<[u8; 32], TenancyError>
    where
        A: Action<Resource = crate::authz::OfHome>,
    {
        let agent: PrincipalId = permit.agent();
        let mut named = agent.bytes().to_vec();
        named.push(kind as u8);
        named.extend_from_slice(name.as_str().as_bytes());
        Ok(self.keyring.names(permit).await?.lookup(LOOKUP, &named))
    }
}

impl Held<AgentRecordBody> {
    fn agent_record(&self) -> Result<AgentRecord, TenancyError> {
        let misplaced = || TenancyError::misplaced("a record of an agent");
        let mut kinds = AgentRecordKind::ALL.into_iter();
        let kind = kinds.find(|kind| *kind as u8 == self.row.state);
        Ok(AgentRecord {
            kind: kind.ok_or_else(misplaced)?,
            name: Label::parse(&self.body.name).map_err(|_| misplaced())?,
            value: Value::of(self.body.is_json, self.body.value.clone()),
            created_ms: self.row.created_ms,
            modified_ms: self.body.modified_ms,
            etag: self.row.sequence,
        })
    }
}

const NO_SUCH_RECORD: TenancyError = TenancyError::NoSuch("record");
/// The kind of the names that are those of agents' records.
const LOOKUP: &str = "agent-record";
