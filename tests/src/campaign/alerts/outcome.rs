//! What a campaign came to, as a line of its report.

use std::collections::BTreeMap;
use std::fmt;

/// What a campaign came to.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// How often each fault was made.
    pub faults: BTreeMap<&'static str, u32>,
    /// Switches that were flipped.
    pub flips: usize,
    /// Messages that the receiver took.
    pub heard: usize,
    /// Those of them that it had taken before, under the same key.
    pub repeated: usize,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            faults,
            flips,
            heard,
            repeated,
        } = self;
        let faults: Vec<_> = faults
            .iter()
            .map(|(name, times)| format!("{times} × {name}"))
            .collect();
        let faults = faults.join(", ");
        write!(
            f,
            "{faults}; {flips} changes of alerts, {heard} messages taken, {repeated} of them repeats"
        )
    }
}
