//! The catalog in one SQLite file: one thread writes and commits what waits together, a few
//! connections read beside it and never wait for it.

mod apply;
mod batch;
mod census;
mod changes;
mod columns;
mod directory;
mod error;
mod leases;
mod list;
mod open;
mod query;
mod read;
mod readers;
mod records;
mod segments;
mod store;
mod tables;
mod walk;
mod writer;

#[cfg(test)]
mod tests;

pub use store::SqliteStore;
