//! The names crate of Bulkhead.
