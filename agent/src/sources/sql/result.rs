//! Rows of a result as series, by what the query's file says of its columns.
//!
//! NULL is no number: the point is left out. A column that the file does not mention becomes an
//! untyped metric if it holds numbers, as in postgres_exporter. What should have been a number and
//! is none is told as a gap, once a column.

use std::collections::BTreeSet;

use tokio_postgres::SimpleQueryRow;
use wire::metric::{Kind, Label, Point, Suffix};

use crate::collect::Gather;

use super::file::{Column, Query, Usage};
use super::value::{duration, number, numbers};

/// Puts `rows` into `out`. `database` becomes a label where the same query runs in several and
/// does not name its own.
pub(super) fn gather(
    query: &Query,
    rows: &[SimpleQueryRow],
    database: Option<&str>,
    out: &mut Gather,
) {
    let mut wrong = BTreeSet::new();
    for row in rows {
        let result = Row {
            query,
            row,
            labels: labels(query, row, database),
        };
        result.gather(out, &mut wrong);
    }
    for (column, why) in wrong {
        let what = format!("{}.{column}", query.namespace);
        out.gap(
            what,
            why,
            "change its usage in the file, or cast it in the query",
        );
    }
}

fn labels(query: &Query, row: &SimpleQueryRow, database: Option<&str>) -> Vec<Label> {
    let mut labels: Vec<Label> = query
        .columns
        .iter()
        .filter(|column| column.usage == Usage::Label)
        .filter_map(|column| {
            Some(Label::new(
                column.name.clone(),
                text(row, &column.name)?.to_owned(),
            ))
        })
        .filter(|label| !label.value.is_empty())
        .collect();
    if let Some(database) = database
        && !labels.iter().any(|label| label.name == "datname")
    {
        labels.push(Label::new("datname", database.to_owned()));
    }
    labels
}

fn text<'a>(row: &'a SimpleQueryRow, name: &str) -> Option<&'a str> {
    let place = row
        .columns()
        .iter()
        .position(|column| column.name() == name)?;
    row.try_get(place).ok()?
}

struct Row<'a> {
    query: &'a Query,
    row: &'a SimpleQueryRow,
    labels: Vec<Label>,
}

type Wrong = BTreeSet<(String, &'static str)>;

impl Row<'_> {
    fn gather(&self, out: &mut Gather, wrong: &mut Wrong) {
        for column in &self.query.columns {
            if self.is_missing(&column.name) && column.usage != Usage::Discard {
                wrong.insert((column.name.clone(), "the result has no such column"));
                continue;
            }
            self.column(column, out, wrong);
        }
        for (place, column) in self.row.columns().iter().enumerate() {
            let name = column.name();
            if self.is_known(name) {
                continue;
            }
            if let Some(value) = self.row.try_get(place).ok().flatten().and_then(number) {
                let help = "A column that the query's file does not describe.";
                let name = format!("{}_{name}", self.query.namespace);
                out.family(name, help, Kind::Untyped)
                    .point(self.labels.clone(), value);
            }
        }
    }

    fn is_missing(&self, name: &str) -> bool {
        !self
            .row
            .columns()
            .iter()
            .any(|column| column.name() == name)
    }

    /// Whether the file says what the column is; the parts of a histogram go by its name.
    fn is_known(&self, name: &str) -> bool {
        let parts = ["_bucket", "_sum", "_count"];
        self.query.columns.iter().any(|column| {
            let is_part = || {
                parts
                    .iter()
                    .any(|part| name.strip_suffix(part) == Some(&column.name))
            };
            column.name == name || (column.usage == Usage::Histogram && is_part())
        })
    }

    fn column(&self, column: &Column, out: &mut Gather, wrong: &mut Wrong) {
        let Some(text) = text(self.row, &column.name) else {
            return;
        };
        let name = format!("{}_{}", self.query.namespace, column.name);
        let (value, kind, name) = match &column.usage {
            Usage::Discard | Usage::Label => return,
            Usage::Histogram => {
                if self.histogram(&name, column, out).is_none() {
                    let why =
                        "no histogram: bounds, _bucket, _sum or _count are missing or no numbers";
                    wrong.insert((column.name.clone(), why));
                }
                return;
            }
            Usage::Counter => (number(text), Kind::Counter, name),
            Usage::Gauge => (number(text), Kind::Gauge, name),
            Usage::Mapped(words) => (words.get(text).copied(), Kind::Gauge, name),
            // `-1` stands for a duration without end.
            Usage::Duration if text == "-1" => return,
            Usage::Duration => (duration(text), Kind::Gauge, format!("{name}_milliseconds")),
        };
        match value {
            Some(value) => {
                out.family(name, column.help.clone(), kind)
                    .point(self.labels.clone(), value);
            }
            None => {
                wrong.insert((
                    column.name.clone(),
                    "not a number, nor a word that stands for one",
                ));
            }
        }
    }

    fn histogram(&self, name: &str, column: &Column, out: &mut Gather) -> Option<()> {
        let part = |suffix: &str| text(self.row, &format!("{}{suffix}", column.name));
        let bounds = numbers(text(self.row, &column.name)?)?;
        let buckets = numbers(part("_bucket")?)?;
        let sum = number(part("_sum")?)?;
        let count = number(part("_count")?)?;
        let mut series = out.family(name.to_owned(), column.help.clone(), Kind::Histogram);
        let mut point = |suffix, bound: Option<f64>, value| {
            let mut labels = self.labels.clone();
            if let Some(bound) = bound {
                let bound = match bound == f64::INFINITY {
                    true => "+Inf".to_owned(),
                    false => bound.to_string(),
                };
                labels.push(Label::new("le", bound));
            }
            series.exact(Point {
                suffix,
                labels,
                value,
                at_ms: None,
            });
        };
        for (bound, value) in bounds.iter().zip(&buckets) {
            if *bound != f64::INFINITY {
                point(Suffix::Bucket, Some(*bound), *value);
            }
        }
        point(Suffix::Bucket, Some(f64::INFINITY), count);
        point(Suffix::Sum, None, sum);
        point(Suffix::Count, None, count);
        Some(())
    }
}
