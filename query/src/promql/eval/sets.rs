//! `and`, `or` and `unless`: series kept or left out for what is on the other side.

use std::collections::HashMap;

use store::labels::Labels;

use super::Evaluator;
use super::matching::key;
use super::row::{ABSENT, Row, Sink, is_absent};
use crate::promql::ast::{BinaryOp, Matching};
use crate::promql::error::QueryError;
use crate::promql::plan::{Grid, Match};

/// At which steps there is any series with such labels.
type Presence = HashMap<Labels, Vec<bool>>;

impl Evaluator<'_> {
    pub(super) fn set(
        &self,
        operation: &Match,
        grid: Grid,
        sink: &mut Sink<'_>,
    ) -> Result<(), QueryError> {
        let matching = &operation.matching;
        if operation.op == BinaryOp::Or {
            return self.either(operation, grid, sink);
        }
        let mut present = Presence::new();
        self.vector(&operation.right, grid, &mut |row| {
            note(&mut present, &row, matching);
            Ok(())
        })?;
        let wanted = operation.op == BinaryOp::And;
        self.vector(&operation.left, grid, &mut |row| {
            self.interrupt.check()?;
            only_where(row, &present, matching, wanted).map_or(Ok(()), &mut *sink)
        })
    }

    /// All of the left side, and of the right what has no equal on the left at the same step.
    fn either(&self, operation: &Match, grid: Grid, sink: &mut Sink<'_>) -> Result<(), QueryError> {
        let matching = &operation.matching;
        let mut present = Presence::new();
        self.vector(&operation.left, grid, &mut |row| {
            note(&mut present, &row, matching);
            sink(row)
        })?;
        self.vector(&operation.right, grid, &mut |row| {
            self.interrupt.check()?;
            only_where(row, &present, matching, false).map_or(Ok(()), &mut *sink)
        })
    }
}

fn note(present: &mut Presence, row: &Row, matching: &Matching) {
    let steps = present
        .entry(key(&row.labels, matching))
        .or_insert_with(|| vec![false; row.values.len()]);
    for (step, value) in steps.iter_mut().zip(&row.values) {
        *step |= !is_absent(*value);
    }
}

/// The row at the steps where its labels are present, or are not.
fn only_where(mut row: Row, present: &Presence, matching: &Matching, wanted: bool) -> Option<Row> {
    let Some(steps) = present.get(&key(&row.labels, matching)) else {
        return (!wanted).then_some(row);
    };
    for (value, step) in row.values.iter_mut().zip(steps) {
        if *step != wanted {
            *value = ABSENT;
        }
    }
    row.has_values().then_some(row)
}
