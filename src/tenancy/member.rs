use minicbor::{CborLen, Decode, Encode};
use names::{AccountId, OrgId, PrincipalId};
use sha2::{Digest, Sha256};

use super::account::AccountBody;
use super::email::Email;
use super::error::TenancyError;
use super::grant::GrantBody;
use super::record::{ATTEMPTS_MAX, Body, Held, draft, insertion};
use super::service::{Tenancy, all_of, principal};
use super::session::SignedIn;
use super::team::TeamSeatBody;
use crate::authz::{Action, ManagePeople, OfSubject, Permit, ReadPeople, Role, Rule, SubjectKind};
use crate::catalog::{RecordGuard, RecordKind, RecordQuery, RecordWrite};
use crate::keyring::{OrgKeys, RecordDraft};

/// A member of an organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Whom it acts as.
    pub principal: PrincipalId,
    /// Whose membership it is.
    pub account: AccountId,
    /// The account's e-mail address.
    pub email: Email,
    /// What the person is called.
    pub name: String,
    /// The role.
    pub role: Role,
    /// Since when, milliseconds since the epoch.
    pub since_ms: u64,
    /// Its state: changes only what it is compared with.
    pub etag: u64,
}

/// What the record of a member holds. Its parent is the account, its state the role.
#[derive(Debug, Clone, Encode, Decode, CborLen)]
#[cbor(map)]
pub(super) struct MemberBody {
    /// Who invited; nobody, if the organization was made for the account.
    #[n(0)]
    #[cbor(with = "minicbor::bytes")]
    invited_by: Option<[u8; 16]>,
}

impl Body for MemberBody {
    const KIND: RecordKind = RecordKind::Member;
}

impl Tenancy {
    /// Up to `max` members after one, in the order in which they came.
    pub async fn members(
        &self,
        permit: Permit<ReadPeople>,
        after: Option<PrincipalId>,
        max: u32,
    ) -> Result<Vec<Member>, TenancyError> {
        all_of(&permit, SubjectKind::Member)?;
        let query = RecordQuery {
            after: after.map(|after| *after.bytes()),
            max,
            ..RecordQuery::default()
        };
        let mut members = Vec::new();
        for held in self.records::<MemberBody>(permit.org(), query).await? {
            members.push(self.member_shown(held).await?);
        }
        Ok(members)
    }

    /// The member that the permit is for.
    pub async fn member(&self, permit: Permit<ReadPeople>) -> Result<Member, TenancyError> {
        let member = principal(&permit, SubjectKind::Member)?;
        let held = self.member_held(permit.org(), member).await?;
        self.member_shown(held).await
    }

    /// Gives the member that the permit is for another role. Nobody gives a role above one's own,
    /// or takes one; and an owner remains.
    pub async fn change_role(
        &self,
        permit: Permit<ManagePeople>,
        role: Role,
        etag: Option<u64>,
    ) -> Result<Member, TenancyError> {
        let org = permit.org();
        let id = principal(&permit, SubjectKind::Member)?;
        for _ in 0..ATTEMPTS_MAX {
            let (actor, own) = self.acting_member(&permit).await?;
            let mut member = self.member_held(org, id).await?;
            member.expect(etag)?;
            let before = member.role()?;
            if !own.may_give(before) || !own.may_give(role) {
                return Err(TenancyError::AboveOwnRole);
            }
            member.row.state = role as u8;
            let keys = self.keys(org).await?;
            let writes = vec![member.replacement(&keys)?];
            let guards = guards(&actor, &member, before == Role::Owner);
            match self.commit_records(org, writes, guards).await {
                Ok(()) => {
                    let held = self.member_held(org, id).await?;
                    return self.member_shown(held).await;
                }
                Err(refused) if refused.is_worth_retrying() => {}
                Err(refused) => return Err(refused.into()),
            }
        }
        Err(TenancyError::Changed)
    }

