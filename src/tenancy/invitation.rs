use std::time::Duration;

use minicbor::{CborLen, Decode, Encode};
use names::{AccountId, InvitationId, OrgId, PrincipalId};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::account::AccountBody;
use super::credential::ALPHABET;
use super::email::Email;
use super::error::TenancyError;
use super::member::{Joining, MemberBody};
use super::password::Password;
use super::record::{ATTEMPTS_MAX, Body, Held, Refused, draft, insertion};
use super::service::{Tenancy, all_of, subject};
use super::session::{NewSession, SignedIn};
use super::text::Label;
use crate::authz::{
    Limit, ManagePeople, Operator, Permit, ReadPeople, Role, Standing, SubjectKind,
};
use crate::catalog::{Conflict, RecordGuard, RecordKind, RecordQuery};
use crate::keyring::RecordDraft;

/// An invitation to become a member, as it is listed: never its token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// Which.
    pub id: InvitationId,
    /// Whose e-mail address it is bound to.
    pub email: Email,
    /// The role that it gives.
    pub role: Role,
    /// Who invited; nobody of the organization, if the operator did.
    pub invited_by: Option<PrincipalId>,
    /// When it was made, milliseconds since the epoch.
    pub created_ms: u64,
    /// When it ends.
    pub expires_ms: u64,
}

/// An invitation just made: the one time that its token is shown.
pub struct NewInvitation {
    /// As it is listed.
    pub invitation: Invitation,
    /// The whole token: `bki_…`.
    pub token: Zeroizing<String>,
}

/// An invitation that was drawn and cannot be accepted yet.
pub struct DraftInvitation {
    id: InvitationId,
    secret: Zeroizing<String>,
}

/// Who is invited, and by whom: by nobody of the organization, if it is the operator.
struct Invite<'a> {
    org: OrgId,
    email: &'a Email,
    role: Role,
    by: Option<PrincipalId>,
    valid_for: Duration,
}

impl<'a> Invite<'a> {
    fn of_owner(org: OrgId, email: &'a Email) -> Self {
        Self {
            org,
            email,
            role: Role::Owner,
            by: None,
            valid_for: INVITATION_DEFAULT,
        }
    }
}

impl DraftInvitation {
    /// One that was drawn before, and kept sealed since.
    pub fn recalled(id: InvitationId, secret: Zeroizing<String>) -> Self {
        Self { id, secret }
    }

    /// Which.
    pub fn id(&self) -> InvitationId {
        self.id
    }

    /// What its token proves. The one exit.
    pub fn expose(&self) -> &str {
        &self.secret
    }
}

/// What the record of an invitation holds. Its state is the role.
#[derive(Debug, Clone, Encode, Decode, CborLen)]
#[cbor(map)]
pub(super) struct InvitationBody {
    #[n(0)]
    email: String,
    /// The SHA-256 of the token's secret.
    #[n(1)]
    #[cbor(with = "minicbor::bytes")]
    digest: [u8; 32],
    #[n(2)]
    #[cbor(with = "minicbor::bytes")]
    invited_by: Option<[u8; 16]>,
}

impl Body for InvitationBody {
    const KIND: RecordKind = RecordKind::Invitation;
}

impl Tenancy {
    /// Invites whoever has this e-mail address, in a role that the caller may give, for
    /// [`INVITATION_DEFAULT`] or as long as is said.
    pub async fn invite(
        &self,
        permit: Permit<ManagePeople>,
        email: &Email,
        role: Role,
        valid_for: Option<Duration>,
    ) -> Result<NewInvitation, TenancyError> {
        all_of(&permit, SubjectKind::Invitation)?;
        let (actor, own) = self.acting_member(&permit).await?;
        if !own.may_give(role) {
            return Err(TenancyError::AboveOwnRole);
        }
        let valid_for = valid_for.unwrap_or(INVITATION_DEFAULT);
        if valid_for.is_zero() || valid_for > INVITATION_MAX {
            return Err(TenancyError::Invalid(
                "an invitation is valid for 30 days at most",
            ));
        }
        let invite = Invite {
            org: permit.org(),
            email,
            role,
            by: Some(actor.principal()),
            valid_for,
        };
        let guard = actor.unchanged();
        self.invitation_made(&self.draft_invitation(), invite, vec![guard])
            .await
    }

