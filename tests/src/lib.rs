//! The lab (real PostgreSQL clusters on this machine), the means to run Nightshift's daemons in it, and
//! what end-to-end tests and benchmarks share.
//!
//! - [`lab`]: servers in a temporary folder, which vanish with everything that they left.
//! - [`daemon`]: our own binaries as supervised processes, their logs read to the end.
//! - [`demo`]: the lab with a collector and an agent a node, for a person.
//! - [`stage`]: a lab with a collector and its agents, on which an end-to-end test plays.
//! - [`differential`]: the same samples and questions to Prometheus and to the collector.
//! - [`wait`]: waiting on a state with a deadline, the only way in which a test waits.
//! - [`http`]: asking the daemons.
//! - [`receivers`]: those who are told of alerts, as their makers publish them, and a mailbox.
//! - [`parity`] and [`tree`]: comparing with an exporter, and recorded folders to compare over.
//! - [`campaign`]: faults in a random order, and an account that must balance.
//! - [`bench`]: measuring what programs cost beside their peers.
//! - [`packs`]: the shipped rules, and rules in a hurry.
//! - [`told`]: what was told of alerts, and an exact account of it.
//! - [`tidy`]: what a machine can see of the house style.

pub mod bench;
pub mod campaign;
pub mod daemon;
pub mod demo;
pub mod differential;
pub mod http;
pub mod lab;
pub mod packs;
pub mod parity;
pub mod receivers;
pub mod stage;
pub mod tidy;
pub mod told;
pub mod tree;
pub mod wait;
