//! A running server, asked over `/api/v1`: which one, by which token, and what it answers.

mod client;
mod error;
mod path;
mod reach;
mod who;

#[cfg(test)]
mod tests;

pub(super) use client::{Client, Query};
pub(super) use error::RemoteError;
pub(super) use path::ApiPath;
pub(super) use reach::{InOrganization, Reach, Remote};
pub(super) use who::{agent_of, principal_of, subject_of, team_of};
