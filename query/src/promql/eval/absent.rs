//! `absent` and `absent_over_time`: a series where there is none.

use store::labels::Labels;

use super::Evaluator;
use super::row::{ABSENT, Row, Sink, is_absent};
use crate::promql::error::QueryError;
use crate::promql::plan::{Grid, Ranged, Vector};

impl Evaluator<'_> {
    pub(super) fn absent(
        &self,
        of: &Vector,
        labels: &[(String, String)],
        grid: Grid,
        sink: &mut Sink<'_>,
    ) -> Result<(), QueryError> {
        let mut values = vec![1.0; grid.count];
        self.vector(of, grid, &mut |row| {
            for (value, found) in values.iter_mut().zip(&row.values) {
                if !is_absent(*found) {
                    *value = ABSENT;
                }
            }
            Ok(())
        })?;
        emit(values, labels, sink)
    }

    pub(super) fn absent_over_time(
        &self,
        of: &Ranged,
        labels: &[(String, String)],
        grid: Grid,
        sink: &mut Sink<'_>,
    ) -> Result<(), QueryError> {
        let mut values = vec![1.0; grid.count];
        self.presence(of, grid, |step| values[step] = ABSENT)?;
        emit(values, labels, sink)
    }
}

fn emit(
    values: Vec<f64>,
    labels: &[(String, String)],
    sink: &mut Sink<'_>,
) -> Result<(), QueryError> {
    let pairs = labels
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    let row = Row {
        labels: Labels::from_pairs(pairs),
        unnamed: false,
        values,
    };
    if row.has_values() { sink(row) } else { Ok(()) }
}
