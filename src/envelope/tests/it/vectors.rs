//! The vectors of an independent implementation in another language, byte for byte.

use envelope::{
    ChunkSize, CustomerKey, EtagPlace, Expected, HEADER_LEN, Header, Id, Kek, NameKey, NewBlob,
    Place, RecordPlace, RootKey, Sealer, Secret, WrappedKek, danger_seal_record_as, open_record,
    open_whole, seal_whole, wrap_kek,
};
use serde_json::Value;
use sha2::{Digest, Sha256};
use sha3::{
    Shake128,
    digest::{ExtendableOutput, Update, XofReader},
};

use crate::support::Scripted;

const VECTORS: &str = include_str!("../../../../tests/vectors/envelope-v1.json");

fn vectors(section: &str, count: usize) -> Vec<Value> {
    let all: Value = serde_json::from_str(VECTORS).unwrap();
    let list = all[section].as_array().unwrap().clone();
    assert_eq!(list.len(), count, "{section}");
    list
}

fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap()).unwrap()
}

fn array<const N: usize>(value: &Value) -> [u8; N] {
    bytes(value).try_into().unwrap()
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap()
}

fn version(value: &Value) -> u32 {
    number(value).try_into().unwrap()
}

fn kek(vector: &Value) -> Kek {
    Kek::danger_from_bytes(
        array(&vector["org_id"]),
        version(&vector["kek_version"]),
        &array(&vector["kek"]),
    )
}

/// The plaintext: given, or stretched from its label.
fn plaintext(vector: &Value) -> Vec<u8> {
    let mut xof = Shake128::default();
    xof.update(b"bulkhead vector: ");
    xof.update(vector["value_label"].as_str().unwrap().as_bytes());
    let mut value = vec![0; number(&vector["value_len"]) as usize];
    xof.finalize_xof().read(&mut value);
    assert_eq!(
        hex::encode(Sha256::digest(&value)),
        vector["value_sha256"].as_str().unwrap()
    );
    if let Some(given) = vector.get("value") {
        assert_eq!(bytes(given), value);
    }
    value
}

/// The items of a context, and the place they stand for.
struct Items(Vec<Vec<u8>>);

impl Items {
    fn of(context: &[u8]) -> Self {
        let mut items = Vec::new();
        let mut rest = context;
        while let Some((len, tail)) = rest.split_first_chunk::<4>() {
            let (item, tail) = tail.split_at(u32::from_be_bytes(*len) as usize);
            items.push(item.to_vec());
            rest = tail;
        }
        Self(items)
    }

