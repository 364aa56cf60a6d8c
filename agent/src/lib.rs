//! The per-host daemon of Nightshift.
//!
//! Sources look, the scheduler paces them, the pipeline trims what they saw, the spool keeps it on
//! disk and the shipper brings it to the collector. ARCHITECTURE.md at the top of the repository
//! draws the whole.

pub mod app;
pub mod cli;
pub mod collect;
pub mod config;
pub mod discovery;
pub mod expose;
pub mod join;
pub mod log;
pub mod pipeline;
pub mod schedule;
pub mod ship;
pub mod sources;
pub mod spool;
