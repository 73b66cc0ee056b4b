use minicbor::{Decode, Decoder, Encode};
use names::AccessKeyId;
use zeroize::Zeroizing;

use super::org_keys::{OrgKeys, Record, RowRefused};
use crate::authz::Scope;
use crate::catalog::{CredentialRow, Row};

/// What the row of an access key holds sealed: its id, its secret and how far it reaches.
///
/// The record is sealed under the platform's key for its place in the credential directory, so
/// that a caller is authenticated before any organization's key is touched.
pub struct AccessKeySecret {
    id: AccessKeyId,
    secret: Zeroizing<String>,
    scope: Scope,
}

impl AccessKeySecret {
    /// An access key whose halves were just drawn.
    pub fn new(id: AccessKeyId, secret: Zeroizing<String>, scope: Scope) -> Self {
        Self { id, secret, scope }
    }

    /// Its public half.
    pub fn id(&self) -> &AccessKeyId {
        &self.id
    }

    /// How far it reaches.
    pub fn scope(&self) -> Scope {
        self.scope
    }

    /// Its secret half. The one exit.
    pub fn expose(&self) -> &str {
        &self.secret
    }

    /// Gives the secret half away.
    pub fn into_secret(self) -> Zeroizing<String> {
        self.secret
    }

    /// Seals it for the row with this blind name.
    pub fn seal(&self, platform: &OrgKeys, lookup: &[u8; 32]) -> Result<Vec<u8>, RowRefused> {
        let stored = Stored {
            id: self.id.as_str(),
            secret: &self.secret,
            scope: match self.scope {
                Scope::Full => FULL,
                Scope::ReadOnly => READ_ONLY,
            },
        };
        // At its full size from the start, so that no copy is left behind by growing.
        let mut bytes = Zeroizing::new(Vec::with_capacity(BYTES_MAX));
        minicbor::encode(&stored, &mut *bytes).map_err(|_| UNREADABLE)?;
        platform.seal_record(record(&[lookup]), &bytes)
    }

    /// Opens what a row holds, once the row's MAC has been verified.
    pub fn open(platform: &OrgKeys, row: &CredentialRow) -> Result<Self, RowRefused> {
        let bytes = platform.open_record(record(&[&row.lookup]), &row.sealed)?;
        let mut decoder = Decoder::new(&bytes);
        let stored: Stored<'_> = decoder.decode().map_err(|_| UNREADABLE)?;
        if decoder.position() != bytes.len() {
            return Err(UNREADABLE);
        }
        Ok(Self {
            id: AccessKeyId::parse(stored.id).map_err(|_| UNREADABLE)?,
            secret: Zeroizing::new(stored.secret.to_owned()),
            scope: match stored.scope {
                FULL => Scope::Full,
                READ_ONLY => Scope::ReadOnly,
                _ => return Err(UNREADABLE),
            },
        })
    }
}

/// The record as CBOR.
#[derive(Encode, Decode)]
#[cbor(map)]
struct Stored<'a> {
    #[b(0)]
    id: &'a str,
    #[b(1)]
    secret: &'a str,
    #[n(2)]
    scope: u8,
}

fn record<'a>(primary_key: &'a [&'a [u8]]) -> Record<'a> {
    Record {
        table: CredentialRow::TABLE,
        primary_key,
        column: "secret",
    }
}

const FULL: u8 = 1;
const READ_ONLY: u8 = 2;
/// More than an id, a secret and their heads.
const BYTES_MAX: usize = 512;
const UNREADABLE: RowRefused = RowRefused::Unreadable {
    table: CredentialRow::TABLE,
};