    fn with_place<T>(&self, kind: u64, org_id: &Id, then: impl FnOnce(Place<'_>) -> T) -> T {
        let items: Vec<&[u8]> = self.0.iter().map(Vec::as_slice).collect();
        match (kind, items.as_slice()) {
            (1, []) => then(Place::Object),
            (2, []) => then(Place::Part),
            (4, [org, secret_id, version_id]) => {
                assert_eq!(org, org_id);
                then(Place::Secret {
                    secret_id,
                    version_id,
                })
            }
            (6, [table, primary_key @ .., column]) => then(Place::Record {
                table: str::from_utf8(table).unwrap(),
                primary_key,
                column: str::from_utf8(column).unwrap(),
            }),
            other => panic!("a vector of another shape: {other:?}"),
        }
    }
}

/// The map of a footer, which the vectors hold with its zeros.
fn footer_map(padded: &[u8]) -> Vec<u8> {
    assert_eq!(padded.len() % 256, 0);
    let len = padded.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    padded[..len].to_vec()
}

fn assert_sealed(vector: &Value, sealed: &[u8]) {
    let name = &vector["name"];
    assert_eq!(
        hex::encode(&sealed[..HEADER_LEN]),
        vector["header"].as_str().unwrap(),
        "{name}"
    );
    assert_eq!(sealed.len() as u64, number(&vector["sealed_len"]), "{name}");
    assert_eq!(
        hex::encode(Sha256::digest(sealed)),
        vector["sealed_sha256"].as_str().unwrap()
    );
    if let Some(given) = vector.get("sealed") {
        assert_eq!(hex::encode(sealed), given.as_str().unwrap(), "{name}");
    }
}

#[test]
fn blobs() {
    for vector in vectors("vectors", 13) {
        let name = &vector["name"];
        let kek = kek(&vector);
        let customer_key = vector["customer_key"]
            .as_str()
            .map(|key| CustomerKey::new(Secret::from_slice(&hex::decode(key).unwrap()).unwrap()));
        let value = plaintext(&vector);
        let map = footer_map(&bytes(&vector["footer"]));
        let random = Scripted::new(&[&bytes(&vector["dek"]), &bytes(&vector["wrap_salt"])]);
        let items = Items::of(&bytes(&vector["context"]));
        let blob_id: Id = array(&vector["blob_id"]);
        let chunk_size = ChunkSize::from_log2(number(&vector["chunk_log2"]) as u8).unwrap();
        items.with_place(number(&vector["kind"]), &kek.org_id(), |place| {
            let blob = NewBlob {
                place,
                blob_id,
                created_ms: number(&vector["created_ms"]),
                chunk_size,
                customer_key: customer_key.as_ref(),
            };
            if vector["padded"].as_bool().unwrap() {
                assert_eq!(map, [0xa0]);
                let sealed = danger_seal_record_as(&kek, &blob, &value, &random).unwrap();
                assert_sealed(&vector, &sealed);
                let record = RecordPlace {
                    org_id: kek.org_id(),
                    place,
                };
                assert_eq!(
                    *open_record(&kek, &record, &sealed).unwrap(),
                    value,
                    "{name}"
                );
            } else {
                let sealed = seal_whole(&kek, &blob, &value, &map, &random).unwrap();
                assert_sealed(&vector, &sealed);
                let expected = Expected {
                    org_id: kek.org_id(),
                    place,
                    blob_id,
                    chunk_size,
                    commitment: None,
                };
                let whole = open_whole(&kek, &expected, customer_key.as_ref(), &sealed).unwrap();
                assert_eq!(*whole.plaintext, value, "{name}");
                assert_eq!(*whole.footer, map, "{name}");
                assert_eq!(stream(&kek, &blob, &value, &map, &vector), sealed, "{name}");
                let header = Header::parse(&sealed[..HEADER_LEN]).unwrap();
                assert_eq!(header.created_ms(), number(&vector["created_ms"]));
                assert_eq!(header.kek_version(), kek.version());
            }
            assert!(random.is_spent(), "{name}");
        });
    }
}

/// The same blob, as the gateway makes it: in batches of strides, then the rest.
fn stream(kek: &Kek, blob: &NewBlob<'_>, value: &[u8], map: &[u8], vector: &Value) -> Vec<u8> {
    let random = Scripted::new(&[&bytes(&vector["dek"]), &bytes(&vector["wrap_salt"])]);
    let mut sealer = Sealer::new(kek, blob, &random).unwrap();
    let mut out = sealer.header().as_bytes().to_vec();
    let full = value.chunks_exact(blob.chunk_size.bytes());
    let mut last = full.remainder().to_vec();
    for two in full.collect::<Vec<_>>().chunks(2) {
        let mut strides = Vec::new();
        for chunk in two {
            strides.extend_from_slice(chunk);
            strides.extend_from_slice(&[0; 16]);
        }
        sealer.seal_strides(&mut strides).unwrap();
        out.extend_from_slice(&strides);
    }
    let (tag, tail) = sealer.seal_last(&mut last).unwrap();
    out.extend_from_slice(&last);
    out.extend_from_slice(&tag);
    assert_eq!(
        tail.layout().blob_len(map.len()).unwrap(),
        number(&vector["sealed_len"])
    );
    out.extend_from_slice(&tail.finish(map).unwrap());
    out
}

#[test]
fn wrapped_keks() {
    for vector in vectors("wrapped_keks", 1) {
        let kek = kek(&vector);
        let root = RootKey::new(
            array(&vector["root_id"]),
            version(&vector["root_version"]),
            Secret::new(&array(&vector["root"])),
        );
        let random = Scripted::new(&[&bytes(&vector["salt"])]);
        let record = wrap_kek(&root, &kek, &random).unwrap();
        assert_eq!(hex::encode(&record), vector["record"].as_str().unwrap());
        let wrapped = WrappedKek::parse(&record).unwrap();
        assert_eq!(wrapped.root_id(), root.id());
        assert_eq!(wrapped.root_version(), root.version());
        let opened = wrapped.unwrap(&root, kek.org_id(), kek.version()).unwrap();
        assert_eq!(opened.expose(), kek.expose());
    }
}

#[test]
fn row_macs() {
    for vector in vectors("row_macs", 2) {
        let mut mac = kek(&vector).row_mac(vector["table"].as_str().unwrap());
        for field in vector["fields"].as_array().unwrap() {
            mac = match field {
                Value::Null => mac.null(),
                field => mac.bytes(&bytes(field)),
            };
        }
        assert_eq!(hex::encode(mac.finish()), vector["mac"].as_str().unwrap());
    }
}

#[test]
fn sealed_etags() {
    for vector in vectors("sealed_etags", 1) {
        let kek = kek(&vector);
        let place = EtagPlace {
            bucket_id: array(&vector["bucket_id"]),
            version_id: array(&vector["version_id"]),
        };
        let etag = array(&vector["etag"]);
        let sealed = kek.seal_etag(&place, &etag).unwrap();
        assert_eq!(hex::encode(sealed), vector["sealed"].as_str().unwrap());
        assert_eq!(kek.open_etag(&place, &sealed).unwrap(), etag);
    }
}

#[test]
fn blind_names() {
    for vector in vectors("blind_names", 1) {
        let key = NameKey::new(Secret::new(&array(&vector["name_key"])));
        let index = key.index(
            vector["kind"].as_str().unwrap(),
            vector["name"].as_str().unwrap().as_bytes(),
        );
        assert_eq!(hex::encode(index), vector["index"].as_str().unwrap());
    }
}
