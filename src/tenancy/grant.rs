use minicbor::{CborLen, Decode, Encode};
use names::{
    BucketName, Effect, Glob, GrantId, OrgId, PrincipalId, SecretPath, SecretPrefix, Statement,
    TeamId,
};

use super::error::TenancyError;
use super::record::{Body, Held, Refused, draft, insertion};
use super::service::{Tenancy, all_of, subject};
use super::team::{at_most, exists};
use super::text::Label;
use crate::authz::{Granted, ManageGrants, Permit, ReadGrants, SubjectKind, is_grantable};
use crate::catalog::{Conflict, RecordKind, RecordQuery};
use crate::keyring::RecordDraft;

/// A grant: what somebody may do to what, beyond what it may by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Which.
    pub id: GrantId,
    /// What it gives to whom.
    pub terms: GrantTerms,
    /// Who gave it.
    pub given_by: PrincipalId,
    /// When, milliseconds since the epoch.
    pub created_ms: u64,
}

/// What a grant gives, and to whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantTerms {
    /// To whom.
    pub subject: GrantSubject,
    /// Which actions.
    pub actions: Vec<Glob>,
    /// On what: `drive:bucket/prefix*`, `secret:path*`, `agent:<id>`.
    pub resources: Vec<Glob>,
    /// When it ends.
    pub expires_ms: Option<u64>,
    /// What for.
    pub note: Option<Label>,
}

/// To whom something is granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GrantSubject {
    /// A member.
    Member(PrincipalId),
    /// An agent.
    Agent(PrincipalId),
    /// Everybody in a team.
    Team(TeamId),
}

/// Which grants to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GrantFilter<'a> {
    /// All.
    Any,
    /// What was granted to one, not counting its teams.
    To(GrantSubject),
    /// What is about one resource, as policies name it; all below it, if it ends with a star.
    About(&'a str),
}

/// What the record of a grant holds. Its parent is the subject, its state what that is.
#[derive(Debug, Clone, Encode, Decode, CborLen)]
#[cbor(map)]
pub(super) struct GrantBody {
    #[n(0)]
    actions: Vec<String>,
    #[n(1)]
    resources: Vec<String>,
    #[n(2)]
    note: Option<String>,
    #[n(3)]
    #[cbor(with = "minicbor::bytes")]
    given_by: [u8; 16],
}

impl Body for GrantBody {
    const KIND: RecordKind = RecordKind::Grant;
}

impl GrantSubject {
    pub(super) fn id(self) -> [u8; 16] {
        match self {
            Self::Member(id) | Self::Agent(id) => *id.bytes(),
            Self::Team(id) => *id.bytes(),
        }
    }

    fn state(self) -> u8 {
        match self {
            Self::Member(_) => MEMBER,
            Self::Agent(_) => AGENT,
            Self::Team(_) => TEAM,
        }
    }

    fn kind(self) -> RecordKind {
        match self {
            Self::Member(_) => RecordKind::Member,
            Self::Agent(_) => RecordKind::Agent,
            Self::Team(_) => RecordKind::Team,
        }
    }

    fn of(state: u8, id: [u8; 16]) -> Option<Self> {
        match state {
            MEMBER => Some(Self::Member(PrincipalId::from_bytes(id))),
            AGENT => Some(Self::Agent(PrincipalId::from_bytes(id))),
            TEAM => Some(Self::Team(TeamId::from_bytes(id))),
            _ => None,
        }
    }
}

