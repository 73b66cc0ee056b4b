use names::{
    BlobId, BucketId, BucketName, NodeId, ObjectKey, OrgId, PartNumber, PrincipalId, RootId, Slug,
    UploadId, VersionId,
};
use sha2::{Digest, Sha256};

use crate::catalog::{
    Accounting, AuditSegmentRow, Authenticated, BlobRow, Body, Bound, BucketRow, CommitVersion,
    Conflict, Content, CredentialKind, CredentialRow, Effect, Expect, FieldSink, KeyState,
    Mutation, OrgKeyRow, OrgState, OrganizationRow, PartRow, RecordKind, RecordRow, RecordWrite,
    Row, RowTag, Slice, Store, StoredLimits, Unverified, UploadRow, VersionRow,
};
use crate::entropy::Entropy;

/// An organization that a check has for itself, so that all checks can run against one store.
pub(in crate::catalog) struct World<'s> {
    pub(in crate::catalog) store: &'s dyn Store,
    pub(in crate::catalog) org: OrgId,
    pub(in crate::catalog) chance: Entropy,
}

/// The hour in which checks count.
pub(in crate::catalog) const HOUR: u64 = 1_700_000_000_000 - 1_700_000_000_000 % 3_600_000;
/// When what they replace may be collected.
pub(in crate::catalog) const DUE: u64 = HOUR + 1_000;

impl<'s> World<'s> {
    /// Makes an organization with one key.
    pub(in crate::catalog) async fn new(store: &'s dyn Store, seed: u64) -> Self {
        let world = Self::empty(store, seed);
        let created = world.create(Vec::new()).await;
        assert_eq!(created, Ok(Effect::Done));
        world
    }

    /// An organization that does not exist yet. The platform's key does.
    pub(in crate::catalog) fn empty(store: &'s dyn Store, seed: u64) -> Self {
        let chance = Entropy::danger_seeded(seed);
        let org = OrgId::from_bytes(chance.uuid_v7(HOUR));
        Self { store, org, chance }
    }

    /// Makes the organization.
    pub(in crate::catalog) async fn create(
        &self,
        records: Vec<Authenticated<RecordRow>>,
    ) -> Result<Effect, Conflict> {
        self.commit(self.creation(records)).await
    }

    /// What makes the organization.
    pub(in crate::catalog) fn creation(&self, records: Vec<Authenticated<RecordRow>>) -> Mutation {
        Mutation::CreateOrganization {
            organization: Box::new(tagged(self.organization_row(OrgState::Active, 1), 1)),
            key: tagged(self.key_row(1, KeyState::Open, 1), 1),
            name_key: self.name_key_row(1),
            records,
        }
    }

    /// Commits one mutation in the organization.
    pub(in crate::catalog) async fn commit(&self, mutation: Mutation) -> Result<Effect, Conflict> {
        commit(self.store, self.org, mutation).await
    }

    /// Commits and expects success.
    pub(in crate::catalog) async fn done(&self, mutation: Mutation) -> Effect {
        self.commit(mutation).await.expect("no conflict")
    }

    pub(in crate::catalog) fn organization_row(
        &self,
        state: OrgState,
        sequence: u64,
    ) -> OrganizationRow {
        let slug = (state != OrgState::Destroyed).then(|| self.slug());
        OrganizationRow {
            org: self.org,
            slug,
            state,
            created_ms: HOUR,
            delete_after_ms: None,
            destruction: None,
            sequence,
        }
    }

    pub(in crate::catalog) fn slug(&self) -> Slug {
        Slug::parse(&format!("o-{}", self.org)).expect("a slug")
    }

    pub(in crate::catalog) fn key_row(
        &self,
        version: u32,
        state: KeyState,
        sequence: u64,
    ) -> OrgKeyRow {
        key_row(self.org, version, state, sequence)
    }

    pub(in crate::catalog) fn bucket_row(&self, name: &str) -> BucketRow {
        BucketRow {
            org: self.org,
            name: bucket_name(name),
            bucket: BucketId::from_bytes(self.chance.uuid_v4()),
            created_ms: HOUR,
            sequence: 1,
        }
    }

    /// Makes a bucket.
    pub(in crate::catalog) async fn bucket(&self, name: &str) -> BucketId {
        let row = self.bucket_row(name);
        let bucket = row.bucket;
        self.done(Mutation::CreateBucket(tagged(row, 1))).await;
        bucket
    }

    pub(in crate::catalog) fn version_row(
        &self,
        bucket: BucketId,
        key: &str,
        sequence: u64,
        content: &Content,
    ) -> VersionRow {
        let size = match &content.body {
            Body::Inline(sealed) => sealed.len() as u64,
            Body::Blobs(slices) => slices.iter().map(|slice| slice.length).sum(),
        };
        VersionRow {
            org: self.org,
            bucket,
            key: object_key(key),
            sequence,
            version: VersionId::from_bytes(self.chance.uuid_v7(HOUR)),
            is_null: true,
            size,
            modified_ms: HOUR + sequence,
            etag: self.chance.bytes(),
            parts: 0,
            content_digest: Sha256::digest(content.digest_input().expect("a header")).into(),
        }
    }

