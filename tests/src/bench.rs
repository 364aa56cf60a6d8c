//! Measuring what programs cost, beside their peers in the same run.
//!
//! Machines differ and are shared, so a figure alone says little: every table here has the peers'
//! figures of the same minutes and the ratio between them.

pub mod agent;
pub mod cost;
pub mod disk;
pub mod document;
pub mod exporters;
pub mod ingest;
pub mod made;
pub mod program;
pub mod push;
pub mod query;
pub mod rules;
