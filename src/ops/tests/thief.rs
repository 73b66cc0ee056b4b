//! Whoever has a key that leaked, and reads the catalog and the blob store as they are now.

use std::sync::Arc;

use envelope::{HEADER_LEN, Place};
use names::{BlobId, NodeId, OrgId};

use super::world::{House, Process};
use crate::blobs::Blobs;
use crate::catalog::{Body, RecordRow, Row, RowTag, TaggedRow, Unverified};
use crate::keyring::{OrgKeys, Record};

/// A key as it was at one time.
pub(super) struct Thief {
    org: OrgId,
    keys: Arc<OrgKeys>,
    /// What headers say of that key: its version and its check.
    key: [u8; 16],
    /// Everything that it wrapped: who has it has the data keys, too.
    headers: Vec<Vec<u8>>,
}

/// What came of trying.
#[derive(Debug, Default)]
pub(super) struct Loot {
    pub(super) tried: usize,
    pub(super) opened: Vec<String>,
}

impl Thief {
    /// Takes the newest version of an organization's key, and reads the catalog.
    pub(super) async fn of(house: &House, process: &Process, org: OrgId) -> Self {
        let keys = process.keyring.open_for_job(&process.job(org)).await;
        let keys = keys.unwrap();
        let sealed = keys.seal_record(BAIT, b"bait").unwrap();
        let mut key = [0; 16];
        key.copy_from_slice(&sealed[KEY]);
        let database = house.database();
        let mut headers: Vec<Vec<u8>> = Vec::new();
        for sql in [
            "SELECT substr(sealed, 1, 192) FROM records WHERE org_id = ?1",
            "SELECT substr(metadata, 1, 192) FROM contents WHERE org_id = ?1",
            "SELECT substr(body, 1, 192) FROM contents WHERE org_id = ?1 AND body IS NOT NULL",
            "SELECT header FROM blobs WHERE org_id = ?1",
            "SELECT substr(metadata, 1, 192) FROM uploads WHERE org_id = ?1",
            "SELECT substr(metadata, 1, 192) FROM upload_parts WHERE org_id = ?1",
            "SELECT substr(sealed, 1, 192) FROM audit_segments WHERE org_id = ?1",
            "SELECT substr(sealed, 1, 192) FROM name_keys WHERE org_id = ?1",
        ] {
            let mut found = database.prepare(sql).unwrap();
            let rows = found.query_map([org.bytes()], |row| row.get(0)).unwrap();
            headers.extend(rows.map(Result::unwrap));
        }
        Self {
            org,
            keys,
            key,
            headers,
        }
    }

    /// Tries the key on everything, whatever that says of its key.
    pub(super) async fn try_all(&self, house: &House, process: &Process) -> Loot {
        let mut loot = Loot::default();
        let job = process.job(self.org);
        let (mut place, mut blobs) = (None, Vec::new());
        loop {
            let (rows, next) = job.tags(place, 100).await.unwrap();
            for row in rows {
                self.try_row(&mut loot, row, &mut blobs);
            }
            place = next;
            if place.is_none() {
                break;
            }
        }
        self.try_unmarked(&mut loot, house);
        for (blob, commitment) in blobs {
            for row in job.blobs(&[blob]).await.unwrap() {
                self.try_blob(&mut loot, "row of", blob, &commitment, &row.header);
            }
        }
        for blob in process.stored(self.org).await {
            let header = 0..HEADER_LEN as u64;
            let mut reader = process.blobs.read(self.org, blob.blob, header, 1).await;
            let header = reader.as_mut().unwrap().next().await.unwrap().unwrap();
            let commitment = header[160..].try_into().unwrap();
            self.try_blob(&mut loot, "stored", blob.blob, &commitment, &header);
        }
        loot
    }

