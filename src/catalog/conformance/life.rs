//! All that can happen to an organization after it was made, drawn alike for whoever it is.

use names::{BlobId, BucketId, NodeId};

use super::world::{DUE, HOUR, World, accounting, blob_row, commit_version, object_key, tagged};
use crate::catalog::{
    Body, BucketRow, CommitVersion, CompletedUpload, Content, CredentialRow, Expect, KeyState,
    Meter, Mutation, NameKeyRow, OrgState, PartRow, RecordGuard, RecordKind, RecordRow,
    RecordWrite, Rewrap, Row, RowTag, UploadRow, UsageDelta, UsageSubject, VersionRow,
};

/// What a life is about. The same world draws the same one, but for what it takes from the
/// organization's own name.
pub(super) struct Life<'s> {
    world: World<'s>,
    pub(super) member: RecordRow,
    pub(super) setting: RecordRow,
    pub(super) credential: CredentialRow,
    pub(super) kept: BucketRow,
    pub(super) lost: BucketRow,
    pub(super) blobs: [BlobId; 8],
    pub(super) joined: UploadRow,
    pub(super) given_up: UploadRow,
    pub(super) of_lost: UploadRow,
    pub(super) open: UploadRow,
    pub(super) node: NodeId,
    inline: (VersionRow, Content),
    replaced: (VersionRow, Content),
    replacing: (VersionRow, Content),
    copy: (VersionRow, Content),
    completed: (VersionRow, Content),
    first: PartRow,
    again: PartRow,
    second: PartRow,
    part_given_up: PartRow,
    part_of_lost: PartRow,
    part_open: PartRow,
}

impl<'s> Life<'s> {
    pub(super) fn new(world: World<'s>) -> Self {
        let (kept, lost) = (world.bucket_row("docs"), world.bucket_row("more"));
        let blobs = [(); 8].map(|()| world.blob());
        let mut setting = world.record_row(RecordKind::Setting);
        setting.lookup = Some([5; 32]);
        let mut credential = world.credential_row(1);
        // The names of credentials are one for all.
        credential.lookup[..16].copy_from_slice(world.org.bytes());
        let version = |key, sequence, content: Content| {
            let row = world.version_row(kept.bucket, key, sequence, &content);
            (row, content)
        };
        let in_blobs = |numbers: &[usize]| {
            let named: Vec<_> = numbers.iter().map(|number| blobs[*number]).collect();
            world.in_blobs(&named)
        };
        let upload = |bucket: BucketId, name| world.upload_row(bucket, name);
        let (joined, given_up) = (
            upload(kept.bucket, "joined"),
            upload(kept.bucket, "given up"),
        );
        let (of_lost, open) = (upload(lost.bucket, "lost"), upload(kept.bucket, "open"));
        let part = |upload: &UploadRow, number, blob: usize| {
            world.part_row(upload.upload, number, &[blobs[blob]])
        };
        Self {
            member: world.record_row(RecordKind::Member),
            setting,
            credential,
            node: world.node(),
            inline: version("inline", 1, world.inline(192)),
            replaced: version("blobs", 1, in_blobs(&[0, 1])),
            replacing: version("blobs", 2, world.inline(300)),
            copy: version("copy", 1, in_blobs(&[0])),
            completed: version("joined", 1, in_blobs(&[3, 0])),
            first: part(&joined, 1, 2),
            again: part(&joined, 1, 3),
            second: part(&joined, 2, 0),
            part_given_up: part(&given_up, 1, 4),
            part_of_lost: part(&of_lost, 1, 5),
            part_open: part(&open, 1, 6),
            joined,
            given_up,
            of_lost,
            open,
            kept,
            lost,
            blobs,
            world,
        }
    }

