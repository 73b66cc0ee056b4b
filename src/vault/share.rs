//! Links by which one version of a secret is shown once to whoever holds the link's token, without
//! an account.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use envelope::{Secret, SharePlace, open_with_token, seal_for_token};
use minicbor::{CborLen, Decode, Encode};
use names::{OrgId, PrincipalId, SecretPath};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::changes::Session;
use super::error::VaultError;
use super::model::{Kind, Selector, State, Value};
use super::record::{decode_value, encode_value, unreadable, whole};
use super::service::{Vault, active};
use crate::authz::{DescribeSecret, LinkHolder, OpenShare, Permit, RevealSecret, ShareSecret};
use crate::catalog::{
    CommitError, Conflict, Mutation, RecordGuard, RecordKind, RecordQuery, RecordRow, RecordWrite,
};
use crate::keyring::RecordDraft;

/// How long a link may be opened: a minute to seven days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetime(u64);

/// A share link, as those see it who may describe its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    /// Which link.
    pub id: [u8; 16],
    /// The number of the version that it shows.
    pub version: u64,
    /// Who made it.
    pub by: PrincipalId,
    /// Whether it has been opened.
    pub is_opened: bool,
    /// When it was made, milliseconds since the epoch.
    pub created_ms: u64,
    /// From when on it opens nothing, milliseconds since the epoch.
    pub expires_ms: u64,
}

/// A link that was made, with its token: the one time that it is shown.
pub struct NewShare {
    /// The link.
    pub share: Share,
    /// What opens it.
    pub token: Zeroizing<String>,
}

/// A token as it was presented: `bkl_` and 80 bytes in the Base64 of URLs.
///
/// ```text
///  0:16  the link         16:48  random: the key of what the link holds follows from it
/// 48:64  the organization, XOR lookup[0:16]        64:80  lookup[16:32]
///
/// lookup = HMAC under the platform's name key, of the first 48 bytes
/// ```
///
/// So a token tells nobody whose it is, and nobody but this platform makes one that leads anywhere:
/// what is made up is refused before any organization is touched.
pub struct ShareToken {
    link: [u8; 16],
    key: Secret<32>,
    org: [u8; 16],
    proof: [u8; 16],
}

/// What a link was found to be.
pub enum FoundShare {
    /// It can be opened.
    Ready(Box<ReadyShare>),
    /// It was opened before; whose secret it was.
    Opened(SecretPath),
}

/// A link that can be opened. Whoever opens it has recorded that before.
pub struct ReadyShare {
    row: RecordRow,
    body: Body,
    path: SecretPath,
    kind: Kind,
}

/// What a link showed.
pub struct OpenedShare {
    /// What kind of credential it is.
    pub kind: Kind,
    /// Its value.
    pub value: Value,
}

/// The record of a link. Its parent is the secret.
#[derive(Clone, Encode, Decode, CborLen)]
#[cbor(map)]
struct Body {
    #[n(0)]
    path: String,
    #[n(1)]
    version: u64,
    #[cbor(n(2), with = "minicbor::bytes")]
    value: [u8; 16],
    #[cbor(n(3), with = "minicbor::bytes")]
    by: [u8; 16],
    /// Gone once it was opened.
    #[cbor(n(4), with = "minicbor::bytes")]
    sealed: Option<Vec<u8>>,
}

impl Lifetime {
    /// An hour.
    pub const DEFAULT: Self = Self(3_600_000);

    /// Takes a number of seconds.
    pub fn seconds(seconds: u64) -> Option<Self> {
        (60..=7 * 24 * 3_600)
            .contains(&seconds)
            .then(|| Self(seconds * 1_000))
    }
}

impl ShareToken {
    /// Reads a token as it was presented. What is none leads nowhere, like one of nobody's.
    pub fn parse(text: &str) -> Result<Self, VaultError> {
        let no_such = VaultError::NoSuchShare;
        let Some(text) = text.strip_prefix(PREFIX) else {
            return Err(no_such);
        };
        let mut bytes = Zeroizing::new([0; TOKEN_LEN]);
        match URL_SAFE_NO_PAD.decode_slice(text, &mut bytes[..]) {
            Ok(TOKEN_LEN) => {}
            _ => return Err(no_such),
        }
        let part = |from: usize| bytes[from..].first_chunk::<16>().copied();
        let key = Secret::from_slice(&bytes[16..48]);
        match (part(0), key, part(48), part(64)) {
            (Some(link), Some(key), Some(org), Some(proof)) => Ok(Self {
                link,
                key,
                org,
                proof,
            }),
            _ => Err(no_such),
        }
    }