impl Tenancy {
    /// Grants something.
    pub async fn grant(
        &self,
        permit: Permit<ManageGrants>,
        terms: GrantTerms,
    ) -> Result<Grant, TenancyError> {
        all_of(&permit, SubjectKind::Grant)?;
        let now_ms = self.clock.now_ms();
        terms.check(now_ms)?;
        let org = permit.org();
        let id = GrantId::from_bytes(self.new_id());
        let texts = |globs: &[Glob]| globs.iter().map(|glob| glob.as_str().to_owned()).collect();
        let body = GrantBody {
            actions: texts(&terms.actions),
            resources: texts(&terms.resources),
            note: terms.note.as_ref().map(|note| note.as_str().to_owned()),
            given_by: *permit.principal().bytes(),
        };
        let draft = RecordDraft {
            parent: Some(terms.subject.id()),
            state: terms.subject.state(),
            expires_ms: terms.expires_ms,
            ..draft::<GrantBody>(*id.bytes(), now_ms)
        };
        let keys = self.keys(org).await?;
        let write = insertion(&keys, draft, &body)?;
        let guards = vec![
            exists(terms.subject.kind(), terms.subject.id()),
            at_most(RecordKind::Grant, GRANTS_MAX),
        ];
        match self.commit_records(org, vec![write], guards).await {
            Ok(()) => Ok(Grant {
                id,
                terms,
                given_by: permit.principal(),
                created_ms: now_ms,
            }),
            Err(Refused::Conflict(Conflict::Missing)) => {
                Err(TenancyError::NoSuch("member, agent or team"))
            }
            Err(refused) => Err(refused.into()),
        }
    }

    /// Up to `max` grants after one, by age, expired ones among them.
    pub async fn grants(
        &self,
        permit: Permit<ReadGrants>,
        filter: GrantFilter<'_>,
        after: Option<GrantId>,
        max: u32,
    ) -> Result<Vec<Grant>, TenancyError> {
        all_of(&permit, SubjectKind::Grant)?;
        let mut query = RecordQuery {
            parent: match filter {
                GrantFilter::To(subject) => Some(subject.id()),
                GrantFilter::Any | GrantFilter::About(_) => None,
            },
            state: match filter {
                GrantFilter::To(subject) => Some(subject.state()),
                GrantFilter::Any | GrantFilter::About(_) => None,
            },
            after: after.map(|after| *after.bytes()),
            max,
        };
        let mut found = Vec::new();
        loop {
            let page = self.records::<GrantBody>(permit.org(), query).await?;
            let is_last = page.len() < max as usize;
            query.after = page.last().map(|held| held.row.id);
            for held in &page {
                let grant = held.grant()?;
                let is_asked_for = match filter {
                    GrantFilter::About(resource) => grant.terms.is_about(resource),
                    GrantFilter::Any | GrantFilter::To(_) => true,
                };
                if is_asked_for && found.len() < max as usize {
                    found.push(grant);
                }
            }
            if is_last || found.len() == max as usize {
                return Ok(found);
            }
        }
    }

    /// The grant that the permit is for.
    pub async fn grant_shown(&self, permit: Permit<ReadGrants>) -> Result<Grant, TenancyError> {
        let id = subject(&permit, SubjectKind::Grant, |text| text.parse().ok())?;
        self.grant_held(permit.org(), id).await?.grant()
    }

    /// Takes the grant back that the permit is for: from the next request of this node on, and
    /// within a second elsewhere.
    pub async fn revoke_grant(&self, permit: Permit<ManageGrants>) -> Result<(), TenancyError> {
        let id = subject(&permit, SubjectKind::Grant, |text| text.parse().ok())?;
        let held = self.grant_held(permit.org(), id).await?;
        match self
            .commit_records(permit.org(), vec![held.deletion()], Vec::new())
            .await
        {
            Err(Refused::Conflict(Conflict::Missing)) => Err(NO_SUCH_GRANT),
            done => Ok(done?),
        }
    }

    async fn grant_held(&self, org: OrgId, id: GrantId) -> Result<Held<GrantBody>, TenancyError> {
        self.record(org, id.bytes()).await?.ok_or(NO_SUCH_GRANT)
    }
}

impl Held<GrantBody> {
    pub(super) fn subject(&self) -> Result<GrantSubject, TenancyError> {
        let parent = self.row.parent;
        let subject = parent.and_then(|id| GrantSubject::of(self.row.state, id));
        subject.ok_or_else(|| TenancyError::misplaced("a grant"))
    }

    /// As it is judged.
    pub(super) fn granted(&self) -> Result<Granted, TenancyError> {
        let terms = self.grant()?.terms;
        Ok(Granted {
            id: self.row.id,
            statement: Statement {
                effect: Effect::Allow,
                actions: terms.actions,
                resources: terms.resources,
                prefixes: None,
            },
        })
    }

