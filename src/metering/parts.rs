use std::collections::BTreeMap;
use std::sync::Arc;

use names::{BucketId, PrincipalId};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::credit_error::CreditError;
use crate::authz::{Permit, ReadUsage, SendUsage};
use crate::catalog::{
    Catalog, CommitError, Conflict, Meter, Mutation, OrgCatalog, RecordKind, RecordWrite,
    UsageDelta, UsageSubject, UsageSubjectKind,
};
use crate::clock::Clock;
use crate::entropy::Entropy;
use crate::keyring::{Keyring, OrgKeys, RecordDraft};

/// Usage by its parts, and usage of what runs outside of the gateway.
pub struct Usage {
    catalog: Catalog,
    keyring: Arc<Keyring>,
    clock: Clock,
    entropy: Entropy,
}

/// What was used in an hour, by a meter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Used {
    /// The hour, by its beginning, milliseconds since the epoch.
    pub hour_ms: u64,
    /// Of what.
    pub subject: UsedBy,
    /// The name of the meter.
    pub meter: &'static str,
    /// How much; of what is stored, by how much it grew.
    pub amount: i64,
}

/// Of what in an organization use is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum UsedBy {
    /// The organization as a whole.
    Organization,
    /// A principal.
    Principal(PrincipalId),
    /// A bucket.
    Bucket(BucketId),
}

/// By what use is told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dimension {
    /// Not at all.
    Organization,
    /// By who used it: what was done with credentials of a principal, and what was sent of it.
    Principal,
    /// By bucket: what is stored, and what was done in it.
    Bucket,
}

/// An event of what runs outside of the gateway. Its name is what makes it one: sent again, it
/// changes nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageEvent {
    /// What whoever sends it calls it: 1 to 200 bytes.
    pub id: String,
    /// The name of its meter.
    pub meter: String,
    /// How much was used.
    pub amount: u64,
    /// When, milliseconds since the epoch: within the last day, so that one that is sent again
    /// later than it is known is refused, and not counted twice.
    pub at_ms: u64,
    /// By which agent or member.
    pub principal: Option<PrincipalId>,
}

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// It was counted.
    Counted,
    /// It had been counted before.
    CountedBefore,
}

/// Why no event of a request was counted.
#[derive(Debug, thiserror::Error)]
pub enum EventError {
    /// One of them is not what it has to be.
    #[error("event {at}: {reason}")]
    Invalid {
        /// Which: the first is 0.
        at: usize,
        /// Why.
        reason: &'static str,
    },
    /// One of them has the name of another that was counted.
    #[error("event {at} has the name of another one")]
    NameUsed {
        /// Which: the first is 0.
        at: usize,
    },
    /// It cannot be done now, or what is stored is not what was written.
    #[error(transparent)]
    Failed(#[from] CreditError),
}

/// Whether there is a meter of this name.
pub fn is_meter(name: &str) -> bool {
    Meter::named(name).is_some()
}

/// An event that has been read.
struct Read {
    lookup: [u8; 32],
    digest: [u8; 32],
    hour_ms: u64,
    meter: Meter,
    amount: i64,
    principal: Option<PrincipalId>,
}

impl Usage {
    /// Reads and counts in `catalog`.
    pub fn new(catalog: Catalog, keyring: Arc<Keyring>, clock: Clock, entropy: Entropy) -> Self {
        Self {
            catalog,
            keyring,
            clock,
            entropy,
        }
    }

    /// What was used from `from_ms` until before `until_ms`, by hour, meter and part. The last
    /// second or two may be missing.
    ///
    /// # Errors
    ///
    /// If the catalog fails.
    pub async fn by(
        &self,
        permit: &Permit<ReadUsage>,
        (from_ms, until_ms): (u64, u64),
        dimension: Dimension,
    ) -> Result<Vec<Used>, CreditError> {
        let catalog = self.catalog.open(permit);
        let kind = match dimension {
            Dimension::Organization => None,
            Dimension::Principal => Some(UsageSubjectKind::Principal),
            Dimension::Bucket => Some(UsageSubjectKind::Bucket),
        };
        let sums = match kind {
            None => catalog.usage(from_ms, until_ms).await?,
            Some(kind) => catalog.usage_by(from_ms, until_ms, kind).await?,
        };
        // A sum may come in pieces: what is folded, and what is not yet.
        let mut whole: BTreeMap<(u64, UsedBy, Meter), i64> = BTreeMap::new();
        for sum in sums {
            let subject = match sum.subject {
                UsageSubject::Whole => UsedBy::Organization,
                UsageSubject::Principal(principal) => UsedBy::Principal(principal),
                UsageSubject::Bucket(bucket) => UsedBy::Bucket(bucket),
            };
            let amount = whole.entry((sum.hour_ms, subject, sum.meter)).or_default();
            *amount = amount.saturating_add(sum.amount);
        }
        let used = whole
            .into_iter()
            .map(|((hour_ms, subject, meter), amount)| Used {
                hour_ms,
                subject,
                meter: meter.as_str(),
                amount,
            });
        Ok(used.collect())
    }

