use std::collections::BTreeMap;

use minicbor::{CborLen, Decode, Encode};
use names::{OrgId, PrincipalId};

use super::agent_record::AgentRecordBody;
use super::error::TenancyError;
use super::record::{ATTEMPTS_MAX, Body, Held, Refused, draft, insertion};
use super::service::{Tenancy, all_of, principal};
use super::task::TaskBody;
use super::team::at_most;
use super::text::Label;
use crate::authz::{Limit, ManageAgents, Operator, Permit, ReadAgents, SubjectKind};
use crate::catalog::{Conflict, RecordKind, RecordQuery, RecordWrite};

/// An agent: a service account of exactly one organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agent {
    /// Whom it acts as; also the name of its home in the Drive.
    pub id: PrincipalId,
    /// What it is like.
    pub profile: AgentProfile,
    /// Whether it works.
    pub state: AgentState,
    /// When it was made, milliseconds since the epoch.
    pub created_ms: u64,
    /// Its state: changes only what it is compared with.
    pub etag: u64,
}

/// What people say about an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentProfile {
    /// What it is called.
    pub name: Label,
    /// Whose costs it makes.
    pub department: Option<Label>,
    /// For what it makes them.
    pub project: Option<Label>,
    /// What else it is told; at most [`SETTINGS_MAX`] of them.
    pub settings: BTreeMap<Label, String>,
}

/// Whether an agent works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum AgentState {
    /// Its credentials do what it was granted.
    Active = 1,
    /// Its credentials are of no use until it is resumed.
    Suspended = 2,
    /// What it kept is being deleted; then it is gone.
    Deleting = 3,
}

/// What the record of an agent holds. Its state is an [`AgentState`].
#[derive(Debug, Clone, Encode, Decode, CborLen)]
#[cbor(map)]
pub(super) struct AgentBody {
    #[n(0)]
    name: String,
    #[n(1)]
    department: Option<String>,
    #[n(2)]
    project: Option<String>,
    #[n(3)]
    settings: BTreeMap<String, String>,
    #[n(4)]
    #[cbor(with = "minicbor::bytes")]
    created_by: [u8; 16],
}

impl Body for AgentBody {
    const KIND: RecordKind = RecordKind::Agent;
}

impl Tenancy {
    /// Makes an agent, which has no right but to its home. Of many at once, no more are made than
    /// the organization's plan allows.
    pub async fn create_agent(
        &self,
        permit: Permit<ManageAgents>,
        profile: AgentProfile,
    ) -> Result<Agent, TenancyError> {
        all_of(&permit, SubjectKind::Agent)?;
        let org = permit.org();
        let id = PrincipalId::from_bytes(self.new_id());
        let body = AgentBody::of(profile, *permit.principal().bytes())?;
        let keys = self.keys(org).await?;
        let drafted = draft::<AgentBody>(*id.bytes(), self.clock.now_ms());
        let write = insertion(&keys, drafted, &body)?;
        let agents_max = self.terms_of(org).await?.limits.of(Limit::Agents);
        let guards = agents_max.map(|max| at_most(RecordKind::Agent, max));
        self.commit_records(org, vec![write], guards.into_iter().collect())
            .await?;
        self.agent_held(org, id).await?.agent()
    }

    /// Makes an agent of an organization that is being provisioned, by an identifier that was drawn
    /// before; one that was made before stands as it is.
    pub async fn provision_agent(
        &self,
        _: &Operator,
        org: OrgId,
        id: PrincipalId,
        profile: AgentProfile,
    ) -> Result<Agent, TenancyError> {
        let body = AgentBody::of(profile, *OrgId::PLATFORM.bytes())?;
        let keys = self.keys(org).await?;
        let drafted = draft::<AgentBody>(*id.bytes(), self.clock.now_ms());
        let write = insertion(&keys, drafted, &body)?;
        match self.commit_records(org, vec![write], Vec::new()).await {
            Ok(()) | Err(Refused::Conflict(Conflict::Exists)) => {}
            Err(refused) => return Err(refused.into()),
        }
        self.agent_held(org, id).await?.agent()
    }

