//! Integration tests.

mod activity;
mod corpora;
mod crash;
mod durability;
mod isolation;
mod layers;
mod s3;
mod serving;
mod signing;
mod support;
mod tidy;
