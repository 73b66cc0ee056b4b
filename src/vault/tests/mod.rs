//! The vault on a real catalog.

mod listings;
mod model;
mod passwords;
mod policies;
mod races;
mod stages;
mod tampering;
mod values;
mod world;
