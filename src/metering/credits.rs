use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use names::{BucketId, BucketName, OrgId};

use super::account::{Counted, NewCredit, UNITS_MAX};
use super::credit_error::CreditError;
use super::ledger::{Held, Ledger, gap};
use super::line::Line;
use super::month::Month;
use super::statement::Statement;
use crate::authz::{Action, Permit, ReadUsage, RecordUsage};
use crate::catalog::Catalog;
use crate::clock::Clock;
use crate::keyring::Keyring;
use crate::tenancy::{Billing, Terms};

/// The credit of organizations: a ledger for each, to which lines are only added, sealed under its
/// own key.
///
/// ```text
/// account   what is left, and the number of the last line      one record, compared and set
///   └─ line   grant, charge, expiry: an amount each            one record each, by number
/// ```
///
/// Every change is one commit of new lines and of the account as they leave it. Of two nodes that
/// charge at once one is told that the account has changed, and reads again: nothing is charged
/// twice.
pub struct Credits {
    catalog: Catalog,
    keyring: Arc<Keyring>,
    clock: Clock,
    purses: Mutex<HashMap<OrgId, Purse>>,
    /// Held while an account is changed by this node, by the last byte of its organization.
    changing: [tokio::sync::Mutex<()>; 256],
}

/// What is known of an organization's credit for a moment.
#[derive(Clone, Copy)]
struct Purse {
    /// What was left once everything was charged, and when that was read.
    available: Option<(i128, Duration)>,
    /// When this node charged last.
    settled: Option<Duration>,
}

/// A credit to grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewGrant {
    /// Units: 1 to a thousand million millions.
    pub units: u64,
    /// Which credit is spent first: the lowest.
    pub priority: u8,
    /// From when on it pays for nothing any more, milliseconds since the epoch.
    pub expires_ms: Option<u64>,
    /// What it is for.
    pub reason: String,
    /// What the operator calls it: a grant of the same name is made once.
    pub reference: Option<String>,
}

/// An organization's credit now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Balance {
    /// What is left of credits, as the ledger has it, units.
    pub balance: u64,
    /// What is owed, as the ledger has it, units.
    pub owed: u64,
    /// What would be left if all that was used were charged now; below zero what would be owed.
    pub available: i128,
    /// What is left of each, the one that is spent first before others.
    pub credits: Vec<OpenCredit>,
}

/// What is left of a credit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenCredit {
    /// The line of the ledger that granted it.
    pub grant: u64,
    /// Which is spent first: the lowest.
    pub priority: u8,
    /// From when on it pays for nothing any more, milliseconds since the epoch.
    pub expires_ms: Option<u64>,
    /// Units.
    pub left: u64,
}

impl Credits {
    /// Keeps ledgers in `catalog`, sealed with the keys of `keyring`.
    pub fn new(catalog: Catalog, keyring: Arc<Keyring>, clock: Clock) -> Self {
        Self {
            catalog,
            keyring,
            clock,
            purses: Mutex::default(),
            changing: [const { tokio::sync::Mutex::const_new(()) }; 256],
        }
    }

    /// Grants credit, and pays with it what is owed. A grant with a reference is made once: the
    /// same again gives back what was made, and says so.
    ///
    /// # Errors
    ///
    /// If the reference is that of another grant; or if the catalog fails.
    pub async fn grant(
        &self,
        permit: &Permit<RecordUsage>,
        terms: &Terms,
        grant: NewGrant,
    ) -> Result<(Line, bool), CreditError> {
        let now_ms = self.clock.now_ms();
        if !(1..=UNITS_MAX).contains(&grant.units) {
            return Err(CreditError::Invalid(
                "a grant has 1 to 1,000,000,000,000,000 units",
            ));
        }
        if grant.expires_ms.is_some_and(|end| end <= now_ms) {
            return Err(CreditError::Invalid("a grant ends later than now"));
        }
        let lookup = match &grant.reference {
            Some(reference) => {
                let names = self.keyring.names(permit).await?;
                Some(names.lookup(REFERENCE, reference.as_bytes()))
            }
            None => None,
        };
        let credit = NewCredit {
            units: grant.units,
            priority: grant.priority,
            expires_ms: grant.expires_ms,
            reason: grant.reason,
        };
        let _changing = self.changing(permit.org()).lock().await;
        for _ in 0..ATTEMPTS_MAX {
            let ledger = self.open(permit).await?;
            if let Some(lookup) = &lookup
                && let Some(made) = ledger.line_by_lookup(lookup).await?
            {
                return match made.grants(&credit) {
                    true => Ok((made, false)),
                    false => Err(CreditError::ReferenceUsed),
                };
            }
            let (held, sums) = ledger.read(now_ms).await?;
            let mut account = held.account.clone();
            let counted = Counted {
                sums: &sums,
                now_ms,
            };
            let mut lines = account.settle(counted, &terms.prices);
            let granted = account.grant(credit.clone(), now_ms);
            lines.push(granted.clone());
            lines.extend(account.settle(counted, &terms.prices));
            let named = lookup.map(|lookup| (granted.number, lookup));
            if ledger.commit(&held, &account, &lines, named).await? {
                self.forget(permit.org());
                return Ok((granted, true));
            }
            self.keyring.forget(permit.org());
        }
        Err(CreditError::Changed)
    }

