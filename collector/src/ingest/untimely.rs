//! Why samples are refused for their time, for those who sent them.

/// Too far ahead.
pub(crate) const FUTURE: &str =
    "samples too far ahead of the collector's clock (store.future_limit)";
/// Too late.
pub(crate) const LATE: &str =
    "samples too far behind the newest of their series (store.late_window)";
