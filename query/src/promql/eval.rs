//! Evaluates a plan over loaded series.
//!
//! Each part is evaluated over all steps at once, and passes its series on one by one: a sum over ten
//! thousand series holds the sum and one series at a time. A part is collected only where all of its
//! series must be known. Nothing here waits, reads a clock or the store.

mod absent;
mod aggregate;
mod finish;
mod histogram;
mod info;
mod matching;
mod notes;
mod operate;
mod relabel;
mod row;
mod select;
mod sets;
mod sort;
mod window;

use std::cell::RefCell;
use std::sync::Arc;

use store::labels::Labels;
use store::read::Series;

use super::answer::Value;
use super::error::QueryError;
use super::interrupt::Interrupt;
use super::limit::Budget;
use super::plan::{Grid, Root, Scalar, Vector};
use super::tally::Tally;
use crate::promql::functions::math::{greatest, least};

pub(crate) use notes::{Level, Notes};
pub(crate) use row::is_absent;
use row::{ABSENT, Row, Sink, map_present};

/// What an evaluation works with.
pub(crate) struct Evaluator<'a> {
    /// The series of each load of the plan.
    pub(crate) loads: &'a [Arc<Vec<Series>>],
    pub(crate) lookback_ms: i64,
    pub(crate) interrupt: &'a Interrupt,
    /// How many more values may be held in memory.
    pub(crate) budget: Budget,
    pub(crate) notes: RefCell<Notes>,
    /// How many samples were looked at.
    pub(crate) tally: Tally,
    /// Whether the query asks for several times.
    pub(crate) is_range: bool,
}

