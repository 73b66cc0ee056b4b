//! The door with all its real parts behind a real listener.

mod capabilities;
mod house;
mod metadata;
mod tokens;
mod values;
