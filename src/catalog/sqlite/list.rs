use names::{BucketId, ObjectKey, OrgId};
use rusqlite::{Connection, Result, Rows, Statement, params};

use super::columns::{Stored, unverified, upload_columns, version_columns};
use super::query::text;
use crate::catalog::{After, ListEntry, ListQuery, Listed, Unverified, UploadRow, VersionRow};

/// Rows that are listed by key and rolled up into common prefixes.
pub(super) trait Listing: Stored {
    /// Whether a row makes the one before it of the same key invisible.
    const SUPERSEDES: bool;
    /// Takes organization, bucket, where to begin (a key, and what follows it) and the key to end
    /// before.
    const SCAN: &'static str;

    /// What it is listed by.
    fn key(&self) -> &ObjectKey;

    /// Binds [`SCAN`](Self::SCAN).
    fn scan<'s>(
        statement: &'s mut Statement<'_>,
        org: OrgId,
        bucket: BucketId,
        from: &From,
        until: &[u8],
    ) -> Result<Rows<'s>>;
}

/// Where a scan begins: with the first row that is not below this.
pub(super) struct From {
    key: Vec<u8>,
    upload: Vec<u8>,
}

/// The column of the key in both tables.
const KEY: usize = 2;

impl Listing for VersionRow {
    const SUPERSEDES: bool = true;
    const SCAN: &'static str = concat!(
        "SELECT ",
        version_columns!(),
        " FROM versions v
          WHERE v.org_id = ?1 AND v.bucket_id = ?2 AND v.key >= ?3 AND v.key < ?4
          ORDER BY v.key, v.sequence"
    );

    fn key(&self) -> &ObjectKey {
        &self.key
    }

    fn scan<'s>(
        statement: &'s mut Statement<'_>,
        org: OrgId,
        bucket: BucketId,
        from: &From,
        until: &[u8],
    ) -> Result<Rows<'s>> {
        statement.query(params![org.bytes(), bucket.bytes(), from.key, until])
    }
}

impl Listing for UploadRow {
    const SUPERSEDES: bool = false;
    const SCAN: &'static str = concat!(
        "SELECT ",
        upload_columns!(),
        " FROM uploads
          WHERE org_id = ?1 AND bucket_id = ?2 AND (key, upload_id) >= (?3, ?4) AND key < ?5
          ORDER BY key, upload_id"
    );

    fn key(&self) -> &ObjectKey {
        &self.key
    }

    fn scan<'s>(
        statement: &'s mut Statement<'_>,
        org: OrgId,
        bucket: BucketId,
        from: &From,
        until: &[u8],
    ) -> Result<Rows<'s>> {
        statement.query(params![
            org.bytes(),
            bucket.bytes(),
            from.key,
            from.upload,
            until,
        ])
    }
}

/// A page of a bucket, in one snapshot.
///
/// Keys below a common prefix are not read: having met one, the scan begins anew at the first key
/// that does not begin with the prefix.
pub(super) fn list<R: Listing>(
    conn: &Connection,
    org: OrgId,
    bucket: BucketId,
    query: &ListQuery,
) -> Result<Listed<Unverified<R>>> {
    let mut page = Filling {
        entries: Vec::new(),
        max: query.max as usize,
        pending: None,
    };
    let truncated = match bounds(query) {
        Some((from, until)) if query.max > 0 => {
            let snapshot = conn.unchecked_transaction()?;
            page.fill(&snapshot, (org, bucket), query, from, &until)?
        }
        _ => false,
    };
    Ok(Listed {
        entries: page.entries,
        truncated,
    })
}

struct Filling<R> {
    entries: Vec<ListEntry<Unverified<R>>>,
    max: usize,
    /// The last row that was read, while the next may supersede it.
    pending: Option<Unverified<R>>,
}

