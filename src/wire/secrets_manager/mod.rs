//! The messages of AWS Secrets Manager (API version 2017-10-17) in JSON 1.1: what is asked for, read
//! from any bytes, and what is answered. No text of a refusal quotes what it refuses.

mod answer;
mod error;
mod filter;
mod id;
mod members;
mod operation;
mod reading;
mod request;
mod value;

#[cfg(test)]
mod tests;

pub use answer::{
    BatchAnswer, BatchFailure, DeletedAnswer, DescribedAnswer, ListAnswer, ListedAnswer,
    NamedAnswer, PasswordAnswer, PoliciesAnswer, PolicyAnswer, PolicyName, ValidatedAnswer,
    ValidationError, ValueAnswer, VersionAnswer, VersionsAnswer, WrittenAnswer, seconds,
};
pub use error::{ErrorCode, ErrorDocument, Refusal};
pub use filter::{Filter, FilterKey};
pub use id::{Arn, SecretId};
pub use operation::{Operation, Target};
pub use request::{
    BatchChoice, BatchGetSecretValue, CreateSecret, Deletion, GetRandomPassword, GetSecretValue,
    ListSecretVersionIds, ListSecrets, PutResourcePolicy, PutSecretValue, Request, SortBy, Tag,
    UpdateSecret, UpdateSecretVersionStage,
};
pub use value::SentValue;
