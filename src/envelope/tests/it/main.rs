//! What the envelope format promises, tried from outside the crate.
#![allow(
    clippy::unwrap_used,
    reason = "in a test, a panic is how a broken promise shows"
)]

mod known_answers;
mod second_implementation;
mod shares;
mod support;
mod tampering;
mod vectors;
