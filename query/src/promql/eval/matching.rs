//! Operators between two vectors: which series belong together, and what comes of each pair.
//!
//! Series are put into groups by the labels that must agree. Within a group one side may have one
//! series at a step only; that it is another at another step is no error. Pairs are computed over
//! all steps at once.

use std::collections::HashMap;

use store::labels::Labels;

use super::Evaluator;
use super::operate::{drops_name, on_samples};
use super::row::{ABSENT, Row, Sink, is_absent, merge};
use crate::promql::ast::{Cardinality, Matching};
use crate::promql::error::QueryError;
use crate::promql::labels;
use crate::promql::plan::{Grid, Match};

/// The labels by which series of two sides are matched.
pub(super) fn key(labels: &Labels, matching: &Matching) -> Labels {
    if matching.on {
        labels::keep(labels, &matching.labels)
    } else {
        labels::without_name_and(labels, &matching.labels)
    }
}

/// The series of both sides that agree in their labels, by their places.
#[derive(Default)]
struct Group {
    many: Vec<usize>,
    one: Vec<usize>,
}

impl Evaluator<'_> {
    pub(super) fn matching(
        &self,
        operation: &Match,
        grid: Grid,
        sink: &mut Sink<'_>,
    ) -> Result<(), QueryError> {
        let left = self.collect(&operation.left, grid)?;
        let right = self.collect(&operation.right, grid)?;
        let swapped = operation.matching.cardinality == Cardinality::OneToMany;
        let (many, one) = if swapped {
            (&right, &left)
        } else {
            (&left, &right)
        };
        let mut pairs = Pairs {
            operation,
            swapped,
            many,
            one,
            places: HashMap::new(),
            rows: Vec::new(),
        };
        for (key, group) in groups(many, one, &operation.matching) {
            self.interrupt.check()?;
            pairs.group(&key, &group)?;
        }
        for row in pairs.rows {
            if row.has_values() {
                sink(row)?;
            }
        }
        Ok(())
    }
}

/// Groups in the order of their first series.
fn groups(many: &[Row], one: &[Row], matching: &Matching) -> Vec<(Labels, Group)> {
    let mut places: HashMap<Labels, usize> = HashMap::new();
    let mut groups: Vec<(Labels, Group)> = Vec::new();
    let sides = [(many, true), (one, false)];
    for (rows, is_many) in sides {
        for (place, row) in rows.iter().enumerate() {
            let key = key(&row.labels, matching);
            let group = *places.entry(key).or_insert_with_key(|key| {
                groups.push((key.clone(), Group::default()));
                groups.len() - 1
            });
            let group = &mut groups[group].1;
            if is_many {
                group.many.push(place)
            } else {
                group.one.push(place)
            }
        }
    }
    groups
}

struct Pairs<'a> {
    operation: &'a Match,
    /// Whether the side of many is the right one.
    swapped: bool,
    many: &'a [Row],
    one: &'a [Row],
    places: HashMap<Labels, usize>,
    rows: Vec<Row>,
}

