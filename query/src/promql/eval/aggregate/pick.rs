//! Aggregations that pick some of the series of each group.

use std::cmp::Ordering;

use super::Groups;
use super::hash::hash;
use crate::promql::ast::AggregateOp;
use crate::promql::error::QueryError;
use crate::promql::eval::Evaluator;
use crate::promql::eval::row::{ABSENT, Row, Sink, is_absent};
use crate::promql::plan::{Aggregate, Grid};
use crate::promql::print::go_float;

impl Evaluator<'_> {
    /// The largest or smallest of each group. For one time they come in that order.
    pub(super) fn extremes(
        &self,
        aggregate: &Aggregate,
        grid: Grid,
        sink: &mut Sink<'_>,
    ) -> Result<(), QueryError> {
        let limits = limits(&self.parameter(aggregate, grid)?)?;
        let mut groups: Groups<'_, Vec<Row>> = Groups::new(&aggregate.grouping);
        self.vector(&aggregate.of, grid, &mut |row| {
            self.charge(row.values.len())?;
            groups.of(&row, Vec::new).push(row);
            Ok(())
        })?;
        let order = if aggregate.op == AggregateOp::TopK {
            largest_first
        } else {
            smallest_first
        };
        for mut group in groups.groups {
            self.interrupt.check()?;
            keep_extremes(&mut group.kept, &limits, order);
            group.kept.retain(Row::has_values);
            if grid.count == 1 {
                group.kept.sort_by(|a, b| order(a.values[0], b.values[0]));
            }
            group.kept.into_iter().try_for_each(&mut *sink)?;
        }
        Ok(())
    }

    /// The first of each group, in the order of labels.
    pub(super) fn limit(
        &self,
        aggregate: &Aggregate,
        grid: Grid,
        sink: &mut Sink<'_>,
    ) -> Result<(), QueryError> {
        let limits = limits(&self.parameter(aggregate, grid)?)?;
        let mut groups: Groups<'_, Vec<usize>> = Groups::new(&aggregate.grouping);
        self.vector(&aggregate.of, grid, &mut |mut row| {
            let taken = groups.of(&row, || vec![0; grid.count]);
            let steps = taken.iter_mut().zip(&limits);
            for (value, (taken, limit)) in row.values.iter_mut().zip(steps) {
                if is_absent(*value) {
                    continue;
                }
                if *taken < *limit {
                    *taken += 1;
                } else {
                    *value = ABSENT;
                }
            }
            if row.has_values() { sink(row) } else { Ok(()) }
        })
    }

    /// A share of the series, by a hash of their labels, so that the same are picked each time.
    pub(super) fn limit_ratio(
        &self,
        aggregate: &Aggregate,
        grid: Grid,
        sink: &mut Sink<'_>,
    ) -> Result<(), QueryError> {
        let mut ratios = self.parameter(aggregate, grid)?;
        for ratio in &mut ratios {
            if ratio.is_nan() {
                return Err(QueryError::Execution("Ratio value is NaN".to_owned()));
            }
            let capped = ratio.clamp(-1.0, 1.0);
            if capped != *ratio {
                let (got, to) = (go_float(*ratio), go_float(capped));
                let message =
                    format!("ratio value should be between -1 and 1, got {got}, capping to {to}");
                self.notes.borrow_mut().warn(aggregate.span, message);
                *ratio = capped;
            }
        }
        self.vector(&aggregate.of, grid, &mut |mut row| {
            #[allow(clippy::cast_precision_loss)]
            let place = hash(&row.labels) as f64 / u64::MAX as f64;
            for (value, ratio) in row.values.iter_mut().zip(&ratios) {
                let picked = if *ratio >= 0.0 {
                    place < *ratio
                } else {
                    place >= 1.0 + ratio
                };
                if !picked {
                    *value = ABSENT;
                }
            }
            if row.has_values() { sink(row) } else { Ok(()) }
        })
    }
}

/// Leaves of each step only the first in an order. Of equal ones the earlier series stays.
fn keep_extremes(rows: &mut [Row], limits: &[usize], order: fn(f64, f64) -> Ordering) {
    let mut present: Vec<usize> = Vec::with_capacity(rows.len());
    for (step, limit) in limits.iter().enumerate() {
        present.clear();
        present.extend((0..rows.len()).filter(|place| !is_absent(rows[*place].values[step])));
        if present.len() <= *limit {
            continue;
        }
        let by_value = |a: &usize, b: &usize| {
            order(rows[*a].values[step], rows[*b].values[step]).then(a.cmp(b))
        };
        if *limit > 0 {
            present.select_nth_unstable_by(*limit - 1, by_value);
        }
        for place in &present[*limit..] {
            rows[*place].values[step] = ABSENT;
        }
    }
}

/// NaN comes last.
fn largest_first(a: f64, b: f64) -> Ordering {
    a.is_nan()
        .cmp(&b.is_nan())
        .then_with(|| b.partial_cmp(&a).unwrap_or(Ordering::Equal))
}

/// NaN comes last.
fn smallest_first(a: f64, b: f64) -> Ordering {
    a.is_nan()
        .cmp(&b.is_nan())
        .then_with(|| a.partial_cmp(&b).unwrap_or(Ordering::Equal))
}

/// How many to pick at each step.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn limits(values: &[f64]) -> Result<Vec<usize>, QueryError> {
    const LARGEST: f64 = 9_223_372_036_854_775_807.0;
    let limit = |value: &f64| {
        let message = if value.is_nan() {
            "Parameter value is NaN".to_owned()
        } else if *value <= -LARGEST {
            format!("Scalar value {} underflows int64", go_float(*value))
        } else if *value >= LARGEST {
            format!("Scalar value {} overflows int64", go_float(*value))
        } else {
            return Ok(value.max(0.0) as usize);
        };
        Err(QueryError::Execution(message))
    };
    values.iter().map(limit).collect()
}
