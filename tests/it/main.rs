//! Integration tests.

mod activity;
mod api;
mod billing;
mod cli;
mod corpora;
mod crash;
mod damage;
mod durability;
mod failing;
mod isolation;
mod large;
mod layers;
mod leaks;
mod life;
mod plans;
mod processes;
mod reencrypt;
mod rights;
mod s3;
mod secrets;
mod serving;
mod signing;
mod support;
mod tidy;
mod transplants;
mod vault;
