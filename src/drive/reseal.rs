use std::collections::HashMap;
use std::sync::Arc;

use envelope::{Place, Whole};
use names::BlobId;
use zeroize::Zeroizing;

use super::DriveError;
use super::object::{Opened, open_inline, open_stored, reseal_row};
use super::parts::{self, reseal_part};
use super::service::{Drive, Shared};
use crate::catalog::{
    BlobRow, Body, CommitError, Conflict, Content, Effect, JobCatalog, Mutation, PartRow, Reseal,
    ResealedRow, RowTag, Slice, TaggedRow, Unverified, VersionRow,
};
use crate::keyring::OrgKeys;

/// Seals the bodies of one organization anew, for a key that has leaked: whoever has it, and what it
/// wrapped, has the data keys, and no new wrap takes them back.
///
/// ```text
/// row ─► verify ─► each blob: read, verify, seal under a fresh data key ─► compare and set the row
///                                                                             │
///                                                          the old blob goes into the trash
/// ```
///
/// A row that another changed meanwhile is left as whoever did has it. A blob that several rows name
/// is sealed once for all of them, as far as is remembered.
pub struct Resealer {
    shared: Arc<Shared>,
    job: JobCatalog,
    keys: Arc<OrgKeys>,
    /// Where the bytes of old blobs are that other rows name still.
    moved: HashMap<BlobId, Moved>,
}

/// What was sealed anew.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Resealed {
    /// Objects, copies among them.
    pub objects: u64,
    /// Parts of uploads in progress.
    pub parts: u64,
    /// Bytes of bodies; those that several objects share once.
    pub bytes: u64,
}

/// The blob that holds the bytes now.
#[derive(Clone, Copy)]
struct Moved {
    blob: BlobId,
    commitment: [u8; 32],
}

/// A row that is what was written, without where its bytes are.
enum Target {
    Version(Opened),
    Part(PartRow, Zeroizing<Vec<u8>>),
}

/// As much of a body as is committed together.
struct Step {
    slices: Vec<Slice>,
    new_blobs: Vec<BlobRow>,
    /// The blobs that were given up.
    left: Vec<BlobId>,
    bytes: u64,
    /// The slice that the next step begins with.
    next: usize,
}

impl Drive {
    /// What seals the bodies of the job's organization anew, under the newest version of its key.
    pub async fn resealer(&self, job: JobCatalog) -> Result<Resealer, DriveError> {
        let shared = Arc::clone(self.shared());
        Ok(Resealer {
            keys: shared.keyring.open_for_job(&job).await?,
            shared,
            job,
            moved: HashMap::new(),
        })
    }
}

impl Resealer {
    /// Seals the body of a row anew, if an older version of the key reaches any of it. Rows that
    /// have none are passed over.
    ///
    /// # Errors
    ///
    /// [`DriveError::Damaged`] when something is not what was written: it is left as it is.
    pub async fn reseal(&mut self, row: TaggedRow) -> Result<Resealed, DriveError> {
        match row {
            TaggedRow::Version(row, content) => self.version(row, content).await,
            TaggedRow::Part(row) => self.part(row).await,
            _ => Ok(Resealed::default()),
        }
    }

    async fn version(
        &mut self,
        claimed: Unverified<VersionRow>,
        content: Content,
    ) -> Result<Resealed, DriveError> {
        let tag = claimed.tag();
        self.know_key(tag.key_version).await?;
        self.know_key(content.key_version).await?;
        let is_old = self.is_old(tag.key_version) || self.is_old(content.key_version);
        if !is_old && !self.is_any_old(slices_of(&content.body)).await? {
            return Ok(Resealed::default());
        }
        let opened = open_stored(&self.keys, claimed, &content)?;
        match content.body {
            Body::Inline(sealed) => self.inline(opened, tag, &sealed).await,
            Body::Blobs(slices) => self.in_blobs(Target::Version(opened), tag, slices).await,
        }
    }

    async fn part(&mut self, claimed: Unverified<PartRow>) -> Result<Resealed, DriveError> {
        let tag = claimed.tag();
        self.know_key(tag.key_version).await?;
        if !self.is_old(tag.key_version) && !self.is_any_old(&claimed.unverified().slices).await? {
            return Ok(Resealed::default());
        }
        let (row, metadata) = parts::open_stored(&self.keys, claimed)?;
        let slices = row.slices.clone();
        self.in_blobs(Target::Part(row, metadata), tag, slices)
            .await
    }

