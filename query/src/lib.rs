//! Queries over the store's read trait.
//!
//! [`promql`] is the query language of Prometheus 3: its parser, its printer and its evaluation.
//! [`selector`] reads series selectors alone, as `match[]` parameters give them, and [`instant`] finds
//! what they select at one time. [`script`] runs the language's test scripts and reads their notation
//! of series, which rule unit tests use as well. Nothing here reads a clock: time is an argument.

pub mod instant;
pub mod promql;
pub mod script;
pub mod selector;