    /// Removes the member that the permit is for. Its credentials are of no use from then on, and
    /// are revoked.
    pub async fn remove_member(
        &self,
        permit: Permit<ManagePeople>,
        etag: Option<u64>,
    ) -> Result<(), TenancyError> {
        let org = permit.org();
        let id = principal(&permit, SubjectKind::Member)?;
        for _ in 0..ATTEMPTS_MAX {
            let (actor, own) = self.acting_member(&permit).await?;
            let member = self.member_held(org, id).await?;
            member.expect(etag)?;
            if !own.may_give(member.role()?) {
                return Err(TenancyError::AboveOwnRole);
            }
            if self.end_membership(&member, Some(&actor)).await? {
                return Ok(());
            }
        }
        Err(TenancyError::Changed)
    }

    /// Makes the member that the permit is for an owner, and the caller, who is one, an admin: in
    /// one step, so that there is never none and never one too many.
    pub async fn transfer_ownership(
        &self,
        permit: Permit<ManagePeople>,
    ) -> Result<Member, TenancyError> {
        let org = permit.org();
        let id = principal(&permit, SubjectKind::Member)?;
        for _ in 0..ATTEMPTS_MAX {
            let (mut actor, own) = self.acting_member(&permit).await?;
            let mut heir = self.member_held(org, id).await?;
            if own != Role::Owner || actor.role()? != Role::Owner {
                return Err(TenancyError::AboveOwnRole);
            }
            if actor.row.id == heir.row.id {
                return self.member_shown(heir).await;
            }
            actor.row.state = Role::Admin as u8;
            heir.row.state = Role::Owner as u8;
            let keys = self.keys(org).await?;
            let writes = vec![actor.replacement(&keys)?, heir.replacement(&keys)?];
            match self.commit_records(org, writes, Vec::new()).await {
                Ok(()) => {
                    let held = self.member_held(org, id).await?;
                    return self.member_shown(held).await;
                }
                Err(refused) if refused.is_worth_retrying() => {}
                Err(refused) => return Err(refused.into()),
            }
        }
        Err(TenancyError::Changed)
    }

    /// Lets an account leave an organization, unless it is its last owner.
    pub async fn leave(&self, signed_in: &SignedIn, org: OrgId) -> Result<(), TenancyError> {
        for _ in 0..ATTEMPTS_MAX {
            let lookup = member_lookup(signed_in.account());
            let found = self
                .catalog
                .record_by_lookup(org, MemberBody::KIND, &lookup)
                .await?;
            if found.is_none() {
                return Err(TenancyError::NoSuchOrganization);
            }
            self.open_organization(org).await?;
            let member = self.member_of(signed_in.account(), org).await?;
            let member = member.ok_or(TenancyError::NoSuchOrganization)?;
            if self.end_membership(&member, None).await? {
                return Ok(());
            }
        }
        Err(TenancyError::Changed)
    }

    /// Ends a membership with its seats and grants, and revokes its credentials. Whether
    /// everything was still as it was read.
    async fn end_membership(
        &self,
        member: &Held<MemberBody>,
        actor: Option<&Held<MemberBody>>,
    ) -> Result<bool, TenancyError> {
        let org = member.row.org;
        let mut writes = vec![member.deletion()];
        writes.extend(self.deletions_of(org, member.row.id).await?);
        let was_owner = member.role()? == Role::Owner;
        let guards = guards(actor.unwrap_or(member), member, was_owner);
        match self.commit_records(org, writes, guards).await {
            Ok(()) => {}
            Err(refused) if refused.is_worth_retrying() => return Ok(false),
            Err(refused) => return Err(refused.into()),
        }
        self.revoke_all(org, member.principal(), |_, _| true)
            .await?;
        Ok(true)
    }

    /// What deletes the seats and grants of a principal.
    pub(super) async fn deletions_of(
        &self,
        org: OrgId,
        principal: [u8; 16],
    ) -> Result<Vec<RecordWrite>, TenancyError> {
        let parent = Some(principal);
        let seats = self.all_records::<TeamSeatBody>(org, parent).await?;
        let grants = self.all_records::<GrantBody>(org, parent).await?;
        Ok(seats
            .iter()
            .map(Held::deletion)
            .chain(grants.iter().map(Held::deletion))
            .collect())
    }

