//! The format a second time, written from its description on RustCrypto alone and sharing no line
//! with the crate: each side opens what the other sealed.

use aes_gcm::{
    Aes256Gcm, KeyInit,
    aead::{AeadInOut, inout::InOutBuf},
};
use envelope::{
    ChunkSize, Expected, HEADER_LEN, Kek, NewBlob, Place, Random, open_whole, seal_whole,
};
use hkdf::Hkdf;
use proptest::prelude::*;
use sha2::Sha256;

use crate::support::Seeded;

const ORG: [u8; 16] = [0x11; 16];
const BLOB_ID: [u8; 16] = [0x22; 16];
const VERSION: u32 = 9;

fn expand<const N: usize>(key: &[u8], label: &str, info: &[u8]) -> [u8; N] {
    let mut out = [0; N];
    let info = [b"bulkhead/1/", label.as_bytes(), &[0], info].concat();
    Hkdf::<Sha256>::from_prk(key)
        .unwrap()
        .expand(&info, &mut out)
        .unwrap();
    out
}

fn gcm_seal(key: &[u8], nonce: [u8; 12], aad: &[u8], plain: &[u8]) -> Vec<u8> {
    let key: [u8; 32] = key.try_into().unwrap();
    let mut sealed = plain.to_vec();
    let tag = Aes256Gcm::new(&key.into())
        .encrypt_inout_detached(&nonce.into(), aad, InOutBuf::from(sealed.as_mut_slice()))
        .unwrap();
    sealed.extend_from_slice(&tag);
    sealed
}

fn gcm_open(key: &[u8], nonce: [u8; 12], aad: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
    let key: [u8; 32] = key.try_into().unwrap();
    let (sealed, tag) = sealed.split_last_chunk::<16>()?;
    let mut plain = sealed.to_vec();
    Aes256Gcm::new(&key.into())
        .decrypt_inout_detached(
            &nonce.into(),
            aad,
            InOutBuf::from(plain.as_mut_slice()),
            tag.into(),
        )
        .ok()?;
    Some(plain)
}

fn nonce(base: &[u8], index: u64) -> [u8; 12] {
    let mut nonce: [u8; 12] = base.try_into().unwrap();
    for (byte, index) in nonce[4..].iter_mut().zip(index.to_be_bytes()) {
        *byte ^= index;
    }
    nonce
}

fn wrap_key(kek: &[u8; 32], header: &[u8]) -> [u8; 32] {
    let info = [ORG.as_slice(), &VERSION.to_be_bytes()].concat();
    let object: [u8; 32] = expand(kek, "kek-object", &info);
    expand(&object, "wrap", &header[..112])
}

/// `be32(len ctx) ‖ ctx` of a body is four zeros.
fn content(dek: &[u8], header: &[u8]) -> [u8; 108] {
    expand(dek, "content", &[&header[..64], &[0; 4]].concat())
}

fn footer_aad(header: &[u8], chunks: u64, len: u64) -> Vec<u8> {
    [&header[..64], &chunks.to_be_bytes(), &len.to_be_bytes()].concat()
}

fn seal(kek: &[u8; 32], log2: u8, body: &[u8], random: &dyn Random) -> Vec<u8> {
    let mut header = vec![0; HEADER_LEN];
    header[..8].copy_from_slice(b"\x89BLK\r\n\x1a\n");
    header[8..12].copy_from_slice(&[1, 1, log2, 1]);
    header[16..32].copy_from_slice(&ORG);
    header[32..48].copy_from_slice(&BLOB_ID);
    header[48..56].copy_from_slice(&77_u64.to_be_bytes());
    header[64..68].copy_from_slice(&VERSION.to_be_bytes());
    header[69] = 1;
    let info = [ORG.as_slice(), &VERSION.to_be_bytes()].concat();
    header[72..80].copy_from_slice(&expand::<8>(kek, "kek-check", &info));
    random.fill(&mut header[80..112]).unwrap();
    let mut dek = [0; 32];
    random.fill(&mut dek).unwrap();
    let aad = header[..112].to_vec();
    let wrapped = gcm_seal(&wrap_key(kek, &header), [0; 12], &aad, &dek);
    header[112..160].copy_from_slice(&wrapped);
    let content = content(&dek, &header);
    header[160..].copy_from_slice(&content[..32]);

    let mut blob = header.clone();
    let chunk_len = 1 << log2;
    let chunks = body.len() / chunk_len + 1;
    for index in 0..chunks {
        let chunk = &body[index * chunk_len..body.len().min((index + 1) * chunk_len)];
        let nonce = nonce(&content[96..], index as u64);
        blob.extend(gcm_seal(&content[32..64], nonce, &[], chunk));
    }
    let mut footer = [0; 256];
    footer[0] = 0xa0;
    let aad = footer_aad(&header, chunks as u64, body.len() as u64);
    let footer = gcm_seal(&content[64..96], [0; 12], &aad, &footer);
    blob.extend(&footer);
    blob.extend((footer.len() as u32).to_be_bytes());
    blob.extend(b"BLKF");
    blob
}

fn open(kek: &[u8; 32], log2: u8, len: usize, blob: &[u8]) -> Option<Vec<u8>> {
    let (header, rest) = blob.split_at(HEADER_LEN);
    let dek = gcm_open(
        &wrap_key(kek, header),
        [0; 12],
        &header[..112],
        &header[112..160],
    )?;
    let content = content(&dek, header);
    if content[..32] != header[160..] {
        return None;
    }
    let chunk_len = 1 << log2;
    let chunks = len / chunk_len + 1;
    let (sealed, footer) = rest.split_at(len + 16 * chunks);
    let mut body = Vec::new();
    for (index, chunk) in sealed.chunks(chunk_len + 16).enumerate() {
        let nonce = nonce(&content[96..], index as u64);
        body.extend(gcm_open(&content[32..64], nonce, &[], chunk)?);
    }
    let footer = &footer[..footer.len() - 8];
    let aad = footer_aad(header, chunks as u64, len as u64);
    let map = gcm_open(&content[64..96], [0; 12], &aad, footer)?;
    (map[0] == 0xa0).then_some(body)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn each_opens_what_the_other_sealed(
        key: [u8; 32],
        seed: u64,
        log2 in prop::sample::select(vec![14_u8, 16, 18, 20]),
        // Sizes around the borders between chunks, and any.
        chunks in 0_usize..3,
        near in -2_i64..3,
        any in 0_usize..100_000,
        at_border: bool,
    ) {
        let len = if at_border {
            usize::try_from((chunks << log2) as i64 + near).unwrap_or(0)
        } else {
            any
        };
        let random = Seeded::new(seed);
        let mut body = vec![0; len];
        random.fill(&mut body).unwrap();
        let kek = Kek::danger_from_bytes(ORG, VERSION, &key);
        let chunk_size = ChunkSize::from_log2(log2).unwrap();

        let blob = NewBlob {
            place: Place::Object,
            blob_id: BLOB_ID,
            created_ms: 77,
            chunk_size,
            customer_key: None,
        };
        let ours = seal_whole(&kek, &blob, &body, &[0xa0], &random).unwrap();
        prop_assert_eq!(open(&key, log2, len, &ours), Some(body.clone()));

        let theirs = seal(&key, log2, &body, &random);
        prop_assert_eq!(theirs.len(), ours.len());
        let expected = Expected {
            org_id: ORG,
            place: Place::Object,
            blob_id: BLOB_ID,
            chunk_size,
            commitment: None,
        };
        let opened = open_whole(&kek, &expected, None, &theirs).map(|whole| whole.plaintext.to_vec());
        prop_assert_eq!(opened, Ok(body));
    }
}
