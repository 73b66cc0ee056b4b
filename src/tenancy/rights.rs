use std::sync::Arc;
use std::time::Duration;

use moka::sync::Cache;
use names::{OrgId, PrincipalId, TeamId};

use super::agent::{AgentBody, AgentState};
use super::error::TenancyError;
use super::grant::{GrantBody, GrantSubject};
use super::member::MemberBody;
use super::record::Held;
use super::service::Tenancy;
use super::team::{TeamBody, TeamSeatBody};
use crate::authz::{Caller, LinkHolder, Rights, Standing, Subject};
use crate::catalog::Stamp;

/// What principals may do, as long as nothing changed among the rights of their organization or
/// of the platform.
pub(super) struct KnownRights(Cache<(OrgId, PrincipalId), Arc<Known>>);

struct Known {
    rights: Arc<Rights>,
    /// Of the organization and of the platform, taken before the rows were read.
    stamps: [Stamp; 2],
    since: Duration,
    /// When the first of its grants ends.
    until_ms: u64,
}

impl KnownRights {
    pub(super) fn new() -> Self {
        Self(Cache::new(PRINCIPALS_MAX))
    }
}

impl Tenancy {
    /// What the caller's principal may do now: what it is, and what was granted to it and to its
    /// teams. A principal that is the organization itself is what the operator makes credentials
    /// for.
    pub async fn rights(&self, caller: &Caller) -> Result<Arc<Rights>, TenancyError> {
        self.rights_of(caller.org(), caller.principal()).await
    }

    /// Whether the member or agent who made a share link is still there, and works.
    pub async fn is_at_work(
        &self,
        holder: &LinkHolder,
        maker: PrincipalId,
    ) -> Result<bool, TenancyError> {
        let rights = self.rights_of(holder.org(), maker).await?;
        Ok(rights.subject != Subject::Nobody)
    }

    pub(super) async fn rights_of(
        &self,
        org: OrgId,
        principal: PrincipalId,
    ) -> Result<Arc<Rights>, TenancyError> {
        if principal.bytes() == org.bytes() {
            return Ok(Arc::new(Rights::ORGANIZATION));
        }
        // The keys of a sealed organization are not opened; everything is refused there anyway.
        match self.known_standing(org).await? {
            Standing::Active | Standing::Suspended | Standing::Deleting => {}
            Standing::Sealed | Standing::Destroyed => return Ok(Arc::new(Rights::NOBODY)),
        }
        let stamps = self.stamps(org);
        let now = self.clock.monotonic();
        if let Some(known) = self.known_rights.0.get(&(org, principal))
            && stamps == Some(known.stamps)
            && now.saturating_sub(known.since) <= AGE_MAX
            && self.clock.now_ms() < known.until_ms
        {
            return Ok(Arc::clone(&known.rights));
        }
        let (rights, until_ms) = self.read_rights(org, principal).await?;
        let rights = Arc::new(rights);
        if let Some(stamps) = stamps {
            let known = Known {
                rights: Arc::clone(&rights),
                stamps,
                since: now,
                until_ms,
            };
            self.known_rights
                .0
                .insert((org, principal), Arc::new(known));
        }
        Ok(rights)
    }

    /// Reads and verifies all that decides, and says until when it holds at most.
    async fn read_rights(
        &self,
        org: OrgId,
        principal: PrincipalId,
    ) -> Result<(Rights, u64), TenancyError> {
        let Some(subject) = self.subject_of(org, principal).await? else {
            return Ok((Rights::NOBODY, u64::MAX));
        };
        let mut grants = self.grants_to(org, *principal.bytes()).await?;
        let expected = match subject {
            Subject::Agent => GrantSubject::Agent(principal),
            _ => GrantSubject::Member(principal),
        };
        for grant in &grants {
            if grant.subject()? != expected {
                return Err(TenancyError::misplaced("a grant"));
            }
        }
        let parent = Some(*principal.bytes());
        for seat in self.all_records::<TeamSeatBody>(org, parent).await? {
            // A seat that was left over seats nobody.
            let team = seat.body.team;
            if self.record::<TeamBody>(org, &team).await?.is_none() {
                continue;
            }
            let team = TeamId::from_bytes(team);
            for grant in self.grants_to(org, *team.bytes()).await? {
                if grant.subject()? != GrantSubject::Team(team) {
                    return Err(TenancyError::misplaced("a grant"));
                }
                grants.push(grant);
            }
        }
        let now_ms = self.clock.now_ms();
        grants.retain(|grant| grant.row.expires_ms.is_none_or(|end| now_ms < end));
        let ends = grants.iter().filter_map(|grant| grant.row.expires_ms);
        let until_ms = ends.min().unwrap_or(u64::MAX);
        let grants = grants.iter().map(Held::granted).collect::<Result<_, _>>()?;
        Ok((Rights { subject, grants }, until_ms))
    }

    /// What a principal is, if it is anybody.
    async fn subject_of(
        &self,
        org: OrgId,
        principal: PrincipalId,
    ) -> Result<Option<Subject>, TenancyError> {
        if let Some(member) = self.record::<MemberBody>(org, principal.bytes()).await? {
            return Ok(Some(Subject::Member {
                account: member.account()?,
                role: member.role()?,
            }));
        }
        let agent = self.record::<AgentBody>(org, principal.bytes()).await?;
        match agent.map(|agent| agent.state()).transpose()? {
            Some(AgentState::Active) => Ok(Some(Subject::Agent)),
            Some(AgentState::Suspended | AgentState::Deleting) | None => Ok(None),
        }
    }

    async fn grants_to(
        &self,
        org: OrgId,
        subject: [u8; 16],
    ) -> Result<Vec<Held<GrantBody>>, TenancyError> {
        self.all_records(org, Some(subject)).await
    }
}

/// How long rights are used without being looked up again.
const AGE_MAX: Duration = Duration::from_secs(30);
const PRINCIPALS_MAX: u64 = 65_536;
