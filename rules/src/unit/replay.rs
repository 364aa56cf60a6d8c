//! The store of a test: its series come in as time goes on, and what rules write comes beside them.

use std::collections::BTreeSet;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use query::promql::{self, Interrupt, LabelledValue, Query, QueryError, Value, When};
use query::script::notation::Item;
use store::append::{Arrival, Delivery, Row};
use store::labels::Labels;
use store::memory::{Bounds, Memory};
use store::read::{STALE, Sample};

use super::UnitTest;

/// The store, and what has not come in yet.
pub(super) struct Replay {
    store: Memory,
    /// Ascending in time.
    waiting: std::iter::Peekable<std::vec::IntoIter<Row>>,
    options: promql::Options,
}

impl Replay {
    pub(super) fn new(test: &UnitTest, evaluation_interval: Duration) -> Self {
        let mut rows = Vec::new();
        let interval_ms = i64::try_from(test.interval.as_millis()).unwrap_or(i64::MAX);
        for (labels, items) in &test.series {
            let mut at_ms = test.start_ms;
            for item in items {
                let value = match item {
                    Item::Number(value) => Some(*value),
                    Item::Stale => Some(STALE),
                    Item::Missing | Item::Histogram => None,
                };
                let labels = labels.clone();
                rows.extend(value.map(|value| Row {
                    labels,
                    sample: Sample { at_ms, value },
                }));
                at_ms = at_ms.saturating_add(interval_ms);
            }
        }
        rows.sort_by_key(|row| row.sample.at_ms);
        Self {
            store: Memory::new(Bounds {
                // Nothing of a test may be let go.
                retention: Duration::from_secs(100 * 365 * 86_400),
                max_samples: u64::MAX / 32,
                generation: None,
                max_series: u64::MAX / 32,
            }),
            waiting: rows.into_iter().peekable(),
            options: promql::Options {
                default_step: evaluation_interval,
                ..promql::Options::default()
            },
        }
    }

    /// Takes in what the series have up to a time.
    pub(super) fn until(&mut self, at_ms: i64) {
        let mut rows = Vec::new();
        while let Some(row) = self.waiting.next_if(|row| row.sample.at_ms <= at_ms) {
            rows.push(row);
        }
        self.append(rows);
    }

    /// Takes in what a rule gave, and marks as ended what it gave before and gives no more. Says what
    /// it gave.
    pub(super) fn write(
        &mut self,
        series: Vec<LabelledValue>,
        before: &BTreeSet<Labels>,
        at_ms: i64,
    ) -> BTreeSet<Labels> {
        let given: BTreeSet<Labels> = series.iter().map(|one| one.labels.clone()).collect();
        let row = |labels: Labels, value: f64| Row {
            labels,
            sample: Sample { at_ms, value },
        };
        let ended = before.difference(&given).cloned();
        let ended = ended.map(|labels| row(labels, STALE));
        let mut rows: Vec<Row> = ended.collect();
        rows.extend(series.into_iter().map(|one| row(one.labels, one.value)));
        self.append(rows);
        given
    }

    fn append(&mut self, rows: Vec<Row>) {
        if rows.is_empty() {
            return;
        }
        self.store.apply(Delivery {
            origin: None,
            arrival: Arrival {
                wall_ms: 0,
                steady_ms: 0,
                sent_ms: None,
            },
            rows,
            metadata: Vec::new(),
            exemplars: Vec::new(),
        });
    }

    /// Answers an expression at a time.
    pub(super) fn ask(&self, query: &Query, at_ms: i64) -> Result<Value, String> {
        let answer = || -> Result<Value, QueryError> {
            let prepared = query.prepare(When::At(at_ms), &self.options)?;
            let loaded = at_once(prepared.load(&self.store))?;
            Ok(loaded.evaluate(&Interrupt::default())?.sort().value)
        };
        answer().map_err(|wrong| wrong.to_string())
    }
}

/// Runs what never has to wait.
fn at_once<T>(future: impl Future<Output = Result<T, QueryError>>) -> Result<T, QueryError> {
    let mut context = Context::from_waker(Waker::noop());
    match pin!(future).poll(&mut context) {
        Poll::Ready(done) => done,
        Poll::Pending => Err(QueryError::Execution(
            "the store in memory made a query wait".to_owned(),
        )),
    }
}
