//! Prometheus' test scripts: series are loaded, expressions evaluated, and the results compared.
//!
//! [`parse`] reads a script, [`run`] runs it against the store in memory. As Prometheus' own runner
//! does, each expression for one time is evaluated again with its selectors pinned to that time by
//! `@`, from several other times, and again as part of a range. The notation of series in
//! [`notation`] is also that of rule unit tests.

mod command;
mod compare;
mod expect;
pub mod notation;
mod pin;
mod run;

pub use command::{Command, Eval, Load, ScriptError, parse};
pub use run::{Failure, Report, run};