    fn print(&self) -> Zeroizing<String> {
        let mut bytes = Zeroizing::new([0; TOKEN_LEN]);
        bytes[..16].copy_from_slice(&self.link);
        bytes[16..48].copy_from_slice(self.key.expose());
        bytes[48..64].copy_from_slice(&self.org);
        bytes[64..].copy_from_slice(&self.proof);
        let mut text = Zeroizing::new(String::with_capacity(PREFIX.len() + TOKEN_LEN * 4 / 3 + 4));
        text.push_str(PREFIX);
        URL_SAFE_NO_PAD.encode_string(&bytes[..], &mut text);
        text
    }

    fn place(&self, org: OrgId, secret: [u8; 16]) -> SharePlace {
        SharePlace {
            org_id: *org.bytes(),
            link_id: self.link,
            secret_id: secret,
        }
    }
}

impl ReadyShare {
    /// Who made it. It is opened for nobody once that one is gone.
    pub fn maker(&self) -> PrincipalId {
        PrincipalId::from_bytes(self.body.by)
    }

    /// The secret that it shows.
    pub fn path(&self) -> &SecretPath {
        &self.path
    }
}

impl Vault {
    /// Makes a link that shows a version of a secret once. Whoever makes one may see what it shows.
    pub async fn share(
        &self,
        permit: Permit<ShareSecret>,
        reveal: Permit<RevealSecret>,
        which: &Selector,
        lifetime: Lifetime,
    ) -> Result<NewShare, VaultError> {
        let session = self.session(&reveal).await?;
        let held = active(session.find(&reveal).await?)?;
        if permit.resource() != reveal.resource() || permit.org() != reveal.org() {
            return Err(VaultError::NoSuchSecret);
        }
        let (version, id) = self.select(&held, which)?;
        let value = session.value(&held, id).await?;
        let now_ms = self.clock.now_ms();
        let token = self
            .draw_token(permit.org(), self.entropy.uuid_v7(now_ms))
            .await?;
        let place = token.place(permit.org(), held.description.id);
        let sealed = seal_for_token(&token.key, &place, &encode_value(&value)?)
            .map_err(|error| VaultError::Unavailable(error.to_string()))?;
        let body = Body {
            path: held.description.path.to_string(),
            version: version.number,
            value: id,
            by: *permit.principal().bytes(),
            sealed: Some(sealed),
        };
        let draft = RecordDraft {
            kind: RecordKind::ShareLink,
            id: token.link,
            parent: Some(held.description.id),
            lookup: None,
            state: READY,
            created_ms: now_ms,
            expires_ms: Some(now_ms.saturating_add(lifetime.0)),
            sequence: 1,
        };
        let row = session.keys.seal_row(draft, &encode(&body)?)?;
        let share = shown(row.row(), &body)?;
        let writes = vec![RecordWrite::Insert(row)];
        let guards = vec![
            RecordGuard::AtMost {
                kind: RecordKind::ShareLink,
                state: None,
                max: SHARES_MAX,
            },
            // What is shared is what is there now.
            RecordGuard::Exists {
                kind: RecordKind::SecretVersion,
                id,
            },
        ];
        match session
            .catalog
            .commit(Mutation::CommitRecords { writes, guards })
            .await
        {
            Ok(_) => Ok(NewShare {
                share,
                token: token.print(),
            }),
            Err(CommitError::Conflict(Conflict::LimitReached { .. })) => {
                Err(VaultError::TooManyShares)
            }
            Err(CommitError::Conflict(Conflict::Missing)) => Err(VaultError::Changed),
            Err(CommitError::Conflict(conflict)) => Err(conflict.into()),
            Err(CommitError::Store(error)) => Err(error.into()),
        }
    }

