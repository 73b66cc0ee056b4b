//! Bulkhead: a multi-tenant storage gateway.
//!
//! `src/README.md` is the map: the layers, what each may name, and the glossary.

pub mod clock;
pub mod config;
pub mod durable;
pub mod entropy;
pub mod telemetry;

pub mod authz;
pub mod blobs;
pub mod catalog;
pub mod keyring;

pub mod audit;
pub mod authn;
pub mod drive;
pub mod metering;
pub mod tenancy;
pub mod vault;

pub mod ops;

pub mod http;

pub mod cli;
