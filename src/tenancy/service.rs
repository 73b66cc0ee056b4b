use std::sync::Arc;

use names::PrincipalId;

use super::attempts::Attempts;
use super::error::TenancyError;
use super::password::Hasher;
use super::plan::KnownTerms;
use super::rights::KnownRights;
use super::standing::Standings;
use crate::authz::{Action, OfSubject, Permit, SubjectKind};
use crate::catalog::{PlatformCatalog, Row, Unverified};
use crate::clock::Clock;
use crate::entropy::Entropy;
use crate::keyring::{Keyring, KeyringError, OrgKeys};

/// Organizations, the accounts and agents in them, and what they may.
///
/// Who calls is shown by what comes first: a [`Permit`] for what a principal does in its
/// organization, a [`SignedIn`](super::SignedIn) for what a person does with its own account, an
/// [`Operator`](crate::authz::Operator) for what the platform does. What is done here is recorded
/// by whoever calls it, before: this module knows no log.
pub struct Tenancy {
    pub(super) catalog: PlatformCatalog,
    pub(super) keyring: Arc<Keyring>,
    pub(super) clock: Clock,
    pub(super) entropy: Entropy,
    pub(super) standings: Standings,
    pub(super) known_rights: KnownRights,
    pub(super) known_terms: KnownTerms,
    pub(super) hasher: Hasher,
    pub(super) attempts: Attempts,
}

impl Tenancy {
    /// Works on a catalog whose platform has been provisioned.
    pub fn new(
        catalog: PlatformCatalog,
        keyring: Arc<Keyring>,
        clock: Clock,
        entropy: Entropy,
    ) -> Self {
        Self {
            catalog,
            keyring,
            hasher: Hasher::new(entropy.clone()),
            attempts: Attempts::new(clock.clone()),
            clock,
            entropy,
            standings: Standings::new(),
            known_rights: KnownRights::new(),
            known_terms: KnownTerms::new(),
        }
    }

    /// The platform's keys, to verify rows that the catalog returned.
    pub(super) async fn platform_for<R: Row>(
        &self,
        rows: &[Unverified<R>],
    ) -> Result<Arc<OrgKeys>, KeyringError> {
        match rows.iter().map(|row| row.tag().key_version).max() {
            Some(newest) => self.keyring.open_platform_at(newest).await,
            None => self.keyring.open_platform().await,
        }
    }

    /// An identifier that sorts by the time it was made at.
    pub(super) fn new_id(&self) -> [u8; 16] {
        self.entropy.uuid_v7(self.clock.now_ms())
    }
}

/// The one of a kind that a permit is for, by an identifier that `T` reads. An identifier has one
/// spelling here: a policy that denies one means it in every spelling.
pub(super) fn subject<A, T>(
    permit: &Permit<A>,
    kind: SubjectKind,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<T, TenancyError>
where
    A: Action<Resource = OfSubject>,
    T: std::fmt::Display,
{
    if permit.resource().kind != kind {
        return Err(wrong_permit(permit));
    }
    let text = permit.subject_id().ok_or_else(|| wrong_permit(permit))?;
    match parse(text) {
        Some(id) if id.to_string() == text => Ok(id),
        _ => Err(TenancyError::NoSuch(kind.as_str())),
    }
}

/// The principal that a permit is for.
pub(super) fn principal<A>(
    permit: &Permit<A>,
    kind: SubjectKind,
) -> Result<PrincipalId, TenancyError>
where
    A: Action<Resource = OfSubject>,
{
    subject(permit, kind, |text| text.parse().ok())
}

/// Makes sure that a permit is for all of a kind.
pub(super) fn all_of<A>(permit: &Permit<A>, kind: SubjectKind) -> Result<(), TenancyError>
where
    A: Action<Resource = OfSubject>,
{
    let resource = permit.resource();
    if resource.kind == kind && resource.id.is_none() {
        Ok(())
    } else {
        Err(wrong_permit(permit))
    }
}

/// A door asked for one permit and came with another: ours to repair.
fn wrong_permit<A>(permit: &Permit<A>) -> TenancyError
where
    A: Action<Resource = OfSubject>,
{
    TenancyError::Unavailable(format!(
        "a permit for {} serves not here",
        permit.resource()
    ))
}
