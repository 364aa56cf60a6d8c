//! Series put together by their labels.
//!
//! Sums and the like hold one value a group and step, however many series there are. What picks
//! among series, or needs all values at once, lives in [`pick`] and [`collected`].

mod collected;
mod fold;
mod hash;
mod pick;

use std::collections::HashMap;

use store::labels::{Labels, METRIC_NAME};

use super::Evaluator;
use super::row::{Row, Sink};
use crate::promql::ast::{AggregateOp, Grouping};
use crate::promql::error::QueryError;
use crate::promql::functions::kahan::{Mean, Sum};
use crate::promql::labels;
use crate::promql::plan::{Aggregate, Grid, Parameter};

impl Evaluator<'_> {
    pub(super) fn aggregate(
        &self,
        aggregate: &Aggregate,
        grid: Grid,
        sink: &mut Sink<'_>,
    ) -> Result<(), QueryError> {
        match aggregate.op {
            AggregateOp::Sum => self.fold::<Sum>(aggregate, grid, sink),
            AggregateOp::Avg => self.fold::<Mean>(aggregate, grid, sink),
            AggregateOp::Count => self.fold::<fold::Count>(aggregate, grid, sink),
            AggregateOp::Min => self.fold::<fold::Min>(aggregate, grid, sink),
            AggregateOp::Max => self.fold::<fold::Max>(aggregate, grid, sink),
            AggregateOp::Group => self.fold::<fold::One>(aggregate, grid, sink),
            AggregateOp::Stddev => self.fold::<fold::Deviation>(aggregate, grid, sink),
            AggregateOp::Stdvar => self.fold::<fold::Variance>(aggregate, grid, sink),
            AggregateOp::TopK | AggregateOp::BottomK => self.extremes(aggregate, grid, sink),
            AggregateOp::LimitK => self.limit(aggregate, grid, sink),
            AggregateOp::LimitRatio => self.limit_ratio(aggregate, grid, sink),
            AggregateOp::Quantile => self.group_quantile(aggregate, grid, sink),
            AggregateOp::CountValues => self.count_values(aggregate, grid, sink),
        }
    }

    /// The values of the scalar parameter.
    fn parameter(&self, aggregate: &Aggregate, grid: Grid) -> Result<Vec<f64>, QueryError> {
        match &aggregate.parameter {
            Parameter::Scalar(scalar) => self.scalar(scalar, grid),
            Parameter::None | Parameter::Label(_) => Ok(Vec::new()),
        }
    }
}

/// Groups in the order of their first series, each with what is kept of it.
struct Groups<'a, T> {
    grouping: &'a Grouping,
    places: HashMap<Labels, usize>,
    groups: Vec<Group<T>>,
}

struct Group<T> {
    labels: Labels,
    unnamed: bool,
    kept: T,
}

impl<'a, T> Groups<'a, T> {
    fn new(grouping: &'a Grouping) -> Self {
        Self {
            grouping,
            places: HashMap::new(),
            groups: Vec::new(),
        }
    }

    /// What is kept of the group that a row belongs to.
    fn of(&mut self, row: &Row, make: impl FnOnce() -> T) -> &mut T {
        let labels = match self.grouping {
            Grouping::None => Labels::from_pairs([]),
            Grouping::By(names) => labels::keep(&row.labels, names),
            Grouping::Without(names) => labels::without_name_and(&row.labels, names),
        };
        let groups = &mut self.groups;
        let place = *self.places.entry(labels).or_insert_with_key(|labels| {
            groups.push(Group {
                labels: labels.clone(),
                unnamed: false,
                kept: make(),
            });
            groups.len() - 1
        });
        let group = &mut self.groups[place];
        // Grouped by a name that is no longer true of one series, it is true of none.
        group.unnamed |= row.unnamed && group.labels.get(METRIC_NAME).is_some();
        &mut group.kept
    }
}
