//! The door of AWS Security Token Service: sessions that end, for callers that sign and for agents
//! that an identity provider vouches for. The wire's messages come from `wire::sts`.

mod answer;
mod door;
mod error;
mod role;
mod sessions;
#[cfg(test)]
mod tests;

pub use door::Sts;
pub use error::StsError;
