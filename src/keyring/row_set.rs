use std::sync::Arc;

use names::OrgId;

use super::name_keys::NameIndex;
use super::ring::{Keyring, KeyringError};
use crate::catalog::SealedRowSet;

/// What a set of rows comes to, whatever their order: a row is added when it is written and taken
/// off when it is gone, and two sets that are not the same come to the same by chance alone.
///
/// It is the additive multiset hash MSet-Add-Hash of Clarke, Devadas, van Dijk, Gassend and Suh
/// (ASIACRYPT 2003): the sum, modulo 2^256, of a keyed function of each row. It is only as good as
/// it is hidden, since whoever knows what single rows come to can look for others that come to as
/// much: it leaves this process masked, as a [`SealedRowSet`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RowSet {
    rows: i64,
    /// The least significant word first.
    sum: [u64; 4],
}

/// Makes row sets, and masks them. Its key is the platform's name key, which outlives rotations.
#[derive(Clone)]
pub struct RowSets(Arc<NameIndex>);

/// What a row set is of. With the head of the chain of changes, by which there is no other set of
/// it, it makes the mask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowSetOf {
    /// All rows.
    All,
    /// The rows of one organization, as far as pruned changes tell.
    Folded(OrgId),
}

impl RowSet {
    /// How many rows. Less than none, when more were taken off than had been added.
    pub fn rows(&self) -> i64 {
        self.rows
    }

    /// Both together.
    #[must_use]
    pub fn plus(self, more: Self) -> Self {
        let mut carry = false;
        let sum = std::array::from_fn(|n| {
            let (sum, one) = self.sum[n].overflowing_add(more.sum[n]);
            let (sum, other) = sum.overflowing_add(carry.into());
            carry = one || other;
            sum
        });
        Self {
            rows: self.rows.wrapping_add(more.rows),
            sum,
        }
    }

    /// The one without the other.
    #[must_use]
    pub fn minus(self, less: Self) -> Self {
        let mut borrow = false;
        let sum = std::array::from_fn(|n| {
            let (sum, one) = self.sum[n].overflowing_sub(less.sum[n]);
            let (sum, other) = sum.overflowing_sub(borrow.into());
            borrow = one || other;
            sum
        });
        Self {
            rows: self.rows.wrapping_sub(less.rows),
            sum,
        }
    }
}

impl RowSets {
    /// One row, by its MAC, which its table and its key are part of.
    pub fn row(&self, org: OrgId, mac: &[u8; 32]) -> RowSet {
        let name = [org.bytes().as_slice(), mac].concat();
        RowSet {
            rows: 1,
            sum: words(&self.0.lookup(ROW, &name)),
        }
    }

    /// Masks what a set came to at a head of the chain of changes.
    pub fn seal(&self, of: RowSetOf, head: &[u8; 32], set: RowSet) -> SealedRowSet {
        let masked = set.plus(self.mask(of, head));
        let mut sum = [0; 32];
        for (bytes, word) in sum.chunks_exact_mut(8).zip(masked.sum) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        SealedRowSet {
            rows: masked.rows,
            sum,
        }
    }

    /// Takes the mask off. Nothing shows here that it was another's: what it comes to does.
    pub fn open(&self, of: RowSetOf, head: &[u8; 32], sealed: &SealedRowSet) -> RowSet {
        let masked = RowSet {
            rows: sealed.rows,
            sum: words(&sealed.sum),
        };
        masked.minus(self.mask(of, head))
    }

    fn mask(&self, of: RowSetOf, head: &[u8; 32]) -> RowSet {
        let bytes = match of {
            RowSetOf::All => self.0.lookup(MASK_OF_ALL, head),
            RowSetOf::Folded(org) => {
                let name = [org.bytes().as_slice(), head].concat();
                self.0.lookup(MASK_OF_FOLDED, &name)
            }
        };
        RowSet {
            rows: 0,
            sum: words(&bytes),
        }
    }
}

impl Keyring {
    /// What makes row sets.
    pub async fn row_sets(&self) -> Result<RowSets, KeyringError> {
        Ok(RowSets(self.platform_names().await?))
    }
}

fn words(bytes: &[u8; 32]) -> [u64; 4] {
    let (words, _) = bytes.as_chunks::<8>();
    std::array::from_fn(|n| u64::from_le_bytes(words[n]))
}

/// The kinds of the blind names that these are.
const ROW: &str = "row";
const MASK_OF_ALL: &str = "row-set-mask";
const MASK_OF_FOLDED: &str = "folded-row-set-mask";
