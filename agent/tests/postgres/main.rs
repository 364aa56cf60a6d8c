//! The postgres sources against real servers of each major.

// In a test a panic is the failure; clippy sees that only inside of test functions themselves.
#![allow(clippy::unwrap_used)]

mod cluster;
mod databases;
mod failures;
mod found;
mod majors;
mod moving;
mod observed;
mod signals;
