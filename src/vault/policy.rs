//! What secrets say themselves of who may do what to them. It stands in the secret's own record, so
//! that nobody who can write to the catalog takes it from there without the secret.

use std::sync::Arc;

use minicbor::{CborLen, Decode, Encode};
use moka::sync::Cache;
use names::{Effect, Glob, OrgId, ResourcePolicy, ResourceStatement, SecretPath, Statement};

use super::changes::{Outcome, Session, Values};
use super::error::VaultError;
use super::model::{Description, SecretPolicy};
use super::service::Vault;
use crate::authz::{
    Caller, ChangeSecretPolicy, OfSecret, Permit, ReadSecretPolicy, Standing, judge_secret,
};
use crate::catalog::{Class, Stamp};

/// The policies of secrets that were lately asked for, where there are any. What is kept holds while
/// nothing changed among the secrets and rights of the organization.
pub(super) struct Policies(Cache<(OrgId, SecretPath), Known>);

#[derive(Clone)]
struct Known {
    stamps: [Stamp; 2],
    rules: Option<Arc<ResourcePolicy>>,
}

/// A policy as CBOR in the record of its secret.
#[derive(Encode, Decode, CborLen)]
#[cbor(map)]
pub(super) struct StoredPolicy {
    #[n(0)]
    text: String,
    #[n(1)]
    statements: Vec<StoredStatement>,
}

#[derive(Encode, Decode, CborLen)]
#[cbor(map)]
struct StoredStatement {
    #[n(0)]
    allows: bool,
    #[n(1)]
    principals: Vec<String>,
    #[n(2)]
    actions: Vec<String>,
    #[n(3)]
    resources: Vec<String>,
}

impl Vault {
    /// A secret of the caller's organization with what it says itself of who may do what to it: what
    /// a permit is made by.
    pub async fn secret(
        &self,
        caller: &Caller,
        standing: Standing,
        path: SecretPath,
    ) -> Result<OfSecret, VaultError> {
        // Without keys nothing is permitted, whatever a policy says.
        let Ok(permit) = judge_secret(caller, standing) else {
            return Ok(OfSecret::at(path));
        };
        let session = self.session(&permit).await?;
        let rules = self.policies.of(&session, &path).await?;
        Ok(OfSecret::under(path, rules))
    }

    /// A secret with its policy, if it has one.
    pub async fn policy(
        &self,
        permit: Permit<ReadSecretPolicy>,
    ) -> Result<Description, VaultError> {
        self.described(&permit).await
    }

    /// Puts a policy on a secret in the place of the one that it has, or takes that away.
    pub async fn change_policy(
        &self,
        permit: Permit<ChangeSecretPolicy>,
        policy: Option<SecretPolicy>,
    ) -> Result<Description, VaultError> {
        self.changing(&permit, |held| {
            if held.description.policy == policy {
                return Ok(Outcome::Unchanged);
            }
            held.description.policy = policy.clone();
            Ok(Outcome::Kept(Values::default()))
        })
        .await
    }
}

impl Policies {
    pub(super) fn new() -> Self {
        Self(Cache::new(SECRETS_MAX))
    }

    async fn of(
        &self,
        session: &Session,
        path: &SecretPath,
    ) -> Result<Option<Arc<ResourcePolicy>>, VaultError> {
        let key = (session.catalog.org(), path.clone());
        let stamps = session.stamps();
        if let Some(known) = self.0.get(&key)
            && Some(known.stamps) == stamps
        {
            return Ok(known.rules);
        }
        let held = session.at(path).await?;
        let rules = held.and_then(|held| held.description.rules().cloned());
        if let Some(stamps) = stamps {
            let rules = rules.clone();
            self.0.insert(key, Known { stamps, rules });
        }
        Ok(rules)
    }
}

impl Session {
    /// What was seen of the organization's secrets and rights; nothing while this node may have
    /// missed a change.
    pub(super) fn stamps(&self) -> Option<[Stamp; 2]> {
        Some([
            self.catalog.stamp(Class::Secrets)?,
            self.catalog.stamp(Class::Rights)?,
        ])
    }
}

impl StoredPolicy {
    pub(super) fn of(policy: &SecretPolicy) -> Self {
        let statements = policy.rules.statements.iter();
        Self {
            text: policy.text.to_string(),
            statements: statements.map(StoredStatement::of).collect(),
        }
    }

    /// What was stored, if this program understands all of it.
    pub(super) fn read(self) -> Option<SecretPolicy> {
        let statements = self.statements.into_iter().map(StoredStatement::read);
        let statements = statements.collect::<Option<_>>()?;
        Some(SecretPolicy {
            text: self.text.into(),
            rules: Arc::new(ResourcePolicy { statements }),
        })
    }
}

impl StoredStatement {
    fn of(one: &ResourceStatement) -> Self {
        let texts = |globs: &[Glob]| globs.iter().map(|glob| glob.as_str().to_owned()).collect();
        let statement = &one.statement;
        Self {
            allows: statement.effect == Effect::Allow,
            principals: one.principals.iter().map(ToString::to_string).collect(),
            actions: texts(&statement.actions),
            resources: texts(&statement.resources),
        }
    }

    fn read(self) -> Option<ResourceStatement> {
        let globs = |texts: Vec<String>| {
            let globs = texts.iter().map(|text| Glob::parse(text).ok());
            globs.collect::<Option<Vec<_>>>()
        };
        let principals = self.principals.iter().map(|text| text.parse().ok());
        Some(ResourceStatement {
            principals: principals.collect::<Option<_>>()?,
            statement: Statement {
                effect: if self.allows {
                    Effect::Allow
                } else {
                    Effect::Deny
                },
                actions: globs(self.actions)?,
                resources: globs(self.resources)?,
                prefixes: None,
            },
        })
    }
}

/// Of how many secrets it is kept what they say, of all organizations together.
const SECRETS_MAX: u64 = 50_000;
