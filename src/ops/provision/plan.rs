use std::sync::Arc;

use minicbor::{CborLen, Decode, Decoder, Encode};
use names::{AccessKeyId, InvitationId, OrgId, PrincipalId};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::kept::KeptBlueprint;
use super::wish::Blueprint;
use super::{Provisioner, ProvisioningError, Wish};
use crate::authz::{Operator, Scope};
use crate::catalog::{
    CommitError, Conflict, Mutation, RecordGuard, RecordKind, RecordRow, RecordWrite,
};
use crate::keyring::{OrgKeys, RecordDraft};
use crate::tenancy::{DraftAccessKey, DraftInvitation};

/// All that was asked for and all that chance decides of an organization, drawn before the first of
/// its rows is written and sealed under the platform's key: whoever goes on with it after a crash
/// makes the same.
#[derive(Encode, Decode, CborLen)]
#[cbor(map)]
pub(super) struct Plan {
    #[n(0)]
    #[cbor(with = "minicbor::bytes")]
    request: [u8; 32],
    #[n(1)]
    #[cbor(with = "minicbor::bytes")]
    org: [u8; 16],
    #[n(2)]
    #[cbor(with = "minicbor::bytes")]
    invitation: [u8; 16],
    #[n(3)]
    invitation_secret: Secret,
    #[n(4)]
    access_key: String,
    #[n(5)]
    access_key_secret: Secret,
    #[n(6)]
    agents: Vec<AgentId>,
    #[n(7)]
    blueprint: KeptBlueprint,
}

/// A secret as it stands in a plan; wiped when it is dropped.
#[derive(Encode, Decode, CborLen)]
#[cbor(transparent)]
struct Secret(#[n(0)] String);

#[derive(Clone, Copy, Encode, Decode, CborLen)]
#[cbor(transparent)]
struct AgentId(#[cbor(n(0), with = "minicbor::bytes")] [u8; 16]);

/// A plan as it stands in the catalog.
pub(super) struct HeldPlan {
    row: RecordRow,
    pub(super) plan: Plan,
}

impl Drop for Secret {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.0);
    }
}

impl Plan {
    pub(super) fn org(&self) -> OrgId {
        OrgId::from_bytes(self.org)
    }

    pub(super) fn blueprint(&self) -> Result<Blueprint, ProvisioningError> {
        self.blueprint.blueprint().ok_or(UNREADABLE)
    }

    pub(super) fn invitation(&self) -> DraftInvitation {
        let secret = Zeroizing::new(self.invitation_secret.0.clone());
        DraftInvitation::recalled(InvitationId::from_bytes(self.invitation), secret)
    }

    pub(super) fn access_key(&self, scope: Scope) -> Result<DraftAccessKey, ProvisioningError> {
        let id = AccessKeyId::parse(&self.access_key).map_err(|_| UNREADABLE)?;
        let secret = Zeroizing::new(self.access_key_secret.0.clone());
        Ok(DraftAccessKey::recalled(self.org(), id, secret, scope))
    }

    pub(super) fn agents(&self) -> impl Iterator<Item = PrincipalId> {
        self.agents.iter().map(|id| PrincipalId::from_bytes(id.0))
    }
}

impl HeldPlan {
    /// Whether all of it was made.
    pub(super) fn is_done(&self) -> bool {
        self.row.state == DONE
    }

    fn is_over(&self, now_ms: u64) -> bool {
        self.row.expires_ms.is_some_and(|end_ms| end_ms <= now_ms)
    }
}

impl Provisioner {
    /// The plan of a request: the one that was kept under its key, or a new one.
    pub(super) async fn plan(
        &self,
        operator: &Operator,
        key: &str,
        request: &[u8; 32],
        wish: &Wish,
    ) -> Result<HeldPlan, ProvisioningError> {
        let lookup = self.keyring.platform_lookup(KEYS, key.as_bytes()).await?;
        for _ in 0..ATTEMPTS_MAX {
            let Some(held) = self.kept(&lookup).await? else {
                let blueprint = wish.blueprint(&self.templates)?;
                if let Some(chosen) = &blueprint.furnishing.plan {
                    // One that is not there would leave half an organization.
                    self.tenancy.plan_named(operator, chosen).await?;
                }
                let plan = self.drawn(operator, request, &blueprint);
                if let Some(held) = self.keep(&lookup, plan).await? {
                    return Ok(held);
                }
                continue;
            };
            if held.is_over(self.clock.now_ms()) {
                self.forget(&held).await?;
                continue;
            }
            return match bool::from(held.plan.request.ct_eq(request)) {
                true => Ok(held),
                false => Err(ProvisioningError::AnotherRequest),
            };
        }
        Err(ProvisioningError::Contended)
    }

    /// Notes that all of a plan was made. From now on it is kept for a day.
    pub(super) async fn finish(&self, held: &HeldPlan) -> Result<(), ProvisioningError> {
        let draft = RecordDraft {
            state: DONE,
            expires_ms: Some(self.clock.now_ms().saturating_add(KEPT_MS)),
            ..RecordDraft::after(&held.row)
        };
        let keys = self.keyring.open_platform().await?;
        let row = keys.seal_row(draft, &encoded(&held.plan)?)?;
        // Where somebody else was as quick, it says the same.
        self.commit(RecordWrite::Replace(row)).await.map(drop)
    }

