//! The sources, one module each.
//!
//! A source module owns its settings (a `RawSettings` as the file has them, validated into
//! `Settings`), its connection and its metric names. Sources know nothing of each other; what
//! several need stands beside them: `pace`, `http`, `login`, `listening`, `hidden`, `date`.

pub mod containers;
pub mod date;
pub mod hidden;
pub mod host;
pub mod http;
pub mod listening;
pub mod login;
pub mod own;
pub mod pace;
pub mod pgbouncer;
pub mod postgres;
pub mod probe;
pub mod prometheus;
pub mod redis;
pub mod sql;

#[cfg(test)]
pub(crate) mod tests;