    /// Invites an owner into an organization: its first one, or one where none can be reached.
    pub async fn invite_owner(
        &self,
        _: &Operator,
        org: OrgId,
        email: &Email,
    ) -> Result<NewInvitation, TenancyError> {
        self.open_organization(org).await?;
        let invite = Invite::of_owner(org, email);
        self.invitation_made(&self.draft_invitation(), invite, vec![])
            .await
    }

    /// Draws an invitation. Nothing is stored: it cannot be accepted before
    /// [`provision_owner`](Self::provision_owner) takes it.
    pub fn draft_invitation(&self) -> DraftInvitation {
        DraftInvitation {
            id: InvitationId::from_bytes(self.new_id()),
            secret: self.random_text("", ALPHABET, SECRET_LEN),
        }
    }

    /// The invitation that was made of a draft, unless it is used or revoked.
    pub async fn provisioned_owner(
        &self,
        _: &Operator,
        org: OrgId,
        draft: &DraftInvitation,
    ) -> Result<Option<NewInvitation>, TenancyError> {
        let held = self.record::<InvitationBody>(org, draft.id.bytes());
        let Some(held) = held.await? else {
            return Ok(None);
        };
        Ok(Some(NewInvitation {
            invitation: held.invitation()?,
            token: Token::print(org, draft.id, &draft.secret),
        }))
    }

    /// Invites the owner of an organization that is being provisioned by an invitation that was
    /// drawn before; one that was made before stands as it is.
    pub async fn provision_owner(
        &self,
        operator: &Operator,
        org: OrgId,
        email: &Email,
        draft: &DraftInvitation,
    ) -> Result<NewInvitation, TenancyError> {
        if let Some(made) = self.provisioned_owner(operator, org, draft).await? {
            return Ok(made);
        }
        self.open_organization(org).await?;
        self.invitation_made(draft, Invite::of_owner(org, email), vec![])
            .await
    }

    /// Up to `max` invitations after one, by age, expired ones among them.
    pub async fn invitations(
        &self,
        permit: Permit<ReadPeople>,
        after: Option<InvitationId>,
        max: u32,
    ) -> Result<Vec<Invitation>, TenancyError> {
        all_of(&permit, SubjectKind::Invitation)?;
        let query = RecordQuery {
            after: after.map(|after| *after.bytes()),
            max,
            ..RecordQuery::default()
        };
        let page = self.records::<InvitationBody>(permit.org(), query).await?;
        page.iter().map(Held::invitation).collect()
    }

    /// Takes the invitation back that the permit is for.
    pub async fn revoke_invitation(
        &self,
        permit: Permit<ManagePeople>,
    ) -> Result<(), TenancyError> {
        let id: InvitationId = subject(&permit, SubjectKind::Invitation, |text| text.parse().ok())?;
        let held = self.record::<InvitationBody>(permit.org(), id.bytes());
        let held = held
            .await?
            .ok_or(TenancyError::NoSuch(SubjectKind::Invitation.as_str()))?;
        match self
            .commit_records(permit.org(), vec![held.deletion()], Vec::new())
            .await
        {
            // It was used or revoked as quickly.
            Err(Refused::Conflict(Conflict::Missing)) => {
                Err(TenancyError::NoSuch(SubjectKind::Invitation.as_str()))
            }
            done => Ok(done?),
        }
    }

    /// Makes the account a member of the organization that has invited it. A token that was never
    /// given, is used, revoked or expired, is for somebody else, or whose giver may not give it any
    /// more, is refused without saying why. Of many at once, no more come in than the organization's
    /// plan allows.
    pub async fn accept_invitation(
        &self,
        signed_in: &SignedIn,
        token: &str,
    ) -> Result<PrincipalId, TenancyError> {
        let account = self.account_held(signed_in.account()).await?;
        self.accept(&account, token).await
    }

