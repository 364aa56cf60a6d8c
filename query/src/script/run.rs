//! Runs scripts.

use std::time::Duration;

use store::append::{Append, Arrival, Delivery, Row};
use store::memory::{Bounds, Memory};
use store::read::{STALE, Sample};

use super::command::{Command, Eval, Load};
use super::notation::Item;
use super::{compare, pin};
use crate::promql::{Answer, Options, Query, QueryError, Value, When, evaluate};

/// How a script went.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// How many evaluations gave what they should.
    pub passed: usize,
    /// Those that did not.
    pub failures: Vec<Failure>,
}

/// An evaluation that gave something else.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The line of the script, counted from 1.
    pub line: usize,
    /// The expression, as it was evaluated.
    pub expr: String,
    /// What should have come.
    pub wanted: String,
    /// What came.
    pub got: String,
}

/// Runs the commands of a script.
pub async fn run(commands: &[Command]) -> Report {
    let mut report = Report::default();
    let mut store = empty();
    for command in commands {
        match command {
            Command::Clear => store = empty(),
            Command::Load(load) => append(&store, load).await,
            Command::Wrong(wrong) => report.failures.push(Failure {
                line: wrong.line,
                expr: String::new(),
                wanted: "a command".to_owned(),
                got: wrong.message.clone(),
            }),
            Command::Eval(eval) => match check(&store, eval).await {
                Ok(()) => report.passed += 1,
                Err((expr, got)) => report.failures.push(Failure {
                    line: eval.line,
                    expr,
                    wanted: compare::describe_expected(eval),
                    got,
                }),
            },
        }
    }
    report
}

fn empty() -> Memory {
    Memory::new(Bounds {
        // Scripts are small; nothing of them may be let go.
        retention: Duration::from_secs(10 * 365 * 86_400),
        max_samples: u64::MAX / 32,
        generation: None,
        max_series: u64::MAX / 32,
    })
}

async fn append(store: &Memory, load: &Load) {
    let mut rows = Vec::new();
    for (labels, items) in &load.series {
        let mut at_ms = 0;
        for item in items {
            let value = match item {
                Item::Number(value) => Some(*value),
                Item::Stale => Some(STALE),
                // The store has no native histograms.
                Item::Missing | Item::Histogram => None,
            };
            rows.extend(value.map(|value| Row {
                labels: labels.clone(),
                sample: Sample { at_ms, value },
            }));
            at_ms += load.interval_ms;
        }
    }
    let delivery = Delivery {
        origin: None,
        arrival: Arrival {
            wall_ms: 0,
            steady_ms: 0,
            sent_ms: None,
        },
        rows,
        metadata: Vec::new(),
        exemplars: Vec::new(),
    };
    // The store in memory takes everything.
    let outcome = store.append(vec![delivery]).await;
    debug_assert!(outcome.is_ok());
}

/// The expression that gave something else, and what it gave.
type Wrong = (String, String);

async fn check(store: &Memory, eval: &Eval) -> Result<(), Wrong> {
    let answer = ask(store, &eval.expr, eval.when).await;
    judge(eval, &eval.expr, answer)?;
    let When::At(at_ms) = eval.when else {
        return Ok(());
    };
    let Ok(query) = Query::parse(&eval.expr) else {
        return Ok(());
    };
    if let Some(pinned) = pin::pinned(query.expr(), at_ms) {
        for other in other_times(at_ms) {
            let answer = ask(store, &pinned, When::At(other)).await;
            judge(eval, &pinned, answer)?;
        }
    }
    if eval.expected.fail.is_some() || pin::any(query.expr(), &pin::refers_to_query) {
        return Ok(());
    }
    check_in_range(store, eval, at_ms).await
}

/// Far before, at zero, between, at the time itself, and far after.
fn other_times(at_ms: i64) -> Vec<i64> {
    if at_ms == 0 {
        return vec![-1000, 0, 1000];
    }
    vec![-10 * at_ms, 0, at_ms / 5, at_ms, 10 * at_ms]
}

/// The value for one time must be the same where it is one of several.
async fn check_in_range(store: &Memory, eval: &Eval, at_ms: i64) -> Result<(), Wrong> {
    let expected = &eval.expected;
    if expected.ordered || expected.text.is_some() || expected.range.is_some() {
        return Ok(());
    }
    let step = Duration::from_secs(60);
    let when = When::Range {
        start_ms: at_ms - 60_000,
        end_ms: at_ms + 60_000,
        step,
    };
    let wrong = |got: String| (format!("{} (in a range)", eval.expr), got);
    let answer = ask(store, &eval.expr, when)
        .await
        .map_err(|failed| wrong(failed.to_string()))?;
    let Value::Matrix(series) = &answer.value else {
        return Err(wrong(compare::describe(&answer.value)));
    };
    let at_time = series.iter().filter_map(|series| {
        let sample = series.samples.iter().find(|sample| sample.at_ms == at_ms)?;
        let labels = series.labels.clone();
        Some(crate::promql::LabelledValue {
            labels,
            value: sample.value,
        })
    });
    let samples: Vec<_> = at_time.collect();
    let value = match (expected.scalar, samples.as_slice()) {
        (Some(_), [only]) => Value::Scalar {
            at_ms,
            value: only.value,
        },
        _ => Value::Vector { at_ms, samples },
    };
    let answer = Answer { value, ..answer };
    compare::check(eval, &answer).map_err(wrong)
}

async fn ask(store: &Memory, expr: &str, when: When) -> Result<Answer, QueryError> {
    evaluate(store, expr, when, &Options::default()).await
}

fn judge(eval: &Eval, expr: &str, answer: Result<Answer, QueryError>) -> Result<(), Wrong> {
    let wrong = |got: String| (expr.to_owned(), got);
    match (answer, &eval.expected.fail) {
        (Err(failed), Some(texts)) if texts.accept(&failed.to_string()) => Ok(()),
        (Err(failed), _) => Err(wrong(format!("failed: {failed}"))),
        (Ok(answer), Some(_)) => Err(wrong(compare::describe(&answer.value))),
        (Ok(answer), None) => compare::check(eval, &answer).map_err(wrong),
    }
}
