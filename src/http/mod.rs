//! What speaks HTTP: the listeners, the pipeline, and the doors.

pub mod api;
pub mod kv;
pub mod net;
pub mod pipeline;
pub mod s3;
pub mod secrets_manager;
pub mod sts;

mod health;
mod operator;

pub use health::{Health, Probe};
pub use operator::OperatorToken;