    /// Makes an account for whoever was invited and has none, whether or not others may sign up,
    /// and lets it accept. An address that has an account is refused without saying why: its owner
    /// logs in.
    pub async fn accept_invitation_as_new(
        &self,
        token: &str,
        name: &Label,
        password: Password,
    ) -> Result<NewSession, TenancyError> {
        let hash = self.hasher.hash(password).await?;
        let invitation = self.invitation_shown(token).await?;
        let email = invitation.email()?;
        let proven = Some(hash.clone());
        let account = match self.insert_account(&email, name, hash).await {
            Err(TenancyError::Exists(_)) => Err(TenancyError::NoSuchInvitation),
            made => made,
        }?;
        self.accept(&account, token).await?;
        self.session_of(account, &proven).await
    }

    async fn accept(
        &self,
        account: &Held<AccountBody>,
        token: &str,
    ) -> Result<PrincipalId, TenancyError> {
        for _ in 0..ATTEMPTS_MAX {
            let invitation = self.invitation_shown(token).await?;
            if invitation.email()? != account.email()? {
                return Err(TenancyError::NoSuchInvitation);
            }
            let org = invitation.row.org;
            self.open_organization(org).await?;
            let (joining, guards) = self.joining(&invitation, account.id()).await?;
            let keys = self.keys(org).await?;
            let writes = vec![invitation.deletion(), joining.insertion(&keys)?];
            match self.commit_records(org, writes, guards).await {
                Ok(()) => return Ok(joining.principal),
                Err(Refused::Conflict(Conflict::Exists)) => {
                    return Err(TenancyError::Exists("you are a member"));
                }
                Err(Refused::Conflict(Conflict::Missing)) => {
                    return Err(TenancyError::NoSuchInvitation);
                }
                Err(refused) if refused.is_worth_retrying() => {}
                Err(refused) => return Err(refused.into()),
            }
        }
        Err(TenancyError::Changed)
    }

    /// The membership that an invitation makes, if whoever gave it may give it now, and what must
    /// hold for it.
    async fn joining(
        &self,
        invitation: &Held<InvitationBody>,
        account: AccountId,
    ) -> Result<(Joining, Vec<RecordGuard>), TenancyError> {
        let role = invitation.role()?;
        let mut guards = Vec::new();
        if let Some(inviter) = invitation.body.invited_by {
            let inviter = self
                .record::<MemberBody>(invitation.row.org, &inviter)
                .await?
                .ok_or(TenancyError::NoSuchInvitation)?;
            if !inviter.role()?.may_give(role) {
                return Err(TenancyError::NoSuchInvitation);
            }
            guards.push(inviter.unchanged());
        }
        let terms = self.terms_of(invitation.row.org).await?;
        if let Some(max) = terms.limits.of(Limit::Members) {
            guards.push(RecordGuard::AtMost {
                kind: RecordKind::Member,
                state: None,
                max,
            });
        }
        let joining = Joining {
            account,
            principal: PrincipalId::from_bytes(self.new_id()),
            role,
            invited_by: invitation.body.invited_by.map(PrincipalId::from_bytes),
            at_ms: self.clock.now_ms(),
        };
        Ok((joining, guards))
    }

    /// The invitation whose token is shown, if it is one and has not expired.
    async fn invitation_shown(&self, token: &str) -> Result<Held<InvitationBody>, TenancyError> {
        let token = Token::parse(token).ok_or(TenancyError::NoSuchInvitation)?;
        let kind = RecordKind::Invitation;
        let found = self.catalog.record(token.org, kind, token.id.bytes());
        if found.await?.is_none() {
            return Err(TenancyError::NoSuchInvitation);
        }
        match self.known_standing(token.org).await? {
            Standing::Active | Standing::Suspended | Standing::Deleting => {}
            Standing::Sealed | Standing::Destroyed => return Err(TenancyError::NoSuchInvitation),
        }
        let held = self
            .record::<InvitationBody>(token.org, token.id.bytes())
            .await?
            .ok_or(TenancyError::NoSuchInvitation)?;
        let digest: [u8; 32] = Sha256::digest(token.secret).into();
        let is_right = bool::from(digest.ct_eq(&held.body.digest));
        let is_valid = held
            .row
            .expires_ms
            .is_some_and(|end| self.clock.now_ms() < end);
        if is_right && is_valid {
            Ok(held)
        } else {
            Err(TenancyError::NoSuchInvitation)
        }
    }

