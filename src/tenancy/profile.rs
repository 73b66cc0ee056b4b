use std::collections::BTreeMap;

use minicbor::{CborLen, Decode, Encode};
use names::{OrgId, Slug};

use super::error::TenancyError;
use super::record::{ATTEMPTS_MAX, Body, Held, draft};
use super::service::Tenancy;
use super::text::Label;
use crate::authz::{ManageSettings, Permit, ReadSettings};
use crate::catalog::RecordKind;
use crate::keyring::RecordDraft;

/// What an organization says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// What people call it.
    pub name: String,
    /// The plan that the operator has put it on.
    pub plan: Option<Slug>,
    /// Its settings; at most [`PROFILE_SETTINGS_MAX`] of them.
    pub settings: BTreeMap<Label, String>,
    /// Its state: changes only what it is compared with.
    pub etag: u64,
}

/// What an owner or admin changes of it.
#[derive(Debug, Clone, Default)]
pub struct ProfileChange {
    /// What people call it from now on.
    pub name: Option<Label>,
    /// Settings that are made or replaced, and those that are taken away.
    pub settings: BTreeMap<Label, Option<String>>,
}

/// What the record of a profile holds.
#[derive(Debug, Clone, Encode, Decode, CborLen)]
#[cbor(map)]
pub(super) struct ProfileBody {
    #[n(0)]
    pub(super) name: String,
    #[n(1)]
    plan: Option<String>,
    #[n(2)]
    settings: BTreeMap<String, String>,
}

impl Body for ProfileBody {
    const KIND: RecordKind = RecordKind::Profile;
}

impl ProfileBody {
    /// Of an organization about to be made.
    pub(super) fn drafted(org: OrgId, name: String, at_ms: u64) -> (RecordDraft, Self) {
        let body = Self {
            name,
            plan: None,
            settings: BTreeMap::new(),
        };
        (draft::<Self>(*org.bytes(), at_ms), body)
    }
}

impl Tenancy {
    /// What the organization says of itself.
    pub async fn profile(&self, permit: Permit<ReadSettings>) -> Result<Profile, TenancyError> {
        self.profile_of(permit.org()).await?.profile()
    }

    /// Changes what the organization says of itself.
    pub async fn change_profile(
        &self,
        permit: Permit<ManageSettings>,
        change: &ProfileChange,
        etag: Option<u64>,
    ) -> Result<Profile, TenancyError> {
        let apply = |held: &mut Held<ProfileBody>| {
            held.expect(etag)?;
            let body = &mut held.body;
            if let Some(name) = &change.name {
                body.name = name.as_str().to_owned();
            }
            for (name, value) in &change.settings {
                let name = name.as_str().to_owned();
                match value {
                    Some(value) => body.settings.insert(name, value.clone()),
                    None => body.settings.remove(&name),
                };
            }
            let size: usize = body.settings.values().map(String::len).sum();
            if body.settings.len() > PROFILE_SETTINGS_MAX || size > SETTINGS_BYTES_MAX {
                return Err(TenancyError::Invalid(
                    "an organization has 128 settings of 65,536 bytes together at most",
                ));
            }
            Ok(())
        };
        self.profile_changed(permit.org(), apply).await
    }

    /// Puts an organization on a plan.
    pub(super) async fn set_plan(
        &self,
        org: OrgId,
        plan: Option<&Slug>,
    ) -> Result<Profile, TenancyError> {
        self.open_organization(org).await?;
        self.profile_changed(org, |held| {
            held.body.plan = plan.map(|plan| plan.as_str().to_owned());
            Ok(())
        })
        .await
    }

    /// The plan that an organization is on.
    pub(super) async fn plan_of(&self, org: OrgId) -> Result<Option<Slug>, TenancyError> {
        Ok(self.profile_of(org).await?.profile()?.plan)
    }

    pub(super) async fn profile_of(&self, org: OrgId) -> Result<Held<ProfileBody>, TenancyError> {
        // It is made with its organization, and goes with it.
        self.record(org, org.bytes())
            .await?
            .ok_or_else(|| TenancyError::Damaged(format!("the profile of {org} is missing")))
    }

    async fn profile_changed(
        &self,
        org: OrgId,
        change: impl Fn(&mut Held<ProfileBody>) -> Result<(), TenancyError>,
    ) -> Result<Profile, TenancyError> {
        for _ in 0..ATTEMPTS_MAX {
            let mut held = self.profile_of(org).await?;
            change(&mut held)?;
            let keys = self.keys(org).await?;
            let writes = vec![held.replacement(&keys)?];
            match self.commit_records(org, writes, Vec::new()).await {
                Ok(()) => return self.profile_of(org).await?.profile(),
                Err(refused) if refused.is_worth_retrying() => {}
                Err(refused) => return Err(refused.into()),
            }
        }
        Err(TenancyError::Changed)
    }
}

impl Held<ProfileBody> {
    fn profile(&self) -> Result<Profile, TenancyError> {
        let misplaced = || TenancyError::misplaced("a profile");
        let settings = self.body.settings.iter().map(|(name, value)| {
            let name = Label::parse(name).map_err(|_| misplaced())?;
            Ok((name, value.clone()))
        });
        let plan = self.body.plan.as_deref().map(Slug::parse);
        Ok(Profile {
            name: self.body.name.clone(),
            plan: plan.transpose().map_err(|_| misplaced())?,
            settings: settings.collect::<Result<_, TenancyError>>()?,
            etag: self.row.sequence,
        })
    }
}

/// How many settings an organization has at most.
pub const PROFILE_SETTINGS_MAX: usize = 128;
const SETTINGS_BYTES_MAX: usize = 64 << 10;
