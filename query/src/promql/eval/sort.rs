//! The order of series; it matters where the query asks for one time only.

use std::cmp::Ordering;

use super::Evaluator;
use super::row::{Row, Sink, is_absent};
use crate::promql::error::QueryError;
use crate::promql::functions::SortOrder;
use crate::promql::functions::natural;
use crate::promql::plan::{Grid, Vector};

impl Evaluator<'_> {
    pub(super) fn sort(
        &self,
        (order, labels): (SortOrder, &[String]),
        of: &Vector,
        grid: Grid,
        sink: &mut Sink<'_>,
    ) -> Result<(), QueryError> {
        if grid.count != 1 {
            return self.vector(of, grid, sink);
        }
        let mut rows = self.collect(of, grid)?;
        rows.retain(|row| row.values.first().is_some_and(|value| !is_absent(*value)));
        rows.sort_by(|a, b| match order {
            SortOrder::Ascending => by_value(a, b, f64::total_cmp),
            SortOrder::Descending => by_value(a, b, |a, b| b.total_cmp(a)),
            SortOrder::ByLabel => by_labels(a, b, labels),
            SortOrder::ByLabelDescending => by_labels(b, a, labels),
        });
        rows.into_iter().try_for_each(sink)
    }
}

/// NaN comes last in either direction.
pub(super) fn by_value(a: &Row, b: &Row, order: fn(&f64, &f64) -> Ordering) -> Ordering {
    let (x, y) = (a.values[0], b.values[0]);
    let nan_last = x.is_nan().cmp(&y.is_nan());
    // Zero and minus zero are one value.
    let (x, y) = (x + 0.0, y + 0.0);
    nan_last.then_with(|| {
        if x.is_nan() {
            Ordering::Equal
        } else {
            order(&x, &y)
        }
    })
}

fn by_labels(a: &Row, b: &Row, labels: &[String]) -> Ordering {
    let named = labels.iter().map(|label| {
        let (a, b) = (a.labels.get(label), b.labels.get(label));
        natural::compare(a.unwrap_or_default(), b.unwrap_or_default())
    });
    let mut decisive = named.filter(|order| order.is_ne());
    decisive.next().unwrap_or_else(|| a.labels.cmp(&b.labels))
}