    /// All of it in order. `under` says which key a row is put under that belongs under a version
    /// of the organization's or the platform's.
    pub(super) fn steps(&self, under: impl Fn(u32) -> u32) -> Vec<Mutation> {
        let (old, new) = (under(1), under(2));
        [
            self.objects(old),
            self.uploads(old),
            self.garbage(old),
            self.logs(old),
            self.records(old),
            self.rights(old),
            self.rotation(old, new),
            self.end(old),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    fn objects(&self, key: u32) -> Vec<Mutation> {
        let [b0, b1, ..] = self.blobs;
        let bucket = |row: &BucketRow| Mutation::CreateBucket(tagged(row.clone(), key));
        let mut replacing = self.put(&self.replacing, key, &[]);
        replacing.expect = Expect::Version(self.replaced.0.version);
        vec![
            bucket(&self.kept),
            bucket(&self.lost),
            commit_version(self.put(&self.inline, key, &[])),
            commit_version(self.put(&self.replaced, key, &[b0, b1])),
            commit_version(self.put(&self.copy, key, &[])),
            commit_version(replacing),
            commit_version(self.put(&self.inline, key, &[])),
            Mutation::DeleteBucket {
                name: self.kept.name.clone(),
                bucket: self.kept.bucket,
            },
        ]
    }

    /// One that is completed after a part was replaced, one that is given up, one that goes with
    /// its bucket, and one that stays open.
    fn uploads(&self, key: u32) -> Vec<Mutation> {
        let [_, _, b2, b3, b4, b5, b6, _] = self.blobs;
        let begin = |upload: &UploadRow| Mutation::CreateUpload(tagged(upload.clone(), key));
        let put = |upload: &UploadRow, part: &PartRow, new: &[BlobId]| Mutation::PutPart {
            bucket: upload.bucket,
            key: upload.key.clone(),
            part: tagged(part.clone(), key),
            new_blobs: new.iter().map(|blob| blob_row(*blob, key)).collect(),
            accounting: accounting(),
        };
        let mut complete = self.put(&self.completed, key, &[]);
        let parts = [&self.again, &self.second];
        complete.completes = Some(CompletedUpload {
            upload: self.joined.upload,
            parts: parts.map(|row| (row.part, old_tag(row))).into(),
        });
        vec![
            begin(&self.joined),
            put(&self.joined, &self.first, &[b2]),
            put(&self.joined, &self.again, &[b3]),
            put(&self.joined, &self.second, &[]),
            commit_version(complete),
            Mutation::DeleteVersion {
                bucket: self.kept.bucket,
                key: object_key("copy"),
                expect: Expect::Any,
                accounting: accounting(),
            },
            begin(&self.given_up),
            put(&self.given_up, &self.part_given_up, &[b4]),
            Mutation::AbortUpload {
                bucket: self.given_up.bucket,
                key: self.given_up.key.clone(),
                upload: self.given_up.upload,
                accounting: accounting(),
            },
            begin(&self.of_lost),
            put(&self.of_lost, &self.part_of_lost, &[b5]),
            Mutation::DeleteBucket {
                name: self.lost.name.clone(),
                bucket: self.lost.bucket,
            },
            begin(&self.open),
            put(&self.open, &self.part_open, &[b6]),
        ]
    }

    fn garbage(&self, key: u32) -> Vec<Mutation> {
        let [_, b1, b2, b3, b4, _, _, orphan] = self.blobs;
        let late = |blob: BlobId, new: &[BlobId]| {
            let content = self.world.in_blobs(&[blob]);
            let row = self
                .world
                .version_row(self.kept.bucket, "late", 1, &content);
            commit_version(self.put(&(row, content), key, new))
        };
        vec![
            claim(DUE - 1, vec![]),
            claim(DUE, vec![b3, orphan]),
            late(b1, &[]),
            late(orphan, &[orphan]),
            Mutation::ForgetClaims(vec![b1]),
            Mutation::ForgetClaims(vec![b2, b4, orphan]),
        ]
    }

    fn logs(&self, key: u32) -> Vec<Mutation> {
        let requests = |amount| {
            Mutation::AddUsage(vec![UsageDelta {
                hour_ms: HOUR,
                meter: Meter::Requests,
                subject: UsageSubject::Bucket(self.kept.bucket),
                amount,
            }])
        };
        let segment = |number| {
            let mut segment = self.world.segment(self.node, number);
            segment.key_version = key;
            Mutation::AppendAudit(segment)
        };
        vec![
            requests(5),
            Mutation::FoldUsage,
            requests(7),
            Mutation::FoldUsage,
            segment(0),
            segment(1),
            segment(1),
        ]
    }

    fn records(&self, key: u32) -> Vec<Mutation> {
        let (member, setting) = (&self.member, &self.setting);
        let commit = |writes, guards| Mutation::CommitRecords { writes, guards };
        let insert = || RecordWrite::Insert(tagged(setting.clone(), key));
        let replace = RecordWrite::Replace(tagged(self.changed_member(), key));
        let delete = |row: &RecordRow| RecordWrite::Delete {
            kind: row.kind,
            id: row.id,
            sequence: row.sequence,
        };
        let at_most = |state, max| RecordGuard::AtMost {
            kind: member.kind,
            state,
            max,
        };
        let at_least = |state| RecordGuard::AtLeast {
            kind: member.kind,
            state,
            min: 1,
        };
        let unchanged = RecordGuard::Unchanged {
            kind: setting.kind,
            id: setting.id,
            sequence: 1,
        };
        let exists = RecordGuard::Exists {
            kind: setting.kind,
            id: setting.id,
        };
        let guards = vec![
            at_most(None, 1),
            at_most(Some(1), 0),
            at_least(Some(2)),
            unchanged,
        ];
        vec![
            commit(vec![insert()], vec![]),
            commit(vec![replace], guards),
            commit(vec![delete(&self.changed_member())], vec![at_least(None)]),
            commit(vec![delete(setting)], vec![]),
            commit(vec![], vec![exists]),
            commit(vec![insert()], vec![]),
        ]
    }

    fn rights(&self, key: u32) -> Vec<Mutation> {
        let mut revoked = self.credential.clone();
        (revoked.revoked_ms, revoked.sequence) = (Some(HOUR), 2);
        let suspended = self.world.organization_row(OrgState::Suspended, 2);
        vec![
            Mutation::CreateCredential(tagged(self.credential.clone(), key)),
            Mutation::NoteUses(vec![(revoked.lookup, HOUR + 5)]),
            Mutation::ReplaceCredential(tagged(revoked, key)),
            Mutation::ReplaceOrganization(tagged(suspended, key)),
        ]
    }

    /// Everything goes under the second key, and the first is deleted.
    fn rotation(&self, key: u32, new_key: u32) -> Vec<Mutation> {
        let first = self.world.key_row(1, KeyState::Open, 1);
        let second = self.world.key_row(2, KeyState::Open, 1);
        let closed = self.world.key_row(1, KeyState::Closed, 2);
        let mut steps = vec![
            Mutation::CreateNameKey(self.world.name_key_row(key)),
            Mutation::AddKey(tagged(second, key)),
            Mutation::DeleteKey { version: 1 },
            Mutation::ReplaceKey {
                old: tagged(first, 1).tag(),
                new: tagged(closed, key),
            },
            Mutation::DeleteKey { version: 1 },
        ];
        let rewraps = self.rewraps(new_key).into_iter();
        steps.extend(rewraps.map(|rewrap| Mutation::Rewrap(vec![rewrap])));
        steps.push(Mutation::DeleteKey { version: 1 });
        steps
    }

    fn rewraps(&self, key: u32) -> Vec<Rewrap> {
        let header = self.world.header(2).to_vec();
        let resealed = |sealed: &[u8]| [&header, &sealed[192..]].concat();
        let mut rewraps = vec![Rewrap::Bucket {
            old: old_tag(&self.kept),
            new: tagged(self.kept.clone(), key),
        }];
        for row in [self.changed_member(), self.setting.clone()] {
            let sealed = resealed(&row.sealed);
            rewraps.push(Rewrap::Record {
                old: old_tag(&row),
                new: tagged(RecordRow { sealed, ..row }, key),
            });
        }
        for (row, content) in [&self.inline, &self.replacing, &self.completed] {
            let etag = [2; 32];
            rewraps.push(Rewrap::Version {
                old: old_tag(row),
                new: tagged(
                    VersionRow {
                        etag,
                        ..row.clone()
                    },
                    key,
                ),
            });
            let is_inline = matches!(content.body, Body::Inline(_));
            rewraps.push(Rewrap::Content {
                version: row.version,
                old_key_version: 1,
                metadata_header: header.clone(),
                body_header: is_inline.then(|| header.clone()),
                key_version: key,
            });
        }
        let [b0, _, _, b3, _, b5, b6, _] = self.blobs;
        rewraps.extend([b0, b3, b5, b6].map(|blob| Rewrap::Blob {
            blob,
            old_key_version: 1,
            header: header.clone(),
            key_version: key,
        }));
        let metadata = resealed(&self.open.metadata);
        rewraps.push(Rewrap::Upload {
            old: old_tag(&self.open),
            new: tagged(
                UploadRow {
                    metadata,
                    ..self.open.clone()
                },
                key,
            ),
        });
        let metadata = resealed(&self.part_open.metadata);
        rewraps.push(Rewrap::Part {
            old: old_tag(&self.part_open),
            new: tagged(
                PartRow {
                    metadata,
                    ..self.part_open.clone()
                },
                key,
            ),
        });
        rewraps.extend([0, 1].map(|number| Rewrap::AuditSegment {
            node: self.node,
            number,
            old_key_version: 1,
            header: header.clone(),
            key_version: key,
        }));
        rewraps.push(Rewrap::NameKey {
            old_key_version: 1,
            new: NameKeyRow {
                key_version: key,
                ..self.world.name_key_row(1)
            },
        });
        rewraps
    }

    fn end(&self, key: u32) -> Vec<Mutation> {
        let destroyed = self.world.organization_row(OrgState::Destroyed, 3);
        let mut steps = vec![Mutation::DestroyOrganization(tagged(destroyed, key))];
        steps.extend((0..4).map(|_| Mutation::PurgeOrganization { rows_max: 3 }));
        steps.push(claim(i64::MAX as u64, vec![]));
        steps.push(Mutation::ForgetClaims(self.blobs.to_vec()));
        steps
    }

    fn put(
        &self,
        (row, content): &(VersionRow, Content),
        key: u32,
        new_blobs: &[BlobId],
    ) -> CommitVersion {
        CommitVersion {
            version: tagged(row.clone(), key),
            content: Content {
                key_version: key,
                ..content.clone()
            },
            new_blobs: new_blobs.iter().map(|blob| blob_row(*blob, key)).collect(),
            expect: Expect::Any,
            completes: None,
            accounting: accounting(),
        }
    }

    fn changed_member(&self) -> RecordRow {
        RecordRow {
            state: 2,
            sequence: 2,
            ..self.member.clone()
        }
    }
}

/// The tag that a row has carried so far.
fn old_tag<R: Row + Clone>(row: &R) -> RowTag {
    tagged(row.clone(), 1).tag()
}

fn claim(now_ms: u64, candidates: Vec<BlobId>) -> Mutation {
    Mutation::ClaimBlobs {
        candidates,
        now_ms,
        blobs_max: 100,
    }
}
