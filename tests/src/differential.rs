//! The same samples in Debian's Prometheus and in a collector, and the same questions to both.
//!
//! Where answers may differ, because Prometheus 3 answers otherwise than the Prometheus 2 of Debian, a
//! table says so by name, with an example that must differ: a difference that is none any more fails.

pub mod both;
pub mod compare;
pub mod grammar;
pub mod meant;
pub mod samples;
