//! What the integration tests stand on.

pub mod client;
pub mod gateway;
pub mod house;
pub mod modules;
pub mod sign;
pub mod text;
pub mod trace;