    fn grant(&self) -> Result<Grant, TenancyError> {
        let misplaced = || TenancyError::misplaced("a grant");
        let globs = |texts: &[String]| {
            let globs = texts.iter().map(|text| Glob::parse(text));
            globs
                .collect::<Result<Vec<_>, _>>()
                .map_err(|_| misplaced())
        };
        let note = self.body.note.as_ref().map(|note| Label::parse(note));
        Ok(Grant {
            id: GrantId::from_bytes(self.row.id),
            terms: GrantTerms {
                subject: self.subject()?,
                actions: globs(&self.body.actions)?,
                resources: globs(&self.body.resources)?,
                expires_ms: self.row.expires_ms,
                note: note.transpose().map_err(|_| misplaced())?,
            },
            given_by: PrincipalId::from_bytes(self.body.given_by),
            created_ms: self.row.created_ms,
        })
    }
}

impl GrantTerms {
    /// Whether it can be granted at all: a grant that says nothing, or what nobody understands, is
    /// a mistake that shows now and not when it is needed.
    fn check(&self, now_ms: u64) -> Result<(), TenancyError> {
        let has_size = |globs: &[Glob]| (1..=PATTERNS_MAX).contains(&globs.len());
        if !has_size(&self.actions) || !has_size(&self.resources) {
            return Err(TenancyError::Invalid(
                "a grant has 1 to 32 actions and 1 to 32 resources",
            ));
        }
        if !self.actions.iter().all(is_grantable) {
            return Err(TenancyError::Invalid(
                "an action of the grant is none that can be granted",
            ));
        }
        if !self.resources.iter().all(is_well_formed) {
            return Err(TenancyError::Invalid(
                "a resource is drive:bucket/prefix*, secret:path*, agent:<id> or another kind and \
                 its identifier",
            ));
        }
        if self.expires_ms.is_some_and(|end| end <= now_ms) {
            return Err(TenancyError::Invalid("what is granted ends in the future"));
        }
        Ok(())
    }

    fn is_about(&self, resource: &str) -> bool {
        self.resources
            .iter()
            .any(|pattern| match resource.strip_suffix('*') {
                Some(beginning) => pattern.meets(beginning),
                None => pattern.matches(resource) || pattern.as_str() == resource,
            })
    }
}

/// Whether a pattern can name a resource: one kind of them, spelled out, so that what is granted
/// in one part of an organization is never granted in all.
fn is_well_formed(pattern: &Glob) -> bool {
    let text = pattern.as_str();
    let Some((kind, rest)) = text.split_once(':') else {
        return text == "organization";
    };
    let is_literal = !rest.contains(['*', '?']);
    match kind {
        "drive" => {
            let (bucket, _) = rest.split_once('/').unwrap_or((rest, ""));
            let is_bucket = |c: u8| {
                c.is_ascii_lowercase()
                    || c.is_ascii_digit()
                    || matches!(c, b'-' | b'.' | b'*' | b'?')
            };
            if bucket.contains(['*', '?']) {
                bucket.bytes().all(is_bucket)
            } else {
                BucketName::parse(bucket).is_ok()
            }
        }
        "secret" if is_literal => SecretPath::parse(rest).is_ok(),
        "secret" => {
            let beginning = rest.split(['*', '?']).next().unwrap_or_default();
            SecretPrefix::parse(beginning).is_ok() && !rest.contains('\\')
        }
        "agent" | "member" | "invitation" | "team" | "grant" => {
            let id = rest.parse::<PrincipalId>();
            rest == "*" || id.is_ok_and(|id| id.to_string() == rest)
        }
        _ => false,
    }
}

const NO_SUCH_GRANT: TenancyError = TenancyError::NoSuch("grant");
const MEMBER: u8 = 1;
const AGENT: u8 = 2;
const TEAM: u8 = 3;
const PATTERNS_MAX: usize = 32;
/// Bounds what one decision has to look through.
const GRANTS_MAX: u64 = 20_000;
