//! The pipeline with all its real parts, behind a real listener and the S3 door.

mod breaks;
mod house;
mod intents;
mod outcomes;
mod strangers;
