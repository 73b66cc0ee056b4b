//! Policy documents: the JSON of AWS Identity and Access Management ⇄ the parsed policy. Follows
//! the IAM User Guide, "IAM JSON policy elements reference"; what is not understood is refused.

mod document;
mod error;
mod principal;
mod resource;
#[cfg(test)]
mod tests;

pub use document::{
    RESOURCE_CHARACTERS_MAX, SESSION_CHARACTERS_MAX, parse, parse_for_resource, to_json,
};
pub use error::{PolicyError, PolicyProblem};
pub use principal::Known;
