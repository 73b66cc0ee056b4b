//! Randomness that replays, and the organization most tests use.

use std::sync::Mutex;

use envelope::{Kek, Random, RandomFailed};
use sha2::{Digest, Sha256};

/// SHA-256 in counter mode from a seed.
pub struct Seeded(Mutex<(u64, u64)>);

impl Seeded {
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new((seed, 0)))
    }
}

impl Random for Seeded {
    fn fill(&self, out: &mut [u8]) -> Result<(), RandomFailed> {
        let mut state = self.0.lock().unwrap();
        for block in out.chunks_mut(32) {
            let digest = Sha256::new()
                .chain_update(state.0.to_be_bytes())
                .chain_update(state.1.to_be_bytes())
                .finalize();
            state.1 += 1;
            block.copy_from_slice(&digest[..block.len()]);
        }
        Ok(())
    }
}

/// Hands out prepared bytes in order, and fails when asked for another number of them: so the
/// vectors' keys and salts take the way of real chance.
pub struct Scripted(Mutex<Vec<Vec<u8>>>);

impl Scripted {
    pub fn new(draws: &[&[u8]]) -> Self {
        Self(Mutex::new(
            draws.iter().rev().map(|draw| draw.to_vec()).collect(),
        ))
    }

    pub fn is_spent(&self) -> bool {
        self.0.lock().unwrap().is_empty()
    }
}

impl Random for Scripted {
    fn fill(&self, out: &mut [u8]) -> Result<(), RandomFailed> {
        let draw = self.0.lock().unwrap().pop().ok_or(RandomFailed)?;
        if draw.len() != out.len() {
            return Err(RandomFailed);
        }
        out.copy_from_slice(&draw);
        Ok(())
    }
}

/// An organization's identifier and key that follow from a number.
pub fn kek(org: u8, version: u32) -> Kek {
    Kek::generate(
        [org; 16],
        version,
        &Seeded::new(u64::from(org) << 32 | u64::from(version)),
    )
    .unwrap()
}
