//! The Drive over a real catalog and real blob stores.

mod bodies;
mod buckets;
mod conditions;
mod copies;
mod failing;
mod lists;
mod multipart;
mod property;
mod reads;
mod reseal;
mod tampering;
mod world;
