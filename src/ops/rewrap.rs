use envelope::{HEADER_LEN, Header, Kind, Place};
use names::OrgId;

use crate::catalog::{
    AuditSegmentRow, BlobRow, Body, Content, CredentialRow, NameKeyRow, NamesKey, PartRow, Rewrap,
    Row, TaggedRow, Unverified, UploadRow, VersionRow,
};
use crate::keyring::{OrgKeys, Record, RowRefused};

/// Puts what names an old version of the organization's key under the newest one.
///
/// What carries a MAC is verified before it gets a new one, and what is sealed is unwrapped and
/// its commitment checked before it is wrapped again: a rotation makes nothing authentic that was
/// not.
pub(super) fn rewrap(named: NamesKey, keys: &OrgKeys) -> Result<Rewrap, RowRefused> {
    Ok(match named {
        NamesKey::Record(row) => {
            let (old, new) = keys.rewrap_row(row)?;
            Rewrap::Record { old, new }
        }
        NamesKey::Bucket(row) => Rewrap::Bucket {
            old: row.tag(),
            new: keys.authenticate(keys.verify(row)?)?,
        },
        NamesKey::Version(row) => version(row, keys)?,
        NamesKey::Content(version, held) => {
            let org = keys.org();
            let primary_key = [org.bytes().as_slice(), version.bytes()];
            let metadata =
                keys.rewrap_record(record("contents", &primary_key, "metadata"), &held.metadata)?;
            Rewrap::Content {
                version,
                old_key_version: held.key_version,
                metadata_header: header_of(&metadata)?.as_bytes().to_vec(),
                body_header: body_header(&held, keys)?,
                key_version: keys.newest_version(),
            }
        }
        NamesKey::Blob(row) => blob(&row, keys)?,
        NamesKey::Upload(row) => upload(row, keys, OrgKeys::rewrap_record)?,
        NamesKey::Part(row) => part(row, keys)?,
        NamesKey::AuditSegment(row) => {
            let sealed = segment(&row, keys, OrgKeys::rewrap_record)?;
            Rewrap::AuditSegment {
                node: row.node,
                number: row.number,
                old_key_version: row.key_version,
                header: header_of(&sealed)?.as_bytes().to_vec(),
                key_version: keys.newest_version(),
            }
        }
        NamesKey::NameKey(row) => name_key(row, keys, OrgKeys::rewrap_record)?,
        NamesKey::Organization(row) => Rewrap::Organization {
            old: row.tag(),
            new: keys.authenticate(keys.verify(row)?)?,
        },
        NamesKey::Credential(row) => credential(row, keys, OrgKeys::rewrap_record)?,
        NamesKey::OrgKey(row) => Rewrap::OrgKey {
            old: row.tag(),
            new: keys.authenticate(keys.verify(row)?)?,
        },
    })
}

/// Seals what names a version of the organization's key that has leaked under the newest one, with a
/// data key that no other ever wrapped. Nothing for what has a body: that is the Drive's.
///
/// A blob gets a new header alone, which the catalog takes for those in the trash: their readers
/// end, and then they are deleted.
pub(super) fn seal_anew(named: NamesKey, keys: &OrgKeys) -> Result<Option<Rewrap>, RowRefused> {
    Ok(Some(match named {
        NamesKey::Version(_) | NamesKey::Content(..) | NamesKey::Part(_) => return Ok(None),
        NamesKey::Record(row) => {
            let (old, new) = keys.reseal_row(row)?;
            Rewrap::Record { old, new }
        }
        NamesKey::Upload(row) => upload(row, keys, OrgKeys::reseal_record)?,
        NamesKey::AuditSegment(row) => Rewrap::SealedSegment {
            node: row.node,
            number: row.number,
            old_key_version: row.key_version,
            sealed: segment(&row, keys, OrgKeys::reseal_record)?,
            key_version: keys.newest_version(),
        },
        NamesKey::NameKey(row) => name_key(row, keys, OrgKeys::reseal_record)?,
        NamesKey::Credential(row) => credential(row, keys, OrgKeys::reseal_record)?,
        // Nothing is sealed in these.
        NamesKey::Blob(_)
        | NamesKey::Bucket(_)
        | NamesKey::Organization(_)
        | NamesKey::OrgKey(_) => rewrap(named, keys)?,
    }))
}

/// Names a thing for the operator: its table and its primary key.
pub(super) fn describe(named: &NamesKey) -> String {
    match named {
        NamesKey::Record(row) => {
            let row = row.unverified();
            format!("records {} {}", row.kind, hex::encode(row.id))
        }
        NamesKey::Bucket(row) => format!("buckets {}", row.unverified().bucket),
        NamesKey::Version(row) => format!("versions {}", row.unverified().version),
        NamesKey::Content(version, _) => format!("contents {version}"),
        NamesKey::Blob(row) => format!("blobs {}", row.blob),
        NamesKey::Upload(row) => format!("uploads {}", row.unverified().upload),
        NamesKey::Part(row) => {
            let row = row.unverified();
            format!("upload_parts {} {}", row.upload, row.part.value())
        }
        NamesKey::AuditSegment(row) => format!("audit_segments {} {}", row.node, row.number),
        NamesKey::NameKey(row) => format!("name_keys {}", row.org),
        NamesKey::Organization(row) => format!("organizations {}", row.unverified().org),
        NamesKey::Credential(row) => {
            format!("credentials {}", hex::encode(row.unverified().lookup))
        }
        NamesKey::OrgKey(row) => {
            let row = row.unverified();
            format!("org_keys {} {}", row.org, row.version)
        }
    }
}

