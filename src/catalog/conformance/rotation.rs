//! How a check rotates a key, without one that seals.

use super::world::{World, tagged};
use crate::catalog::{
    Body, Content, KeyState, Mutation, NameKeyRow, NamesKey, PartRow, Rewrap, UploadRow, VersionRow,
};

impl World<'_> {
    pub(in crate::catalog) fn name_key_row(&self, key_version: u32) -> NameKeyRow {
        NameKeyRow {
            org: self.org,
            sealed: self.sealed(512),
            key_version,
        }
    }

    /// Adds the second version of the key and closes the first.
    pub(in crate::catalog) async fn rotate(&self) {
        let two = tagged(self.key_row(2, KeyState::Open, 1), 1);
        self.done(Mutation::AddKey(two)).await;
        self.done(Mutation::ReplaceKey {
            old: tagged(self.key_row(1, KeyState::Open, 1), 1).tag(),
            new: tagged(self.key_row(1, KeyState::Closed, 2), 1),
        })
        .await;
    }

    /// What is named under the second key instead of the first.
    pub(super) fn rewrapped(&self, named: &NamesKey) -> Rewrap {
        let header = vec![2; 192];
        let sealed = |sealed: &[u8]| {
            let mut sealed = sealed.to_vec();
            sealed[..192].copy_from_slice(&self.header(2));
            sealed
        };
        match named {
            NamesKey::Record(row) => {
                let mut new = row.unverified().clone();
                new.sealed = sealed(&new.sealed);
                Rewrap::Record {
                    old: row.tag(),
                    new: tagged(new, 2),
                }
            }
            NamesKey::Bucket(row) => Rewrap::Bucket {
                old: row.tag(),
                new: tagged(row.unverified().clone(), 2),
            },
            NamesKey::Version(row) => Rewrap::Version {
                old: row.tag(),
                new: tagged(
                    VersionRow {
                        etag: [2; 32],
                        ..row.unverified().clone()
                    },
                    2,
                ),
            },
            NamesKey::Content(version, content) => Rewrap::Content {
                version: *version,
                old_key_version: 1,
                metadata_header: self.header(2).to_vec(),
                body_header: match content.body {
                    Body::Inline(_) => Some(self.header(2).to_vec()),
                    Body::Blobs(_) => None,
                },
                key_version: 2,
            },
            NamesKey::Blob(row) => Rewrap::Blob {
                blob: row.blob,
                old_key_version: 1,
                header,
                key_version: 2,
            },
            NamesKey::Upload(row) => Rewrap::Upload {
                old: row.tag(),
                new: tagged(
                    UploadRow {
                        metadata: sealed(&row.unverified().metadata),
                        ..row.unverified().clone()
                    },
                    2,
                ),
            },
            NamesKey::Part(row) => Rewrap::Part {
                old: row.tag(),
                new: tagged(
                    PartRow {
                        metadata: sealed(&row.unverified().metadata),
                        ..row.unverified().clone()
                    },
                    2,
                ),
            },
            NamesKey::AuditSegment(row) => Rewrap::AuditSegment {
                node: row.node,
                number: row.number,
                old_key_version: 1,
                header,
                key_version: 2,
            },
            NamesKey::NameKey(row) => Rewrap::NameKey {
                old_key_version: 1,
                new: NameKeyRow {
                    key_version: 2,
                    ..row.clone()
                },
            },
            NamesKey::Organization(row) => Rewrap::Organization {
                old: row.tag(),
                new: tagged(row.unverified().clone(), 2),
            },
            NamesKey::Credential(row) => {
                let mut new = row.unverified().clone();
                new.sealed = sealed(&new.sealed);
                Rewrap::Credential {
                    old: row.tag(),
                    new: tagged(new, 2),
                }
            }
            NamesKey::OrgKey(row) => Rewrap::OrgKey {
                old: row.tag(),
                new: tagged(row.unverified().clone(), 2),
            },
        }
    }

    pub(super) async fn contents_of(&self, bucket: names::BucketId) -> Vec<(VersionRow, Content)> {
        let query = crate::catalog::ListQuery {
            max: 1_000,
            ..Default::default()
        };
        let listed = self
            .store
            .list(self.org, bucket, &query)
            .await
            .expect("a page");
        let mut contents = Vec::new();
        for entry in listed.entries {
            let crate::catalog::ListEntry::Row(row) = entry else {
                panic!("a common prefix without a delimiter");
            };
            let key = &row.unverified().key;
            let object = self
                .store
                .object(self.org, bucket, key)
                .await
                .expect("read");
            let (row, content) = object.expect("an object");
            contents.push((row.into_checked(), content));
        }
        contents
    }
}
