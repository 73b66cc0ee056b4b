use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use moka::sync::Cache;

use super::error::TenancyError;
use super::service::Tenancy;
use crate::clock::Clock;

/// Counts attempts to log in, of this process: by e-mail address, whether it has an account or
/// not, and by where they come from.
///
/// An attempt counts before it is judged, so that a hundred at once are a hundred; one that
/// succeeds takes its address's count back.
pub(super) struct Attempts {
    by_account: Cache<(LookedUp, Option<Source>), Arc<Mutex<Window>>>,
    by_source: Cache<Source, Arc<Mutex<Window>>>,
    clock: Clock,
}

/// The blind name of an e-mail address.
type LookedUp = [u8; 32];

/// Where an attempt comes from: an address of IPv4, or a network of IPv6, of which everybody has
/// many addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Source([u8; 16]);

/// Attempts since the first of them, until it is old.
#[derive(Default)]
struct Window {
    since: Option<Duration>,
    count: u32,
}

impl Source {
    pub(super) fn of(address: IpAddr) -> Self {
        let address = match address.to_canonical() {
            IpAddr::V4(v4) => v4.to_ipv6_mapped(),
            IpAddr::V6(v6) => (u128::from(v6) >> 64 << 64).into(),
        };
        Self(address.octets())
    }

    pub(super) fn bytes(&self) -> [u8; 16] {
        self.0
    }
}

impl Attempts {
    pub(super) fn new(clock: Clock) -> Self {
        Self {
            by_account: Cache::new(KEPT_MAX),
            by_source: Cache::new(KEPT_MAX),
            clock,
        }
    }

    /// Counts an attempt from somewhere; refused when there were too many.
    pub(super) fn from(&self, source: Option<Source>) -> Result<(), TenancyError> {
        let Some(source) = source else {
            return Ok(());
        };
        let window = self.by_source.get_with(source, Arc::default);
        match self.count(&window, PER_SOURCE_MAX) {
            Counted::TooMany { left, .. } => Err(TenancyError::TooManyAttempts {
                retry_after_seconds: left.as_secs().max(1),
            }),
            Counted::One => Ok(()),
        }
    }

    /// Counts an attempt on an account. `known` is a place from which its owner has logged in
    /// before: such a place counts by itself, so that strangers cannot lock it out.
    pub(super) fn on(&self, account: LookedUp, known: Option<Source>) -> Counted {
        let window = self.by_account.get_with((account, known), Arc::default);
        self.count(&window, PER_ACCOUNT_MAX)
    }

    /// Takes the count of an account back, once its owner has logged in.
    pub(super) fn succeeded(&self, account: LookedUp, source: Option<Source>) {
        self.by_account.invalidate(&(account, source));
        if let Some(source) = source {
            self.take_back(source);
        }
    }

    fn take_back(&self, source: Source) {
        if let Some(window) = self.by_source.get(&source) {
            let mut window = window.lock().unwrap_or_else(PoisonError::into_inner);
            window.count = window.count.saturating_sub(1);
        }
    }

    fn count(&self, window: &Mutex<Window>, max: u32) -> Counted {
        let now = self.clock.monotonic();
        let mut window = window.lock().unwrap_or_else(PoisonError::into_inner);
        let age = window.since.map(|since| now.saturating_sub(since));
        if age.is_none_or(|age| age >= LOCKED_FOR) {
            *window = Window {
                since: Some(now),
                count: 0,
            };
        }
        // What is refused counts no more: the lock ends when it said it would.
        if window.count >= max {
            let age = age.unwrap_or_default();
            return Counted::TooMany {
                left: LOCKED_FOR.saturating_sub(age),
                is_first: std::mem::replace(&mut window.count, max + 1) == max,
            };
        }
        window.count += 1;
        if window.count == max {
            // The lock is as long as it says, however slowly the attempts came.
            window.since = Some(now);
        }
        Counted::One
    }
}

impl Tenancy {
    /// Counts an attempt of somebody who names no account, before it is judged: to open a share
    /// link, or to log in by a provider.
    pub fn begin_attempt(&self, source: IpAddr) -> Result<(), TenancyError> {
        self.attempts.from(Some(Source::of(source)))
    }

    /// Takes the count of one back that succeeded.
    pub fn attempt_succeeded(&self, source: IpAddr) {
        self.attempts.take_back(Source::of(source));
    }
}

/// How an attempt was counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Counted {
    /// It may be judged.
    One,
    /// There were too many before it.
    TooMany {
        /// How long it will be so.
        left: Duration,
        /// Whether it is the first that is refused.
        is_first: bool,
    },
}

/// Within which time attempts are counted together, and how long too many of them lock.
pub(super) const LOCKED_FOR: Duration = Duration::from_secs(15 * 60);
const PER_ACCOUNT_MAX: u32 = 10;
/// An office shares an address.
const PER_SOURCE_MAX: u32 = 100;
const KEPT_MAX: u64 = 65_536;