    /// A content of an inline body.
    pub(in crate::catalog) fn inline(&self, length: usize) -> Content {
        Content {
            metadata: self.sealed(512),
            body: Body::Inline(self.sealed(length.max(192))),
            key_version: 1,
        }
    }

    /// A content of blobs.
    pub(in crate::catalog) fn in_blobs(&self, blobs: &[BlobId]) -> Content {
        Content {
            metadata: self.sealed(512),
            body: Body::Blobs(slices(blobs, 0)),
            key_version: 1,
        }
    }

    /// A commit of a version that nothing speaks against.
    pub(in crate::catalog) fn put(
        &self,
        bucket: BucketId,
        key: &str,
        sequence: u64,
        content: Content,
        new_blobs: &[BlobId],
    ) -> CommitVersion {
        CommitVersion {
            version: tagged(self.version_row(bucket, key, sequence, &content), 1),
            content,
            new_blobs: new_blobs.iter().map(|blob| blob_row(*blob, 1)).collect(),
            expect: Expect::Any,
            completes: None,
            accounting: accounting(),
        }
    }

    /// Commits an inline version.
    pub(in crate::catalog) async fn object(
        &self,
        bucket: BucketId,
        key: &str,
        sequence: u64,
    ) -> VersionId {
        let commit = self.put(bucket, key, sequence, self.inline(192), &[]);
        let version = commit.version.row().version;
        self.done(commit_version(commit)).await;
        version
    }

    /// Begins an upload.
    pub(in crate::catalog) async fn upload(&self, bucket: BucketId, key: &str) -> UploadId {
        let row = self.upload_row(bucket, key);
        let upload = row.upload;
        self.done(Mutation::CreateUpload(tagged(row, 1))).await;
        upload
    }

    pub(in crate::catalog) fn upload_row(&self, bucket: BucketId, key: &str) -> UploadRow {
        UploadRow {
            org: self.org,
            bucket,
            key: object_key(key),
            upload: UploadId::from_bytes(self.chance.uuid_v4()),
            principal: PrincipalId::from_bytes(self.chance.uuid_v4()),
            initiated_ms: HOUR,
            metadata: self.sealed(512),
        }
    }

    pub(in crate::catalog) fn part_row(
        &self,
        upload: UploadId,
        part: u64,
        blobs: &[BlobId],
    ) -> PartRow {
        let slices = slices(blobs, part as u16);
        PartRow {
            org: self.org,
            upload,
            part: PartNumber::new(part).expect("a part number"),
            size: slices.iter().map(|slice| slice.length).sum(),
            modified_ms: HOUR + part,
            metadata: self.sealed(512),
            slices,
        }
    }

    /// Puts a part of new blobs, and returns its tag.
    pub(in crate::catalog) async fn part(
        &self,
        (bucket, key): (BucketId, &str),
        upload: UploadId,
        part: u64,
        blobs: &[BlobId],
    ) -> RowTag {
        let row = tagged(self.part_row(upload, part, blobs), 1);
        let tag = row.tag();
        self.done(Mutation::PutPart {
            bucket,
            key: object_key(key),
            part: row,
            new_blobs: blobs.iter().map(|blob| blob_row(*blob, 1)).collect(),
            accounting: accounting(),
        })
        .await;
        tag
    }

    pub(in crate::catalog) fn credential_row(&self, sequence: u64) -> CredentialRow {
        CredentialRow {
            lookup: self.chance.bytes(),
            org: self.org,
            principal: PrincipalId::from_bytes(self.chance.uuid_v4()),
            kind: CredentialKind::AccessKey,
            sealed: self.sealed(512),
            created_ms: HOUR,
            expires_ms: None,
            revoked_ms: None,
            sequence,
        }
    }

    /// A record of this organization that is new.
    pub(in crate::catalog) fn record_row(&self, kind: RecordKind) -> RecordRow {
        RecordRow {
            org: self.org,
            kind,
            id: self.chance.uuid_v7(HOUR),
            parent: Some(self.chance.uuid_v4()),
            lookup: None,
            state: 1,
            created_ms: HOUR,
            expires_ms: None,
            sealed: self.sealed(512),
            sequence: 1,
        }
    }

    /// Writes a record.
    pub(in crate::catalog) async fn insert(&self, record: Authenticated<RecordRow>) {
        let writes = vec![RecordWrite::Insert(record)];
        let guards = Vec::new();
        self.done(Mutation::CommitRecords { writes, guards }).await;
    }

    pub(in crate::catalog) fn segment(&self, node: NodeId, number: u64) -> AuditSegmentRow {
        AuditSegmentRow {
            org: self.org,
            node,
            number,
            first_ms: HOUR + number,
            last_ms: HOUR + number + 1,
            sealed: self.sealed(512),
            key_version: 1,
        }
    }

