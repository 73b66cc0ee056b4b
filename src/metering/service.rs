use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::{StreamExt, stream};
use names::{BucketName, OrgId};
use prometheus_client::registry::Registry;
use tokio::sync::Notify;

use super::counters::Counters;
use super::credits::Credits;
use super::limits::{Levels, LimitUse, Nearing, NotAdmitted, Use, levels};
use super::month::Month;
use super::rates::{Entry as Entered, Rates};
use super::tally::{Part, Tally};
use super::usage::{HourUsage, UsageError};
use crate::authz::{
    Allowance, Caller, Limit, Limits, Permit, ReadUsage, Receipt, RecordUsage, Refusal,
    record_usage,
};
use crate::catalog::{Catalog, CommitError, Meter, Mutation, OrgCatalog, UsageDelta};
use crate::clock::Clock;
use crate::tenancy::Terms;

/// Counts what organizations use: requests and the bytes that they move. What is stored is counted
/// by the catalog itself, in the transaction that stores it.
///
/// What was counted is written each second, one delta row for each organization, hour and meter,
/// and folded into sums now and then. A crash loses the second that is not written; a write that
/// the catalog made, but reported as failed, would be counted twice.
pub struct Metering {
    catalog: Catalog,
    clock: Clock,
    books: Mutex<HashMap<OrgId, Book>>,
    /// Says that there is something to write.
    pub(super) counted: Notify,
    /// How many writes of an organization are not folded yet.
    unfolded: Mutex<HashMap<OrgId, u32>>,
    pub(super) counters: Counters,
    rates: Rates,
    levels: Levels,
    /// Held while an organization's usage is being written, by the last byte of its identifier:
    /// what is read meanwhile would neither have it nor lack it.
    writing: [tokio::sync::Mutex<()>; 256],
    credits: Option<Arc<Credits>>,
}

/// What a request did, as far as it is counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Done {
    /// The action, if it was done.
    pub action: Option<&'static str>,
    /// The bucket that it was done in, as it was named.
    pub bucket: Option<BucketName>,
}

/// What an organization used since it was last written, and where it is written.
struct Book {
    permit: Permit<RecordUsage>,
    /// What it costs, as of the last request that was let in.
    terms: Arc<Terms>,
    tally: Tally,
}

impl Metering {
    /// Counts nothing yet.
    pub fn new(catalog: Catalog, clock: Clock) -> Self {
        Self {
            catalog,
            clock,
            books: Mutex::default(),
            counted: Notify::new(),
            unfolded: Mutex::default(),
            counters: Counters::default(),
            rates: Rates::default(),
            levels: Levels::default(),
            writing: [const { tokio::sync::Mutex::const_new(()) }; 256],
            credits: None,
        }
    }

    /// Charges what is used, as plans price it, and lets nobody in who has to pay before and has no
    /// credit.
    #[must_use]
    pub fn charging(self, credits: Arc<Credits>) -> Self {
        Self {
            credits: Some(credits),
            ..self
        }
    }

    /// Lets a request of the caller's in and counts it, before it is done, if what the plan of its
    /// organization allows is not used up. Says which limits come near.
    ///
    /// Whatever becomes of it, the request is then [recorded](Self::record) or
    /// [released](Self::release).
    ///
    /// # Errors
    ///
    /// The limit that is reached; or if the catalog fails.
    pub async fn admit(
        &self,
        caller: &Caller,
        terms: &Terms,
        what: Use,
    ) -> Result<Vec<Nearing>, NotAdmitted> {
        let org = caller.org();
        if let Some(credits) = &self.credits
            && what != Use::Free
            && !credits.suffices(&record_usage(caller), terms).await?
        {
            return Err(Refusal::NoCredit.into());
        }
        let limits = &terms.limits;
        let mut near = Vec::new();
        if limits.iter().any(|(limit, _)| limit.is_rate()) {
            near = self.enter(caller, limits, what).await?;
        } else {
            self.rates.forget(org);
        }
        if limits.iter().any(|(limit, _)| !limit.is_rate())
            && self.levels.is_due(org, self.clock.monotonic())
        {
            let catalog = self.catalog.open(&record_usage(caller));
            let levels = levels(&catalog, limits).await;
            let levels = levels.inspect_err(|_| self.rates.release(org))?;
            near.extend(self.levels.near(org, &levels));
        }
        Ok(near)
    }

    async fn enter(
        &self,
        caller: &Caller,
        limits: &Limits,
        what: Use,
    ) -> Result<Vec<Nearing>, NotAdmitted> {
        let org = caller.org();
        loop {
            match self.rates.enter(org, limits, what, self.clock.now_ms()) {
                Entered::Admitted(near) => return Ok(near),
                Entered::Refused(refusal) => return Err(refusal.into()),
                Entered::Unknown => {
                    let _writing = self.writing(org).lock().await;
                    if self.rates.is_known(org) {
                        continue;
                    }
                    // What this node counted before it looked is among what all have written.
                    self.write_held(org).await;
                    let catalog = self.catalog.open(&record_usage(caller));
                    self.see(&catalog).await?;
                }
            }
        }
    }

