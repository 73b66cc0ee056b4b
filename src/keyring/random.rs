use envelope::{Random, RandomFailed};

use crate::entropy::Entropy;

/// Lends the program's one source of chance to the envelope, which has none.
pub(super) struct Chance<'a>(pub(super) &'a Entropy);

impl Random for Chance<'_> {
    fn fill(&self, out: &mut [u8]) -> Result<(), RandomFailed> {
        self.0.fill(out);
        Ok(())
    }
}
