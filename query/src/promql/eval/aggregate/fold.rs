//! Aggregations that take one value after the other.

use super::{Groups, Sum};
use crate::promql::error::QueryError;
use crate::promql::eval::Evaluator;
use crate::promql::eval::row::{ABSENT, Row, Sink, is_absent};
use crate::promql::functions::kahan::Mean;
use crate::promql::plan::{Aggregate, Grid};

/// What is known of the values so far.
pub(super) trait Fold: Clone {
    /// Of one value.
    fn first(value: f64) -> Self;
    /// Of one more.
    fn add(&mut self, value: f64);
    /// What comes of them.
    fn result(&self) -> f64;
}

impl Evaluator<'_> {
    pub(super) fn fold<T: Fold>(
        &self,
        aggregate: &Aggregate,
        grid: Grid,
        sink: &mut Sink<'_>,
    ) -> Result<(), QueryError> {
        let mut groups: Groups<'_, Vec<Option<T>>> = Groups::new(&aggregate.grouping);
        self.vector(&aggregate.of, grid, &mut |row| {
            let known = groups.of(&row, || vec![None; grid.count]);
            for (known, value) in known.iter_mut().zip(&row.values) {
                if is_absent(*value) {
                    continue;
                }
                match known {
                    Some(known) => known.add(*value),
                    None => *known = Some(T::first(*value)),
                }
            }
            Ok(())
        })?;
        for group in groups.groups {
            let values = group
                .kept
                .iter()
                .map(|known| known.as_ref().map_or(ABSENT, T::result));
            let row = Row {
                labels: group.labels,
                unnamed: group.unnamed,
                values: values.collect(),
            };
            sink(row)?;
        }
        Ok(())
    }
}

impl Fold for Sum {
    fn first(value: f64) -> Self {
        Self::new(value)
    }

    fn add(&mut self, value: f64) {
        Self::add(self, value);
    }

    fn result(&self) -> f64 {
        self.total()
    }
}

impl Fold for Mean {
    fn first(value: f64) -> Self {
        Self::new(value)
    }

    fn add(&mut self, value: f64) {
        Self::add(self, value);
    }

    fn result(&self) -> f64 {
        self.mean()
    }
}

/// How many.
#[derive(Clone)]
pub(super) struct Count(f64);

impl Fold for Count {
    fn first(_: f64) -> Self {
        Self(1.0)
    }

    fn add(&mut self, _: f64) {
        self.0 += 1.0;
    }

    fn result(&self) -> f64 {
        self.0
    }
}

/// That there are any.
#[derive(Clone)]
pub(super) struct One;

impl Fold for One {
    fn first(_: f64) -> Self {
        Self
    }

    fn add(&mut self, _: f64) {}

    fn result(&self) -> f64 {
        1.0
    }
}

/// The least; NaN only if all are.
#[derive(Clone)]
pub(super) struct Min(f64);

impl Fold for Min {
    fn first(value: f64) -> Self {
        Self(value)
    }

    fn add(&mut self, value: f64) {
        if value < self.0 || self.0.is_nan() {
            self.0 = value;
        }
    }

    fn result(&self) -> f64 {
        self.0
    }
}

/// The most; NaN only if all are.
#[derive(Clone)]
pub(super) struct Max(f64);

impl Fold for Max {
    fn first(value: f64) -> Self {
        Self(value)
    }

    fn add(&mut self, value: f64) {
        if value > self.0 || self.0.is_nan() {
            self.0 = value;
        }
    }

    fn result(&self) -> f64 {
        self.0
    }
}

/// The variance, after Welford.
#[derive(Clone)]
pub(super) struct Variance {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Fold for Variance {
    fn first(value: f64) -> Self {
        Self {
            count: 1.0,
            mean: value,
            squares: if value.is_finite() { 0.0 } else { f64::NAN },
        }
    }

    fn add(&mut self, value: f64) {
        self.count += 1.0;
        let distance = value - self.mean;
        self.mean += distance / self.count;
        self.squares += distance * (value - self.mean);
    }

    fn result(&self) -> f64 {
        self.squares / self.count
    }
}

/// The standard deviation.
#[derive(Clone)]
pub(super) struct Deviation(Variance);

impl Fold for Deviation {
    fn first(value: f64) -> Self {
        Self(Variance::first(value))
    }

    fn add(&mut self, value: f64) {
        self.0.add(value);
    }

    fn result(&self) -> f64 {
        self.0.result().sqrt()
    }
}