impl Pairs<'_> {
    fn group(&mut self, key: &Labels, group: &Group) -> Result<(), QueryError> {
        let matching = &self.operation.matching;
        let fills = (matching.fill_left, matching.fill_right);
        let (fill_many, fill_one) = if self.swapped {
            (fills.1, fills.0)
        } else {
            fills
        };
        let ones = self.check_one_side(key, group)?;
        if matching.cardinality == Cardinality::OneToOne && group.many.len() > 1 {
            self.check_one_to_one(group, &ones, fill_one.is_some())?;
        }
        for many in &group.many {
            for one in &group.one {
                let (many, one) = (&self.many[*many], &self.one[*one]);
                self.pair((&many.labels, &many.values), (&one.labels, &one.values))?;
            }
        }
        if let Some(value) = fill_one {
            let filled = where_absent(&ones, value);
            for many in &group.many {
                let many = &self.many[*many];
                self.pair((&many.labels, &many.values), (key, &filled))?;
            }
        }
        if let Some(value) = fill_many {
            let filled = where_absent(&self.any_of_many(group, ones.len()), value);
            for one in &group.one {
                let one = &self.one[*one];
                self.pair((key, &filled), (&one.labels, &one.values))?;
            }
        }
        Ok(())
    }

    /// The steps at which any series of the many is there.
    fn any_of_many(&self, group: &Group, steps: usize) -> Vec<f64> {
        let mut any = vec![ABSENT; steps];
        for many in &group.many {
            for (known, value) in any.iter_mut().zip(&self.many[*many].values) {
                if !is_absent(*value) {
                    *known = *value;
                }
            }
        }
        any
    }

    /// The values of the side of one, whichever series they come from.
    fn check_one_side(&self, key: &Labels, group: &Group) -> Result<Vec<f64>, QueryError> {
        let steps = group.one.first().map(|place| &self.one[*place]);
        let steps = steps.or_else(|| group.many.first().map(|place| &self.many[*place]));
        let mut ones = vec![ABSENT; steps.map_or(0, |row| row.values.len())];
        for (place, one) in group.one.iter().enumerate() {
            let row = &self.one[*one];
            if merge(&mut ones, &row.values) {
                continue;
            }
            let earlier = group.one[..place].iter().map(|earlier| &self.one[*earlier]);
            let overlaps = |other: &&Row| {
                let mut both = other.values.iter().zip(&row.values);
                both.any(|(a, b)| !is_absent(*a) && !is_absent(*b))
            };
            let other = earlier.into_iter().find(overlaps).unwrap_or(row);
            return Err(self.several_on_one_side(key, &other.labels, &row.labels));
        }
        Ok(ones)
    }

    fn several_on_one_side(&self, key: &Labels, a: &Labels, b: &Labels) -> QueryError {
        let side = if self.swapped { "left" } else { "right" };
        let (first, second) = if a <= b { (a, b) } else { (b, a) };
        QueryError::Execution(format!(
            "found duplicate series for the match group {} on the {side} hand-side of the operation: [{}, {}];many-to-many matching not allowed: matching labels must be unique on one side",
            labels::text(key),
            labels::text(first),
            labels::text(second)
        ))
    }

    fn check_one_to_one(
        &self,
        group: &Group,
        ones: &[f64],
        one_is_filled: bool,
    ) -> Result<(), QueryError> {
        let mut taken = vec![false; ones.len()];
        for many in &group.many {
            for (step, value) in self.many[*many].values.iter().enumerate() {
                if is_absent(*value) || (is_absent(ones[step]) && !one_is_filled) {
                    continue;
                }
                if std::mem::replace(&mut taken[step], true) {
                    let message = "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)";
                    return Err(QueryError::Execution(message.to_owned()));
                }
            }
        }
        Ok(())
    }

    /// What comes of two series, over all steps.
    fn pair(
        &mut self,
        (many_labels, many): (&Labels, &[f64]),
        (one_labels, one): (&Labels, &[f64]),
    ) -> Result<(), QueryError> {
        let (op, return_bool) = (self.operation.op, self.operation.return_bool);
        let swapped = self.swapped;
        let mut both = false;
        let values = many.iter().zip(one).map(|(many, one)| {
            if is_absent(*many) || is_absent(*one) {
                return ABSENT;
            }
            both = true;
            let sides = if swapped {
                (*one, *many)
            } else {
                (*many, *one)
            };
            on_samples(op, return_bool, sides, sides.0)
        });
        let values: Vec<f64> = values.collect();
        if !both {
            return Ok(());
        }
        let row = Row {
            labels: self.labels_of_pair(many_labels, one_labels),
            unnamed: drops_name(op, return_bool),
            values,
        };
        self.add(row)
    }

    fn labels_of_pair(&self, many: &Labels, one: &Labels) -> Labels {
        let matching = &self.operation.matching;
        let mut result = many.clone();
        if matching.cardinality == Cardinality::OneToOne {
            result = if matching.on {
                labels::keep(many, &matching.labels)
            } else {
                labels::without(many, &matching.labels)
            };
        }
        for name in &matching.include {
            result = labels::with(&result, name, one.get(name).unwrap_or_default());
        }
        result
    }

    fn add(&mut self, row: Row) -> Result<(), QueryError> {
        let Some(place) = self.places.get(&row.labels) else {
            self.places.insert(row.labels.clone(), self.rows.len());
            self.rows.push(row);
            return Ok(());
        };
        if merge(&mut self.rows[*place].values, &row.values) {
            return Ok(());
        }
        let message = "multiple matches for labels: grouping labels must ensure unique matches";
        Err(QueryError::Execution(message.to_owned()))
    }
}

/// A value at the steps where there is none, and none where there is.
fn where_absent(values: &[f64], fill: f64) -> Vec<f64> {
    let filled = values
        .iter()
        .map(|value| if is_absent(*value) { fill } else { ABSENT });
    filled.collect()
}
