//! What speaks HTTP: the listeners, and the doors behind them.

pub mod net;

mod health;
mod operator;

pub use health::{Health, Probe};
pub use operator::OperatorToken;
