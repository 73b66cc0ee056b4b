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
    sealed: Resealed,
    /// How much of it was told to whoever watches.
    told: Resealed,
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

/// What came of some rows.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct ResealedPage {
    /// What was sealed anew.
    pub sealed: Resealed,
    /// Which of the rows are not what was written, or have bodies that are not, and why. They are
    /// left as they are.
    pub damaged: Vec<(usize, String)>,
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

/// What has to be done about a row.
enum Todo {
    Nothing,
    /// Its body is kept in the row, and sealed already.
    Commit(Box<ResealedRow>, Resealed),
    Move(Box<Target>, RowTag, Vec<Slice>),
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
            sealed: Resealed::default(),
            told: Resealed::default(),
        })
    }
}

impl Resealer {
    /// Seals the bodies of rows anew, as far as an older version of the key reaches any of them.
    /// Rows that have none are passed over.
    pub async fn reseal(&mut self, rows: Vec<TaggedRow>) -> Result<ResealedPage, DriveError> {
        let before = self.sealed;
        let mut damaged = Vec::new();
        // Bodies that are kept in rows are small and many: they are committed together.
        let mut small = Vec::new();
        for (index, row) in rows.into_iter().enumerate() {
            match self.one(row, &mut small).await {
                Ok(()) => {}
                Err(DriveError::Damaged(reason)) => damaged.push((index, reason)),
                Err(error) => return Err(error),
            }
        }
        self.commit_all(small).await?;
        Ok(ResealedPage {
            sealed: self.sealed.since(&before),
            damaged,
        })
    }

    async fn one(
        &mut self,
        row: TaggedRow,
        small: &mut Vec<(ResealedRow, Resealed)>,
    ) -> Result<(), DriveError> {
        let todo = match row {
            TaggedRow::Version(row, content, _) => self.version(row, content).await?,
            TaggedRow::Part(row, _) => self.part(row).await?,
            _ => Todo::Nothing,
        };
        match todo {
            Todo::Nothing => {}
            Todo::Commit(row, sealed) => small.push((*row, sealed)),
            Todo::Move(target, tag, slices) => self.in_blobs(*target, tag, slices).await?,
        }
        Ok(())
    }

    async fn version(
        &mut self,
        claimed: Unverified<VersionRow>,
        content: Content,
    ) -> Result<Todo, DriveError> {
        let tag = claimed.tag();
        self.know_key(tag.key_version).await?;
        self.know_key(content.key_version).await?;
        let is_old = self.is_old(tag.key_version) || self.is_old(content.key_version);
        if !is_old && !self.is_any_old(slices_of(&content.body)).await? {
            return Ok(Todo::Nothing);
        }
        let opened = open_stored(&self.keys, claimed, &content)?;
        match content.body {
            Body::Inline(sealed) => self.inline(opened, tag, &sealed),
            Body::Blobs(slices) => {
                let target = Box::new(Target::Version(opened));
                Ok(Todo::Move(target, tag, slices))
            }
        }
    }

    async fn part(&mut self, claimed: Unverified<PartRow>) -> Result<Todo, DriveError> {
        let tag = claimed.tag();
        self.know_key(tag.key_version).await?;
        if !self.is_old(tag.key_version) && !self.is_any_old(&claimed.unverified().slices).await? {
            return Ok(Todo::Nothing);
        }
        let (row, metadata) = parts::open_stored(&self.keys, claimed)?;
        let slices = row.slices.clone();
        Ok(Todo::Move(
            Box::new(Target::Part(row, metadata)),
            tag,
            slices,
        ))
    }

    fn inline(&self, opened: Opened, tag: RowTag, sealed: &[u8]) -> Result<Todo, DriveError> {
        let Whole { plaintext, footer } = open_inline(&self.keys, &opened.row, sealed)?;
        let sealed = self
            .keys
            .seal_whole(Place::Object, &plaintext, &footer)
            .map_err(DriveError::sealing)?;
        let done = Resealed {
            objects: 1,
            bytes: opened.row.size,
            ..Resealed::default()
        };
        let (row, _) = Target::Version(opened).seal(&self.keys, tag, Body::Inline(sealed))?;
        Ok(Todo::Commit(Box::new(row), done))
    }

    async fn commit_all(&mut self, small: Vec<(ResealedRow, Resealed)>) -> Result<(), DriveError> {
        if small.is_empty() {
            return Ok(());
        }
        let (rows, sealed): (Vec<_>, Vec<_>) = small.into_iter().unzip();
        let mutations = rows.into_iter().map(|row| self.mutation(row, Vec::new()));
        let outcomes = self.job.commit_all(mutations.collect()).await?;
        for (outcome, sealed) in outcomes.into_iter().zip(sealed) {
            match outcome {
                Ok(_) => self.count(sealed),
                Err(conflict) => self.yield_to(&conflict).await?,
            }
        }
        Ok(())
    }

