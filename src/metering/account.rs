use std::collections::BTreeMap;

use minicbor::{CborLen, Decode, Encode};

use super::credits::OpenCredit;
use super::line::{Charged, Entry, Line, Payment};
use crate::catalog::{Meter, Stored, UsageDelta, UsageSubject};
use crate::tenancy::{Price, Prices};

/// An organization's credit, as the lines of its ledger have made it: what is left of each grant,
/// what is owed, and how far its use has been charged.
///
/// Use is charged by what was counted since the last time. A price is for so much at a time, so what
/// is left over of it is carried on: however often use is charged, it costs what it would have cost
/// at once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(map)]
pub(super) struct Account {
    /// The number of the ledger's last line; 0 before the first.
    #[n(0)]
    pub(super) lines: u64,
    /// When the last line was written, milliseconds since the epoch. Later ones are no earlier.
    #[n(1)]
    pub(super) at_ms: u64,
    /// What is left of grants, as long as something is.
    #[n(2)]
    pub(super) credits: Vec<Credit>,
    /// What use cost that no credit has paid for yet, units.
    #[n(3)]
    pub(super) owed: u64,
    /// The hour from which on use is counted in `counted`.
    #[n(4)]
    since_ms: u64,
    /// What has been charged of the use since then, by the number of its meter.
    #[n(5)]
    counted: BTreeMap<u8, u64>,
    /// The hour until which what is stored has been charged.
    #[n(6)]
    held_until_ms: u64,
    /// What was stored when `since_ms` began.
    #[n(7)]
    bytes_before: i64,
    #[n(8)]
    objects_before: i64,
    /// What is left over of prices, by the number of the meter.
    #[n(9)]
    carried: BTreeMap<u8, Carried>,
    /// When use was charged last, milliseconds since the epoch.
    #[n(10)]
    charged_ms: u64,
}

/// What is left of a grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, CborLen)]
pub(super) struct Credit {
    /// The line that granted it.
    #[n(0)]
    pub(super) grant: u64,
    /// Which is spent first: the lowest.
    #[n(1)]
    pub(super) priority: u8,
    /// From when on it pays for nothing any more, milliseconds since the epoch.
    #[n(2)]
    pub(super) expires_ms: Option<u64>,
    /// Units.
    #[n(3)]
    pub(super) left: u64,
}

/// A part of a unit: so many `per`ths of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Encode, Decode, CborLen)]
struct Carried {
    #[n(0)]
    parts: u64,
    #[n(1)]
    per: u64,
}

/// What was counted of an organization's use, for its account.
#[derive(Debug, Clone, Copy)]
pub(super) struct Counted<'a> {
    /// The sums by hour, from [`Account::since_ms`] on.
    pub(super) sums: &'a [UsageDelta],
    /// When they were read, milliseconds since the epoch.
    pub(super) now_ms: u64,
}

impl Account {
    /// Of an organization whose use costs something from now on: what it used before costs nothing.
    pub(super) fn opened(counted: Counted<'_>, stored: Stored, since_ms: u64) -> Self {
        let hour_ms = counted.now_ms - counted.now_ms % HOUR_MS;
        let [bytes, objects] = [Meter::StoredBytes, Meter::Objects]
            .map(|meter| changes(counted.sums, meter, since_ms, u64::MAX));
        Self {
            at_ms: counted.now_ms,
            charged_ms: counted.now_ms,
            since_ms,
            counted: used(counted.sums, since_ms),
            held_until_ms: hour_ms,
            bytes_before: stored.bytes.saturating_sub(bytes),
            objects_before: stored.objects.saturating_sub(objects),
            ..Self::default()
        }
    }

    /// The hour from which on use has to be read, to be charged.
    pub(super) fn since_ms(&self) -> u64 {
        self.since_ms
    }

    /// What is left of all credit that has not ended, units: the sum of all lines.
    pub(super) fn balance(&self) -> u64 {
        self.credits
            .iter()
            .fold(0, |sum, credit| sum.saturating_add(credit.left))
    }

    /// What is left of each, in the order in which they are spent.
    pub(super) fn open_credits(&self) -> Vec<OpenCredit> {
        let mut credits = self.credits.clone();
        credits.sort_by_key(Credit::order);
        let open = credits.into_iter().map(|credit| OpenCredit {
            grant: credit.grant,
            priority: credit.priority,
            expires_ms: credit.expires_ms,
            left: credit.left,
        });
        open.collect()
    }

    /// Adds a credit.
    pub(super) fn grant(&mut self, credit: NewCredit, now_ms: u64) -> Line {
        let NewCredit {
            units,
            priority,
            expires_ms,
            reason,
        } = credit;
        let entry = Entry::Grant {
            priority,
            expires_ms,
            reason,
        };
        let credit = Credit {
            grant: self.lines + 1,
            priority,
            expires_ms,
            left: units,
        };
        self.credits.push(credit);
        self.line(entry, signed(units), now_ms)
    }