impl Evaluator<'_> {
    /// The value of the whole query. What has no order of its own is in none yet.
    pub(crate) fn root(&self, root: &Root, grid: Grid) -> Result<Value, QueryError> {
        match root {
            Root::Scalar(scalar) => {
                let values = self.scalar(scalar, grid)?;
                Ok(finish::scalar(values, grid, self.is_range))
            }
            Root::Vector(vector) => {
                let rows = self.collect(vector, grid)?;
                finish::vector(rows, grid, self.is_range)
            }
            Root::Ranged(ranged) => self.ranged_root(ranged, grid),
            Root::Text(text) => Ok(Value::Text {
                at_ms: grid.start_ms,
                text: text.clone(),
            }),
        }
    }

    /// Whether the value comes in an order of its own.
    pub(crate) fn keeps_order(&self, root: &Root) -> bool {
        match root {
            Root::Vector(vector) => finish::keeps_order(vector) && !self.is_range,
            Root::Scalar(_) | Root::Ranged(_) | Root::Text(_) => true,
        }
    }

    /// Passes on the series of a vector.
    fn vector(&self, vector: &Vector, grid: Grid, sink: &mut Sink<'_>) -> Result<(), QueryError> {
        match vector {
            Vector::Select(select) => self.select(select, grid, sink),
            Vector::SampleTimes(select) => self.sample_times(select, grid, sink),
            Vector::Times(of) => self.times(of, grid, sink),
            Vector::OfScalar(scalar) => self.of_scalar(scalar, grid, sink),
            Vector::Repeat(of) => self.repeat(of, grid, sink),
            Vector::Negate(of) => self.map(&|value| -value, of, grid, sink),
            Vector::Map(map, of) => self.map(map, of, grid, sink),
            Vector::MapWith(map, of, params) => {
                let params = self.scalars(params, grid)?;
                self.map_with(*map, of, (&params, grid), sink)
            }
            Vector::Window(windowed) => self.windowed(windowed, grid, sink),
            Vector::Absent(of, labels) => self.absent(of, labels, grid, sink),
            Vector::AbsentOverTime(of, labels) => self.absent_over_time(of, labels, grid, sink),
            Vector::Sort(order, of, labels) => self.sort((*order, labels), of, grid, sink),
            Vector::Relabel(of, relabel) => self.relabel(of, relabel, grid, sink),
            Vector::Quantile(quantile) => self.bucket_quantile(quantile, grid, sink),
            Vector::Fraction(fraction) => self.bucket_fraction(fraction, grid, sink),
            Vector::Nothing(of) => self.vector(of, grid, &mut |_| Ok(())),
            Vector::Aggregate(aggregate) => self.aggregate(aggregate, grid, sink),
            Vector::WithScalar(operation) => self.with_scalar(operation, grid, sink),
            Vector::Match(matching) if matching.op.is_set() => self.set(matching, grid, sink),
            Vector::Match(matching) => self.matching(matching, grid, sink),
            Vector::Info(info) => self.info(info, grid, sink),
        }
    }

    /// All series of a vector.
    fn collect(&self, vector: &Vector, grid: Grid) -> Result<Vec<Row>, QueryError> {
        let mut rows = Vec::new();
        self.vector(vector, grid, &mut |row| {
            self.charge(row.values.len())?;
            rows.push(row);
            Ok(())
        })?;
        Ok(rows)
    }

    /// Counts values that are held, up to the query's bound.
    fn charge(&self, values: usize) -> Result<(), QueryError> {
        self.budget.hold(values)
    }

    /// The values of a scalar, one a step.
    fn scalar(&self, scalar: &Scalar, grid: Grid) -> Result<Vec<f64>, QueryError> {
        self.interrupt.check()?;
        match scalar {
            Scalar::Number(value) => Ok(vec![*value; grid.count]),
            Scalar::Time => Ok((0..grid.count).map(|step| seconds(grid.at(step))).collect()),
            Scalar::Negate(of) => {
                let mut values = self.scalar(of, grid)?;
                values.iter_mut().for_each(|value| *value = -*value);
                Ok(values)
            }
            Scalar::Binary(op, sides) => self.two_scalars(sides, grid, |left, right| {
                operate::on_scalars(*op, left, right)
            }),
            Scalar::Least(sides) => self.two_scalars(sides, grid, least),
            Scalar::Greatest(sides) => self.two_scalars(sides, grid, greatest),
            Scalar::OfVector(of) => self.only_value(of, grid),
        }
    }

    fn two_scalars(
        &self,
        sides: &(Scalar, Scalar),
        grid: Grid,
        of: impl Fn(f64, f64) -> f64,
    ) -> Result<Vec<f64>, QueryError> {
        let left = self.scalar(&sides.0, grid)?;
        let right = self.scalar(&sides.1, grid)?;
        Ok(left
            .iter()
            .zip(&right)
            .map(|(left, right)| of(*left, *right))
            .collect())
    }

    fn scalars(&self, scalars: &[Scalar], grid: Grid) -> Result<Vec<Vec<f64>>, QueryError> {
        scalars
            .iter()
            .map(|scalar| self.scalar(scalar, grid))
            .collect()
    }

    /// The value of the only series; NaN where there is none, or several.
    fn only_value(&self, of: &Vector, grid: Grid) -> Result<Vec<f64>, QueryError> {
        let mut values = vec![f64::NAN; grid.count];
        let mut counts = vec![0usize; grid.count];
        self.vector(of, grid, &mut |row| {
            for (step, value) in row.values.iter().enumerate() {
                if !is_absent(*value) {
                    counts[step] += 1;
                    values[step] = if counts[step] == 1 { *value } else { f64::NAN };
                }
            }
            Ok(())
        })?;
        Ok(values)
    }

    fn of_scalar(&self, of: &Scalar, grid: Grid, sink: &mut Sink<'_>) -> Result<(), QueryError> {
        sink(Row {
            labels: Labels::from_pairs([]),
            unnamed: false,
            values: self.scalar(of, grid)?,
        })
    }

    /// Evaluates once what is the same at every step.
    fn repeat(&self, of: &Vector, grid: Grid, sink: &mut Sink<'_>) -> Result<(), QueryError> {
        let around = self.tally.scope();
        self.tally.within(self.tally.scope_of_once(grid.count), || {
            self.vector(of, Grid::one(grid.start_ms), &mut |row| {
                let values = vec![row.values.first().copied().unwrap_or(ABSENT); grid.count];
                self.tally.within(around, || sink(Row { values, ..row }))
            })
        })
    }

    fn map(
        &self,
        map: &dyn Fn(f64) -> f64,
        of: &Vector,
        grid: Grid,
        sink: &mut Sink<'_>,
    ) -> Result<(), QueryError> {
        self.vector(of, grid, &mut |mut row| {
            map_present(&mut row.values, map);
            row.unnamed = true;
            sink(row)
        })
    }

    fn map_with(
        &self,
        map: fn(f64, &[f64]) -> Option<f64>,
        of: &Vector,
        (params, grid): (&[Vec<f64>], Grid),
        sink: &mut Sink<'_>,
    ) -> Result<(), QueryError> {
        let mut at_step = vec![0.0; params.len()];
        self.vector(of, grid, &mut |mut row| {
            for (step, value) in row.values.iter_mut().enumerate() {
                if !is_absent(*value) {
                    for (param, column) in at_step.iter_mut().zip(params) {
                        *param = column[step];
                    }
                    *value = map(*value, &at_step).unwrap_or(ABSENT);
                }
            }
            row.unnamed = true;
            if row.has_values() { sink(row) } else { Ok(()) }
        })
    }

    fn times(&self, of: &Vector, grid: Grid, sink: &mut Sink<'_>) -> Result<(), QueryError> {
        self.vector(of, grid, &mut |mut row| {
            for (step, value) in row.values.iter_mut().enumerate() {
                if !is_absent(*value) {
                    *value = seconds(grid.at(step));
                }
            }
            row.unnamed = true;
            sink(row)
        })
    }
}

#[allow(clippy::cast_precision_loss)]
fn seconds(at_ms: i64) -> f64 {
    at_ms as f64 / 1000.0
}