    /// Reads what all nodes used in the hour and month that it is now.
    async fn see(&self, catalog: &OrgCatalog) -> Result<(), UsageError> {
        let now_ms = self.clock.now_ms();
        let month = Month::of(now_ms);
        let sums = catalog.usage(month.start_ms(), month.end_ms()).await?;
        let now = self.clock.monotonic();
        self.rates.seen(catalog.org(), &sums, now_ms, now);
        Ok(())
    }

    /// Takes back that a request was let in: it was not answered.
    pub fn release(&self, caller: &Caller) {
        self.rates.release(caller.org());
    }

    /// Notes that a request of the caller's has changed something.
    pub fn changed(&self, caller: &Caller) {
        self.levels.changed(caller.org());
    }

    /// How much of what `limits` limits the organization has and uses. The last second or two may
    /// be missing.
    ///
    /// # Errors
    ///
    /// If the catalog fails.
    pub async fn limits(
        &self,
        permit: Permit<ReadUsage>,
        limits: &Limits,
    ) -> Result<Vec<LimitUse>, UsageError> {
        let catalog = self.catalog.open(&permit);
        let mut all = levels(&catalog, limits).await?;
        let now_ms = self.clock.now_ms();
        let month = Month::of(now_ms);
        let hour_ms = now_ms - now_ms % HOUR_MS;
        let sums = catalog.usage(month.start_ms(), month.end_ms()).await?;
        let used = |meter: Meter, from_ms: u64| {
            let is_in = |sum: &&UsageDelta| sum.meter == meter && sum.hour_ms >= from_ms;
            let amounts = sums.iter().filter(is_in).map(|sum| sum.amount);
            u64::try_from(amounts.sum::<i64>()).unwrap_or(0)
        };
        for (limit, max) in limits.iter() {
            let used = match limit {
                Limit::RequestsPerHour => used(Meter::Requests, hour_ms),
                Limit::RequestsPerMonth => used(Meter::Requests, month.start_ms()),
                Limit::EgressBytesPerHour => used(Meter::EgressBytes, hour_ms),
                Limit::EgressBytesPerMonth => used(Meter::EgressBytes, month.start_ms()),
                _ => continue,
            };
            all.push(LimitUse { limit, used, max });
        }
        all.sort_by_key(|level| level.limit);
        Ok(all)
    }

    /// Gives leave to use what the organization may, counted in the hour that it is now.
    pub fn allow(&self, caller: &Caller) -> Allowance {
        Allowance::grant(caller.org(), self.hour_ms())
    }

    /// Counts one request, its bytes, and what was done by it. That is written within a second while
    /// [`run`](Self::run) runs.
    pub fn record(
        &self,
        permit: Permit<RecordUsage>,
        terms: &Arc<Terms>,
        deed: Done,
        receipt: Receipt,
    ) {
        let hour_ms = self.hour_ms();
        let part = Part {
            principal: permit.principal(),
            bucket: deed.bucket,
        };
        self.rates
            .sent(permit.org(), receipt.bytes_out, self.clock.now_ms());
        let mut books = self.books();
        let first = books.is_empty();
        let book = books.entry(permit.org()).or_insert_with(|| Book {
            permit,
            terms: Arc::clone(terms),
            tally: Tally::default(),
        });
        if !Arc::ptr_eq(&book.terms, terms) {
            book.terms = Arc::clone(terms);
        }
        book.tally.count(hour_ms, part, deed.action, receipt);
        drop(books);
        if first {
            self.counted.notify_one();
        }
    }

    /// What the organization used from `from_ms` until before `until_ms`, by hour; hours without
    /// use are left out. The last second or two may be missing.
    ///
    /// # Errors
    ///
    /// If the catalog fails.
    pub async fn usage(
        &self,
        permit: Permit<ReadUsage>,
        from_ms: u64,
        until_ms: u64,
    ) -> Result<Vec<HourUsage>, UsageError> {
        let sums = self.catalog.open(&permit).usage(from_ms, until_ms).await?;
        Ok(HourUsage::by_hour(&sums))
    }

    /// Shows what is counted about metering itself, without a word about whose it is.
    pub fn register(&self, registry: &mut Registry) {
        self.counters.register(registry);
    }

