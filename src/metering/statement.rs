use std::collections::BTreeMap;

use super::line::{Entry, Line};
use super::month::Month;

/// What was granted, charged and ended in a month, as the lines of the ledger have it:
///
/// ```text
/// opening balance + granted − charged − expired = closing balance
/// owed before     + used    − charged           = owed after
/// ```
///
/// A line belongs to the month in which it was written, so that a month that has ended stays as it
/// is, and opens the next as it closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// The month.
    pub month: Month,
    /// Whether nothing can be added to it any more.
    pub is_final: bool,
    before: Option<Line>,
    /// Its lines.
    pub lines: Vec<Line>,
}

/// What was used by a meter, and what it cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UseTotal {
    /// How much; of what is stored, so much times the hours that it was held.
    pub quantity: u128,
    /// Units.
    pub units: u64,
}

impl Statement {
    pub(super) fn opening(month: Month, before: Option<Line>) -> Self {
        Self {
            month,
            is_final: false,
            before,
            lines: Vec::new(),
        }
    }

    /// The balance before, units.
    pub fn opening_balance(&self) -> u64 {
        self.before.as_ref().map_or(0, |line| line.balance)
    }

    /// The balance after, units.
    pub fn closing_balance(&self) -> u64 {
        self.last().map_or(0, |line| line.balance)
    }

    /// What was owed before, units.
    pub fn owed_before(&self) -> u64 {
        self.before.as_ref().map_or(0, |line| line.owed)
    }

    /// What is owed after, units.
    pub fn owed_after(&self) -> u64 {
        self.last().map_or(0, |line| line.owed)
    }

    /// What was granted, units.
    pub fn granted(&self) -> u64 {
        self.sum(|entry| matches!(entry, Entry::Grant { .. }))
    }

    /// What credit paid, units.
    pub fn charged(&self) -> u64 {
        self.sum(|entry| matches!(entry, Entry::Charge { .. }))
    }

    /// What ended unspent, units.
    pub fn expired(&self) -> u64 {
        self.sum(|entry| matches!(entry, Entry::Expiry { .. }))
    }

    /// What was used, by the name of its meter.
    pub fn used(&self) -> BTreeMap<&'static str, UseTotal> {
        let mut used: BTreeMap<&'static str, UseTotal> = BTreeMap::new();
        for line in &self.lines {
            let Entry::Charge { charged, .. } = &line.entry else {
                continue;
            };
            for charged in charged {
                let total = used.entry(charged.meter()).or_default();
                total.quantity = total.quantity.saturating_add(charged.quantity.into());
                total.units = total.units.saturating_add(charged.units);
            }
        }
        used
    }

    /// What all of it cost, units.
    pub fn due(&self) -> u64 {
        self.lines
            .iter()
            .fold(0, |sum, line| sum.saturating_add(line.due()))
    }

    /// The line before, or the last one of it.
    pub(super) fn last(&self) -> Option<&Line> {
        self.lines.last().or(self.before.as_ref())
    }

    pub(super) fn adds_up(&self) -> bool {
        let balance = [self.opening_balance(), self.granted()].map(u128::from);
        let spent = [self.closing_balance(), self.charged(), self.expired()].map(u128::from);
        let owed = [self.owed_before(), self.due()].map(u128::from);
        let settled = [self.owed_after(), self.charged()].map(u128::from);
        let is_in_month =
            |line: &Line| (self.month.start_ms()..self.month.end_ms()).contains(&line.at_ms);
        balance.iter().sum::<u128>() == spent.iter().sum()
            && owed.iter().sum::<u128>() == settled.iter().sum()
            && self.lines.iter().all(is_in_month)
    }

    fn sum(&self, is_counted: impl Fn(&Entry) -> bool) -> u64 {
        self.lines
            .iter()
            .filter(|line| is_counted(&line.entry))
            .fold(0, |sum, line| {
                sum.saturating_add(line.amount.unsigned_abs())
            })
    }
}