    /// What the organization calls its buckets: of those that are gone nothing is known.
    ///
    /// # Errors
    ///
    /// If the catalog fails.
    pub async fn bucket_names(
        &self,
        permit: &Permit<ReadUsage>,
    ) -> Result<BTreeMap<BucketId, String>, CreditError> {
        let keys = self.keyring.open(permit).await?;
        let catalog = self.catalog.open(permit);
        let mut names: BTreeMap<BucketId, String> = BTreeMap::new();
        let mut after: Option<String> = None;
        loop {
            let page = catalog.buckets("", after.as_deref(), PAGE).await?;
            let is_last = page.len() < PAGE as usize;
            for claimed in page {
                let row = keys.verify(claimed)?;
                after = Some(row.name.to_string());
                names.insert(row.bucket, row.name.to_string());
            }
            if is_last {
                return Ok(names);
            }
        }
    }

    /// The time, milliseconds since the epoch.
    pub fn now_ms(&self) -> u64 {
        self.clock.now_ms()
    }

    /// Until before when hours have ended, with all that is counted in them by nodes that work.
    pub fn ended_ms(&self) -> u64 {
        let ended_ms = self.clock.now_ms().saturating_sub(WRITTEN_MS);
        ended_ms - ended_ms % HOUR_MS
    }

    /// Counts events of what runs outside of the gateway, all of them or none: each once, however
    /// often it is sent. It says of each whether it was counted now.
    ///
    /// # Errors
    ///
    /// If one is not what it has to be; or if the catalog fails.
    pub async fn send(
        &self,
        permit: &Permit<SendUsage>,
        events: &[UsageEvent],
    ) -> Result<Vec<Sent>, EventError> {
        let names = self
            .keyring
            .names(permit)
            .await
            .map_err(CreditError::from)?;
        let catalog = self.catalog.open(permit);
        let now_ms = self.clock.now_ms();
        let mut read = Vec::with_capacity(events.len());
        for (at, event) in events.iter().enumerate() {
            let lookup = names.lookup(EVENT_NAME, event.id.as_bytes());
            let event = Read::of(event, lookup, now_ms)
                .map_err(|reason| EventError::Invalid { at, reason })?;
            if let Some(principal) = event.principal
                && !is_principal(&catalog, principal).await?
            {
                let reason = "there is no such agent or member";
                return Err(EventError::Invalid { at, reason });
            }
            read.push(event);
        }
        for _ in 0..ATTEMPTS_MAX {
            let keys = self.keyring.open(permit).await.map_err(CreditError::from)?;
            let sent = known(&catalog, &keys, &read).await?;
            let fresh = read.iter().zip(&sent);
            let fresh = fresh.filter(|(_, sent)| **sent == Sent::Counted);
            let (mut writes, mut usage) = (Vec::new(), Vec::new());
            for (event, _) in fresh {
                let draft = RecordDraft {
                    kind: RecordKind::Idempotency,
                    id: self.entropy.uuid_v7(now_ms),
                    parent: None,
                    lookup: Some(event.lookup),
                    state: COUNTED,
                    created_ms: now_ms,
                    expires_ms: Some(now_ms.saturating_add(KNOWN_MS)),
                    sequence: 1,
                };
                let row = keys.seal_row(draft, &event.digest);
                writes.push(RecordWrite::Insert(row.map_err(CreditError::from)?));
                usage.extend(event.deltas());
            }
            if writes.is_empty() {
                return Ok(sent);
            }
            match catalog.commit(Mutation::CountOnce { writes, usage }).await {
                Ok(_) => return Ok(sent),
                // The same was sent as quickly, or the key was closed meanwhile.
                Err(CommitError::Conflict(Conflict::Exists)) => {}
                Err(CommitError::Conflict(Conflict::KeyClosed { .. })) => {
                    self.keyring.forget(permit.org());
                }
                Err(CommitError::Conflict(conflict)) => {
                    return Err(CreditError::Unavailable(conflict.to_string()).into());
                }
                Err(CommitError::Store(error)) => return Err(CreditError::from(error).into()),
            }
        }
        Err(CreditError::Changed.into())
    }
}

impl Read {
    fn of(event: &UsageEvent, lookup: [u8; 32], now_ms: u64) -> Result<Self, &'static str> {
        if !(1..=ID_BYTES_MAX).contains(&event.id.len()) {
            return Err("an event's name has 1 to 200 bytes");
        }
        let meter = Meter::named(&event.meter).filter(|meter| meter.is_external());
        let meter = meter.ok_or("no meter of this name counts what runs outside")?;
        let amount = i64::try_from(event.amount)
            .ok()
            .filter(|amount| *amount <= AMOUNT_MAX);
        let amount = amount.ok_or("an amount is at most a thousand million millions")?;
        let at_ms = event.at_ms;
        let is_in_time = at_ms >= now_ms.saturating_sub(LATE_MS_MAX)
            && at_ms <= now_ms.saturating_add(EARLY_MS_MAX);
        if !is_in_time {
            return Err("an event is sent within a day of when it was");
        }
        let mut hash = Sha256::new();
        hash.update([meter as u8]);
        hash.update(amount.to_be_bytes());
        hash.update(at_ms.to_be_bytes());
        hash.update(event.principal.map_or([0; 16], |id| *id.bytes()));
        Ok(Self {
            lookup,
            digest: hash.finalize().into(),
            hour_ms: at_ms - at_ms % HOUR_MS,
            meter,
            amount,
            principal: event.principal,
        })
    }

