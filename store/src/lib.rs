//! Telemetry at rest, behind one trait to append and one to read.
//!
//! What lives here: the labels and matchers by which telemetry is found, the [`append::Append`] and
//! [`read::Read`] traits with what each promises, the ledger that makes at-least-once delivery
//! exactly-once, and the implementations: [`memory`] (the reference of the conformance suite) and
//! [`embedded`] ([`memory`] behind a [`journal`], and [`blocks`] for what is older). Nothing outside of this
//! crate knows how telemetry lies on disk; FORMAT.md says it for people.
//!
//! What does not live here: how telemetry arrives (the collector), and what a query means (`query`).

pub mod append;
pub mod blocks;
#[cfg(test)]
mod conformance;
pub mod embedded;
pub mod journal;
pub mod labels;
pub mod ledger;
pub mod matcher;
pub mod memory;
mod paged;
pub mod read;
pub mod tail;
