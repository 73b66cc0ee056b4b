//! The envelope of Bulkhead: what seals an organization's bodies, secrets and records before they
//! reach a disk, a database or a bucket. Bytes in, bytes out; no I/O, no clock, no chance.
//!
//! ```text
//! RootKey ── wraps ──► Kek ─┬─ Sealer ─► Tail            a body, chunk by chunk
//!                           ├─ Header ─► Opened ─► Opener   and back, any chunk
//!                           ├─ seal_record / open_record    secrets, columns of rows
//!                           ├─ row_mac                      authentic catalog rows
//!                           └─ seal_etag / open_etag        a thousand to a page
//! NameKey ── index ──► blind lookups
//! a share link's token ── seal_for_token / open_with_token
//! ```
//!
//! The chunk layer is C2SP chunked-encryption in raw mode, with the per-message derivation and
//! key commitment of the AWS Encryption SDK and the header binding of MinIO's DARE. What may be
//! relied on:
//!
//! - A key for a chunk exists only after its header was verified: [`Header::open`] is the one way
//!   to an [`Opener`], and it asks for everything the caller's row says.
//! - Nobody passes a nonce, and a [`Sealer`] can be neither cloned nor used past its last chunk.
//! - Keys have no `Debug`, no `Clone` and one exit, and are wiped when dropped. The exception is
//!   ring's key schedule of a body's chunk key, which cannot be wiped; it opens that blob alone.
//! - No input makes these functions panic, but for lengths beyond 4 GiB where it is said.
//! - What takes explicit keys or identifiers for test vectors has `danger` in its name.

mod aead;
mod blob_id;
mod cbor;
mod chunks;
mod dek;
mod error;
mod etag;
mod extent;
mod header;
mod kdf;
mod kek;
mod layout;
mod name_key;
mod opener;
mod place;
mod random;
mod row_mac;
mod sealer;
mod secret;
mod share;
mod whole;
mod wrapped_kek;

pub use blob_id::new_blob_id;
pub use dek::CustomerKey;
pub use error::{Error, Field, Result};
pub use etag::EtagPlace;
pub use extent::{Extent, Extents};
pub use header::{Expected, HEADER_LEN, Header};
pub use kek::Kek;
pub use layout::{ChunkSize, Layout, Span, TRAILER_LEN, footer_len};
pub use name_key::NameKey;
pub use opener::{Opened, Opener};
pub use place::{Kind, Place};
pub use random::{Random, RandomFailed};
pub use row_mac::RowMac;
pub use sealer::{NewBlob, Sealer, Tail};
pub use secret::Secret;
pub use share::{SharePlace, open_with_token, seal_for_token};
pub use whole::{
    RecordPlace, Whole, danger_seal_record_as, open_record, open_whole, rewrap_record, seal_record,
    seal_whole,
};
pub use wrapped_kek::{Provider, RemoteRoot, RootKey, WrappedKek, wrap_kek, wrapped_elsewhere};

/// A UUID as its 16 bytes.
pub type Id = [u8; 16];
