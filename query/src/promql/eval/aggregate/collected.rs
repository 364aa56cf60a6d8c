//! Aggregations that need all values of a group at once.

use std::collections::HashMap;

use store::labels::Labels;

use super::Groups;
use crate::promql::error::QueryError;
use crate::promql::eval::Evaluator;
use crate::promql::eval::row::{ABSENT, Row, Sink, is_absent};
use crate::promql::functions::over_time::quantile_of;
use crate::promql::labels;
use crate::promql::plan::{Aggregate, Grid, Parameter};

impl Evaluator<'_> {
    pub(super) fn group_quantile(
        &self,
        aggregate: &Aggregate,
        grid: Grid,
        sink: &mut Sink<'_>,
    ) -> Result<(), QueryError> {
        let shares = self.parameter(aggregate, grid)?;
        for share in shares.iter().filter(|share| !(0.0..=1.0).contains(*share)) {
            self.notes
                .borrow_mut()
                .invalid_quantile(aggregate.span, *share);
        }
        let mut groups: Groups<'_, Vec<Vec<f64>>> = Groups::new(&aggregate.grouping);
        self.vector(&aggregate.of, grid, &mut |row| {
            self.charge(row.values.len())?;
            groups.of(&row, Vec::new).push(row.values);
            Ok(())
        })?;
        let mut at_step = Vec::new();
        for group in groups.groups {
            self.interrupt.check()?;
            let mut values = vec![ABSENT; grid.count];
            for (step, value) in values.iter_mut().enumerate() {
                at_step.clear();
                let all = group.kept.iter().map(|column| column[step]);
                at_step.extend(all.filter(|value| !is_absent(*value)));
                if !at_step.is_empty() {
                    *value = quantile_of(shares[step], &mut at_step);
                }
            }
            let (labels, unnamed) = (group.labels, group.unnamed);
            sink(Row {
                labels,
                unnamed,
                values,
            })?;
        }
        Ok(())
    }

    pub(super) fn count_values(
        &self,
        aggregate: &Aggregate,
        grid: Grid,
        sink: &mut Sink<'_>,
    ) -> Result<(), QueryError> {
        let Parameter::Label(label) = &aggregate.parameter else {
            return Ok(());
        };
        let mut counts = Counts::default();
        let mut groups: Groups<'_, usize> = Groups::new(&aggregate.grouping);
        let mut next = 0;
        self.vector(&aggregate.of, grid, &mut |row| {
            let group = *groups.of(&row, || {
                next += 1;
                next - 1
            });
            for (step, value) in row.values.iter().enumerate() {
                if !is_absent(*value) && counts.add((group, step), *value, grid.count) {
                    self.charge(grid.count)?;
                }
            }
            Ok(())
        })?;
        let mut places: HashMap<Labels, usize> = HashMap::new();
        let mut rows = Vec::new();
        for (group, text, values) in counts.columns {
            let group = &groups.groups[group];
            let labels = labels::with(&group.labels, label, &text);
            let unnamed = group.unnamed;
            crate::promql::eval::finish::merge_row(
                &mut places,
                &mut rows,
                Row {
                    labels,
                    unnamed,
                    values,
                },
            )?;
        }
        rows.into_iter().try_for_each(sink)
    }
}

/// How often there is each value, by group and step.
#[derive(Default)]
struct Counts {
    places: HashMap<(usize, u64), usize>,
    columns: Vec<(usize, String, Vec<f64>)>,
}

impl Counts {
    /// Counts a value; `true` if it is new.
    fn add(&mut self, (group, step): (usize, usize), value: f64, steps: usize) -> bool {
        // All NaN are one value; the text of others is theirs alone.
        let bits = if value.is_nan() {
            f64::NAN.to_bits()
        } else {
            value.to_bits()
        };
        let before = self.columns.len();
        let columns = &mut self.columns;
        let place = *self.places.entry((group, bits)).or_insert_with(|| {
            columns.push((group, text_of(value), vec![ABSENT; steps]));
            columns.len() - 1
        });
        let count = &mut self.columns[place].2[step];
        *count = if is_absent(*count) { 1.0 } else { *count + 1.0 };
        self.columns.len() > before
    }
}

/// A value as a label: all digits, never an exponent.
fn text_of(value: f64) -> String {
    if value == f64::INFINITY {
        "+Inf".to_owned()
    } else if value == f64::NEG_INFINITY {
        "-Inf".to_owned()
    } else {
        value.to_string()
    }
}