    fn try_row(&self, loot: &mut Loot, row: TaggedRow, blobs: &mut Vec<(BlobId, [u8; 32])>) {
        match row {
            TaggedRow::Record(row) => {
                let what = format!("{} {:?}", row.unverified().kind, row.unverified().id);
                // Under a MAC of the thief's own, who has the key for that, too.
                let opens = |sealed| {
                    let forged = RecordRow {
                        sealed,
                        ..row.unverified().clone()
                    };
                    let forged = self.keys.authenticate(forged).unwrap();
                    let forged = Unverified::new(forged.row().clone(), forged.tag());
                    self.keys.open_row(forged).is_ok()
                };
                let opened = self.forgeries(&row.unverified().sealed).any(opens);
                loot.note(what, opened);
                self.try_mac(loot, row);
            }
            TaggedRow::Bucket(row) => self.try_mac(loot, row),
            TaggedRow::Version(row, content, _) => {
                let version = row.unverified().clone();
                let key = [self.org.bytes().as_slice(), version.version.bytes()];
                self.try_record(loot, ("contents", &key, "metadata"), &content.metadata);
                let (bucket, id) = (version.bucket, version.version);
                let old = self.keys.newest_version();
                let etag = self.keys.open_etag(bucket, id, old, &version.etag);
                loot.note(format!("ETag of {id}"), etag.is_ok());
                match content.body {
                    Body::Inline(sealed) => {
                        let opens = |forged: Vec<u8>| {
                            let commitment = forged[160..192].try_into().unwrap();
                            let opened = self.keys.open_whole(Place::Object, &commitment, &forged);
                            opened.is_ok()
                        };
                        let opened = self.forgeries(&sealed).any(opens);
                        loot.note(format!("body of {id}"), opened);
                    }
                    Body::Blobs(slices) => {
                        blobs.extend(slices.iter().map(|slice| (slice.blob, slice.commitment)));
                    }
                }
                self.try_mac(loot, row);
            }
            TaggedRow::Upload(row) => {
                let upload = row.unverified();
                let key = [self.org.bytes().as_slice(), upload.upload.bytes()];
                self.try_record(loot, ("uploads", &key, "metadata"), &upload.metadata);
                self.try_mac(loot, row);
            }
            TaggedRow::Part(row, _) => {
                let part = row.unverified();
                let number = part.part.value().to_be_bytes();
                let key = [self.org.bytes().as_slice(), part.upload.bytes(), &number];
                self.try_record(loot, ("upload_parts", &key, "metadata"), &part.metadata);
                let slices = part.slices.iter();
                blobs.extend(slices.map(|slice| (slice.blob, slice.commitment)));
                self.try_mac(loot, row);
            }
            // These stand under the platform's key.
            TaggedRow::Organization(_) | TaggedRow::OrgKey(_) | TaggedRow::Credential(_) => {}
        }
    }

    /// What carries no MAC.
    fn try_unmarked(&self, loot: &mut Loot, house: &House) {
        let database = house.database();
        let org = self.org.bytes();
        let mut segments = database
            .prepare("SELECT node_id, number, sealed FROM audit_segments WHERE org_id = ?1")
            .unwrap();
        let mut rows = segments.query([org]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let node = NodeId::from_bytes(row.get(0).unwrap());
            let number = row.get::<_, i64>(1).unwrap().to_be_bytes();
            let key = [org.as_slice(), node.bytes(), &number];
            let sealed: Vec<u8> = row.get(2).unwrap();
            self.try_record(loot, ("audit_segments", &key, "events"), &sealed);
        }
        let sealed: Vec<u8> = database
            .query_row(
                "SELECT sealed FROM name_keys WHERE org_id = ?1",
                [org],
                |row| row.get(0),
            )
            .unwrap();
        self.try_record(loot, ("name_keys", &[org], "name_key"), &sealed);
    }

    fn try_record(
        &self,
        loot: &mut Loot,
        (table, primary_key, column): (&str, &[&[u8]], &str),
        sealed: &[u8],
    ) {
        let record = Record {
            table,
            primary_key,
            column,
        };
        let opens = |forged: Vec<u8>| self.keys.open_record(record, &forged).is_ok();
        let opened = self.forgeries(sealed).any(opens);
        loot.note(format!("{table} {primary_key:?}"), opened);
    }

    fn try_blob(
        &self,
        loot: &mut Loot,
        what: &str,
        blob: BlobId,
        commitment: &[u8; 32],
        header: &[u8],
    ) {
        let place = match header[11] {
            1 => Place::Object,
            _ => Place::Part,
        };
        let opens = |forged: Vec<u8>| {
            let opened = self.keys.open_blob(place, blob, commitment, &forged);
            opened.is_ok()
        };
        let as_it_is = std::iter::once(header.to_vec());
        let opened = as_it_is.chain(self.forgeries(header)).any(opens);
        loot.note(format!("{what} blob {blob}"), opened);
    }

    fn try_mac<R: Row>(&self, loot: &mut Loot, row: Unverified<R>) {
        let tag = RowTag {
            key_version: self.keys.newest_version(),
            ..row.tag()
        };
        let row = Unverified::new(row.into_checked(), tag);
        loot.note(
            format!("a MAC of {}", R::TABLE),
            self.keys.verify(row).is_ok(),
        );
    }

    /// The same, as if the old key had wrapped its data key, and with each of the data keys that it
    /// did wrap.
    fn forgeries(&self, sealed: &[u8]) -> impl Iterator<Item = Vec<u8>> {
        let mut forged = sealed.to_vec();
        let (version, check) = self.key.split_at(4);
        forged[64..68].copy_from_slice(version);
        forged[72..80].copy_from_slice(&check[4..]);
        let rest = sealed[HEADER_LEN..].to_vec();
        let known = self.headers.iter();
        let with_known = known.map(move |header| [&header[..], &rest[..]].concat());
        std::iter::once(forged).chain(with_known)
    }
}

impl Loot {
    fn note(&mut self, what: String, opened: bool) {
        self.tried += 1;
        if opened {
            self.opened.push(what);
        }
    }
}

/// Version, algorithm and key check of a header.
const KEY: std::ops::Range<usize> = 64..80;

const BAIT: Record<'_> = Record {
    table: "bait",
    primary_key: &[],
    column: "bait",
};
