//! Ranges: the samples that a range function sees at each step.

use std::num::NonZero;

use store::labels::Labels;
use store::read::{Sample, Series};

use super::row::{ABSENT, Row, Sink, is_absent};
use super::select::without_markers;
use super::{Evaluator, finish};
use crate::promql::answer::Value;
use crate::promql::ast::Extension;
use crate::promql::error::QueryError;
use crate::promql::functions::window::{Names, Window};
use crate::promql::interrupt::Interrupt;
use crate::promql::labels;
use crate::promql::plan::{Grid, Moved, Ranged, Windowed};
use crate::promql::tally::{Scope, Tally};

/// Steps are evaluated in microseconds where ranges are short, in milliseconds where they are long.
const STEPS_BETWEEN_LOOKS: usize = 16;

/// Series of which the values are held before they are passed on.
const BATCH: usize = 128;
/// Samples that take far longer to go through than threads to start.
const WORTH_SHARING: usize = 100_000;
/// Threads of one query; others want to run too.
const MOST_THREADS: usize = 4;

/// A series with all the samples that ranges look at.
pub(super) struct Samples<'a> {
    pub(super) labels: &'a Labels,
    pub(super) unnamed: bool,
    pub(super) samples: &'a [Sample],
}

/// Which samples a range has at each step.
#[derive(Clone, Copy)]
struct Reach {
    moved: Moved,
    range_ms: i64,
    extension: Extension,
    lookback_ms: i64,
}