    /// An agent that was made with its organization, unless it was deleted since.
    pub async fn provisioned_agent(
        &self,
        _: &Operator,
        org: OrgId,
        id: PrincipalId,
    ) -> Result<Option<Agent>, TenancyError> {
        match self.agent_held(org, id).await {
            Ok(held) => held.agent().map(Some),
            Err(TenancyError::NoSuch(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Up to `max` agents after one, by age.
    pub async fn agents(
        &self,
        permit: Permit<ReadAgents>,
        after: Option<PrincipalId>,
        max: u32,
    ) -> Result<Vec<Agent>, TenancyError> {
        all_of(&permit, SubjectKind::Agent)?;
        let query = RecordQuery {
            after: after.map(|after| *after.bytes()),
            max,
            ..RecordQuery::default()
        };
        let page = self.records::<AgentBody>(permit.org(), query).await?;
        page.iter().map(Held::agent).collect()
    }

    /// The agent that the permit is for.
    pub async fn agent(&self, permit: Permit<ReadAgents>) -> Result<Agent, TenancyError> {
        let id = principal(&permit, SubjectKind::Agent)?;
        self.agent_held(permit.org(), id).await?.agent()
    }

    /// Says something else about the agent that the permit is for.
    pub async fn change_agent(
        &self,
        permit: Permit<ManageAgents>,
        profile: AgentProfile,
        etag: Option<u64>,
    ) -> Result<Agent, TenancyError> {
        let (org, id) = (permit.org(), principal(&permit, SubjectKind::Agent)?);
        let mut held = self.agent_held(org, id).await?;
        held.expect(etag)?;
        held.body = AgentBody::of(profile, held.body.created_by)?;
        self.replace_agent(org, held).await
    }

    /// Makes the credentials of the agent that the permit is for of no use.
    pub async fn suspend_agent(&self, permit: Permit<ManageAgents>) -> Result<Agent, TenancyError> {
        self.set_agent_state(permit, AgentState::Suspended).await
    }

    /// Lets the agent that the permit is for work again.
    pub async fn resume_agent(&self, permit: Permit<ManageAgents>) -> Result<Agent, TenancyError> {
        self.set_agent_state(permit, AgentState::Active).await
    }

    /// Deletes the agent that the permit is for, with its credentials, seats, grants, records and
    /// tasks; its files are for whoever may delete them. From the first step on it can do nothing
    /// any more; one that was interrupted is deleted again.
    pub async fn delete_agent(
        &self,
        permit: Permit<ManageAgents>,
        etag: Option<u64>,
    ) -> Result<(), TenancyError> {
        let (org, id) = (permit.org(), principal(&permit, SubjectKind::Agent)?);
        let mut held = self.agent_held(org, id).await?;
        held.expect(etag)?;
        if held.state()? != AgentState::Deleting {
            held.row.state = AgentState::Deleting as u8;
            self.replace_agent(org, held).await?;
        }
        self.revoke_all(org, id, |_, _| true).await?;
        self.delete_children::<TaskBody>(org, id).await?;
        self.delete_children::<AgentRecordBody>(org, id).await?;
        for _ in 0..ATTEMPTS_MAX {
            let held = match self.agent_held(org, id).await {
                // Somebody else deletes it, too.
                Err(TenancyError::NoSuch(_)) => return Ok(()),
                held => held?,
            };
            let mut writes = vec![held.deletion()];
            writes.extend(self.deletions_of(org, held.row.id).await?);
            match self.commit_records(org, writes, Vec::new()).await {
                Ok(()) => return Ok(()),
                Err(refused) if refused.is_worth_retrying() => {}
                Err(Refused::Conflict(Conflict::Missing)) => {}
                Err(refused) => return Err(refused.into()),
            }
        }
        Err(TenancyError::Changed)
    }

    async fn set_agent_state(
        &self,
        permit: Permit<ManageAgents>,
        state: AgentState,
    ) -> Result<Agent, TenancyError> {
        let (org, id) = (permit.org(), principal(&permit, SubjectKind::Agent)?);
        let mut held = self.agent_held(org, id).await?;
        match held.state()? {
            AgentState::Deleting => Err(NO_SUCH_AGENT),
            now if now == state => held.agent(),
            _ => {
                held.row.state = state as u8;
                self.replace_agent(org, held).await
            }
        }
    }

    async fn replace_agent(
        &self,
        org: OrgId,
        held: Held<AgentBody>,
    ) -> Result<Agent, TenancyError> {
        let keys = self.keys(org).await?;
        let writes = vec![held.replacement(&keys)?];
        self.commit_records(org, writes, Vec::new()).await?;
        let id = PrincipalId::from_bytes(held.row.id);
        self.agent_held(org, id).await?.agent()
    }

    /// Deletes what belongs to an agent that makes nothing new, however much it is.
    async fn delete_children<B: Body>(
        &self,
        org: OrgId,
        agent: PrincipalId,
    ) -> Result<(), TenancyError> {
        loop {
            let query = RecordQuery {
                parent: Some(*agent.bytes()),
                max: BATCH,
                ..RecordQuery::default()
            };
            let page = self.records::<B>(org, query).await?;
            if page.is_empty() {
                return Ok(());
            }
            let writes: Vec<RecordWrite> = page.iter().map(Held::deletion).collect();
            match self.commit_records(org, writes, Vec::new()).await {
                Ok(()) => {}
                // Somebody else deletes it, too.
                Err(Refused::Conflict(Conflict::Missing | Conflict::Changed)) => {}
                Err(refused) => return Err(refused.into()),
            }
        }
    }

    pub(super) async fn agent_held(
        &self,
        org: OrgId,
        id: PrincipalId,
    ) -> Result<Held<AgentBody>, TenancyError> {
        self.record(org, id.bytes()).await?.ok_or(NO_SUCH_AGENT)
    }

    /// The agent, if it keeps something still.
    pub(super) async fn living_agent(
        &self,
        org: OrgId,
        id: PrincipalId,
    ) -> Result<Held<AgentBody>, TenancyError> {
        let held = self.agent_held(org, id).await?;
        if held.state()? == AgentState::Deleting {
            Err(NO_SUCH_AGENT)
        } else {
            Ok(held)
        }
    }
}

impl AgentBody {
    fn of(profile: AgentProfile, created_by: [u8; 16]) -> Result<Self, TenancyError> {
        let size: usize = profile.settings.values().map(String::len).sum();
        if profile.settings.len() > SETTINGS_MAX || size > SETTINGS_BYTES_MAX {
            return Err(TenancyError::Invalid(
                "an agent has 64 settings of 16,384 bytes together at most",
            ));
        }
        let text = |label: Label| label.as_str().to_owned();
        Ok(Self {
            name: text(profile.name),
            department: profile.department.map(text),
            project: profile.project.map(text),
            settings: profile
                .settings
                .into_iter()
                .map(|(name, value)| (text(name), value))
                .collect(),
            created_by,
        })
    }
}

impl Held<AgentBody> {
    pub(super) fn state(&self) -> Result<AgentState, TenancyError> {
        match self.row.state {
            1 => Ok(AgentState::Active),
            2 => Ok(AgentState::Suspended),
            3 => Ok(AgentState::Deleting),
            _ => Err(TenancyError::misplaced("an agent")),
        }
    }

    pub(super) fn agent(&self) -> Result<Agent, TenancyError> {
        let label =
            |text: &String| Label::parse(text).map_err(|_| TenancyError::misplaced("an agent"));
        let body = &self.body;
        let settings = body.settings.iter();
        Ok(Agent {
            id: PrincipalId::from_bytes(self.row.id),
            profile: AgentProfile {
                name: label(&body.name)?,
                department: body.department.as_ref().map(label).transpose()?,
                project: body.project.as_ref().map(label).transpose()?,
                settings: settings
                    .map(|(name, value)| Ok((label(name)?, value.clone())))
                    .collect::<Result<_, TenancyError>>()?,
            },
            state: self.state()?,
            created_ms: self.row.created_ms,
            etag: self.row.sequence,
        })
    }
}

const NO_SUCH_AGENT: TenancyError = TenancyError::NoSuch("agent");
/// How many settings an agent has at most.
pub const SETTINGS_MAX: usize = 64;
const SETTINGS_BYTES_MAX: usize = 16 << 10;
const BATCH: u32 = 200;
