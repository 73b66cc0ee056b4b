use std::path::PathBuf;
use std::sync::Arc;

use names::{AccessKeyId, OrgId, PrincipalId, SecretPath, SecretPrefix};
use zeroize::Zeroizing;

use crate::authz::{
    Action, Caller, CredentialKind, Narrowing, OfSecret, Permit, Rights, Standing, UnderPath,
    authorize,
};
use crate::catalog::{Store, doors};
use crate::ops::fixture;
use crate::vault::{
    Check, Kind, NewSecret, NewValue, Revealed, Selector, Settings, Tags, Value, Vault, VaultError,
    Written,
};

/// One process with a vault, and two organizations.
pub(super) struct World {
    pub(super) place: fixture::Place,
    pub(super) inner: fixture::World,
    pub(super) vault: Arc<Vault>,
    pub(super) ours: OrgId,
    pub(super) theirs: OrgId,
}

impl World {
    pub(super) async fn open() -> Self {
        let place = fixture::Place::new();
        let store = place.store();
        Self::open_on(place, store).await
    }

    pub(super) async fn open_on(place: fixture::Place, store: Arc<dyn Store>) -> Self {
        let inner = place.start_on(Arc::clone(&store)).await.unwrap();
        let (catalog, _, _) = doors(store);
        let vault = Vault::new(
            catalog,
            Arc::clone(&inner.keyring),
            inner.clock.clone(),
            inner.entropy.clone(),
        );
        let ours = inner.organization("acme").await.org;
        let theirs = inner.organization("globex").await.org;
        Self {
            place,
            inner,
            vault: Arc::new(vault),
            ours,
            theirs,
        }
    }

    pub(super) fn database(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.path()).unwrap()
    }

    fn path(&self) -> PathBuf {
        self.place.catalog_path()
    }

    pub(super) async fn create(&self, path: &str, value: &str) -> Result<Written, VaultError> {
        self.vault.create(self.may(path), secret(value)).await
    }

    pub(super) async fn put(&self, path: &str, value: &str) -> Result<Written, VaultError> {
        self.vault.put(self.may(path), new_value(value)).await
    }

    /// What is revealed, as text.
    pub(super) async fn reveal(&self, path: &str, which: Selector) -> Result<String, VaultError> {
        let revealed = self.vault.reveal(self.may(path), &which).await?;
        Ok(text(&revealed))
    }

    /// Leave to do something to a secret of ours.
    pub(super) fn may<A: Action<Resource = OfSecret>>(&self, path: &str) -> Permit<A> {
        secret_of(self.ours, path)
    }

    pub(super) fn may_list<A: Action<Resource = UnderPath>>(&self, prefix: &str) -> Permit<A> {
        let prefix = SecretPrefix::parse(prefix).unwrap();
        permit(self.ours, UnderPath { prefix })
    }
}

pub(super) fn secret_of<A: Action<Resource = OfSecret>>(org: OrgId, path: &str) -> Permit<A> {
    let path = SecretPath::parse(path).unwrap();
    permit(org, OfSecret::at(path))
}

fn permit<A: Action>(org: OrgId, resource: A::Resource) -> Permit<A> {
    let caller = Caller::authenticated(
        org,
        PrincipalId::from_bytes([7; 16]),
        AccessKeyId::parse("BKTEST").unwrap(),
        CredentialKind::AccessKey,
        Arc::new(Narrowing::NONE),
    );
    authorize(&caller, &Rights::ORGANIZATION, Standing::Active, resource).unwrap()
}

pub(super) fn secret(value: &str) -> NewSecret {
    NewSecret {
        kind: Kind::Opaque,
        description: String::new(),
        tags: Tags::new(),
        settings: Settings::default(),
        value: Some(new_value(value)),
    }
}

pub(super) fn new_value(value: &str) -> NewValue {
    NewValue {
        value: Value::Text(Zeroizing::new(value.to_owned())),
        token: None,
        stages: Vec::new(),
        check: Check::Any,
        versions_max: 10,
    }
}

pub(super) fn text(revealed: &Revealed) -> String {
    String::from_utf8(revealed.value.expose().to_vec()).unwrap()
}
