//! The only source of chance.
//!
//! Everything that needs a random byte takes an [`Entropy`], so that a test may draw from a seed
//! and a failure replays.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest, Sha256};
use uuid::Builder;

/// Gives random bytes: the operating system's, or a test's.
///
/// Clones share one source.
#[derive(Clone)]
pub struct Entropy(Source);

impl Entropy {
    /// The operating system's generator, getrandom(2) on Linux.
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// The same bytes for the same seed, in the order in which they are drawn. Everybody who
    /// knows the seed knows every key: only tests may use it.
    pub fn danger_seeded(seed: u64) -> Self {
        Self(Source::Seeded(Arc::new(Mutex::new(Seeded {
            seed,
            draws: 0,
        }))))
    }

    /// Fills `bytes` with random bytes.
    ///
    /// # Panics
    ///
    /// If the operating system has no randomness to give. Nothing may go on without it, and no
    /// supported system can fail here once it has started.
    pub fn fill(&self, bytes: &mut [u8]) {
        match &self.0 {
            Source::System => {
                #[expect(clippy::disallowed_methods, reason = "the one door to randomness")]
                getrandom::fill(bytes).expect("the operating system gives no randomness");
            }
            Source::Seeded(seeded) => seeded
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .fill(bytes),
        }
    }

    /// `N` random bytes.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }

    /// A UUIDv7 (RFC 9562): 48 bits of `now_ms`, milliseconds since the Unix epoch, then 74 bits
    /// of chance. Sorts by time; its age can be read from it.
    pub fn uuid_v7(&self, now_ms: u64) -> [u8; 16] {
        *Builder::from_unix_timestamp_millis(now_ms, &self.bytes())
            .into_uuid()
            .as_bytes()
    }

    /// A UUIDv4 (RFC 9562): 122 bits of chance.
    pub fn uuid_v4(&self) -> [u8; 16] {
        *Builder::from_random_bytes(self.bytes())
            .into_uuid()
            .as_bytes()
    }
}

impl fmt::Debug for Entropy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Source::System => "Entropy(system)",
            Source::Seeded(_) => "Entropy(seeded)",
        })
    }
}

#[derive(Clone)]
enum Source {
    System,
    Seeded(Arc<Mutex<Seeded>>),
}

/// SHA-256 over the seed, the number of the draw and the block in it: how much one caller takes
/// does not shift what the next one gets.
struct Seeded {
    seed: u64,
    draws: u64,
}

impl Seeded {
    fn fill(&mut self, bytes: &mut [u8]) {
        for (chunk, block) in bytes.chunks_mut(32).zip(0_u64..) {
            let digest = Sha256::new()
                .chain_update(self.seed.to_be_bytes())
                .chain_update(self.draws.to_be_bytes())
                .chain_update(block.to_be_bytes())
                .finalize();
            chunk.copy_from_slice(&digest[..chunk.len()]);
        }
        self.draws += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_replays_and_another_differs() {
        let draw = |seed| {
            let entropy = Entropy::danger_seeded(seed);
            (entropy.bytes::<100>(), entropy.clone().bytes::<16>())
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
        let entropy = Entropy::danger_seeded(1);
        assert_ne!(entropy.bytes::<16>(), entropy.bytes::<16>());
    }

    #[test]
    fn the_system_does_not_repeat_itself() {
        let entropy = Entropy::system();
        assert_ne!(entropy.bytes::<32>(), entropy.bytes::<32>());
    }

    #[test]
    fn uuids_carry_version_variant_and_time() {
        let entropy = Entropy::danger_seeded(7);
        let v7 = entropy.uuid_v7(0x0102_0304_0506);
        assert_eq!(v7[..6], [1, 2, 3, 4, 5, 6]);
        assert_eq!((v7[6] >> 4, v7[8] >> 6), (7, 2));
        assert_ne!(v7, entropy.uuid_v7(0x0102_0304_0506));
        let v4 = entropy.uuid_v4();
        assert_eq!((v4[6] >> 4, v4[8] >> 6), (4, 2));
    }
}
