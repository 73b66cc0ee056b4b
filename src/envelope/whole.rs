//! Blobs that fit in memory, sealed and opened in one call: inline bodies, secrets and records.

use zeroize::Zeroizing;

use crate::{
    ChunkSize, CustomerKey, Error, Expected, Field, HEADER_LEN, Header, Id, Kek, Layout, NewBlob,
    Place, Random, Result, Sealer,
    aead::TAG_LEN,
    layout::{PAD, TRAILER_LEN},
    new_blob_id,
};

/// A blob opened as a whole: every byte of it was verified.
pub struct Whole {
    /// The body.
    pub plaintext: Zeroizing<Vec<u8>>,
    /// The footer's CBOR map.
    pub footer: Zeroizing<Vec<u8>>,
}

/// The columns of a row, or the version of a secret, that a record is sealed for.
#[derive(Debug, Clone, Copy)]
pub struct RecordPlace<'a> {
    /// The organization whose row it is.
    pub org_id: Id,
    /// [`Place::Record`] or [`Place::Secret`].
    pub place: Place<'a>,
}

/// Seals a whole body with its footer map into one piece.
///
/// # Errors
/// [`Error::RandomFailed`]; [`Error::Misuse`] when `footer` is no CBOR map in deterministic
/// encoding, or the place is one whose length is hidden.
pub fn seal_whole(
    kek: &Kek,
    blob: &NewBlob<'_>,
    plaintext: &[u8],
    footer: &[u8],
    random: &dyn Random,
) -> Result<Vec<u8>> {
    if blob.place.kind().hides_length() {
        return Err(Error::Misuse("secrets and records are sealed as records"));
    }
    seal_pieces(kek, blob, &[plaintext], plaintext.len(), footer, random)
}

/// Opens a whole body, footer and all.
///
/// # Errors
/// As [`Header::open`], and [`Error::Damaged`] for any byte after it.
pub fn open_whole(
    kek: &Kek,
    expected: &Expected<'_>,
    customer_key: Option<&CustomerKey>,
    blob: &[u8],
) -> Result<Whole> {
    let damaged = Error::Damaged(Field::Length);
    let (header, rest) = blob.split_first_chunk::<HEADER_LEN>().ok_or(damaged)?;
    let header = Header::parse(header)?;
    let opened = header.open(kek, expected, customer_key)?;
    let trailer = rest.last_chunk::<TRAILER_LEN>().ok_or(damaged)?;
    let layout = Layout::of_blob(header.chunk_size(), blob.len() as u64, trailer)?;
    let opener = opened.with_len(layout.plaintext_len())?;
    let (chunks, tail) = usize::try_from(layout.footer_start())
        .ok()
        .and_then(|start| {
            blob.get(HEADER_LEN..)?
                .split_at_checked(start.checked_sub(HEADER_LEN)?)
        })
        .ok_or(damaged)?;
    let footer = opener.open_footer(tail)?;
    // At its full size from the start, so that no copy is left behind by growing.
    let mut plaintext = Zeroizing::new(Vec::with_capacity(chunks.len()));
    for (index, sealed) in (0..).zip(chunks.chunks(header.chunk_size().stride())) {
        let (chunk, tag) = sealed.split_last_chunk::<TAG_LEN>().ok_or(damaged)?;
        let start = plaintext.len();
        plaintext.extend_from_slice(chunk);
        opener.open_detached(index, &mut plaintext[start..], tag)?;
    }
    Ok(Whole { plaintext, footer })
}

/// Seals a secret or the sealed columns of a row. The length is hidden: what is sealed is
/// `be32(len) ‖ bytes ‖ zeros to a multiple of 256`. Its blob id is made here.
///
/// # Errors
/// [`Error::RandomFailed`]; [`Error::Misuse`] when the place is not a record's or a secret's, or
/// the bytes are 4 GiB or more.
pub fn seal_record(
    kek: &Kek,
    place: &Place<'_>,
    created_ms: u64,
    bytes: &[u8],
    random: &dyn Random,
) -> Result<Vec<u8>> {
    let blob = NewBlob {
        place: *place,
        blob_id: new_blob_id(created_ms, random)?,
        created_ms,
        chunk_size: ChunkSize::DEFAULT,
        customer_key: None,
    };
    seal_record_as(kek, &blob, bytes, random)
}

/// [`seal_record`] with a blob id of the caller's, for test vectors.
///
/// # Errors
/// As [`seal_record`].
pub fn danger_seal_record_as(
    kek: &Kek,
    blob: &NewBlob<'_>,
    bytes: &[u8],
    random: &dyn Random,
) -> Result<Vec<u8>> {
    seal_record_as(kek, blob, bytes, random)
}

