use minicbor::{CborLen, Decode, Encode};
use names::{OrgId, PrincipalId, TeamId};
use sha2::{Digest, Sha256};

use super::agent_record::{RecordCursor, RecordPage};
use super::error::TenancyError;
use super::grant::GrantBody;
use super::record::{ATTEMPTS_MAX, Body, Held, Refused, draft, insertion};
use super::service::{Tenancy, all_of, subject};
use super::text::Label;
use crate::authz::{ManagePeople, Permit, ReadPeople, SubjectKind};
use crate::catalog::{Conflict, RecordGuard, RecordKind, RecordQuery};
use crate::keyring::RecordDraft;

/// A team: members and agents that share grants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Team {
    /// Which.
    pub id: TeamId,
    /// What people call it.
    pub name: String,
    /// When it was made, milliseconds since the epoch.
    pub created_ms: u64,
    /// Its state: changes only what it is compared with.
    pub etag: u64,
}

/// A seat in a team.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TeamSeat {
    /// The team.
    pub team: TeamId,
    /// Whom it seats: a member or an agent.
    pub principal: PrincipalId,
}

/// What the record of a team holds.
#[derive(Debug, Clone, Encode, Decode, CborLen)]
#[cbor(map)]
pub(super) struct TeamBody {
    #[n(0)]
    name: String,
}

impl Body for TeamBody {
    const KIND: RecordKind = RecordKind::Team;
}

/// What the record of a seat in a team holds. Its parent is the principal.
#[derive(Debug, Clone, Encode, Decode, CborLen)]
#[cbor(map)]
pub(super) struct TeamSeatBody {
    #[n(0)]
    #[cbor(with = "minicbor::bytes")]
    pub(super) team: [u8; 16],
}

impl Body for TeamSeatBody {
    const KIND: RecordKind = RecordKind::TeamSeat;
}

impl Tenancy {
    /// Makes a team.
    pub async fn create_team(
        &self,
        permit: Permit<ManagePeople>,
        name: &Label,
    ) -> Result<Team, TenancyError> {
        all_of(&permit, SubjectKind::Team)?;
        let org = permit.org();
        let id = TeamId::from_bytes(self.new_id());
        let body = TeamBody {
            name: name.as_str().to_owned(),
        };
        let keys = self.keys(org).await?;
        let drafted = draft::<TeamBody>(*id.bytes(), self.clock.now_ms());
        let write = insertion(&keys, drafted, &body)?;
        let guard = at_most(RecordKind::Team, TEAMS_MAX);
        self.commit_records(org, vec![write], vec![guard]).await?;
        Ok(self.team_held(org, id).await?.team())
    }

    /// Up to `max` teams after one, by age.
    pub async fn teams(
        &self,
        permit: Permit<ReadPeople>,
        after: Option<TeamId>,
        max: u32,
    ) -> Result<Vec<Team>, TenancyError> {
        all_of(&permit, SubjectKind::Team)?;
        let query = RecordQuery {
            after: after.map(|after| *after.bytes()),
            max,
            ..RecordQuery::default()
        };
        let page = self.records::<TeamBody>(permit.org(), query).await?;
        Ok(page.iter().map(Held::team).collect())
    }

    /// The team that the permit is for, and who is in it.
    pub async fn team(
        &self,
        permit: Permit<ReadPeople>,
    ) -> Result<(Team, Vec<PrincipalId>), TenancyError> {
        let id = team_id(&permit)?;
        let team = self.team_held(permit.org(), id).await?;
        let seats = self.seats_in(permit.org(), id).await?;
        let principals = seats.iter().filter_map(|seat| seat.row.parent);
        let principals = principals.map(PrincipalId::from_bytes).collect();
        Ok((team.team(), principals))
    }

    /// Up to `max` seats in all teams, in an order of no meaning that stays.
    pub async fn team_seats(
        &self,
        permit: Permit<ReadPeople>,
        after: Option<RecordCursor>,
        max: u32,
    ) -> Result<RecordPage<TeamSeat>, TenancyError> {
        all_of(&permit, SubjectKind::Team)?;
        let query = RecordQuery {
            after: after.map(RecordCursor::id),
            max,
            ..RecordQuery::default()
        };
        let page = self.records::<TeamSeatBody>(permit.org(), query).await?;
        let is_full = page.len() == max as usize;
        Ok(RecordPage {
            next: page
                .last()
                .filter(|_| is_full)
                .map(|held| RecordCursor::after(held.row.id)),
            items: page.iter().map(Held::seat).collect::<Result<_, _>>()?,
        })
    }

    /// Calls the team that the permit is for something else.
    pub async fn rename_team(
        &self,
        permit: Permit<ManagePeople>,
        name: &Label,
        etag: Option<u64>,
    ) -> Result<Team, TenancyError> {
        let (org, id) = (permit.org(), team_id(&permit)?);
        let mut held = self.team_held(org, id).await?;
        held.expect(etag)?;
        held.body.name = name.as_str().to_owned();
        let keys = self.keys(org).await?;
        let writes = vec![held.replacement(&keys)?];
        self.commit_records(org, writes, Vec::new()).await?;
        Ok(self.team_held(org, id).await?.team())
    }

