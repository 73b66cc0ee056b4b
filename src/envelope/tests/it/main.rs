//! What the envelope format promises, tried from outside the crate.

mod support;
mod vectors;
