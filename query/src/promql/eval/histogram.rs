//! Classic histograms: buckets of one histogram put together, and what is asked of them.

use std::collections::HashMap;

use store::labels::Labels;

use super::Evaluator;
use super::row::{ABSENT, Row, Sink, is_absent};
use crate::promql::ast::Span;
use crate::promql::error::QueryError;
use crate::promql::functions::histogram::{self, Bucket};
use crate::promql::labels;
use crate::promql::plan::{BucketFraction, BucketQuantile, Grid, Vector};
use crate::promql::print::go_float;

/// The label with a bucket's upper bound.
const BOUND: &str = "le";

/// The buckets of one histogram: their bounds, each with its counts.
struct Histogram {
    labels: Labels,
    buckets: Vec<(f64, Vec<f64>)>,
}

impl Histogram {
    /// The buckets that there are at a step.
    fn at(&self, step: usize, buckets: &mut Vec<Bucket>) {
        buckets.clear();
        let present = self
            .buckets
            .iter()
            .filter(|(_, counts)| !is_absent(counts[step]));
        buckets.extend(present.map(|(bound, counts)| Bucket {
            bound: *bound,
            count: counts[step],
        }));
    }
}

impl Evaluator<'_> {
    pub(super) fn bucket_quantile(
        &self,
        quantile: &BucketQuantile,
        grid: Grid,
        sink: &mut Sink<'_>,
    ) -> Result<(), QueryError> {
        let mut shares = Vec::new();
        for (share, span) in &quantile.shares {
            let values = self.scalar(share, grid)?;
            for value in values.iter().filter(|value| !(0.0..=1.0).contains(*value)) {
                self.notes.borrow_mut().invalid_quantile(*span, *value);
            }
            shares.push(values);
        }
        let histograms = self.histograms(&quantile.of, quantile.span, grid)?;
        let mut buckets = Vec::new();
        for share in &shares {
            for histogram in &histograms {
                self.interrupt.check()?;
                let labels = match &quantile.label {
                    Some(label) => {
                        let value = go_float(share.first().copied().unwrap_or_default());
                        labels::with(&histogram.labels, label, &value)
                    }
                    None => histogram.labels.clone(),
                };
                let mut values = vec![ABSENT; grid.count];
                for (step, value) in values.iter_mut().enumerate() {
                    histogram.at(step, &mut buckets);
                    if buckets.is_empty() {
                        continue;
                    }
                    let (found, repair) = histogram::quantile(share[step], &mut buckets);
                    *value = found;
                    if let Some(repair) = repair {
                        let metric = histogram.labels.metric_name();
                        let mut notes = self.notes.borrow_mut();
                        notes.repaired(quantile.span, metric, repair, grid.at(step));
                    }
                }
                emit(labels, values, sink)?;
            }
        }
        Ok(())
    }

    pub(super) fn bucket_fraction(
        &self,
        fraction: &BucketFraction,
        grid: Grid,
        sink: &mut Sink<'_>,
    ) -> Result<(), QueryError> {
        let low = self.scalar(&fraction.low, grid)?;
        let high = self.scalar(&fraction.high, grid)?;
        let mut buckets = Vec::new();
        for histogram in self.histograms(&fraction.of, fraction.span, grid)? {
            self.interrupt.check()?;
            let mut values = vec![ABSENT; grid.count];
            for (step, value) in values.iter_mut().enumerate() {
                histogram.at(step, &mut buckets);
                if !buckets.is_empty() {
                    *value = histogram::fraction(low[step], high[step], &mut buckets);
                }
            }
            emit(histogram.labels, values, sink)?;
        }
        Ok(())
    }

    /// The histograms of a vector: series that differ in the bound alone. What has no bound is passed
    /// over with a warning.
    fn histograms(
        &self,
        of: &Vector,
        span: Span,
        grid: Grid,
    ) -> Result<Vec<Histogram>, QueryError> {
        let mut places: HashMap<Labels, usize> = HashMap::new();
        let mut histograms: Vec<Histogram> = Vec::new();
        self.vector(of, grid, &mut |row| {
            let bound = row.labels.get(BOUND).unwrap_or_default();
            let Ok(value) = parse_bound(bound) else {
                let metric = row.labels.metric_name();
                self.notes
                    .borrow_mut()
                    .bad_bucket_label(span, metric, bound);
                return Ok(());
            };
            self.charge(row.values.len())?;
            let key = labels::without(&row.labels, &[BOUND.to_owned()]);
            let place = *places.entry(key).or_insert_with_key(|key| {
                histograms.push(Histogram {
                    labels: key.clone(),
                    buckets: Vec::new(),
                });
                histograms.len() - 1
            });
            histograms[place].buckets.push((value, row.values));
            Ok(())
        })?;
        Ok(histograms)
    }
}

fn parse_bound(text: &str) -> Result<f64, std::num::ParseFloatError> {
    text.parse()
}

fn emit(labels: Labels, values: Vec<f64>, sink: &mut Sink<'_>) -> Result<(), QueryError> {
    let row = Row {
        labels,
        unnamed: true,
        values,
    };
    if row.has_values() { sink(row) } else { Ok(()) }
}
