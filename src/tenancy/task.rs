use minicbor::{CborLen, Decode, Encode};
use names::TaskId;

use super::agent_record::{RecordCursor, RecordPage};
use super::error::TenancyError;
use super::record::{Body, Held, draft, insertion};
use super::service::Tenancy;
use super::text::{Label, Value};
use crate::authz::{Permit, ReadAgentRecords, WriteAgentRecords};
use crate::catalog::{RecordKind, RecordQuery};
use crate::keyring::RecordDraft;

/// An entry in the task history of an agent. It is never changed, and deleted only with the agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// Which.
    pub id: TaskId,
    /// What was done, in a line.
    pub title: Label,
    /// What else there is to say.
    pub detail: Value,
    /// When it was written down, milliseconds since the epoch.
    pub at_ms: u64,
}

/// What the record of a task holds. Its parent is the agent.
#[derive(Debug, Clone, Encode, Decode, CborLen)]
#[cbor(map)]
pub(super) struct TaskBody {
    #[n(0)]
    title: String,
    #[n(1)]
    is_json: bool,
    #[n(2)]
    detail: String,
}

impl Body for TaskBody {
    const KIND: RecordKind = RecordKind::Task;
}

impl Tenancy {
    /// Appends to the task history of the agent.
    pub async fn append_task(
        &self,
        permit: Permit<WriteAgentRecords>,
        title: &Label,
        detail: &Value,
    ) -> Result<Task, TenancyError> {
        let (org, agent) = (permit.org(), permit.agent());
        let living = self.living_agent(org, agent).await?;
        let now_ms = self.clock.now_ms();
        let id = TaskId::from_bytes(self.entropy.uuid_v7(now_ms));
        let (is_json, text) = detail.parts();
        let body = TaskBody {
            title: title.as_str().to_owned(),
            is_json,
            detail: text.to_owned(),
        };
        let draft = RecordDraft {
            parent: Some(*agent.bytes()),
            ..draft::<TaskBody>(*id.bytes(), now_ms)
        };
        let keys = self.keys(org).await?;
        let write = insertion(&keys, draft, &body)?;
        // An agent that is being deleted does nothing new.
        self.commit_records(org, vec![write], vec![living.unchanged()])
            .await?;
        Ok(Task {
            id,
            title: title.clone(),
            detail: detail.clone(),
            at_ms: now_ms,
        })
    }

    /// Up to `max` entries of the task history from `from_ms` until before `until_ms`, oldest
    /// first, or where a page has ended.
    pub async fn tasks(
        &self,
        permit: Permit<ReadAgentRecords>,
        from_ms: u64,
        until_ms: u64,
        after: Option<RecordCursor>,
        max: u32,
    ) -> Result<RecordPage<Task>, TenancyError> {
        self.living_agent(permit.org(), permit.agent()).await?;
        let query = RecordQuery {
            parent: Some(*permit.agent().bytes()),
            state: None,
            after: Some(after.map_or_else(|| before(from_ms), RecordCursor::id)),
            max,
        };
        let page = self.records::<TaskBody>(permit.org(), query).await?;
        let is_full = page.len() == max as usize;
        let (mut items, mut last) = (Vec::new(), None);
        for held in &page {
            if held.row.created_ms >= until_ms {
                last = None;
                break;
            }
            last = Some(RecordCursor::after(held.row.id)).filter(|_| is_full);
            if held.row.created_ms >= from_ms {
                items.push(held.task()?);
            }
        }
        Ok(RecordPage { items, next: last })
    }
}

impl Held<TaskBody> {
    fn task(&self) -> Result<Task, TenancyError> {
        Ok(Task {
            id: TaskId::from_bytes(self.row.id),
            title: Label::parse(&self.body.title).map_err(|_| TenancyError::misplaced("a task"))?,
            detail: Value::of(self.body.is_json, self.body.detail.clone()),
            at_ms: self.row.created_ms,
        })
    }
}

/// The highest identifier that comes before all of a time: a UUIDv7 begins with it.
fn before(ms: u64) -> [u8; 16] {
    let mut id = [0xff; 16];
    match ms.checked_sub(1) {
        Some(before) => id[..6].copy_from_slice(&before.to_be_bytes()[2..]),
        None => id = [0; 16],
    }
    id
}
