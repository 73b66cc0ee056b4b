//! The wire crate of Bulkhead.
