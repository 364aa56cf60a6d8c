//! What a range function sees: the samples of one series in one range.

use store::read::Sample;

use crate::promql::ast::Extension;

/// A function of a window; nothing where it has no answer.
pub(crate) type Kernel = fn(&Window<'_>) -> Option<f64>;

/// What carries out a range function.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WindowFunction {
    pub(crate) kernel: Kernel,
    pub(crate) names: Names,
}

/// What becomes of metric names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Names {
    Kept,
    Dropped,
}

/// The samples of one series in one range.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window<'a> {
    /// All samples of the series, ascending in time, none of them a staleness marker.
    pub(crate) series: &'a [Sample],
    /// The places of the window's samples in the series.
    pub(crate) first: usize,
    /// One past the last.
    pub(crate) end: usize,
    /// The places in the series whose value is below the one before.
    pub(crate) drops: &'a [usize],
    /// The range: its start is not part of it, its end is.
    pub(crate) from_ms: i64,
    pub(crate) to_ms: i64,
    /// The time of evaluation, which `offset` and `@` do not move.
    pub(crate) at_ms: i64,
    /// Scalars that were given beside the range.
    pub(crate) params: &'a [f64],
    /// How samples beyond the borders count.
    pub(crate) extension: Extension,
}

impl<'a> Window<'a> {
    /// The samples in the window; never none.
    pub(crate) fn samples(&self) -> &'a [Sample] {
        &self.series[self.first..self.end]
    }

    /// The values in the window.
    pub(crate) fn values(&self) -> impl Iterator<Item = f64> + use<'a> {
        self.samples().iter().map(|sample| sample.value)
    }

    /// The first sample in the window.
    pub(crate) fn first_sample(&self) -> Sample {
        self.series[self.first]
    }

    /// The last sample in the window.
    pub(crate) fn last_sample(&self) -> Sample {
        self.series[self.end - 1]
    }

    /// The length of the range in seconds.
    #[allow(clippy::cast_precision_loss)]
    pub(crate) fn seconds(&self) -> f64 {
        (self.to_ms - self.from_ms) as f64 / 1000.0
    }

    /// What a counter had reached before it fell, over all falls between two places of the series.
    pub(crate) fn lost_by_resets(&self, after: usize, up_to: usize) -> f64 {
        let begin = self.drops.partition_point(|place| *place <= after);
        self.drops[begin..]
            .iter()
            .take_while(|place| **place <= up_to)
            .fold(0.0, |lost, place| lost + self.series[place - 1].value)
    }
}