    fn deltas(&self) -> Vec<UsageDelta> {
        let part = self.principal.map(UsageSubject::Principal);
        [Some(UsageSubject::Whole), part]
            .into_iter()
            .flatten()
            .map(|subject| UsageDelta {
                hour_ms: self.hour_ms,
                meter: self.meter,
                subject,
                amount: self.amount,
            })
            .collect()
    }
}

/// Which events were counted before; among those of one request the first of a name is counted.
async fn known(
    catalog: &OrgCatalog,
    keys: &OrgKeys,
    events: &[Read],
) -> Result<Vec<Sent>, EventError> {
    let mut sent = Vec::with_capacity(events.len());
    let mut digests: BTreeMap<[u8; 32], [u8; 32]> = BTreeMap::new();
    for (at, event) in events.iter().enumerate() {
        let before = match digests.get(&event.lookup) {
            Some(digest) => Some(*digest),
            None => {
                let found = catalog.record_by_lookup(RecordKind::Idempotency, &event.lookup);
                match found.await.map_err(CreditError::from)? {
                    Some(claimed) => {
                        let opened = keys.open_row(claimed).map_err(CreditError::from)?;
                        let digest = <[u8; 32]>::try_from(opened.1.as_slice());
                        Some(digest.map_err(|_| {
                            CreditError::Damaged("an event is not what was written".to_owned())
                        })?)
                    }
                    None => None,
                }
            }
        };
        match before {
            Some(digest) if !bool::from(digest.ct_eq(&event.digest)) => {
                return Err(EventError::NameUsed { at });
            }
            Some(_) => sent.push(Sent::CountedBefore),
            None => sent.push(Sent::Counted),
        }
        digests.insert(event.lookup, event.digest);
    }
    Ok(sent)
}

async fn is_principal(catalog: &OrgCatalog, principal: PrincipalId) -> Result<bool, CreditError> {
    for kind in [RecordKind::Agent, RecordKind::Member] {
        if catalog.record(kind, principal.bytes()).await?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What blind names of events are of.
const EVENT_NAME: &str = "usage-event";
/// The state of the record of an event.
const COUNTED: u8 = 3;
const ID_BYTES_MAX: usize = 200;
const AMOUNT_MAX: i64 = 1_000_000_000_000_000;
const HOUR_MS: u64 = 3_600_000;
/// After how long what was used is written, milliseconds.
const WRITTEN_MS: u64 = 60_000;
/// How late an event may come: well before its hour is charged for good.
const LATE_MS_MAX: u64 = 24 * HOUR_MS;
/// By how much the clock of whoever sends it may be ahead.
const EARLY_MS_MAX: u64 = 300_000;
/// For how long it is known that an event was counted: longer than it may be sent.
const KNOWN_MS: u64 = 3 * 24 * HOUR_MS;
const ATTEMPTS_MAX: u32 = 8;
const PAGE: u32 = 1_000;
