//! What a campaign came to, as a line of its report.

use std::collections::BTreeMap;
use std::fmt;

/// What a campaign came to.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// How often each fault was made.
    pub faults: BTreeMap<&'static str, u32>,
    /// Batches that the agent numbered.
    pub produced: u64,
    /// Batches that the collector stored.
    pub stored: u64,
    /// Batches that the agent reported as dropped while its disk was full.
    pub dropped: u64,
    /// Starts of the agent.
    pub runs: usize,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            faults,
            produced,
            stored,
            dropped,
            runs,
        } = self;
        let faults: Vec<_> = faults
            .iter()
            .map(|(name, times)| format!("{times} × {name}"))
            .collect();
        write!(
            f,
            "{}; {produced} batches in {runs} runs, {stored} stored, {dropped} reported as dropped",
            faults.join(", ")
        )
    }
}
