//! `label_replace` and `label_join`.

use std::collections::HashMap;

use store::labels::{Labels, METRIC_NAME};

use super::Evaluator;
use super::finish::merge_row;
use super::row::{Row, Sink};
use crate::promql::error::QueryError;
use crate::promql::labels;
use crate::promql::plan::{Grid, Relabel, Vector};

impl Evaluator<'_> {
    pub(super) fn relabel(
        &self,
        of: &Vector,
        relabel: &Relabel,
        grid: Grid,
        sink: &mut Sink<'_>,
    ) -> Result<(), QueryError> {
        let mut places = HashMap::new();
        let mut rows: Vec<Row> = Vec::new();
        self.vector(of, grid, &mut |mut row| {
            self.charge(row.values.len())?;
            if let Some((target, labels)) = relabelled(&row.labels, relabel) {
                row.labels = labels;
                // A name that is set here is meant to stay.
                row.unnamed &= target != METRIC_NAME;
            }
            merge_row(&mut places, &mut rows, row)
        })?;
        rows.into_iter().try_for_each(sink)
    }
}

/// The label that is set and the labels with it; nothing if they stay as they are.
fn relabelled<'r>(labels: &Labels, relabel: &'r Relabel) -> Option<(&'r str, Labels)> {
    match relabel {
        Relabel::Replace {
            target,
            template,
            source,
            pattern,
        } => {
            let value = labels.get(source).unwrap_or_default();
            let found = pattern.captures(value)?;
            let mut replaced = String::new();
            found.expand(template, &mut replaced);
            Some((target, labels::with(labels, target, &replaced)))
        }
        Relabel::Join {
            target,
            separator,
            sources,
        } => {
            let values = sources
                .iter()
                .map(|source| labels.get(source).unwrap_or_default());
            let joined = values.collect::<Vec<_>>().join(separator);
            Some((target, labels::with(labels, target, &joined)))
        }
    }
}