    pub(in crate::catalog) fn blob(&self) -> BlobId {
        BlobId::from_bytes(self.chance.uuid_v7(HOUR))
    }

    pub(in crate::catalog) fn node(&self) -> NodeId {
        NodeId::from_bytes(self.chance.uuid_v4())
    }

    /// Bytes that look like a sealed blob of key version 1.
    pub(in crate::catalog) fn sealed(&self, length: usize) -> Vec<u8> {
        let mut sealed = vec![0; length];
        self.chance.fill(&mut sealed);
        sealed[..192].copy_from_slice(&self.header(1));
        sealed
    }

    /// A header that names a key version.
    pub(in crate::catalog) fn header(&self, key_version: u32) -> [u8; 192] {
        let mut header: [u8; 192] = self.chance.bytes();
        header[..8].copy_from_slice(b"\x89BLK\r\n\x1a\n");
        header[64..68].copy_from_slice(&key_version.to_be_bytes());
        header
    }
}

/// Makes the platform's key, without which nothing else can be made.
pub(in crate::catalog) async fn make_platform_key(store: &dyn Store) {
    let row = key_row(OrgId::PLATFORM, 1, KeyState::Open, 1);
    let make = || Mutation::CreatePlatformKey(tagged(row.clone(), 1));
    assert_eq!(
        commit(store, OrgId::PLATFORM, make()).await,
        Ok(Effect::Done)
    );
    assert_eq!(
        commit(store, OrgId::PLATFORM, make()).await,
        Err(Conflict::Exists)
    );
    assert_row(
        &store.org_keys(OrgId::PLATFORM).await.expect("keys")[..],
        &[tagged(row, 1)],
    );
}

/// Commits one mutation.
pub(in crate::catalog) async fn commit(
    store: &dyn Store,
    org: OrgId,
    mutation: Mutation,
) -> Result<Effect, Conflict> {
    let mut outcomes = store
        .commit(vec![Bound { org, mutation }])
        .await
        .expect("a catalog that takes commits");
    assert_eq!(outcomes.len(), 1);
    outcomes.remove(0)
}

/// The MAC of a check: a digest of what a real one covers.
pub(in crate::catalog) fn tagged<R: Row>(row: R, key_version: u32) -> Authenticated<R> {
    struct Digesting(Sha256);
    impl FieldSink for Digesting {
        fn null(&mut self) {
            self.0.update([0]);
        }
        fn bytes(&mut self, value: &[u8]) {
            self.0.update((value.len() as u64).to_be_bytes());
            self.0.update(value);
        }
    }
    let mut digest = Digesting(Sha256::new_with_prefix(key_version.to_be_bytes()));
    row.fields(&mut digest);
    let mac = digest.0.finalize().into();
    Authenticated::new(row, RowTag { key_version, mac })
}

/// What was read is what was written, with its tag.
pub(in crate::catalog) fn assert_row<R: Row + PartialEq + std::fmt::Debug>(
    read: &[Unverified<R>],
    written: &[Authenticated<R>],
) {
    let read: Vec<_> = read.iter().map(|r| (r.unverified(), r.tag())).collect();
    let written: Vec<_> = written.iter().map(|w| (w.row(), w.tag())).collect();
    assert_eq!(read, written);
}

pub(in crate::catalog) fn commit_version(commit: CommitVersion) -> Mutation {
    Mutation::CommitVersion(Box::new(commit))
}

pub(in crate::catalog) fn key_row(
    org: OrgId,
    version: u32,
    state: KeyState,
    sequence: u64,
) -> OrgKeyRow {
    OrgKeyRow {
        org,
        version,
        state,
        root: RootId::from_bytes([7; 16]),
        root_version: 1,
        wrapped: format!("the wrapped key {version} of {org}").into_bytes(),
        created_ms: HOUR,
        sequence,
    }
}

pub(in crate::catalog) fn blob_row(blob: BlobId, key_version: u32) -> BlobRow {
    BlobRow {
        blob,
        header: [blob.bytes().repeat(11), vec![key_version as u8; 16]].concat(),
        key_version,
        sealed_len: 1_000,
    }
}

/// A slice of 100 bytes of each blob.
pub(in crate::catalog) fn slices(blobs: &[BlobId], part: u16) -> Vec<Slice> {
    let slice = |blob: &BlobId| Slice {
        part,
        blob: *blob,
        commitment: [part as u8; 32],
        blob_len: 100,
        chunk_log2: 16,
        kind: 1,
        offset: 0,
        length: 100,
    };
    blobs.iter().map(slice).collect()
}

pub(in crate::catalog) fn accounting() -> Accounting {
    Accounting {
        hour_ms: HOUR,
        trash_not_before_ms: DUE,
        limits: StoredLimits::default(),
    }
}

pub(in crate::catalog) fn object_key(text: &str) -> ObjectKey {
    ObjectKey::parse(text).expect("a key")
}

pub(in crate::catalog) fn bucket_name(text: &str) -> BucketName {
    BucketName::parse(text).expect("a bucket name")
}
