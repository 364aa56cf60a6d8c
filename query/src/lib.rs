//! Queries over the store.
