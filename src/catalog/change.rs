use names::OrgId;
use sha2::{Digest, Sha256};

use super::coherence::Class;
use super::record::RecordKind;
use super::row::Row;
use super::rows::{BucketRow, CredentialRow, OrgKeyRow, OrganizationRow};

/// One change of rows: what caches follow and `verify` replays.
///
/// The log of changes is a chain: whoever takes one out, or alters it, breaks every head after
/// it, and the heads are anchored outside of the catalog (ENVELOPE.md, rule 5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Its number.
    pub seq: u64,
    /// Whose rows.
    pub org: OrgId,
    /// When, by the database's clock, milliseconds since the epoch.
    pub at_ms: u64,
    /// The hash that chains it: SHA-256(the head before ‖ organization ‖ entries).
    pub head: [u8; 32],
    /// The rows.
    pub entries: Vec<ChangedRow>,
}

/// A row before and after a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedRow {
    /// Its table; for a record with the number of its kind, as in `records/17`.
    pub table: String,
    /// The MAC before; nothing when the row is new.
    pub old_mac: Option<[u8; 32]>,
    /// The MAC now; nothing when the row was deleted.
    pub new_mac: Option<[u8; 32]>,
}

impl Change {
    /// Whether it is what came after the change that ended with `before`.
    pub fn follows(&self, before: &[u8; 32]) -> bool {
        self.head == head_after(before, self.org, &encode_entries(&self.entries))
    }
}

impl ChangedRow {
    /// Which caches may hold the row, if any do.
    ///
    /// None can hold a credential that is new: that one was not there is kept by no cache, and
    /// whoever signs in does not outdate what is kept of everybody else.
    pub(super) fn class(&self) -> Option<Class> {
        const RIGHTS: [&str; 4] = [
            OrganizationRow::TABLE,
            OrgKeyRow::TABLE,
            NAME_KEYS,
            CredentialRow::TABLE,
        ];
        if self.table == CredentialRow::TABLE && self.old_mac.is_none() {
            None
        } else if RIGHTS.contains(&self.table.as_str()) {
            Some(Class::Rights)
        } else if self.table == BucketRow::TABLE {
            Some(Class::Buckets)
        } else {
            RecordKind::of_change(&self.table)?.class()
        }
    }
}

/// The table of name keys. They carry no MAC, so that a change of one has neither an old nor a
/// new one; caches must hear of it still.
pub(super) const NAME_KEYS: &str = "name_keys";

/// The head of the chain after a change, whose entries are encoded.
pub(super) fn head_after(before: &[u8; 32], org: OrgId, entries: &[u8]) -> [u8; 32] {
    Sha256::new()
        .chain_update(before)
        .chain_update(org.bytes())
        .chain_update(entries)
        .finalize()
        .into()
}

/// Each row: the length of its table's name, the name, which MACs follow, and these.
///
/// ```text
/// len(1) ‖ table ‖ flags(1): 1 = old, 2 = new ‖ old MAC(32)? ‖ new MAC(32)?
/// ```
pub(super) fn encode_entries(entries: &[ChangedRow]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(entries.len() * 80);
    for entry in entries {
        // The names of tables are ours, and short.
        bytes.push(entry.table.len() as u8);
        bytes.extend_from_slice(entry.table.as_bytes());
        bytes.push(u8::from(entry.old_mac.is_some()) | u8::from(entry.new_mac.is_some()) << 1);
        for mac in [entry.old_mac, entry.new_mac].iter().flatten() {
            bytes.extend_from_slice(mac);
        }
    }
    bytes
}

/// Reads what [`encode_entries`] wrote; `None` when the bytes are not whole entries.
pub(super) fn decode_entries(mut bytes: &[u8]) -> Option<Vec<ChangedRow>> {
    let mut entries = Vec::new();
    while let Some((length, rest)) = bytes.split_first() {
        let (table, rest) = rest.split_at_checked(usize::from(*length))?;
        let (flags, mut rest) = rest.split_first()?;
        let mut mac = |bit: u8| -> Option<Option<[u8; 32]>> {
            if flags & bit == 0 {
                return Some(None);
            }
            let (mac, after) = rest.split_first_chunk::<32>()?;
            rest = after;
            Some(Some(*mac))
        };
        entries.push(ChangedRow {
            table: String::from_utf8(table.to_vec()).ok()?,
            old_mac: mac(1)?,
            new_mac: mac(2)?,
        });
        bytes = rest;
    }
    Some(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_read_as_they_were_written() {
        let entry = |table: &str, old_mac, new_mac| ChangedRow {
            table: table.to_owned(),
            old_mac,
            new_mac,
        };
        let entries = [
            entry("buckets", None, Some([1; 32])),
            entry("versions", Some([2; 32]), Some([3; 32])),
            entry("org_keys", Some([4; 32]), None),
            entry(NAME_KEYS, None, None),
        ];
        let bytes = encode_entries(&entries);
        assert_eq!(decode_entries(&bytes).as_deref(), Some(&entries[..]));
        assert_eq!(decode_entries(&[]), Some(vec![]));
        assert_eq!(decode_entries(&bytes[..bytes.len() - 1]), None);
        assert_eq!(decode_entries(&bytes[..60]), None);
    }

    #[test]
    fn the_chain_covers_head_organization_and_entries() {
        let mut change = Change {
            seq: 2,
            org: OrgId::from_bytes([1; 16]),
            at_ms: 0,
            head: [0; 32],
            entries: vec![],
        };
        change.head = head_after(&[5; 32], change.org, &[]);
        assert!(change.follows(&[5; 32]));
        assert!(!change.follows(&[6; 32]));
        let mut other = change.clone();
        other.org = OrgId::from_bytes([2; 16]);
        assert!(!other.follows(&[5; 32]));
        other = change;
        other.entries.push(ChangedRow {
            table: "buckets".to_owned(),
            old_mac: None,
            new_mac: None,
        });
        assert!(!other.follows(&[5; 32]));
    }
}
