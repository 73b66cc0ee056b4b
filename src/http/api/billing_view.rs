//! Credit, ledger and statements as they are shown and taken. All amounts of credit are whole
//! units, the smallest part of a credit that there is.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::view::rfc_3339;
use crate::metering::{Balance, Entry, Line, OpenCredit, Statement};

/// Credit to grant.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewCredit")]
pub struct CreditRequest {
    /// Units.
    pub units: u64,
    /// Which credit is spent first: the lowest.
    #[serde(default = "priority_default")]
    pub priority: u8,
    /// From when on it pays for nothing any more (RFC 3339).
    pub expires_at: Option<String>,
    /// What it is for.
    pub reason: String,
    /// What the operator calls it: a grant of the same reference is made once.
    pub reference: Option<String>,
}

/// An organization's credit.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Credit")]
pub struct BalanceView {
    /// What is left of credits, as the ledger has it, units.
    pub balance: u64,
    /// What is owed, as the ledger has it, units.
    pub owed: u64,
    /// What would be left if all that was used were charged now, units; below zero what would be
    /// owed.
    pub available: i64,
    /// What is left of each, the one that is spent first before others.
    pub credits: Vec<OpenCreditView>,
}

/// What is left of a credit.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "OpenCredit")]
pub struct OpenCreditView {
    /// The line of the ledger that granted it.
    pub grant: u64,
    /// Which is spent first: the lowest.
    pub priority: u8,
    /// From when on it pays for nothing any more (RFC 3339).
    pub expires_at: Option<String>,
    /// Units.
    pub left: u64,
}

/// A line of the ledger.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "LedgerLine")]
pub struct LineView {
    /// Its number: the first is 1, and none is left out.
    pub number: u64,
    /// When it was written (RFC 3339).
    pub at: String,
    /// What it says.
    pub kind: LineKind,
    /// By how much it changes the balance, units.
    pub amount: i64,
    /// The balance with it, units.
    pub balance: u64,
    /// What is owed with it, units.
    pub owed: u64,
    /// Of a grant: which is spent first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<u8>,
    /// Of a grant: from when on it pays for nothing any more (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// Of a grant: what it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Of an expiry: the line that granted what has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grant: Option<u64>,
    /// Of a charge: since when it was used (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Of a charge: what was used.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub charged: Vec<ChargedView>,
    /// Of a charge: what paid for it, and for what was owed before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub payments: Vec<PaymentView>,
}

/// What a line of the ledger says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "LedgerLineKind")]
pub enum LineKind {
    /// Credit was given.
    Grant,
    /// Use was charged, and what was owed was paid as far as credit went.
    Charge,
    /// What was left of a credit has ended.
    Expiry,
}

/// Use that was charged.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Charged")]
pub struct ChargedView {
    /// The name of its meter.
    pub meter: &'static str,
    /// How much; of what is stored, so much times the hours that it was held.
    pub quantity: u64,
    /// What it cost, units.
    pub units: u64,
}

/// What a credit paid.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Payment")]
pub struct PaymentView {
    /// The line that granted the credit.
    pub grant: u64,
    /// Units.
    pub units: u64,
}

/// What was granted, charged and ended in a month: `opening_balance` + `granted` − `charged` −
/// `expired` = `closing_balance`, and `owed_before` + `due` − `charged` = `owed_after`.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Statement")]
pub struct StatementView {
    /// The month, as in `2026-01`.
    pub month: String,
    /// Whether nothing can be added to it any more.
    pub is_final: bool,
    /// The balance before, units.
    pub opening_balance: u64,
    /// What was granted, units.
    pub granted: u64,
    /// What credit paid, units.
    pub charged: u64,
    /// What ended unspent, units.
    pub expired: u64,
    /// The balance after, units.
    pub closing_balance: u64,
    /// What was owed before, units.
    pub owed_before: u64,
    /// What was used cost, units.
    pub due: u64,
    /// What is owed after, units.
    pub owed_after: u64,
    /// What was used, by the name of its meter.
    pub used: BTreeMap<&'static str, UseTotalView>,
    /// The lines of the ledger that it sums up.
    pub lines: Vec<LineView>,
}

/// What was used by a meter, and what it cost.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "UseTotal")]
pub struct UseTotalView {
    /// How much; of what is stored, so much times the hours that it was held.
    pub quantity: u64,
    /// Units.
    pub units: u64,
}

impl LineKind {
    /// As documents write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Grant => "grant",
            Self::Charge => "charge",
            Self::Expiry => "expiry",
        }
    }
}

impl From<&Balance> for BalanceView {
    fn from(balance: &Balance) -> Self {
        let bound = if balance.available < 0 {
            i64::MIN
        } else {
            i64::MAX
        };
        Self {
            balance: balance.balance,
            owed: balance.owed,
            available: i64::try_from(balance.available).unwrap_or(bound),
            credits: balance.credits.iter().map(OpenCreditView::from).collect(),
        }
    }
}

impl From<&OpenCredit> for OpenCreditView {
    fn from(credit: &OpenCredit) -> Self {
        Self {
            grant: credit.grant,
            priority: credit.priority,
            expires_at: credit.expires_ms.map(rfc_3339),
            left: credit.left,
        }
    }
}

impl From<&Line> for LineView {
    fn from(line: &Line) -> Self {
        let mut view = Self {
            number: line.number,
            at: rfc_3339(line.at_ms),
            kind: LineKind::Grant,
            amount: line.amount,
            balance: line.balance,
            owed: line.owed,
            priority: None,
            expires_at: None,
            reason: None,
            grant: None,
            from: None,
            charged: Vec::new(),
            payments: Vec::new(),
        };
        match &line.entry {
            Entry::Grant {
                priority,
                expires_ms,
                reason,
            } => {
                view.priority = Some(*priority);
                view.expires_at = expires_ms.map(rfc_3339);
                view.reason = Some(reason.clone());
            }
            Entry::Charge {
                from_ms,
                charged,
                payments,
            } => {
                view.kind = LineKind::Charge;
                view.from = Some(rfc_3339(*from_ms));
                let charged = charged.iter().map(|charged| ChargedView {
                    meter: charged.meter(),
                    quantity: charged.quantity,
                    units: charged.units,
                });
                view.charged = charged.collect();
                let payments = payments.iter().map(|payment| PaymentView {
                    grant: payment.grant,
                    units: payment.units,
                });
                view.payments = payments.collect();
            }
            Entry::Expiry { grant } => {
                view.kind = LineKind::Expiry;
                view.grant = Some(*grant);
            }
        }
        view
    }
}

impl From<&Statement> for StatementView {
    fn from(statement: &Statement) -> Self {
        let used = statement.used().into_iter().map(|(meter, total)| {
            let total = UseTotalView {
                quantity: u64::try_from(total.quantity).unwrap_or(u64::MAX),
                units: total.units,
            };
            (meter, total)
        });
        Self {
            month: statement.month.to_string(),
            is_final: statement.is_final,
            opening_balance: statement.opening_balance(),
            granted: statement.granted(),
            charged: statement.charged(),
            expired: statement.expired(),
            closing_balance: statement.closing_balance(),
            owed_before: statement.owed_before(),
            due: statement.due(),
            owed_after: statement.owed_after(),
            used: used.collect(),
            lines: statement.lines.iter().map(LineView::from).collect(),
        }
    }
}

fn priority_default() -> u8 {
    100
}
