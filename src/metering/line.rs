use minicbor::{CborLen, Decode, Encode};

use super::account::NewCredit;

/// A line of an organization's credit ledger. Lines are only ever added: the balance is their sum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its number: the first is 1, and none is left out.
    pub number: u64,
    /// When it was written, milliseconds since the epoch; no earlier than the one before.
    pub at_ms: u64,
    /// What it says.
    pub entry: Entry,
    /// By how much it changes the balance, units.
    pub amount: i64,
    /// The balance with it, units: never below zero.
    pub balance: u64,
    /// What is owed with it, units.
    pub owed: u64,
}

/// What a line of the ledger says.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, CborLen)]
pub enum Entry {
    /// Credit was given.
    #[n(0)]
    Grant {
        /// Which is spent first: the lowest.
        #[n(0)]
        priority: u8,
        /// From when on it pays for nothing any more, milliseconds since the epoch.
        #[n(1)]
        expires_ms: Option<u64>,
        /// What it is for.
        #[n(2)]
        reason: String,
    },
    /// Use was charged, and what was owed was paid as far as credit went.
    #[n(1)]
    Charge {
        /// Since when it was used, milliseconds since the epoch.
        #[n(0)]
        from_ms: u64,
        /// What was used.
        #[n(1)]
        charged: Vec<Charged>,
        /// What paid for it, and for what was owed before.
        #[n(2)]
        payments: Vec<Payment>,
    },
    /// What was left of a credit has ended.
    #[n(2)]
    Expiry {
        /// The line that granted it.
        #[n(0)]
        grant: u64,
    },
}

/// Use that was charged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, CborLen)]
pub struct Charged {
    /// The number of its meter.
    #[n(0)]
    pub(super) meter: u8,
    /// How much; of what is stored, so much times the hours that it was held.
    #[n(1)]
    pub quantity: u64,
    /// What it cost, whole units.
    #[n(2)]
    pub units: u64,
}

/// What a credit paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, CborLen)]
pub struct Payment {
    /// The line that granted the credit.
    #[n(0)]
    pub grant: u64,
    /// Units.
    #[n(1)]
    pub units: u64,
}

/// What the record of a line holds beside its number and time.
#[derive(Debug, Encode, Decode, CborLen)]
#[cbor(map)]
pub(super) struct LineBody {
    #[n(0)]
    pub(super) entry: Entry,
    #[n(1)]
    pub(super) amount: i64,
    #[n(2)]
    pub(super) balance: u64,
    #[n(3)]
    pub(super) owed: u64,
}

impl Charged {
    /// The name of its meter.
    pub fn meter(&self) -> &'static str {
        crate::catalog::Meter::of(self.meter).map_or("unknown", crate::catalog::Meter::as_str)
    }
}

impl Line {
    /// What use cost that it charges, units.
    pub fn due(&self) -> u64 {
        match &self.entry {
            Entry::Charge { charged, .. } => charged
                .iter()
                .fold(0, |sum, charged| sum.saturating_add(charged.units)),
            Entry::Grant { .. } | Entry::Expiry { .. } => 0,
        }
    }

    /// Whether it grants this credit.
    pub(super) fn grants(&self, credit: &NewCredit) -> bool {
        let entry = Entry::Grant {
            priority: credit.priority,
            expires_ms: credit.expires_ms,
            reason: credit.reason.clone(),
        };
        self.entry == entry && self.amount.unsigned_abs() == credit.units
    }

    /// Whether it is what can come after another, or comes first.
    pub(super) fn follows(&self, before: Option<&Self>) -> bool {
        let (number, at_ms, balance, owed) = before.map_or((0, 0, 0, 0), |before| {
            (before.number, before.at_ms, before.balance, before.owed)
        });
        let paid = match self.entry {
            Entry::Charge { .. } => self.amount.unsigned_abs(),
            Entry::Grant { .. } | Entry::Expiry { .. } => 0,
        };
        self.number == number + 1
            && self.at_ms >= at_ms
            && balance.checked_add_signed(self.amount) == Some(self.balance)
            && owed
                .checked_add(self.due())
                .and_then(|owed| owed.checked_sub(paid))
                == Some(self.owed)
    }
}