    /// Ends what has expired, charges what was used, and pays as far as credit goes. Where nothing
    /// has a price and nothing was ever granted, there is no ledger to write to.
    ///
    /// # Errors
    ///
    /// If the catalog fails.
    pub async fn settle(
        &self,
        permit: &Permit<RecordUsage>,
        terms: &Terms,
    ) -> Result<Vec<Line>, CreditError> {
        let _changing = self.changing(permit.org()).lock().await;
        for _ in 0..ATTEMPTS_MAX {
            let now_ms = self.clock.now_ms();
            let ledger = self.open(permit).await?;
            if terms.prices.is_empty() && ledger.account().await?.is_none() {
                return Ok(Vec::new());
            }
            let (held, sums) = ledger.read(now_ms).await?;
            let mut account = held.account.clone();
            let counted = Counted {
                sums: &sums,
                now_ms,
            };
            let lines = account.settle(counted, &terms.prices);
            let is_same = held.row.is_some() && account == held.account;
            if is_same || ledger.commit(&held, &account, &lines, None).await? {
                self.settled(permit.org());
                return Ok(lines);
            }
            self.keyring.forget(permit.org());
        }
        Err(CreditError::Changed)
    }

    /// The organization's credit now.
    ///
    /// # Errors
    ///
    /// If the catalog fails.
    pub async fn balance(
        &self,
        permit: &Permit<ReadUsage>,
        terms: &Terms,
    ) -> Result<Balance, CreditError> {
        self.balance_of(permit, terms).await
    }

    /// Up to `max` lines of the ledger after one, by number. Each is seen to follow from the one
    /// before.
    ///
    /// # Errors
    ///
    /// If the catalog fails, or the ledger does not add up.
    pub async fn lines(
        &self,
        permit: &Permit<ReadUsage>,
        after: u64,
        max: u32,
    ) -> Result<Vec<Line>, CreditError> {
        let ledger = self.open(permit).await?;
        let before = ledger.line(after).await?;
        ledger.following(before.as_ref(), max).await
    }

    /// What was granted, charged and ended in a month.
    ///
    /// # Errors
    ///
    /// If the catalog fails, or the ledger does not add up.
    pub async fn statement(
        &self,
        permit: &Permit<ReadUsage>,
        month: Month,
    ) -> Result<Statement, CreditError> {
        let ledger = self.open(permit).await?;
        let account = ledger.account().await?;
        let last = account.map_or(0, |held| held.account.lines);
        // The first line of the month, by halves: lines are in the order of their times.
        let (mut low, mut high) = (1, last + 1);
        while low < high {
            let middle = low + (high - low) / 2;
            let line = ledger.line(middle).await?.ok_or_else(|| gap(middle))?;
            match line.at_ms < month.start_ms() {
                true => low = middle + 1,
                false => high = middle,
            }
        }
        let mut statement = Statement::opening(month, ledger.line(low - 1).await?);
        loop {
            let page = ledger.following(statement.last(), PAGE).await?;
            let is_last = page.len() < PAGE as usize;
            let in_month = page
                .into_iter()
                .take_while(|line| line.at_ms < month.end_ms());
            let before = statement.lines.len();
            statement.lines.extend(in_month);
            if is_last || statement.lines.len() - before < PAGE as usize {
                break;
            }
        }
        statement.is_final = self.clock.now_ms() >= month.end_ms().saturating_add(SKEW_MS);
        if statement.adds_up() {
            Ok(statement)
        } else {
            let what = format!("the ledger of organization {} for {month}", permit.org());
            Err(CreditError::Damaged(format!("{what} does not add up")))
        }
    }