    async fn invitation_made(
        &self,
        DraftInvitation { id, secret }: &DraftInvitation,
        invite: Invite<'_>,
        mut guards: Vec<RecordGuard>,
    ) -> Result<NewInvitation, TenancyError> {
        let Invite {
            org,
            email,
            role,
            by,
            valid_for,
        } = invite;
        let id = *id;
        let body = InvitationBody {
            email: email.as_str().to_owned(),
            digest: Sha256::digest(secret.as_bytes()).into(),
            invited_by: by.map(|principal| *principal.bytes()),
        };
        let now_ms = self.clock.now_ms();
        let valid_ms = u64::try_from(valid_for.as_millis()).unwrap_or(u64::MAX);
        let expires_ms = now_ms.saturating_add(valid_ms);
        let draft = RecordDraft {
            state: role as u8,
            expires_ms: Some(expires_ms),
            ..draft::<InvitationBody>(*id.bytes(), now_ms)
        };
        guards.push(RecordGuard::AtMost {
            kind: RecordKind::Invitation,
            state: None,
            max: INVITATIONS_MAX,
        });
        let keys = self.keys(org).await?;
        let write = insertion(&keys, draft, &body)?;
        self.commit_records(org, vec![write], guards).await?;
        Ok(NewInvitation {
            invitation: Invitation {
                id,
                email: email.clone(),
                role,
                invited_by: by,
                created_ms: now_ms,
                expires_ms,
            },
            token: Token::print(org, id, secret),
        })
    }
}

impl Held<InvitationBody> {
    fn email(&self) -> Result<Email, TenancyError> {
        Email::parse(&self.body.email).map_err(|_| TenancyError::misplaced("an invitation"))
    }

    fn role(&self) -> Result<Role, TenancyError> {
        Role::of(self.row.state).ok_or_else(|| TenancyError::misplaced("an invitation"))
    }

    fn invitation(&self) -> Result<Invitation, TenancyError> {
        Ok(Invitation {
            id: InvitationId::from_bytes(self.row.id),
            email: self.email()?,
            role: self.role()?,
            invited_by: self.body.invited_by.map(PrincipalId::from_bytes),
            created_ms: self.row.created_ms,
            expires_ms: self
                .row
                .expires_ms
                .ok_or_else(|| TenancyError::misplaced("an invitation"))?,
        })
    }
}

/// The token of an invitation. Whoever shows it is in no organization yet, so it says where to
/// look:
///
/// ```text
/// bki_<organization, 32 hexadecimal digits><invitation, 32 hexadecimal digits>_<secret>
/// ```
struct Token<'a> {
    org: OrgId,
    id: InvitationId,
    secret: &'a str,
}

impl<'a> Token<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let (place, secret) = text.strip_prefix(PREFIX)?.split_once('_')?;
        let mut bytes = [0; 32];
        hex::decode_to_slice(place, &mut bytes).ok()?;
        let (org, id) = bytes.split_at(16);
        let token = Self {
            org: OrgId::from_slice(org).ok()?,
            id: InvitationId::from_slice(id).ok()?,
            secret,
        };
        (!token.org.is_platform()).then_some(token)
    }

    fn print(org: OrgId, id: InvitationId, secret: &str) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(PREFIX.len() + 65 + secret.len()));
        for piece in [
            PREFIX,
            &hex::encode(org.bytes()),
            &hex::encode(id.bytes()),
            "_",
            secret,
        ] {
            text.push_str(piece);
        }
        text
    }
}

/// How long an invitation is valid if nothing else is said.
pub const INVITATION_DEFAULT: Duration = Duration::from_secs(7 * 86_400);
const INVITATION_MAX: Duration = Duration::from_secs(30 * 86_400);
const INVITATIONS_MAX: u64 = 1_000;
const PREFIX: &str = "bki_";
const SECRET_LEN: usize = 48;
