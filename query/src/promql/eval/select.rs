//! Series at each step: the latest sample, if it is not too old.

use store::read::Sample;

use super::row::{ABSENT, Row, Sink, is_absent};
use super::{Evaluator, seconds};
use crate::promql::ast::Extension;
use crate::promql::error::QueryError;
use crate::promql::functions::extended;
use crate::promql::plan::{Grid, Select};

impl Evaluator<'_> {
    /// The latest value at each step.
    pub(super) fn select(
        &self,
        select: &Select,
        grid: Grid,
        sink: &mut Sink<'_>,
    ) -> Result<(), QueryError> {
        if select.extension == Extension::Smoothed {
            return self.smoothed(select, grid, sink);
        }
        self.latest(select, grid, |sample| sample.value, sink)
    }

    /// The time of the latest sample at each step.
    pub(super) fn sample_times(
        &self,
        select: &Select,
        grid: Grid,
        sink: &mut Sink<'_>,
    ) -> Result<(), QueryError> {
        self.latest(
            select,
            grid,
            |sample| seconds(sample.at_ms),
            &mut |mut row| {
                row.unnamed = true;
                sink(row)
            },
        )
    }

    fn latest(
        &self,
        select: &Select,
        grid: Grid,
        of: impl Fn(Sample) -> f64,
        sink: &mut Sink<'_>,
    ) -> Result<(), QueryError> {
        for series in self.loads[select.load].iter() {
            self.interrupt.check()?;
            let samples = &series.samples;
            let mut values = vec![ABSENT; grid.count];
            let mut any = false;
            let mut after = 0;
            for (step, value) in values.iter_mut().enumerate() {
                let at_ms = select.moved.from(grid.at(step));
                while samples
                    .get(after)
                    .is_some_and(|sample| sample.at_ms <= at_ms)
                {
                    after += 1;
                }
                let Some(sample) = after.checked_sub(1).map(|place| samples[place]) else {
                    continue;
                };
                if sample.at_ms > at_ms - self.lookback_ms && !is_absent(sample.value) {
                    *value = of(sample);
                    any = true;
                }
            }
            if any {
                self.count_present(&values);
                let labels = series.labels.clone();
                let unnamed = false;
                sink(Row {
                    labels,
                    unnamed,
                    values,
                })?;
            }
        }
        Ok(())
    }

    /// The value on the line between the samples around each step; the latest where none follows.
    fn smoothed(&self, select: &Select, grid: Grid, sink: &mut Sink<'_>) -> Result<(), QueryError> {
        for series in self.loads[select.load].iter() {
            self.interrupt.check()?;
            let samples = without_markers(&series.samples);
            let mut values = vec![ABSENT; grid.count];
            for (step, value) in values.iter_mut().enumerate() {
                let at_ms = select.moved.from(grid.at(step));
                let after = samples.partition_point(|sample| sample.at_ms <= at_ms);
                let before = after.checked_sub(1).map(|place| samples[place]);
                let before = before.filter(|sample| sample.at_ms > at_ms - self.lookback_ms);
                let next = samples.get(after).copied();
                let next = next.filter(|sample| sample.at_ms <= at_ms + self.lookback_ms);
                match (before, next) {
                    (Some(before), Some(next)) => *value = extended::between((before, next), at_ms),
                    (Some(before), None) => *value = before.value,
                    (None, _) => {}
                }
            }
            let labels = series.labels.clone();
            let row = Row {
                labels,
                unnamed: false,
                values,
            };
            if row.has_values() {
                self.count_present(&row.values);
                sink(row)?;
            }
        }
        Ok(())
    }

    /// Counts one sample at each step that found one.
    fn count_present(&self, values: &[f64]) {
        if !self.tally.counts() {
            return;
        }
        for (step, _) in values
            .iter()
            .enumerate()
            .filter(|(_, value)| !is_absent(**value))
        {
            self.tally.add(step, 1);
        }
    }
}

/// The samples without staleness markers, which ranges do not see.
pub(super) fn without_markers(samples: &[Sample]) -> std::borrow::Cow<'_, [Sample]> {
    if samples.iter().any(|sample| is_absent(sample.value)) {
        samples
            .iter()
            .copied()
            .filter(|sample| !is_absent(sample.value))
            .collect()
    } else {
        samples.into()
    }
}