    /// The links of a secret that have not ended, the oldest first.
    pub async fn shares(&self, permit: Permit<DescribeSecret>) -> Result<Vec<Share>, VaultError> {
        let session = self.session(&permit).await?;
        let held = session.find(&permit).await?;
        let held = held.ok_or(VaultError::NoSuchSecret)?;
        let now_ms = self.clock.now_ms();
        let mut shares = Vec::new();
        let mut query = RecordQuery {
            parent: Some(held.description.id),
            max: PAGE,
            ..RecordQuery::default()
        };
        loop {
            let page = session
                .catalog
                .records(RecordKind::ShareLink, query)
                .await?;
            let is_last = page.len() < PAGE as usize;
            for claimed in page {
                let (row, bytes) = session.keys.open_row(claimed)?;
                query.after = Some(row.id);
                let share = shown(&row, &whole(&bytes)?)?;
                if share.expires_ms > now_ms {
                    shares.push(share);
                }
            }
            if is_last {
                return Ok(shares);
            }
        }
    }

    /// Takes a link of a secret back, whether it was opened or not.
    pub async fn revoke_share(
        &self,
        permit: Permit<ShareSecret>,
        id: [u8; 16],
    ) -> Result<(), VaultError> {
        let session = self.session(&permit).await?;
        let held = session.find(&permit).await?;
        let secret = held.ok_or(VaultError::NoSuchSecret)?.description.id;
        for _ in 0..super::service::ATTEMPTS_MAX {
            let claimed = session.catalog.record(RecordKind::ShareLink, &id).await?;
            let (row, _) = session
                .keys
                .open_row(claimed.ok_or(VaultError::NoSuchShare)?)?;
            if row.parent != Some(secret) {
                return Err(VaultError::NoSuchShare);
            }
            let writes = vec![RecordWrite::Delete {
                kind: RecordKind::ShareLink,
                id,
                sequence: row.sequence,
            }];
            let guards = Vec::new();
            let mutation = Mutation::CommitRecords { writes, guards };
            match session.catalog.commit(mutation).await {
                Ok(_) => return Ok(()),
                // It was opened meanwhile, or its key rotated.
                Err(CommitError::Conflict(Conflict::Changed)) => {}
                Err(CommitError::Conflict(Conflict::Missing)) => {
                    return Err(VaultError::NoSuchShare);
                }
                Err(CommitError::Conflict(conflict)) => return Err(conflict.into()),
                Err(CommitError::Store(error)) => return Err(error.into()),
            }
        }
        Err(VaultError::Changed)
    }

    /// Who holds a token that this platform made. Whether its link still opens anything is not
    /// looked at.
    pub async fn link_holder(&self, token: &ShareToken) -> Result<LinkHolder, VaultError> {
        let lookup = self.lookup_of(&token.link, &token.key).await?;
        let (mask, proof) = halves(&lookup);
        if !bool::from(proof.ct_eq(&token.proof)) {
            return Err(VaultError::NoSuchShare);
        }
        let org = OrgId::from_bytes(xor(token.org, mask));
        Ok(LinkHolder::proven(org, token.link))
    }

    /// Finds the link that the permit is for. Expired, revoked, without its secret or version:
    /// [`VaultError::NoSuchShare`].
    pub async fn find_share(&self, permit: &Permit<OpenShare>) -> Result<FoundShare, VaultError> {
        let session = self.session(permit).await?;
        let link = permit.link();
        let claimed = session.catalog.record(RecordKind::ShareLink, &link).await?;
        let (row, bytes) = session
            .keys
            .open_row(claimed.ok_or(VaultError::NoSuchShare)?)?;
        let body: Body = whole(&bytes)?;
        let path = SecretPath::parse(&body.path).map_err(VaultError::damaged)?;
        let now_ms = self.clock.now_ms();
        if row.id != link || row.parent.is_none() {
            return Err(unreadable());
        }
        if row.expires_ms.is_none_or(|end_ms| end_ms <= now_ms) {
            return Err(VaultError::NoSuchShare);
        }
        match (row.state, &body.sealed) {
            (READY, Some(_)) => {}
            (OPENED, None) => return Ok(FoundShare::Opened(path)),
            _ => return Err(unreadable()),
        }
        let kind = self.shows(&session, &path, &row, &body).await?;
        Ok(FoundShare::Ready(Box::new(ReadyShare {
            row,
            body,
            path,
            kind,
        })))
    }