impl Evaluator<'_> {
    /// A range function.
    pub(super) fn windowed(
        &self,
        windowed: &Windowed,
        grid: Grid,
        sink: &mut Sink<'_>,
    ) -> Result<(), QueryError> {
        let params = self.scalars(&windowed.params, grid)?;
        let counts = matches!(windowed.name, "rate" | "increase");
        check_params(windowed, &params)?;
        let run = Run {
            windowed,
            reach: self.reach(&windowed.of),
            params: &params,
            counts,
            grid,
            interrupt: self.interrupt,
        };
        let mut seen = vec![false; grid.count];
        let mut take = |labels: &Labels, unnamed: bool, values: Vec<f64>| {
            self.interrupt.check()?;
            let mut any = false;
            for (seen, value) in seen.iter_mut().zip(&values) {
                *seen |= !is_absent(*value);
                any |= !is_absent(*value);
            }
            if !any {
                return Ok(());
            }
            if counts {
                self.check_counter(labels, windowed);
            }
            sink(Row {
                labels: labels.clone(),
                unnamed: unnamed || windowed.function.names == Names::Dropped,
                values,
            })
        };
        if let Ranged::Select { select, .. } = &windowed.of {
            for batch in self.loads[select.load].chunks(BATCH) {
                for (series, values) in batch.iter().zip(run.of_all(batch, &self.tally)) {
                    take(&series.labels, false, values)?;
                }
            }
        } else {
            self.ranged(&windowed.of, grid, &mut |series| {
                take(
                    series.labels,
                    series.unnamed,
                    run.of_one(series.samples, Some(&self.tally)),
                )
            })?;
        }
        if let ("quantile_over_time", Some(shares)) = (windowed.name, params.first()) {
            self.check_shares(shares, &seen, windowed.param_span);
        }
        Ok(())
    }

    /// Passes on the series that ranges look at. What a subquery looks at does not count: the range
    /// counts what comes out of it.
    pub(super) fn ranged(
        &self,
        ranged: &Ranged,
        grid: Grid,
        sink: &mut dyn FnMut(Samples<'_>) -> Result<(), QueryError>,
    ) -> Result<(), QueryError> {
        self.ranged_within(Scope::Nowhere, ranged, grid, sink)
    }

    /// The same, with what a subquery looks at counted as the caller says.
    fn ranged_within(
        &self,
        within: Scope,
        ranged: &Ranged,
        grid: Grid,
        sink: &mut dyn FnMut(Samples<'_>) -> Result<(), QueryError>,
    ) -> Result<(), QueryError> {
        match ranged {
            Ranged::Select { select, .. } => {
                for series in self.loads[select.load].iter() {
                    self.interrupt.check()?;
                    sink(Samples {
                        labels: &series.labels,
                        unnamed: false,
                        samples: &without_markers(&series.samples),
                    })?;
                }
                Ok(())
            }
            Ranged::Subquery {
                of,
                range_ms,
                step_ms,
                moved,
            } => {
                let inner = steps_within(*moved, *range_ms, *step_ms, grid);
                self.budget.fits(inner.count)?;
                let around = self.tally.scope();
                self.tally.within(within, || {
                    self.vector(of, inner, &mut |row| {
                        self.interrupt.check()?;
                        let samples = samples_of(&row, inner);
                        let series = Samples {
                            labels: &row.labels,
                            unnamed: row.unnamed,
                            samples: &samples,
                        };
                        self.tally.within(around, || sink(series))
                    })
                })
            }
        }
    }

    /// For each step, whether the range has any sample.
    pub(super) fn presence(
        &self,
        ranged: &Ranged,
        grid: Grid,
        mut found: impl FnMut(usize),
    ) -> Result<(), QueryError> {
        let reach = self.reach(ranged);
        self.ranged(ranged, grid, &mut |series| {
            reach.each(series.samples, &[], grid, |step, window| {
                self.tally.add(step, window.samples().len());
                found(step);
            });
            Ok(())
        })
    }

    /// The samples of a range as the answer.
    pub(super) fn ranged_root(&self, ranged: &Ranged, grid: Grid) -> Result<Value, QueryError> {
        let reach = self.reach(ranged);
        let mut found: Vec<Series> = Vec::new();
        let is_select = matches!(ranged, Ranged::Select { .. });
        self.ranged_within(Scope::Only(1), ranged, grid, &mut |series| {
            let mut samples = Vec::new();
            reach.each(series.samples, &[], grid, |_, window| {
                samples = window.samples().to_vec();
            });
            if samples.is_empty() {
                return Ok(());
            }
            self.charge(samples.len())?;
            if is_select {
                self.tally.add(0, samples.len());
            }
            let labels = if series.unnamed {
                labels::without_name_and(series.labels, &[])
            } else {
                series.labels.clone()
            };
            found.push(Series { labels, samples });
            Ok(())
        })?;
        found.sort_by(|a, b| a.labels.cmp(&b.labels));
        if found
            .windows(2)
            .any(|pair| pair[0].labels == pair[1].labels)
        {
            return Err(finish::same_labels());
        }
        Ok(Value::Matrix(found))
    }

    fn reach(&self, ranged: &Ranged) -> Reach {
        let (moved, range_ms, extension) = match ranged {
            Ranged::Select { select, range_ms } => (select.moved, *range_ms, select.extension),
            Ranged::Subquery {
                range_ms, moved, ..
            } => (*moved, *range_ms, Extension::None),
        };
        Reach {
            moved,
            range_ms,
            extension,
            lookback_ms: self.lookback_ms,
        }
    }

    /// A rate of what may be no counter is worth a word.
    fn check_counter(&self, labels: &Labels, windowed: &Windowed) {
        const SUFFIXES: [&str; 4] = ["_total", "_sum", "_count", "_bucket"];
        let name = labels.metric_name();
        if !name.is_empty() && !SUFFIXES.iter().any(|suffix| name.ends_with(suffix)) {
            self.notes
                .borrow_mut()
                .possible_non_counter(windowed.span, name);
        }
    }

    fn check_shares(&self, shares: &[f64], seen: &[bool], span: crate::promql::ast::Span) {
        for (share, _) in shares.iter().zip(seen).filter(|(_, seen)| **seen) {
            if !(0.0..=1.0).contains(share) {
                self.notes.borrow_mut().invalid_quantile(span, *share);
            }
        }
    }
}

/// A range function with all that it needs beside the samples.
struct Run<'a> {
    windowed: &'a Windowed,
    reach: Reach,
    params: &'a [Vec<f64>],
    /// Whether it asks where a counter fell.
    counts: bool,
    grid: Grid,
    interrupt: &'a Interrupt,
}

