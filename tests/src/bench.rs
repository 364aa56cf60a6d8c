//! Measuring what programs cost, beside their peers in the same run.
//!
//! Machines differ and are shared, so a figure alone says little: every table here has the peers'
//! figures of the same minutes and the ratio between them.

pub mod agent;
pub mod cost;
pub mod document;
pub mod ingest;
