//! The door with all its real parts, beside that of S3 behind one real listener.

mod house;
mod identities;
mod protocol;
mod sessions;
