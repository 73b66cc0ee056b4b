//! The S3 door: one table of routes, one file per noun. The wire's messages come from `wire::s3`;
//! what they do, the Drive does.

mod answer;
mod body;
mod buckets;
mod copy;
mod delete_many;
mod document;
mod door;
mod error;
mod fields;
mod list;
mod objects;
mod owner;
mod parts;
mod request;
mod routes;
mod unbuilt;
mod uploads;

#[cfg(test)]
mod tests;

pub use door::S3;
pub use error::S3Error;
pub use routes::{
    BucketOperation, Level, Mark, ObjectOperation, Operation, ROUTES, Route, ServiceOperation,
};
