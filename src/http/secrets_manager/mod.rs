//! The door of AWS Secrets Manager, at the address of S3 and with the same access keys. The wire's
//! messages come from `wire::secrets_manager`; what they do, the vault does.

mod answer;
mod asking;
mod body;
mod door;
mod error;
mod filter;
mod list;
mod policies;
mod secrets;
mod values;
mod versions;

#[cfg(test)]
mod tests;

pub use door::SecretsManager;
pub use error::SecretsError;