    /// Opens a link that was found: of any number at once one succeeds, and what it held is gone.
    /// [`VaultError::NoSuchShare`] for the others.
    pub async fn open_share(
        &self,
        permit: &Permit<OpenShare>,
        token: &ShareToken,
        ready: ReadyShare,
    ) -> Result<OpenedShare, VaultError> {
        let session = self.session(permit).await?;
        let ReadyShare {
            row,
            mut body,
            kind,
            ..
        } = ready;
        let secret = row.parent.ok_or_else(unreadable)?;
        let sealed = body.sealed.take().ok_or_else(unreadable)?;
        let bytes = open_with_token(&token.key, &token.place(permit.org(), secret), &sealed)
            .map_err(VaultError::damaged)?;
        let value = decode_value(&bytes)?;
        let draft = RecordDraft {
            state: OPENED,
            ..RecordDraft::after(&row)
        };
        let mutation = Mutation::CommitRecords {
            writes: vec![RecordWrite::Replace(
                session.keys.seal_row(draft, &encode(&body)?)?,
            )],
            // What was destroyed meanwhile is not shown.
            guards: vec![RecordGuard::Exists {
                kind: RecordKind::SecretVersion,
                id: body.value,
            }],
        };
        match session.catalog.commit(mutation).await {
            Ok(_) => Ok(OpenedShare { kind, value }),
            Err(CommitError::Conflict(Conflict::Changed | Conflict::Missing)) => {
                Err(VaultError::NoSuchShare)
            }
            Err(CommitError::Conflict(conflict)) => Err(conflict.into()),
            Err(CommitError::Store(error)) => Err(error.into()),
        }
    }

    /// What a link shows is there as long as its secret is in use and the version not deleted.
    async fn shows(
        &self,
        session: &Session,
        path: &SecretPath,
        row: &RecordRow,
        body: &Body,
    ) -> Result<Kind, VaultError> {
        let held = session.at(path).await?.ok_or(VaultError::NoSuchShare)?;
        let secret = &held.description;
        // Another secret may have come to its path.
        if row.parent != Some(secret.id) || secret.state != State::Active {
            return Err(VaultError::NoSuchShare);
        }
        match self.select(&held, &Selector::Number(body.version)) {
            Ok((_, value)) if value == body.value => Ok(secret.kind),
            Ok(_) => Err(unreadable()),
            Err(_) => Err(VaultError::NoSuchShare),
        }
    }

    async fn draw_token(&self, org: OrgId, link: [u8; 16]) -> Result<ShareToken, VaultError> {
        let drawn = Zeroizing::new(self.entropy.bytes::<32>());
        let key = Secret::new(&drawn);
        let lookup = self.lookup_of(&link, &key).await?;
        let (mask, proof) = halves(&lookup);
        Ok(ShareToken {
            org: xor(*org.bytes(), mask),
            link,
            key,
            proof,
        })
    }

    async fn lookup_of(&self, link: &[u8; 16], key: &Secret<32>) -> Result<[u8; 32], VaultError> {
        let mut name = Zeroizing::new([0; 48]);
        name[..16].copy_from_slice(link);
        name[16..].copy_from_slice(key.expose());
        Ok(self.keyring.platform_lookup(TOKENS, &name[..]).await?)
    }
}

fn shown(row: &RecordRow, body: &Body) -> Result<Share, VaultError> {
    Ok(Share {
        id: row.id,
        version: body.version,
        by: PrincipalId::from_bytes(body.by),
        is_opened: row.state == OPENED,
        created_ms: row.created_ms,
        expires_ms: row.expires_ms.ok_or_else(unreadable)?,
    })
}

fn encode(body: &Body) -> Result<Vec<u8>, VaultError> {
    minicbor::to_vec(body).map_err(VaultError::damaged)
}

fn halves(lookup: &[u8; 32]) -> ([u8; 16], [u8; 16]) {
    let (mut one, mut other) = ([0; 16], [0; 16]);
    one.copy_from_slice(&lookup[..16]);
    other.copy_from_slice(&lookup[16..]);
    (one, other)
}

fn xor(mut one: [u8; 16], other: [u8; 16]) -> [u8; 16] {
    for (byte, mask) in one.iter_mut().zip(other) {
        *byte ^= mask;
    }
    one
}

/// As secret scanners can tell it from everything else.
const PREFIX: &str = "bkl_";
const TOKEN_LEN: usize = 80;
/// What tokens are looked up as.
const TOKENS: &str = "share-link";
const READY: u8 = 1;
const OPENED: u8 = 2;
const SHARES_MAX: u64 = 10_000;
const PAGE: u32 = 500;