    /// Whether there is credit for another request; without prepayment there always is. What is
    /// used up meanwhile is known within a second or two.
    pub(super) async fn suffices(
        &self,
        permit: &Permit<RecordUsage>,
        terms: &Terms,
    ) -> Result<bool, CreditError> {
        if terms.billing == Billing::Postpaid {
            return Ok(true);
        }
        let now = self.clock.monotonic();
        let known = self
            .purses()
            .get(&permit.org())
            .and_then(|purse| purse.available);
        if let Some((available, at)) = known
            && now.saturating_sub(at) < KNOWN_FOR
        {
            return Ok(available > 0);
        }
        let balance = self.balance_of(permit, terms).await?;
        let mut purses = self.purses();
        let purse = purses.entry(permit.org()).or_insert(Purse::UNKNOWN);
        purse.available = Some((balance.available, now));
        Ok(balance.available > 0)
    }

    /// Notes that use was written, and says whether it is time to charge it.
    pub(super) fn used(&self, org: OrgId, terms: &Terms) -> bool {
        let now = self.clock.monotonic();
        let mut purses = self.purses();
        let purse = purses.entry(org).or_insert(Purse::UNKNOWN);
        purse.available = None;
        let age = purse.settled.map(|settled| now.saturating_sub(settled));
        !terms.prices.is_empty() && age.is_none_or(|age| age >= SETTLE_INTERVAL)
    }

    /// The buckets of these names. What cannot be read, or is not what was written, is counted in no
    /// bucket, which costs nothing.
    pub(super) async fn buckets(
        &self,
        permit: &Permit<RecordUsage>,
        names: BTreeSet<&BucketName>,
    ) -> BTreeMap<BucketName, BucketId> {
        let mut found = BTreeMap::new();
        let Ok(keys) = self.keyring.open(permit).await else {
            return found;
        };
        let catalog = self.catalog.open(permit);
        for name in names {
            if let Ok(Some(claimed)) = catalog.bucket(name).await
                && let Ok(row) = keys.verify(claimed)
                && row.name == *name
            {
                found.insert(row.name, row.bucket);
            }
        }
        found
    }

    async fn balance_of<A: Action>(
        &self,
        permit: &Permit<A>,
        terms: &Terms,
    ) -> Result<Balance, CreditError> {
        let now_ms = self.clock.now_ms();
        let ledger = self.open(permit).await?;
        let (Held { account, .. }, sums) = ledger.read(now_ms).await?;
        let counted = Counted {
            sums: &sums,
            now_ms,
        };
        Ok(Balance {
            balance: account.balance(),
            owed: account.owed,
            available: account.available(counted, &terms.prices),
            credits: account.open_credits(),
        })
    }

    async fn open<A: Action>(&self, permit: &Permit<A>) -> Result<Ledger, CreditError> {
        Ledger::open(&self.catalog, &self.keyring, permit).await
    }

    fn settled(&self, org: OrgId) {
        let now = self.clock.monotonic();
        let purse = Purse {
            available: None,
            settled: Some(now),
        };
        self.purses().insert(org, purse);
    }

    fn forget(&self, org: OrgId) {
        self.purses().remove(&org);
    }

    fn changing(&self, org: OrgId) -> &tokio::sync::Mutex<()> {
        let [.., last] = org.bytes();
        &self.changing[usize::from(*last)]
    }

    fn purses(&self) -> MutexGuard<'_, HashMap<OrgId, Purse>> {
        self.purses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Purse {
    const UNKNOWN: Self = Self {
        available: None,
        settled: None,
    };
}

/// What blind names of grants are of.
const REFERENCE: &str = "credit-grant";
/// How many lines are read at a time.
const PAGE: u32 = 500;
/// How often a change is tried again when another node's came in between.
const ATTEMPTS_MAX: u32 = 16;
/// For how long it is believed how much credit there is.
const KNOWN_FOR: Duration = Duration::from_secs(1);
/// How often this node charges what an organization uses.
const SETTLE_INTERVAL: Duration = Duration::from_secs(300);
/// By how much clocks of nodes may differ, milliseconds: until then a line may still be written
/// into a month that has ended.
const SKEW_MS: u64 = 60_000;