impl Run<'_> {
    /// What the function gives for each of some series, in their order; on several processors where
    /// there is work for them.
    fn of_all(&self, batch: &[Series], tally: &Tally) -> Vec<Vec<f64>> {
        let samples: usize = batch.iter().map(|series| series.samples.len()).sum();
        if samples < WORTH_SHARING || tally.counts() {
            let one = |series: &Series| {
                let samples = without_markers(&series.samples);
                self.of_one(&samples, Some(tally))
            };
            return batch.iter().map(one).collect();
        }
        let one = |series: &Series| self.of_one(&without_markers(&series.samples), None);
        let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
        let share = batch.len().div_ceil(processors.min(MOST_THREADS));
        std::thread::scope(|scope| {
            let shares: Vec<_> = batch
                .chunks(share)
                .map(|share| scope.spawn(|| share.iter().map(one).collect::<Vec<_>>()))
                .collect();
            let done = shares.into_iter().map(|share| match share.join() {
                Ok(values) => values,
                Err(panic) => std::panic::resume_unwind(panic),
            });
            done.flatten().collect()
        })
    }

    fn of_one(&self, samples: &[Sample], tally: Option<&Tally>) -> Vec<f64> {
        let drops = match self.counts {
            true => drops_of(samples),
            false => Vec::new(),
        };
        self.values(samples, &drops, tally)
    }

    /// What the function gives at each step. One series alone can take long, so an interrupt is looked
    /// for on the way; the caller looks whether there was one.
    fn values(&self, samples: &[Sample], drops: &[usize], tally: Option<&Tally>) -> Vec<f64> {
        let mut values = vec![ABSENT; self.grid.count];
        let mut at_step = [0.0; 2];
        let mut stopped = false;
        self.reach.each(samples, drops, self.grid, |step, window| {
            if step % STEPS_BETWEEN_LOOKS == 0 {
                stopped = self.interrupt.check().is_err();
            }
            if stopped {
                return;
            }
            if let Some(tally) = tally {
                tally.add(step, window.samples().len());
            }
            for (param, column) in at_step.iter_mut().zip(self.params) {
                *param = column[step];
            }
            let window = Window {
                params: &at_step,
                ..window
            };
            if let Some(value) = (self.windowed.function.kernel)(&window) {
                values[step] = value;
            }
        });
        values
    }
}

impl Reach {
    /// Calls for each step whose range has samples. Both ends move forward only, so that each sample
    /// is passed twice at most, however long the range is.
    fn each<'a>(
        self,
        samples: &'a [Sample],
        drops: &'a [usize],
        grid: Grid,
        mut call: impl FnMut(usize, Window<'a>),
    ) {
        let (mut first, mut end) = (0, 0);
        let (back_ms, forward_ms) = match self.extension {
            Extension::None => (0, 0),
            Extension::Anchored => (self.lookback_ms, 0),
            Extension::Smoothed => (self.lookback_ms, self.lookback_ms),
        };
        for step in 0..grid.count {
            let at_ms = grid.at(step);
            let to_ms = self.moved.from(at_ms);
            let from_ms = to_ms - self.range_ms;
            while samples
                .get(end)
                .is_some_and(|sample| sample.at_ms <= to_ms + forward_ms)
            {
                end += 1;
            }
            while first < end && samples[first].at_ms <= from_ms - back_ms {
                first += 1;
            }
            if first < end {
                let window = Window {
                    series: samples,
                    first,
                    end,
                    drops,
                    from_ms,
                    to_ms,
                    at_ms,
                    params: &[],
                    extension: self.extension,
                };
                call(step, window);
            }
        }
    }
}

/// The steps of a subquery: multiples of its step, whatever the time of evaluation.
fn steps_within(moved: Moved, range_ms: i64, step_ms: i64, grid: Grid) -> Grid {
    let after_ms = moved.from(grid.start_ms) - range_ms;
    let start_ms = (after_ms.div_euclid(step_ms) + 1) * step_ms;
    Grid::between(start_ms, moved.from(grid.end_ms()), step_ms)
}

fn samples_of(row: &Row, grid: Grid) -> Vec<Sample> {
    let present = row
        .values
        .iter()
        .enumerate()
        .filter(|(_, value)| !is_absent(**value));
    present
        .map(|(step, value)| Sample {
            at_ms: grid.at(step),
            value: *value,
        })
        .collect()
}

fn drops_of(samples: &[Sample]) -> Vec<usize> {
    (1..samples.len())
        .filter(|place| samples[*place].value < samples[place - 1].value)
        .collect()
}

fn check_params(windowed: &Windowed, params: &[Vec<f64>]) -> Result<(), QueryError> {
    if windowed.name != "double_exponential_smoothing" {
        return Ok(());
    }
    for (what, symbol, column) in [("smoothing", "sf", 0), ("trend", "tf", 1)] {
        let factors = params.get(column).map(Vec::as_slice).unwrap_or_default();
        if let Some(factor) = factors
            .iter()
            .find(|factor| **factor <= 0.0 || **factor >= 1.0)
        {
            return Err(QueryError::Execution(format!(
                "invalid {what} factor. Expected: 0 < {symbol} < 1, got: {factor:.6}"
            )));
        }
    }
    Ok(())
}