    /// The member who acts, and the role that it acts in: the one that it has now, or the one that
    /// its credential is limited to.
    pub(super) async fn acting_member<A>(
        &self,
        permit: &Permit<A>,
    ) -> Result<(Held<MemberBody>, Role), TenancyError>
    where
        A: Action<Resource = OfSubject>,
    {
        let id = permit.principal();
        let held = self
            .record::<MemberBody>(permit.org(), id.bytes())
            .await?
            // Removed since the permit was given.
            .ok_or(TenancyError::AboveOwnRole)?;
        let role = held.role()?;
        match permit.rule() {
            Rule::Role(limit) if role.covers(limit) => Ok((held, limit)),
            Rule::Role(_) => Ok((held, role)),
            _ => Err(TenancyError::AboveOwnRole),
        }
    }

    pub(super) async fn member_held(
        &self,
        org: OrgId,
        member: PrincipalId,
    ) -> Result<Held<MemberBody>, TenancyError> {
        let held = self.record(org, member.bytes()).await?;
        held.ok_or(TenancyError::NoSuch(SubjectKind::Member.as_str()))
    }

    async fn member_shown(&self, held: Held<MemberBody>) -> Result<Member, TenancyError> {
        let account: Held<AccountBody> = self.account_held(held.account()?).await?;
        Ok(Member {
            principal: held.principal(),
            account: account.id(),
            email: account.email()?,
            name: account.name().to_owned(),
            role: held.role()?,
            since_ms: held.row.created_ms,
            etag: held.row.sequence,
        })
    }
}

impl Held<MemberBody> {
    pub(super) fn principal(&self) -> PrincipalId {
        PrincipalId::from_bytes(self.row.id)
    }

    pub(super) fn account(&self) -> Result<AccountId, TenancyError> {
        let account = self.row.parent.map(AccountId::from_bytes);
        account.ok_or_else(|| TenancyError::misplaced("a member"))
    }

    pub(super) fn role(&self) -> Result<Role, TenancyError> {
        Role::of(self.row.state).ok_or_else(|| TenancyError::misplaced("a member"))
    }
}

/// A member about to be made.
pub(super) struct Joining {
    pub(super) account: AccountId,
    pub(super) principal: PrincipalId,
    pub(super) role: Role,
    pub(super) invited_by: Option<PrincipalId>,
    pub(super) at_ms: u64,
}

impl Joining {
    /// The record, as what it is drafted.
    pub(super) fn drafted(&self) -> (RecordDraft, MemberBody) {
        let draft = RecordDraft {
            parent: Some(*self.account.bytes()),
            lookup: Some(member_lookup(self.account)),
            state: self.role as u8,
            ..draft::<MemberBody>(*self.principal.bytes(), self.at_ms)
        };
        let body = MemberBody {
            invited_by: self.invited_by.map(|principal| *principal.bytes()),
        };
        (draft, body)
    }

    pub(super) fn insertion(&self, keys: &OrgKeys) -> Result<RecordWrite, TenancyError> {
        let (draft, body) = self.drafted();
        insertion(keys, draft, &body)
    }
}

/// The name by which an account is found among the members, where it is one once at most. It is
/// not blind: the record's parent tells the same.
pub(super) fn member_lookup(account: AccountId) -> [u8; 32] {
    Sha256::digest(account.bytes()).into()
}

/// What must hold once a member is changed by another: that one is as it was seen, and if an owner
/// is no longer one, another is.
fn guards(
    actor: &Held<MemberBody>,
    member: &Held<MemberBody>,
    was_owner: bool,
) -> Vec<RecordGuard> {
    let mut guards = Vec::new();
    if actor.row.id != member.row.id {
        guards.push(actor.unchanged());
    }
    if was_owner {
        guards.push(RecordGuard::AtLeast {
            kind: RecordKind::Member,
            state: Some(Role::Owner as u8),
            min: 1,
        });
    }
    guards
}
