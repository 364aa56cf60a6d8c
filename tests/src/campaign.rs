//! Campaigns: faults in a random order, again and again, and an account at the end that must balance.
//!
//! `make test` runs a short round of each; `make soak` runs them for as long as one likes. A campaign
//! is told its seed, so that what it found can be run again.

pub mod alerts;
pub mod fuzz;
pub mod loss;
mod small_disk;
mod spool_files;