    /// Forgets a plan of which nothing can be made, or whose time has run out.
    pub(super) async fn forget(&self, held: &HeldPlan) -> Result<(), ProvisioningError> {
        let gone = RecordWrite::Delete {
            kind: RecordKind::Idempotency,
            id: held.row.id,
            sequence: held.row.sequence,
        };
        self.commit(gone).await.map(drop)
    }

    fn drawn(&self, operator: &Operator, request: &[u8; 32], blueprint: &Blueprint) -> Plan {
        let org = self.tenancy.draw_organization(operator);
        let invitation = self.tenancy.draft_invitation();
        let access_key = self.tenancy.draft_access_key(operator, org, Scope::Full);
        let now_ms = self.clock.now_ms();
        let agents = blueprint.furnishing.agents.iter();
        let mut agents: Vec<_> = agents
            .map(|_| AgentId(self.entropy.uuid_v7(now_ms)))
            .collect();
        // Lists are by identifier: they begin as the blueprint does.
        agents.sort_unstable_by_key(|id| id.0);
        Plan {
            request: *request,
            org: *org.bytes(),
            invitation: *invitation.id().bytes(),
            invitation_secret: Secret(invitation.expose().to_owned()),
            access_key: access_key.id().to_string(),
            access_key_secret: Secret(access_key.expose().to_owned()),
            agents,
            blueprint: blueprint.into(),
        }
    }

    async fn kept(&self, lookup: &[u8; 32]) -> Result<Option<HeldPlan>, ProvisioningError> {
        let kind = RecordKind::Idempotency;
        let found = self
            .platform
            .record_by_lookup(OrgId::PLATFORM, kind, lookup);
        let Some(claimed) = found.await? else {
            return Ok(None);
        };
        let keys: Arc<OrgKeys> = self
            .keyring
            .open_platform_at(claimed.tag().key_version)
            .await?;
        let (row, bytes) = keys.open_row(claimed)?;
        if row.kind != kind || row.lookup != Some(*lookup) {
            return Err(UNREADABLE);
        }
        let mut decoder = Decoder::new(&bytes);
        let plan = decoder.decode().map_err(|_| UNREADABLE)?;
        Ok(Some(HeldPlan { row, plan }))
    }

    /// Keeps a new plan, unless somebody was as quick.
    async fn keep(
        &self,
        lookup: &[u8; 32],
        plan: Plan,
    ) -> Result<Option<HeldPlan>, ProvisioningError> {
        let now_ms = self.clock.now_ms();
        let draft = RecordDraft {
            kind: RecordKind::Idempotency,
            id: self.entropy.uuid_v7(now_ms),
            parent: None,
            lookup: Some(*lookup),
            state: UNDER_WAY,
            created_ms: now_ms,
            // What was begun waits for whoever goes on with it, however long.
            expires_ms: None,
            sequence: 1,
        };
        let keys = self.keyring.open_platform().await?;
        let row = keys.seal_row(draft, &encoded(&plan)?)?;
        match self.commit(RecordWrite::Insert(row)).await? {
            true => self.kept(lookup).await,
            false => Ok(None),
        }
    }

    /// Whether it was done; not, if somebody was as quick.
    async fn commit(&self, write: RecordWrite) -> Result<bool, ProvisioningError> {
        let mutation = Mutation::CommitRecords {
            writes: vec![write],
            guards: Vec::<RecordGuard>::new(),
        };
        match self.platform.commit(OrgId::PLATFORM, mutation).await {
            Ok(_) => Ok(true),
            Err(CommitError::Conflict(
                Conflict::Exists | Conflict::Changed | Conflict::Missing,
            )) => Ok(false),
            Err(CommitError::Conflict(Conflict::KeyClosed { .. })) => {
                self.keyring.forget(OrgId::PLATFORM);
                Ok(false)
            }
            Err(CommitError::Conflict(_)) => Err(ProvisioningError::Contended),
            Err(CommitError::Store(error)) => Err(error.into()),
        }
    }
}

fn encoded(plan: &Plan) -> Result<Zeroizing<Vec<u8>>, ProvisioningError> {
    // At its full size from the start, so that no copy is left behind by growing.
    let mut bytes = Zeroizing::new(Vec::with_capacity(minicbor::len(plan)));
    minicbor::encode(plan, &mut *bytes).map_err(|_| UNREADABLE)?;
    Ok(bytes)
}

const UNREADABLE: ProvisioningError =
    ProvisioningError::Damaged("what was kept of an organization being made is misplaced");
/// What blind names of keys are of.
const KEYS: &str = "provisioning-key";
const UNDER_WAY: u8 = 1;
const DONE: u8 = 2;
/// How long the secrets of an organization that was made are shown again, milliseconds: a day.
const KEPT_MS: u64 = 24 * 3_600_000;
const ATTEMPTS_MAX: u32 = 4;