    /// Ends what has expired, charges what was used since the last time, and pays what is owed as
    /// far as credit goes.
    pub(super) fn settle(&mut self, counted: Counted<'_>, prices: &Prices) -> Vec<Line> {
        // Another node's clock may be ahead; no line is earlier than the one before.
        let now_ms = counted.now_ms.max(self.at_ms);
        let mut lines = self.expire(now_ms);
        let before = self.clone();
        let charged = self.charge(counted, prices);
        let due = charged
            .iter()
            .fold(0_u64, |sum, charged| sum.saturating_add(charged.units));
        self.owed = self.owed.saturating_add(due);
        let payments = self.pay();
        if due == 0 && payments.is_empty() && !before.is_late(now_ms) {
            // It is counted together with what comes, so that no line says nothing.
            *self = before;
            return lines;
        }
        if !charged.is_empty() || !payments.is_empty() {
            let paid = payments
                .iter()
                .fold(0_u64, |sum, payment| sum.saturating_add(payment.units));
            let entry = Entry::Charge {
                from_ms: std::mem::replace(&mut self.charged_ms, now_ms),
                charged,
                payments,
            };
            lines.push(self.line(entry, -signed(paid), now_ms));
        }
        self.forget(counted);
        lines
    }

    /// Whether use has been left to be counted with what comes for long enough.
    fn is_late(&self, now_ms: u64) -> bool {
        now_ms.saturating_sub(self.since_ms) >= 2 * COUNTED_MS
    }

    /// What is left once everything that was used is charged and paid; below zero what would be
    /// owed.
    pub(super) fn available(&self, counted: Counted<'_>, prices: &Prices) -> i128 {
        let mut settled = self.clone();
        settled.settle(counted, prices);
        i128::from(settled.balance()) - i128::from(settled.owed)
    }

    fn expire(&mut self, now_ms: u64) -> Vec<Line> {
        let has_ended = |credit: &Credit| credit.expires_ms.is_some_and(|end| end <= now_ms);
        let mut lines = Vec::new();
        while let Some(at) = self.credits.iter().position(has_ended) {
            let credit = self.credits.remove(at);
            let entry = Entry::Expiry {
                grant: credit.grant,
            };
            lines.push(self.line(entry, -signed(credit.left), now_ms));
        }
        lines
    }

    /// What was used and is not charged yet, with what it costs.
    fn charge(&mut self, counted: Counted<'_>, prices: &Prices) -> Vec<Charged> {
        let used = used(counted.sums, self.since_ms);
        let hour_ms = counted.now_ms - counted.now_ms % HOUR_MS;
        let mut all = Vec::new();
        for meter in Meter::ALL {
            let number = meter as u8;
            let quantity = if meter.is_level() {
                self.held(counted.sums, meter, hour_ms)
            } else {
                let used = used.get(&number).copied().unwrap_or(0);
                let before = self.counted.get(&number).copied().unwrap_or(0);
                u128::from(used.saturating_sub(before))
            };
            let Some(price) = prices.of(meter).filter(|_| quantity > 0) else {
                continue;
            };
            let units = self
                .carried
                .entry(number)
                .or_default()
                .cost(quantity, price);
            all.push(Charged {
                meter: number,
                quantity: u64::try_from(quantity).unwrap_or(u64::MAX),
                units,
            });
        }
        for (meter, used) in used {
            let before = self.counted.entry(meter).or_default();
            *before = used.max(*before);
        }
        self.held_until_ms = self.held_until_ms.max(hour_ms);
        all
    }

    /// What was stored, times the hours that it was held: of hours that have ended.
    fn held(&self, sums: &[UsageDelta], meter: Meter, until_ms: u64) -> u128 {
        let before = match meter {
            Meter::Objects => self.objects_before,
            _ => self.bytes_before,
        };
        let from_ms = self.held_until_ms;
        if from_ms >= until_ms {
            return 0;
        }
        let mut level = before.saturating_add(changes(sums, meter, self.since_ms, from_ms));
        let mut by_hour: BTreeMap<u64, i64> = BTreeMap::new();
        for sum in sums.iter().filter(|sum| is_whole(sum, meter)) {
            if (from_ms..until_ms).contains(&sum.hour_ms) {
                let change = by_hour.entry(sum.hour_ms).or_default();
                *change = change.saturating_add(sum.amount);
            }
        }
        // Between two changes the level stays.
        let (mut held, mut at_ms) = (0_u128, from_ms);
        let hours = |from_ms: u64, until_ms: u64| u128::from((until_ms - from_ms) / HOUR_MS);
        for (hour_ms, change) in by_hour {
            held += hours(at_ms, hour_ms) * positive(level);
            level = level.saturating_add(change);
            at_ms = hour_ms;
        }
        held + hours(at_ms, until_ms) * positive(level)
    }

