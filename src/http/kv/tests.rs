//! The door with all its real parts behind a real listener.

mod house;
mod isolation;
mod metadata;
mod tokens;
mod values;
