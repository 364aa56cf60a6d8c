//! The last step: names that are no longer true go, and series become the answer.

use std::collections::HashMap;

use store::labels::Labels;
use store::read::{Sample, Series};

use super::row::{Row, is_absent, merge};
use crate::promql::answer::{LabelledValue, Value};
use crate::promql::ast::AggregateOp;
use crate::promql::error::QueryError;
use crate::promql::labels;
use crate::promql::plan::{Grid, Vector};

/// A scalar; over several times it is a series without labels.
pub(super) fn scalar(values: Vec<f64>, grid: Grid, is_range: bool) -> Value {
    if !is_range {
        return Value::Scalar {
            at_ms: grid.start_ms,
            value: values.first().copied().unwrap_or(f64::NAN),
        };
    }
    Value::Matrix(vec![Series {
        labels: Labels::from_pairs([]),
        samples: samples(&values, grid),
    }])
}

/// A vector, in the order in which it came.
pub(super) fn vector(rows: Vec<Row>, grid: Grid, is_range: bool) -> Result<Value, QueryError> {
    let rows = without_names(rows)?;
    if is_range {
        let series = rows.into_iter().map(|row| Series {
            samples: samples(&row.values, grid),
            labels: row.labels,
        });
        return Ok(Value::Matrix(
            series.filter(|series| !series.samples.is_empty()).collect(),
        ));
    }
    let values = rows.into_iter().filter_map(|row| {
        let value = row
            .values
            .first()
            .copied()
            .filter(|value| !is_absent(*value))?;
        Some(LabelledValue {
            labels: row.labels,
            value,
        })
    });
    Ok(Value::Vector {
        at_ms: grid.start_ms,
        samples: values.collect(),
    })
}

/// Whether a vector comes in an order of its own.
pub(super) fn keeps_order(vector: &Vector) -> bool {
    match vector {
        Vector::Sort(..) => true,
        Vector::Aggregate(aggregate) => {
            matches!(aggregate.op, AggregateOp::TopK | AggregateOp::BottomK)
        }
        Vector::Repeat(of) => keeps_order(of),
        _ => false,
    }
}

/// Takes away the names that are no longer true. Series that are the same then become one, if they
/// have no time in common.
fn without_names(rows: Vec<Row>) -> Result<Vec<Row>, QueryError> {
    let mut places: HashMap<Labels, usize> = HashMap::with_capacity(rows.len());
    let mut merged: Vec<Row> = Vec::with_capacity(rows.len());
    for mut row in rows {
        if row.unnamed {
            row.labels = labels::without_name_and(&row.labels, &[]);
        }
        merge_row(&mut places, &mut merged, row)?;
    }
    Ok(merged)
}

/// Adds a row, to one of the same labels if there is one.
pub(super) fn merge_row(
    places: &mut HashMap<Labels, usize>,
    rows: &mut Vec<Row>,
    row: Row,
) -> Result<(), QueryError> {
    if let Some(place) = places.get(&row.labels) {
        let known = &mut rows[*place];
        known.unnamed |= row.unnamed;
        if !merge(&mut known.values, &row.values) {
            return Err(same_labels());
        }
        return Ok(());
    }
    places.insert(row.labels.clone(), rows.len());
    rows.push(row);
    Ok(())
}

/// As Prometheus says it.
pub(super) fn same_labels() -> QueryError {
    QueryError::Execution("vector cannot contain metrics with the same labelset".to_owned())
}

fn samples(values: &[f64], grid: Grid) -> Vec<Sample> {
    let present = values
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