    async fn inline(
        &mut self,
        opened: Opened,
        tag: RowTag,
        sealed: &[u8],
    ) -> Result<Resealed, DriveError> {
        let Whole { plaintext, footer } = open_inline(&self.keys, &opened.row, sealed)?;
        let sealed = self
            .keys
            .seal_whole(Place::Object, &plaintext, &footer)
            .map_err(DriveError::sealing)?;
        let bytes = opened.row.size;
        let (row, _) = Target::Version(opened).seal(&self.keys, tag, Body::Inline(sealed))?;
        Ok(match self.commit(row, Vec::new()).await? {
            Some(_) => Resealed {
                objects: 1,
                bytes,
                ..Resealed::default()
            },
            None => Resealed::default(),
        })
    }

    /// Moves a body out of the blobs whose data keys an older key wrapped: step by step, each of
    /// which is kept, whatever comes after it.
    async fn in_blobs(
        &mut self,
        target: Target,
        mut tag: RowTag,
        mut slices: Vec<Slice>,
    ) -> Result<Resealed, DriveError> {
        let mut resealed = Resealed::default();
        // A blob may stand in several places of one body.
        let mut moved = HashMap::new();
        let mut at = 0;
        loop {
            let step = self.step(slices, at, &mut moved).await?;
            let body = Body::Blobs(step.slices.clone());
            let (row, new_tag) = target.seal(&self.keys, tag, body)?;
            let Some(shared) = self.commit(row, step.new_blobs).await? else {
                return Ok(resealed);
            };
            self.remember(&step.left, &shared, &moved);
            resealed.bytes += step.bytes;
            (tag, slices, at) = (new_tag, step.slices, step.next);
            if at == slices.len() {
                break;
            }
        }
        match target {
            Target::Version(_) => resealed.objects += 1,
            Target::Part(..) => resealed.parts += 1,
        }
        Ok(resealed)
    }

    /// Seals the blobs of a body anew, from a slice on, until it is worth a commit.
    async fn step(
        &mut self,
        slices: Vec<Slice>,
        at: usize,
        moved: &mut HashMap<BlobId, Moved>,
    ) -> Result<Step, DriveError> {
        let mut step = Step {
            slices,
            new_blobs: Vec::new(),
            left: Vec::new(),
            bytes: 0,
            next: at,
        };
        match self.fill(&mut step, moved).await {
            Ok(()) => Ok(step),
            Err(error) => {
                let written: Vec<_> = step.new_blobs.iter().map(|row| row.blob).collect();
                self.shared.discard(self.job.org(), &written).await;
                Err(error)
            }
        }
    }

    async fn fill(
        &mut self,
        step: &mut Step,
        moved: &mut HashMap<BlobId, Moved>,
    ) -> Result<(), DriveError> {
        let mut rows = HashMap::new();
        while step.next < step.slices.len() && !step.is_full() {
            let slice = step.slices[step.next];
            if !moved.contains_key(&slice.blob) {
                if !rows.contains_key(&slice.blob) {
                    rows = self.look_up(&step.slices[step.next..]).await?;
                }
                let row = rows.get(&slice.blob).ok_or_else(|| self.unknown(&slice))?;
                if self.is_old(row.key_version) {
                    moved.insert(slice.blob, self.new_place(&slice, row, step).await?);
                }
            }
            if let Some(new) = moved.get(&slice.blob) {
                step.left.push(slice.blob);
                step.slices[step.next] = Slice {
                    blob: new.blob,
                    commitment: new.commitment,
                    ..slice
                };
            }
            step.next += 1;
        }
        Ok(())
    }

    /// Where the bytes of an old blob are from now on.
    async fn new_place(
        &mut self,
        slice: &Slice,
        row: &BlobRow,
        step: &mut Step,
    ) -> Result<Moved, DriveError> {
        if let Some(moved) = self.moved.get(&slice.blob) {
            return Ok(*moved);
        }
        self.know_key(row.key_version).await?;
        let keys = &self.keys;
        let new = self.shared.reseal_blob(keys, keys, slice, row).await?;
        step.bytes += slice.blob_len;
        step.new_blobs.push(new.row);
        Ok(Moved {
            blob: new.slice.blob,
            commitment: new.slice.commitment,
        })
    }