impl<R: Listing> Filling<R> {
    /// Returns whether there is more than fits.
    fn fill(
        &mut self,
        conn: &Connection,
        (org, bucket): (OrgId, BucketId),
        query: &ListQuery,
        mut from: From,
        until: &[u8],
    ) -> Result<bool> {
        let mut statement = conn.prepare_cached(R::SCAN)?;
        loop {
            let mut rows = R::scan(&mut statement, org, bucket, &from, until)?;
            let mut passed = None;
            while let Some(row) = rows.next()? {
                let key = text(row, KEY)?;
                if let Some(prefix) = common_prefix(key, query) {
                    if !self.settle() || self.entries.len() == self.max {
                        return Ok(true);
                    }
                    passed = Some(successor(prefix.as_bytes()));
                    let prefix = prefix.to_owned();
                    self.entries.push(ListEntry::CommonPrefix(prefix));
                    break;
                }
                let pending = self.pending.as_ref().map(|row| row.unverified().key());
                let superseded = R::SUPERSEDES && pending.is_some_and(|last| last.as_str() == key);
                if !superseded && !self.settle() {
                    return Ok(true);
                }
                self.pending = Some(unverified(row)?);
            }
            drop(rows);
            match passed {
                Some(Some(key)) => from = From::key(key),
                // After a prefix of nothing but 0xff there is nothing.
                Some(None) => return Ok(false),
                None => return Ok(!self.settle()),
            }
        }
    }

    /// Takes the pending row into the page; false when it does not fit.
    fn settle(&mut self) -> bool {
        let Some(row) = self.pending.take() else {
            return true;
        };
        if self.entries.len() == self.max {
            return false;
        }
        self.entries.push(ListEntry::Row(row));
        true
    }
}

impl From {
    fn key(key: Vec<u8>) -> Self {
        Self {
            key,
            upload: Vec::new(),
        }
    }

    /// The least bytes above `bytes`.
    fn after(bytes: &[u8]) -> Vec<u8> {
        [bytes, &[0]].concat()
    }
}

/// Where to begin and the key to end before; nothing when no key can be in between.
fn bounds(query: &ListQuery) -> Option<(From, Vec<u8>)> {
    let prefix = query.prefix.as_str().as_bytes();
    let from = match &query.after {
        None => From::key(Vec::new()),
        Some(After::Key(key)) => From::key(From::after(key.as_bytes())),
        Some(After::Prefix(prefix)) => From::key(successor(prefix.as_bytes())?),
        Some(After::Upload(key, upload)) => From {
            key: key.as_bytes().to_vec(),
            upload: From::after(upload.bytes()),
        },
    };
    let from = if from.key.as_slice() < prefix {
        From::key(prefix.to_vec())
    } else {
        from
    };
    // No key begins with 0xff, which is not UTF-8.
    let until = successor(prefix).unwrap_or_else(|| vec![0xff]);
    Some((from, until))
}

/// The part of a key up to the first delimiter behind the prefix, and including it.
fn common_prefix<'k>(key: &'k str, query: &ListQuery) -> Option<&'k str> {
    let delimiter = query.delimiter.as_deref().filter(|text| !text.is_empty())?;
    let start = query.prefix.as_str().len();
    let found = start + key.get(start..)?.find(delimiter)?;
    key.get(..found + delimiter.len())
}

/// The least bytes that are above everything that begins with `bytes`; nothing when these are all
/// 0xff.
fn successor(bytes: &[u8]) -> Option<Vec<u8>> {
    let last = bytes.iter().rposition(|byte| *byte != 0xff)?;
    let mut next = bytes[..=last].to_vec();
    next[last] += 1;
    Some(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_successor_is_above_all_that_begins_so() {
        for (bytes, next) in [
            (&b"a/"[..], Some(&b"a0"[..])),
            (b"a\xff", Some(b"b")),
            (b"a\xfe\xff\xff", Some(b"a\xff")),
            (b"\xff\xff", None),
            (b"", None),
        ] {
            assert_eq!(successor(bytes).as_deref(), next, "{bytes:?}");
        }
    }
}
