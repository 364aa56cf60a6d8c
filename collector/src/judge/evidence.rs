//! The samples that decided a transition: of every series that the rule selects and that the alert does
//! not contradict, the newest.

use std::collections::BTreeSet;

use query::instant;
use query::promql::{Expr, Query};
use rules::state::Event;
use serde_json::{Value, json};
use store::labels::{Labels, METRIC_NAME};
use store::matcher::Matcher;
use store::read::Sample;

use super::env::Asker;

/// Samples that are kept of one transition at the most: enough for a person, and for a rule over a
/// whole fleet only a part of what it read.
const MOST: usize = 20;

/// Selectors of an expression that are looked at.
const MOST_SELECTORS: usize = 8;

/// For each event its evidence, as JSON: a list of series with the time and value of their sample.
pub(super) fn gather(asker: &Asker, query: &Query, events: &[Event], at_ms: i64) -> Vec<String> {
    if events.is_empty() {
        return Vec::new();
    }
    let mut found: Vec<(Labels, Sample)> = Vec::new();
    let mut failures: Vec<String> = Vec::new();
    for matchers in selectors(query.expr()) {
        let (lookback, most) = (asker.options.lookback, asker.options.max_samples);
        let selected = instant::select(&*asker.store, &matchers, at_ms, lookback, most);
        match asker.wait(selected) {
            Ok(Ok(selected)) => found.extend(selected),
            // The transition counts all the same; that its evidence is missing is said beside it.
            Ok(Err(error)) => failures.push(error.to_string()),
            Err(error) => failures.push(error.to_string()),
        }
    }
    let of = |event: &Event| {
        let series = &event.alert.series;
        let samples = found.iter().filter(|(labels, _)| agrees(labels, series));
        let mut told: Vec<Value> = samples
            .take(MOST)
            .map(|(labels, sample)| shown(labels, *sample))
            .collect();
        told.extend(failures.iter().map(|failure| json!({"error": failure})));
        Value::Array(told).to_string()
    };
    events.iter().map(of).collect()
}

fn shown(labels: &Labels, sample: Sample) -> Value {
    let metric: serde_json::Map<String, Value> = labels
        .iter()
        .map(|(name, value)| (name.to_owned(), value.into()))
        .collect();
    json!({
        "metric": metric,
        "at": sample.at_ms as f64 / 1_000.0,
        "value": query::promql::go_float(sample.value),
    })
}

/// Whether no label says otherwise.
fn agrees(labels: &Labels, series: &Labels) -> bool {
    let mut own = series.iter().filter(|(name, _)| *name != METRIC_NAME);
    own.all(|(name, value)| labels.get(name).is_none_or(|found| found == value))
}

/// The conditions of each selector of an expression, each once.
fn selectors(expr: &Expr) -> Vec<Vec<Matcher>> {
    let (mut found, mut known) = (Vec::new(), BTreeSet::new());
    let mut open = vec![expr];
    while let Some(expr) = open.pop() {
        open.extend(expr.children());
        let selector = match expr {
            Expr::Selector(selector) => &**selector,
            Expr::Matrix(matrix) => &matrix.selector,
            _ => continue,
        };
        let matchers: Vec<Matcher> = selector
            .matches
            .iter()
            .map(|one| one.matcher.clone())
            .collect();
        let text: Vec<String> = matchers.iter().map(ToString::to_string).collect();
        if known.insert(text) && found.len() < MOST_SELECTORS {
            found.push(matchers);
        }
    }
    found
}