    /// Deletes the team that the permit is for, with its seats and grants.
    pub async fn delete_team(
        &self,
        permit: Permit<ManagePeople>,
        etag: Option<u64>,
    ) -> Result<(), TenancyError> {
        let (org, id) = (permit.org(), team_id(&permit)?);
        for _ in 0..ATTEMPTS_MAX {
            let held = self.team_held(org, id).await?;
            held.expect(etag)?;
            let seats = self.seats_in(org, id).await?;
            let grants = self
                .all_records::<GrantBody>(org, Some(*id.bytes()))
                .await?;
            // A seat or grant that comes in between is left over, and of no use without the team.
            let mut writes = vec![held.deletion()];
            writes.extend(seats.iter().map(Held::deletion));
            writes.extend(grants.iter().map(Held::deletion));
            match self.commit_records(org, writes, Vec::new()).await {
                Ok(()) => return Ok(()),
                Err(refused) if refused.is_worth_retrying() => {}
                Err(Refused::Conflict(Conflict::Missing)) => {}
                Err(refused) => return Err(refused.into()),
            }
        }
        Err(TenancyError::Changed)
    }

    /// Seats a member or agent in the team that the permit is for. Whoever has a seat keeps it.
    pub async fn add_to_team(
        &self,
        permit: Permit<ManagePeople>,
        principal: PrincipalId,
    ) -> Result<(), TenancyError> {
        let (org, id) = (permit.org(), team_id(&permit)?);
        self.team_held(org, id).await?;
        let kind = self.kind_of(org, principal).await?;
        let keys = self.keys(org).await?;
        let draft = RecordDraft {
            parent: Some(*principal.bytes()),
            ..draft::<TeamSeatBody>(seat_id(id, principal), self.clock.now_ms())
        };
        let body = TeamSeatBody { team: *id.bytes() };
        let write = insertion(&keys, draft, &body)?;
        let guards = vec![
            exists(RecordKind::Team, *id.bytes()),
            exists(kind, *principal.bytes()),
            at_most(RecordKind::TeamSeat, SEATS_MAX),
        ];
        match self.commit_records(org, vec![write], guards).await {
            Ok(()) | Err(Refused::Conflict(Conflict::Exists)) => Ok(()),
            Err(Refused::Conflict(Conflict::Missing)) => Err(NO_SUCH_TEAM),
            Err(refused) => Err(refused.into()),
        }
    }

    /// Takes a member's or agent's seat in the team that the permit is for. Whoever has none stays
    /// without.
    pub async fn remove_from_team(
        &self,
        permit: Permit<ManagePeople>,
        principal: PrincipalId,
    ) -> Result<(), TenancyError> {
        let (org, id) = (permit.org(), team_id(&permit)?);
        self.team_held(org, id).await?;
        let seat = self
            .record::<TeamSeatBody>(org, &seat_id(id, principal))
            .await?;
        let Some(seat) = seat else {
            return Ok(());
        };
        match self
            .commit_records(org, vec![seat.deletion()], Vec::new())
            .await
        {
            Ok(()) | Err(Refused::Conflict(Conflict::Missing)) => Ok(()),
            Err(refused) => Err(refused.into()),
        }
    }

    /// Whether a principal is a member or an agent.
    pub(super) async fn kind_of(
        &self,
        org: OrgId,
        principal: PrincipalId,
    ) -> Result<RecordKind, TenancyError> {
        for kind in [RecordKind::Member, RecordKind::Agent] {
            let found = self.catalog.record(org, kind, principal.bytes()).await?;
            if found.is_some() {
                return Ok(kind);
            }
        }
        Err(TenancyError::NoSuch("member or agent"))
    }

    pub(super) async fn team_held(
        &self,
        org: OrgId,
        id: TeamId,
    ) -> Result<Held<TeamBody>, TenancyError> {
        self.record(org, id.bytes()).await?.ok_or(NO_SUCH_TEAM)
    }

    /// Seats are found by whom they seat, so all of them are looked through.
    async fn seats_in(
        &self,
        org: OrgId,
        team: TeamId,
    ) -> Result<Vec<Held<TeamSeatBody>>, TenancyError> {
        let mut seats = self.all_records::<TeamSeatBody>(org, None).await?;
        seats.retain(|seat| seat.body.team == *team.bytes());
        Ok(seats)
    }
}

impl Held<TeamBody> {
    pub(super) fn team(&self) -> Team {
        Team {
            id: TeamId::from_bytes(self.row.id),
            name: self.body.name.clone(),
            created_ms: self.row.created_ms,
            etag: self.row.sequence,
        }
    }
}

impl Held<TeamSeatBody> {
    fn seat(&self) -> Result<TeamSeat, TenancyError> {
        let principal = self.row.parent.map(PrincipalId::from_bytes);
        Ok(TeamSeat {
            team: TeamId::from_bytes(self.body.team),
            principal: principal.ok_or_else(|| TenancyError::misplaced("a seat in a team"))?,
        })
    }
}

/// So many of a kind at most.
pub(super) fn at_most(kind: RecordKind, max: u64) -> RecordGuard {
    RecordGuard::AtMost {
        kind,
        state: None,
        max,
    }
}

/// One that has to be there.
pub(super) fn exists(kind: RecordKind, id: [u8; 16]) -> RecordGuard {
    RecordGuard::Exists { kind, id }
}

fn team_id<A>(permit: &Permit<A>) -> Result<TeamId, TenancyError>
where
    A: crate::authz::Action<Resource = crate::authz::OfSubject>,
{
    subject(permit, SubjectKind::Team, |text| text.parse().ok())
}

/// A principal has one seat in a team at most: it has one name.
fn seat_id(team: TeamId, principal: PrincipalId) -> [u8; 16] {
    let digest = Sha256::new()
        .chain_update(team.bytes())
        .chain_update(principal.bytes())
        .finalize();
    let mut id = [0; 16];
    id.copy_from_slice(&digest[..16]);
    id
}

const NO_SUCH_TEAM: TenancyError = TenancyError::NoSuch("team");
/// Bounds what one decision has to look through.
const TEAMS_MAX: u64 = 1_000;
const SEATS_MAX: u64 = 20_000;