    /// Takes what is owed from credits, the most pressing first: by priority, then by which ends
    /// first, then by age.
    fn pay(&mut self) -> Vec<Payment> {
        self.credits.sort_by_key(Credit::order);
        let mut payments = Vec::new();
        for credit in &mut self.credits {
            let units = credit.left.min(self.owed);
            if units == 0 {
                continue;
            }
            credit.left -= units;
            self.owed -= units;
            payments.push(Payment {
                grant: credit.grant,
                units,
            });
        }
        self.credits.retain(|credit| credit.left > 0);
        payments
    }

    /// Lets go of hours so long ago that nothing is counted in them any more.
    fn forget(&mut self, counted: Counted<'_>) {
        let Counted { sums, now_ms } = counted;
        let hour_ms = now_ms - now_ms % HOUR_MS;
        let since_ms = hour_ms.saturating_sub(COUNTED_MS).min(self.held_until_ms);
        if since_ms <= self.since_ms {
            return;
        }
        let gone: Vec<UsageDelta> = sums
            .iter()
            .filter(|sum| sum.hour_ms < since_ms)
            .copied()
            .collect();
        for (meter, gone) in used(&gone, self.since_ms) {
            if let Some(counted) = self.counted.get_mut(&meter) {
                *counted = counted.saturating_sub(gone);
            }
        }
        let gone = |meter| changes(&gone, meter, self.since_ms, since_ms);
        let (bytes, objects) = (gone(Meter::StoredBytes), gone(Meter::Objects));
        self.bytes_before = self.bytes_before.saturating_add(bytes);
        self.objects_before = self.objects_before.saturating_add(objects);
        self.since_ms = since_ms;
    }

    fn line(&mut self, entry: Entry, amount: i64, now_ms: u64) -> Line {
        self.lines += 1;
        self.at_ms = self.at_ms.max(now_ms);
        Line {
            number: self.lines,
            at_ms: self.at_ms,
            entry,
            amount,
            balance: self.balance(),
            owed: self.owed,
        }
    }
}

/// A credit about to be granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NewCredit {
    pub(super) units: u64,
    pub(super) priority: u8,
    pub(super) expires_ms: Option<u64>,
    pub(super) reason: String,
}

impl Credit {
    fn order(&self) -> (u8, u64, u64) {
        let end_ms = self.expires_ms.unwrap_or(u64::MAX);
        (self.priority, end_ms, self.grant)
    }
}

impl Carried {
    /// The whole units that `quantity` costs, together with what was left over before. What is left
    /// over under another price is rounded down to parts of the new one.
    fn cost(&mut self, quantity: u128, price: Price) -> u64 {
        let per = u128::from(price.per.max(1));
        let carried = match self.per {
            0 => 0,
            before => u128::from(self.parts) * per / u128::from(before),
        };
        let parts = quantity
            .saturating_mul(u128::from(price.units))
            .saturating_add(carried);
        *self = Self {
            parts: u64::try_from(parts % per).unwrap_or(0),
            per: price.per.max(1),
        };
        u64::try_from(parts / per)
            .unwrap_or(UNITS_MAX)
            .min(UNITS_MAX)
    }
}

/// How much was used by each meter that counts use, of the organization as a whole, from an hour on.
fn used(sums: &[UsageDelta], since_ms: u64) -> BTreeMap<u8, u64> {
    let mut used: BTreeMap<u8, u64> = BTreeMap::new();
    for sum in sums {
        let is_use = sum.subject == UsageSubject::Whole && !sum.meter.is_level();
        if is_use && sum.hour_ms >= since_ms {
            let amount = u64::try_from(sum.amount).unwrap_or(0);
            let used = used.entry(sum.meter as u8).or_default();
            *used = used.saturating_add(amount);
        }
    }
    used
}

/// By how much what is stored changed in hours from one until before another.
fn changes(sums: &[UsageDelta], meter: Meter, from_ms: u64, until_ms: u64) -> i64 {
    sums.iter()
        .filter(|sum| is_whole(sum, meter) && (from_ms..until_ms).contains(&sum.hour_ms))
        .fold(0, |sum: i64, change| sum.saturating_add(change.amount))
}

fn is_whole(sum: &UsageDelta, meter: Meter) -> bool {
    sum.subject == UsageSubject::Whole && sum.meter == meter
}

fn positive(level: i64) -> u128 {
    u128::try_from(level).unwrap_or(0)
}

fn signed(units: u64) -> i64 {
    i64::try_from(units).unwrap_or(i64::MAX)
}

const HOUR_MS: u64 = 3_600_000;

/// For how long use is still counted in the hour that it was in, milliseconds: two days.
pub(super) const COUNTED_MS: u64 = 48 * HOUR_MS;

/// The most units that there are at once.
pub(super) const UNITS_MAX: u64 = 1_000_000_000_000_000;
