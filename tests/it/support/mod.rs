//! What the integration tests stand on.

pub mod attacker;
pub mod bearer;
pub mod client;
pub mod company;
pub mod credential;
pub mod faults;
pub mod gateway;
pub mod house;
pub mod logs;
pub mod modules;
pub mod person;
pub mod preload;
pub mod raw;
pub mod sign;
pub mod text;
pub mod trace;
