use envelope::{
    ChunkSize, Expected, HEADER_LEN, Header, Kek, Layout, NewBlob, Place, Random, RandomFailed,
    TRAILER_LEN, footer_len, open_whole, seal_whole,
};

/// A blob's header is opened exactly when it is the one that was sealed. The input is what is
/// changed in it, so that an empty one changes nothing.
pub fn envelope_header(data: &[u8]) -> bool {
    let blob = blob();
    let (genuine, _) = blob.split_at(HEADER_LEN);
    let mut bytes = genuine.to_vec();
    for (byte, change) in bytes.iter_mut().zip(data) {
        *byte ^= change;
    }
    let Ok(header) = Header::parse(&bytes) else {
        assert_ne!(bytes, genuine, "the genuine header parses");
        return false;
    };
    assert_eq!(header.as_bytes()[..], bytes, "a header is kept as it came");
    let expected = Expected {
        org_id: header.org_id(),
        place: PLACE,
        blob_id: header.blob_id(),
        chunk_size: header.chunk_size(),
        commitment: None,
    };
    let is_open = header.open(&kek(), &expected, None).is_ok();
    assert_eq!(is_open, bytes == genuine, "only the genuine header opens");
    is_open
}

/// What stands behind a blob's header is opened exactly when it is what was sealed. The input is
/// what is changed in it, and how long it is.
pub fn envelope_footer(data: &[u8]) -> bool {
    let blob = blob();
    let (header, genuine) = blob.split_at(HEADER_LEN);
    let mut rest = genuine.to_vec();
    rest.resize(data.len(), 0);
    for (byte, change) in rest.iter_mut().zip(data) {
        *byte ^= change;
    }
    if let Some(trailer) = rest.last_chunk::<TRAILER_LEN>()
        && footer_len(trailer).is_ok()
        && let Ok(layout) = Layout::of_blob(CHUNK, (HEADER_LEN + rest.len()) as u64, trailer)
    {
        let whole = (HEADER_LEN + rest.len()) as u64;
        assert!(
            layout.footer_start() <= whole,
            "a layout lies inside its blob"
        );
        let remade = Layout::new(CHUNK, layout.plaintext_len());
        assert_eq!(remade, Ok(layout), "a layout follows from the length");
    }
    let expected = Expected {
        org_id: ORG,
        place: PLACE,
        blob_id: BLOB,
        chunk_size: CHUNK,
        commitment: None,
    };
    let whole = open_whole(&kek(), &expected, None, &[header, &rest].concat());
    assert_eq!(
        whole.is_ok(),
        rest == genuine,
        "only the genuine blob opens"
    );
    whole.is_ok_and(|whole| whole.plaintext[..] == *BODY && whole.footer[..] == *FOOTER)
}

fn blob() -> Vec<u8> {
    let blob = NewBlob {
        place: PLACE,
        blob_id: BLOB,
        created_ms: 1,
        chunk_size: CHUNK,
        customer_key: None,
    };
    seal_whole(&kek(), &blob, BODY, FOOTER, &Constant).expect("a blob")
}

fn kek() -> Kek {
    Kek::generate(ORG, 1, &Constant).expect("a key")
}

/// No randomness at all: the same blob every time.
struct Constant;

impl Random for Constant {
    fn fill(&self, out: &mut [u8]) -> Result<(), RandomFailed> {
        out.fill(7);
        Ok(())
    }
}

const ORG: envelope::Id = [1; 16];
const BLOB: envelope::Id = [2; 16];
const PLACE: Place<'_> = Place::Object;
const CHUNK: ChunkSize = ChunkSize::DEFAULT;
const BODY: &[u8] = b"a body";
/// The CBOR map without entries.
const FOOTER: &[u8] = &[0xa0];
