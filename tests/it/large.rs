//! The largest object that one request may bring passes through whole, and the server holds no
//! more of it than it does of a small one.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Method, StatusCode};
use hyper::body::{Body, Frame, SizeHint};
use sha2::{Digest, Sha256};

use crate::support::house::House;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_gibibytes_pass_through_less_than_a_hundred_megabytes() {
    let house = House::start_on_disk().await;
    let client = house.client();
    let bucket = client.send(Method::PUT, "/large", &[], "").await;
    assert_eq!(bucket.expect("an answer").status, StatusCode::OK);

    let sent = Arc::new(Mutex::new(Sha256::new()));
    let body = Generated::new(Arc::clone(&sent));
    let put = client.send_streamed(Method::PUT, "/large/object", body);
    let put = put.await.expect("an answer");
    assert_eq!(put.status, StatusCode::OK, "{put:?}");
    let sent = sent.lock().expect("no panic while it is held").clone();

    let (mut received, mut length) = (Sha256::new(), 0);
    let got = client.receive(Method::GET, "/large/object", &[], "", |piece| {
        received.update(piece);
        length += piece.len() as u64;
    });
    assert_eq!(got.await.expect("an answer"), StatusCode::OK);
    assert_eq!(length, LENGTH);
    assert_eq!(received.finalize(), sent.finalize());
    let peak = house.peak_memory_bytes();
    assert!(peak < MEMORY_MAX, "{peak} bytes");
}

/// A body of random numbers, hashed as it leaves.
struct Generated {
    left: u64,
    state: u64,
    hash: Arc<Mutex<Sha256>>,
}

impl Generated {
    fn new(hash: Arc<Mutex<Sha256>>) -> Self {
        Self {
            left: LENGTH,
            state: SEED,
            hash,
        }
    }

    /// SplitMix64 (Steele, Lea and Flood, 2014): fast also where nothing is optimized.
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}

impl Body for Generated {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let mut piece = vec![0; PIECE_BYTES];
        for eight in piece.as_chunks_mut::<8>().0 {
            *eight = self.next().to_le_bytes();
        }
        self.left -= PIECE_BYTES as u64;
        self.hash
            .lock()
            .expect("no panic while it is held")
            .update(&piece);
        Poll::Ready(Some(Ok(Frame::data(piece.into()))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

const SEED: u64 = 0x6c61_7267;
/// The most that Amazon takes in one PUT.
const LENGTH: u64 = 5 << 30;
const PIECE_BYTES: usize = 256 << 10;
const MEMORY_MAX: u64 = 100_000_000;
