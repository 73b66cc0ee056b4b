//! The envelope crate of Bulkhead.