    /// Puts a row in the place of the one that was read, and tells which of the blobs that it no
    /// longer names others do. Nothing, if that row is not there any more.
    async fn commit(
        &mut self,
        row: ResealedRow,
        new_blobs: Vec<BlobRow>,
    ) -> Result<Option<Vec<BlobId>>, DriveError> {
        let written: Vec<BlobId> = new_blobs.iter().map(|row| row.blob).collect();
        let reseal = Reseal {
            row,
            new_blobs,
            trash_not_before_ms: self.shared.trash_not_before_ms(),
        };
        let conflict = match self.job.commit(Mutation::Reseal(Box::new(reseal))).await {
            Ok(Effect::Resealed(shared)) => return Ok(Some(shared)),
            Ok(_) => return Ok(Some(Vec::new())),
            Err(CommitError::Conflict(conflict)) => conflict,
            // Whether it was done is not known: the sweep will see.
            Err(CommitError::Store(error)) => return Err(error.into()),
        };
        self.shared.discard(self.job.org(), &written).await;
        match conflict {
            Conflict::Changed => {}
            // All rows that named it have been replaced or deleted since.
            Conflict::BlobGone(gone) => self.moved.retain(|_, moved| moved.blob != gone),
            Conflict::KeyClosed { .. } => self.reopen_keys().await?,
            conflict => return Err(DriveError::refused(&conflict)),
        }
        Ok(None)
    }

    /// Remembers where the bytes are of those blobs that others name still.
    fn remember(&mut self, left: &[BlobId], shared: &[BlobId], moved: &HashMap<BlobId, Moved>) {
        for blob in left {
            match moved.get(blob) {
                Some(new) if shared.contains(blob) && self.moved.len() < MOVED_MAX => {
                    self.moved.insert(*blob, *new);
                }
                _ => {
                    self.moved.remove(blob);
                }
            }
        }
    }

    /// Whether any of these blobs has a data key that an older key wrapped.
    async fn is_any_old(&self, slices: &[Slice]) -> Result<bool, DriveError> {
        let mut slices = slices;
        while !slices.is_empty() {
            let rows = self.look_up(slices).await?;
            if rows.values().any(|row| self.is_old(row.key_version)) {
                return Ok(true);
            }
            let known = |slice: &&Slice| rows.contains_key(&slice.blob);
            let count = slices.iter().take_while(known).count();
            match slices.get(count) {
                Some(unknown) if count == 0 => return Err(self.unknown(unknown)),
                _ => slices = &slices[count..],
            }
        }
        Ok(false)
    }

    /// The rows of the first blobs of some slices.
    async fn look_up(&self, slices: &[Slice]) -> Result<HashMap<BlobId, BlobRow>, DriveError> {
        let first = slices.iter().take(LOOKED_UP_MAX);
        let mut wanted: Vec<BlobId> = first.map(|slice| slice.blob).collect();
        wanted.sort_unstable();
        wanted.dedup();
        let rows = self.job.blobs(&wanted).await?;
        Ok(rows.into_iter().map(|row| (row.blob, row)).collect())
    }

    fn unknown(&self, slice: &Slice) -> DriveError {
        let what = format!("blob {} of organization {}", slice.blob, self.job.org());
        DriveError::damaged(what, "the catalog does not know it")
    }

    /// Whether a version of the key is not the one that everything shall be under.
    fn is_old(&self, key_version: u32) -> bool {
        key_version != self.keys.newest_version()
    }

    async fn know_key(&mut self, version: u32) -> Result<(), DriveError> {
        match self.keys.holds(version) {
            true => Ok(()),
            false => self.reopen_keys().await,
        }
    }

    async fn reopen_keys(&mut self) -> Result<(), DriveError> {
        self.shared.keyring.forget(self.job.org());
        self.keys = self.shared.keyring.open_for_job(&self.job).await?;
        Ok(())
    }
}

impl Step {
    /// So that little is done again after a crash, and few commits are made for many small blobs.
    fn is_full(&self) -> bool {
        self.bytes >= STEP_BYTES || self.new_blobs.len() >= STEP_BLOBS
    }
}

impl Target {
    /// The same row under the newest key, and its tag.
    fn seal(
        &self,
        keys: &OrgKeys,
        old: RowTag,
        body: Body,
    ) -> Result<(ResealedRow, RowTag), DriveError> {
        match self {
            Self::Version(opened) => {
                let (new, content) = reseal_row(keys, opened, body)?;
                let tag = new.tag();
                Ok((ResealedRow::Version { old, new, content }, tag))
            }
            Self::Part(row, metadata) => {
                let new = reseal_part(keys, row, metadata, slices_of(&body))?;
                let tag = new.tag();
                Ok((ResealedRow::Part { old, new }, tag))
            }
        }
    }
}

fn slices_of(body: &Body) -> &[Slice] {
    match body {
        Body::Inline(_) => &[],
        Body::Blobs(slices) => slices,
    }
}

/// Blob rows read from the catalog at a time.
const LOOKED_UP_MAX: usize = 256;

/// How many blobs that several rows name are remembered, in 6 MiB: of what is beyond, each row gets
/// bytes of its own.
const MOVED_MAX: usize = 1 << 16;

const STEP_BYTES: u64 = 256 << 20;
/// In tests as few as make steps of what they have.
const STEP_BLOBS: usize = if cfg!(test) { 1 } else { 64 };