/// Names a row that may have a body as [`describe`] does.
pub(super) fn describe_row(row: &TaggedRow) -> String {
    match row {
        TaggedRow::Version(row, ..) => format!("versions {}", row.unverified().version),
        TaggedRow::Part(row, _) => {
            let row = row.unverified();
            format!("upload_parts {} {}", row.upload, row.part.value())
        }
        _ => "a row without a body".to_owned(),
    }
}

/// The ETag is sealed under the key that the row's tag names, and so moves with it.
fn version(row: Unverified<VersionRow>, keys: &OrgKeys) -> Result<Rewrap, RowRefused> {
    let old = row.tag();
    let row = keys.verify(row)?;
    let etag = keys.open_etag(row.bucket, row.version, old.key_version, &row.etag)?;
    let etag = keys.seal_etag(row.bucket, row.version, &etag)?;
    let new = keys.authenticate(VersionRow { etag, ..row })?;
    Ok(Rewrap::Version { old, new })
}

fn body_header(held: &Content, keys: &OrgKeys) -> Result<Option<Vec<u8>>, RowRefused> {
    match &held.body {
        Body::Blobs(_) => Ok(None),
        Body::Inline(sealed) => {
            let old = header_of(sealed)?;
            let header = keys.rewrap_header(Place::Object, old.as_bytes())?;
            Ok(Some(header.as_bytes().to_vec()))
        }
    }
}

fn blob(row: &BlobRow, keys: &OrgKeys) -> Result<Rewrap, RowRefused> {
    let old = header_of(&row.header)?;
    if old.blob_id() != *row.blob.bytes() {
        return Err(envelope::Error::Foreign(envelope::Field::BlobId).into());
    }
    let place = match old.kind() {
        Kind::Object => Place::Object,
        Kind::Part => Place::Part,
        _ => return Err(envelope::Error::Foreign(envelope::Field::Kind).into()),
    };
    let header = keys.rewrap_header(place, old.as_bytes())?;
    Ok(Rewrap::Blob {
        blob: row.blob,
        old_key_version: row.key_version,
        header: header.as_bytes().to_vec(),
        key_version: keys.newest_version(),
    })
}

fn upload(row: Unverified<UploadRow>, keys: &OrgKeys, renew: Renew) -> Result<Rewrap, RowRefused> {
    let old = row.tag();
    let row = keys.verify(row)?;
    let primary_key = [row.org.bytes().as_slice(), row.upload.bytes()];
    let place = record(UploadRow::TABLE, &primary_key, "metadata");
    let metadata = renew(keys, place, &row.metadata)?;
    let new = keys.authenticate(UploadRow { metadata, ..row })?;
    Ok(Rewrap::Upload { old, new })
}

fn part(row: Unverified<PartRow>, keys: &OrgKeys) -> Result<Rewrap, RowRefused> {
    let old = row.tag();
    let row = keys.verify(row)?;
    let number = row.part.value().to_be_bytes();
    let primary_key = [row.org.bytes().as_slice(), row.upload.bytes(), &number];
    let place = record(PartRow::TABLE, &primary_key, "metadata");
    let metadata = keys.rewrap_record(place, &row.metadata)?;
    let new = keys.authenticate(PartRow { metadata, ..row })?;
    Ok(Rewrap::Part { old, new })
}

/// The whole record; a header is its first bytes.
fn segment(row: &AuditSegmentRow, keys: &OrgKeys, renew: Renew) -> Result<Vec<u8>, RowRefused> {
    ours(row.org, keys, "audit_segments")?;
    let number = row.number.to_be_bytes();
    let primary_key = [row.org.bytes().as_slice(), row.node.bytes(), &number];
    let place = record("audit_segments", &primary_key, "events");
    renew(keys, place, &row.sealed)
}

fn name_key(row: NameKeyRow, keys: &OrgKeys, renew: Renew) -> Result<Rewrap, RowRefused> {
    ours(row.org, keys, "name_keys")?;
    let primary_key = [row.org.bytes().as_slice()];
    let place = record("name_keys", &primary_key, "name_key");
    let sealed = renew(keys, place, &row.sealed)?;
    Ok(Rewrap::NameKey {
        old_key_version: row.key_version,
        new: NameKeyRow {
            sealed,
            key_version: keys.newest_version(),
            ..row
        },
    })
}

fn credential(
    row: Unverified<CredentialRow>,
    keys: &OrgKeys,
    renew: Renew,
) -> Result<Rewrap, RowRefused> {
    let old = row.tag();
    let row = keys.verify(row)?;
    let primary_key = [row.lookup.as_slice()];
    let place = record(CredentialRow::TABLE, &primary_key, "secret");
    let sealed = renew(keys, place, &row.sealed)?;
    let new = keys.authenticate(CredentialRow { sealed, ..row })?;
    Ok(Rewrap::Credential { old, new })
}

/// How a sealed record comes under the newest key: by a new wrap of its data key, or sealed anew.
type Renew = fn(&OrgKeys, Record<'_>, &[u8]) -> Result<Vec<u8>, RowRefused>;

/// Rows without a MAC: the record's place binds it, and the place is ours.
fn ours(org: OrgId, keys: &OrgKeys, table: &'static str) -> Result<(), RowRefused> {
    match org == keys.org() {
        true => Ok(()),
        false => Err(RowRefused::Foreign { table }),
    }
}

fn record<'a>(table: &'a str, primary_key: &'a [&'a [u8]], column: &'a str) -> Record<'a> {
    Record {
        table,
        primary_key,
        column,
    }
}

fn header_of(sealed: &[u8]) -> Result<Header, RowRefused> {
    Ok(Header::parse(sealed.get(..HEADER_LEN).unwrap_or(sealed))?)
}