    /// Moves a body out of the blobs whose data keys an older key wrapped: step by step, each of
    /// which is kept, whatever comes after it.
    async fn in_blobs(
        &mut self,
        target: Target,
        mut tag: RowTag,
        mut slices: Vec<Slice>,
    ) -> Result<(), DriveError> {
        // A blob may stand in several places of one body.
        let mut moved = HashMap::new();
        let mut at = 0;
        loop {
            let step = self.step(slices, at, &mut moved).await?;
            let body = Body::Blobs(step.slices.clone());
            let (row, new_tag) = target.seal(&self.keys, tag, body)?;
            let Some(shared) = self.commit(row, step.new_blobs).await? else {
                return Ok(());
            };
            self.remember(&step.left, &shared, &moved);
            (tag, slices, at) = (new_tag, step.slices, step.next);
            let is_last = at == slices.len();
            self.count(Resealed {
                objects: u64::from(is_last && matches!(target, Target::Version(_))),
                parts: u64::from(is_last && matches!(target, Target::Part(..))),
                bytes: step.bytes,
            });
            if is_last {
                return Ok(());
            }
        }
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
            let new = match moved.get(&slice.blob) {
                Some(new) => Some(*new),
                None => self.new_place(&slice, &mut rows, step).await?,
            };
            if let Some(new) = new {
                moved.insert(slice.blob, new);
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

    /// Where the bytes of a blob are from now on; nothing, if no older key reaches it. `rows` are of
    /// blobs that were looked up before.
    async fn new_place(
        &mut self,
        slice: &Slice,
        rows: &mut HashMap<BlobId, BlobRow>,
        step: &mut Step,
    ) -> Result<Option<Moved>, DriveError> {
        if !rows.contains_key(&slice.blob) {
            *rows = self.look_up(&step.slices[step.next..]).await?;
        }
        let row = rows.get(&slice.blob).ok_or_else(|| self.unknown(slice))?;
        if !self.is_old(row.key_version) {
            return Ok(None);
        }
        if let Some(moved) = self.moved.get(&slice.blob) {
            return Ok(Some(*moved));
        }
        self.know_key(row.key_version).await?;
        let keys = &self.keys;
        let new = self.shared.reseal_blob(keys, keys, slice, row).await?;
        step.bytes += slice.blob_len;
        step.new_blobs.push(new.row);
        Ok(Some(Moved {
            blob: new.slice.blob,
            commitment: new.slice.commitment,
        }))
    }

    /// Puts a row in the place of the one that was read, and tells which of the blobs that it no
    /// longer names others do. Nothing, if that row is not there any more.
    async fn commit(
        &mut self,
        row: ResealedRow,
        new_blobs: Vec<BlobRow>,
    ) -> Result<Option<Vec<BlobId>>, DriveError> {
        let written: Vec<BlobId> = new_blobs.iter().map(|row| row.blob).collect();
        let mutation = self.mutation(row, new_blobs);
        match self.job.commit(mutation).await {
            Ok(Effect::Resealed(shared)) => Ok(Some(shared)),
            Ok(_) => Ok(Some(Vec::new())),
            Err(CommitError::Conflict(conflict)) => {
                self.shared.discard(self.job.org(), &written).await;
                self.yield_to(&conflict).await?;
                Ok(None)
            }
            // Whether it was done is not known: the sweep will see.
            Err(CommitError::Store(error)) => Err(error.into()),
        }
    }

    fn mutation(&self, row: ResealedRow, new_blobs: Vec<BlobRow>) -> Mutation {
        Mutation::Reseal(Box::new(Reseal {
            row,
            new_blobs,
            trash_not_before_ms: self.shared.trash_not_before_ms(),
        }))
    }

    /// Another was faster. What that left is looked at in the next round.
    async fn yield_to(&mut self, conflict: &Conflict) -> Result<(), DriveError> {
        match conflict {
            Conflict::Changed => Ok(()),
            // All rows that named it have been replaced or deleted since.
            Conflict::BlobGone(gone) => {
                self.moved.retain(|_, moved| moved.blob != *gone);
                Ok(())
            }
            Conflict::KeyClosed { .. } => self.reopen_keys().await,
            conflict => Err(DriveError::refused(conflict)),
        }
    }

    fn count(&mut self, sealed: Resealed) {
        self.sealed.objects += sealed.objects;
        self.sealed.parts += sealed.parts;
        self.sealed.bytes += sealed.bytes;
        let news = self.sealed.since(&self.told);
        if news.bytes >= NEWS_BYTES || news.objects >= NEWS_OBJECTS {
            self.told = self.sealed;
            let Resealed { objects, bytes, .. } = self.told;
            tracing::info!(org = %self.job.org(), objects, bytes, "sealed anew so far");
        }
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

impl Resealed {
    fn since(&self, before: &Self) -> Self {
        Self {
            objects: self.objects - before.objects,
            parts: self.parts - before.parts,
            bytes: self.bytes - before.bytes,
        }
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

/// After how much of it whoever watches is told.
const NEWS_BYTES: u64 = 1 << 30;
const NEWS_OBJECTS: u64 = 10_000;