/// Opens a record or secret for its place. The row names no blob id for it: the place itself is
/// what it is bound to, and the row's MAC covers the sealed bytes.
///
/// # Errors
/// As [`open_whole`]; a record of another row, column, organization or version does not open.
pub fn open_record(
    kek: &Kek,
    record: &RecordPlace<'_>,
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>> {
    if !record.place.kind().hides_length() {
        return Err(Error::Misuse("a record's place is a row or a secret"));
    }
    let header = sealed
        .first_chunk::<HEADER_LEN>()
        .ok_or(Error::Damaged(Field::Length))?;
    let expected = record.expected(&Header::parse(header)?);
    let Whole { mut plaintext, .. } = open_whole(kek, &expected, None, sealed)?;
    let damaged = Error::Damaged(Field::Padding);
    let (len, rest) = plaintext.split_first_chunk::<LEN_LEN>().ok_or(damaged)?;
    let len = usize::try_from(u32::from_be_bytes(*len)).map_err(|_| damaged)?;
    let zeros = rest.get(len..).ok_or(damaged)?;
    if zeros.len() >= PAD
        || !plaintext.len().is_multiple_of(PAD)
        || zeros.iter().any(|byte| *byte != 0)
    {
        return Err(damaged);
    }
    plaintext.truncate(LEN_LEN + len);
    plaintext.drain(..LEN_LEN);
    Ok(plaintext)
}

/// Wraps a record's data key again under another version of the organization's key.
///
/// # Errors
/// As [`Header::rewrap`].
pub fn rewrap_record(
    old: &Kek,
    new: &Kek,
    record: &RecordPlace<'_>,
    sealed: &[u8],
    random: &dyn Random,
) -> Result<Vec<u8>> {
    let (header, rest) = sealed
        .split_first_chunk::<HEADER_LEN>()
        .ok_or(Error::Damaged(Field::Length))?;
    let header = Header::parse(header)?;
    let header = header.rewrap(old, new, &record.expected(&header), random)?;
    Ok([header.as_bytes(), rest].concat())
}

impl<'a> RecordPlace<'a> {
    fn expected(&self, header: &Header) -> Expected<'a> {
        Expected {
            org_id: self.org_id,
            place: self.place,
            blob_id: header.blob_id(),
            chunk_size: ChunkSize::DEFAULT,
            commitment: None,
        }
    }
}

fn seal_record_as(
    kek: &Kek,
    blob: &NewBlob<'_>,
    bytes: &[u8],
    random: &dyn Random,
) -> Result<Vec<u8>> {
    if !blob.place.kind().hides_length() {
        return Err(Error::Misuse("a record's place is a row or a secret"));
    }
    let too_long = Error::Misuse("a record is shorter than 4 GiB");
    let len = u32::try_from(bytes.len())
        .map_err(|_| too_long)?
        .to_be_bytes();
    let padded_len = bytes
        .len()
        .checked_add(LEN_LEN)
        .and_then(|len| len.checked_next_multiple_of(PAD))
        .ok_or(too_long)?;
    let zeros = [0; PAD];
    let zeros = &zeros[..padded_len - LEN_LEN - bytes.len()];
    seal_pieces(
        kek,
        blob,
        &[&len, bytes, zeros],
        padded_len,
        FOOTER_EMPTY,
        random,
    )
}

/// Seals `pieces`, `plaintext_len` bytes together, copying each byte once to where it is sealed.
fn seal_pieces(
    kek: &Kek,
    blob: &NewBlob<'_>,
    pieces: &[&[u8]],
    plaintext_len: usize,
    footer: &[u8],
    random: &dyn Random,
) -> Result<Vec<u8>> {
    let layout = Layout::new(blob.chunk_size, plaintext_len as u64)?;
    let too_long = Error::Misuse("a whole blob fits in memory");
    let len = usize::try_from(layout.blob_len(footer.len())?).map_err(|_| too_long)?;
    let mut sealer = Sealer::new(kek, blob, random)?;
    let mut out = Vec::with_capacity(len);
    out.extend_from_slice(sealer.header().as_bytes());
    let chunk_len = blob.chunk_size.bytes();
    let mut start = out.len();
    for piece in pieces {
        let mut piece = *piece;
        while !piece.is_empty() {
            let room = chunk_len - (out.len() - start);
            let (now, later) = piece.split_at(room.min(piece.len()));
            out.extend_from_slice(now);
            piece = later;
            if out.len() - start == chunk_len {
                let tag = sealer.seal_chunk(&mut out[start..])?;
                out.extend_from_slice(&tag);
                start = out.len();
            }
        }
    }
    let (tag, tail) = sealer.seal_last(&mut out[start..])?;
    out.extend_from_slice(&tag);
    out.extend_from_slice(&tail.finish(footer)?);
    Ok(out)
}

const LEN_LEN: usize = 4;
/// The CBOR map without entries.
const FOOTER_EMPTY: &[u8] = &[0xa0];
