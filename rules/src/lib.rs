//! Rules: what is computed ahead, and what somebody is told about.
//!
//! [`file`] reads Prometheus' rule files, [`template`] the templates in them. [`evaluate`] evaluates
//! one rule at one time, [`state`] is the state machine of an alerting rule, and [`unit`] runs rule
//! unit tests as promtool does, on the very same two. When rules are evaluated, where state is kept
//! and who is told is the collector's. Nothing here reads a clock, a file or the network.

pub mod evaluate;
pub mod file;
mod problem;
pub mod state;
pub mod template;
pub mod unit;
pub mod yaml;

pub use problem::{Place, Problem, Problems};
