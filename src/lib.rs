//! Bulkhead: a multi-tenant storage gateway.