    /// Writes what was counted as it is due, until `stop` is done; then the rest.
    pub async fn run(&self, stop: impl Future<Output = ()> + Send) {
        tokio::pin!(stop);
        loop {
            // A write is never given up halfway: its outcome would be unknown.
            tokio::select! {
                () = &mut stop => break,
                () = self.due() => {}
            }
            self.write().await;
        }
        for wait in FINISH_WAITS {
            self.write().await;
            if self.books().is_empty() {
                return;
            }
            tokio::time::sleep(wait).await;
        }
        let organizations = self.books().len();
        tracing::error!(
            organizations,
            "the node stops with usage that it could not write"
        );
    }

    /// Sleeps while nothing is counted, and then lets more be counted.
    async fn due(&self) {
        self.counted.notified().await;
        tokio::time::sleep(WRITE_INTERVAL).await;
    }

    /// Writes everything that was counted; takes back what fails.
    pub(super) async fn write(&self) {
        let orgs: Vec<OrgId> = self.books().keys().copied().collect();
        stream::iter(orgs)
            .for_each_concurrent(WRITES_MAX, |org| self.write_one(org))
            .await;
        // Of an organization that came meanwhile nothing was said, unless it was the only one.
        if !self.books().is_empty() {
            self.counted.notify_one();
        }
    }

    async fn write_one(&self, org: OrgId) {
        let _writing = self.writing(org).lock().await;
        self.write_held(org).await;
    }

    fn writing(&self, org: OrgId) -> &tokio::sync::Mutex<()> {
        let [.., last] = org.bytes();
        &self.writing[usize::from(*last)]
    }

    async fn write_held(&self, org: OrgId) {
        let Some(book) = self.books().remove(&org) else {
            return;
        };
        let Book {
            permit,
            terms,
            tally,
        } = &book;
        let catalog = self.catalog.open(permit);
        let buckets = match &self.credits {
            Some(credits) => credits.buckets(permit, tally.buckets()).await,
            None => BTreeMap::new(),
        };
        let deltas = tally.deltas(&buckets);
        match catalog.commit(Mutation::AddUsage(deltas.clone())).await {
            Ok(_) => {
                self.counters.writes.inc();
                self.rates.wrote(org, &deltas);
                if self.rates.is_due(org, self.clock.monotonic())
                    && let Err(error) = self.see(&catalog).await
                {
                    tracing::warn!(%error, "what other nodes use is not known");
                }
                self.fold(&catalog).await;
                self.charge(permit, terms).await;
            }
            Err(CommitError::Store(error)) => {
                self.counters.failures.inc();
                tracing::warn!(%error, "usage is kept to be written later");
                self.restore(book);
            }
            // Nothing that is done later would change that.
            Err(CommitError::Conflict(conflict)) => {
                tracing::error!(%conflict, "usage was refused by the catalog and is lost");
            }
        }
    }

    /// Charges an organization's use when it is time to.
    async fn charge(&self, permit: &Permit<RecordUsage>, terms: &Terms) {
        let Some(credits) = &self.credits else {
            return;
        };
        if credits.used(permit.org(), terms)
            && let Err(error) = credits.settle(permit, terms).await
        {
            tracing::warn!(%error, "usage is charged later");
        }
    }

    fn restore(&self, book: Book) {
        match self.books().entry(book.permit.org()) {
            Entry::Occupied(mut newer) => newer.get_mut().tally.restore(book.tally),
            Entry::Vacant(free) => {
                free.insert(book);
            }
        }
    }

    /// Folds an organization's deltas once there are many.
    async fn fold(&self, catalog: &OrgCatalog) {
        {
            let mut unfolded = self.unfolded.lock().unwrap_or_else(PoisonError::into_inner);
            let writes = unfolded.entry(catalog.org()).or_default();
            *writes += 1;
            if *writes < WRITES_UNFOLDED_MAX {
                return;
            }
            unfolded.remove(&catalog.org());
        }
        if let Err(error) = catalog.commit(Mutation::FoldUsage).await {
            tracing::warn!(%error, "usage is not folded yet");
        }
    }

    fn books(&self) -> MutexGuard<'_, HashMap<OrgId, Book>> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hour_ms(&self) -> u64 {
        let now_ms = self.clock.now_ms();
        now_ms - now_ms % HOUR_MS
    }
}

const HOUR_MS: u64 = 3_600_000;

/// How long usage is counted before it is written.
const WRITE_INTERVAL: Duration = Duration::from_secs(1);

/// How many organizations are written at a time. They share commits.
const WRITES_MAX: usize = 64;

/// After how many writes an organization's deltas are folded: five minutes of unbroken use.
pub(super) const WRITES_UNFOLDED_MAX: u32 = 300;

/// How long to wait between the attempts to write what is left when the node stops.
const FINISH_WAITS: [Duration; 5] = [
    Duration::from_millis(100),
    Duration::from_millis(200),
    Duration::from_millis(400),
    Duration::from_millis(800),
    Duration::from_millis(1_600),
];
