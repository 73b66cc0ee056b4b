//! The door with all that stands behind it, asked by signed requests over a real listener.

mod activity;
mod house;
mod policies;
mod refusals;
mod secrets;
mod walls;
