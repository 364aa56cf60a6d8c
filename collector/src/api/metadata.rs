//! `/api/v1/metadata` and `/api/v1/targets/metadata`: what metrics mean, of all and by target.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde_json::{Map, Value, json};
use store::labels::{Labels, METRIC_NAME};
use store::matcher::Matcher;
use store::read::{Metadata, Read, Selector, TimeRange};
use tokio::runtime::Handle;
use wire::metric::Kind;

use crate::collector::Store;

use super::Api;
use super::answer::{ApiError, success};
use super::params::Params;

/// Of a family that has several names, what they add to it.
const SUFFIXES: [&str; 4] = ["", "_bucket", "_sum", "_count"];

pub(super) async fn families(
    State(api): State<Arc<Api>>,
    params: Params,
) -> Result<Response, ApiError> {
    let metric = params.first("metric").map(str::to_owned);
    let limit = params.old_limit("limit")?;
    // Of each metric the store keeps what was said last, which is one entry: any limit has room for it.
    params.count("limit_per_metric")?;
    let store = api.store()?;
    let work = move |_: &_| {
        let found = Handle::current().block_on(store.metadata(metric.as_deref()))?;
        let found = found.into_iter().take(limit.unwrap_or(usize::MAX));
        let found = found.map(|(name, said)| (name, json!([view(&said)])));
        Ok(Value::Object(found.collect()))
    };
    api.queries.run(None, work).await.map(success)
}

pub(super) async fn by_target(
    State(api): State<Arc<Api>>,
    params: Params,
) -> Result<Response, ApiError> {
    let metric = params.first("metric").map(str::to_owned);
    let selector = params.selector("match_target")?;
    let limit = params.old_limit("limit")?.unwrap_or(usize::MAX);
    let store = api.store()?;
    let work = move |_: &_| {
        let found = of_targets(
            &store,
            metric.as_deref(),
            selector.unwrap_or_default(),
            limit,
        )?;
        Ok(Value::Array(found))
    };
    api.queries.run(None, work).await.map(success)
}

fn of_targets(
    store: &Store,
    metric: Option<&str>,
    mut selector: Selector,
    limit: usize,
) -> Result<Vec<Value>, ApiError> {
    let runtime = Handle::current();
    let families: BTreeMap<String, Metadata> = runtime
        .block_on(store.metadata(metric))?
        .into_iter()
        .collect();
    if let Some(metric) = metric {
        let pattern = format!("{}(_bucket|_sum|_count)?", plain(metric));
        let matcher = Matcher::matches(METRIC_NAME, &pattern);
        selector.push(matcher.map_err(|wrong| ApiError::parameter("metric", wrong))?);
    }
    let series = runtime.block_on(store.series(&[selector], TimeRange::ALL, None))?;
    let mut pairs: BTreeSet<(Labels, &str)> = BTreeSet::new();
    for labels in &series.items {
        if let Some(family) = family_of(labels.metric_name(), &families) {
            pairs.insert((target_of(labels), family));
        }
    }
    let targets: BTreeSet<&Labels> = pairs.iter().map(|(target, _)| target).collect();
    let targets: BTreeSet<&Labels> = targets.into_iter().take(limit).collect();
    let shown = pairs.iter().filter(|(target, _)| targets.contains(target));
    Ok(shown
        .map(|(target, family)| {
            let mut shown = view(&families[*family]);
            shown["target"] = labels_value(target);
            if metric.is_none() {
                shown["metric"] = (*family).into();
            }
            shown
        })
        .collect())
}

/// A metric name as a pattern that matches it alone.
fn plain(name: &str) -> String {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let escaped = name.chars().map(|c| match is_word(c) {
        true => c.to_string(),
        false => format!("\\x{{{:x}}}", u32::from(c)),
    });
    escaped.collect()
}

fn family_of<'a>(name: &str, families: &'a BTreeMap<String, Metadata>) -> Option<&'a str> {
    let candidates = SUFFIXES
        .iter()
        .filter_map(|suffix| name.strip_suffix(suffix));
    candidates
        .filter_map(|family| families.get_key_value(family))
        .map(|(family, _)| family.as_str())
        .next()
}

fn target_of(labels: &Labels) -> Labels {
    let is_target = |name: &str| matches!(name, "job" | "instance");
    Labels::from_pairs(labels.iter().filter(|(name, _)| is_target(name)))
}

fn view(said: &Metadata) -> Value {
    // The text format says untyped, the API unknown.
    let kind = match said.kind {
        Kind::Untyped => "unknown",
        kind => kind.as_str(),
    };
    json!({"type": kind, "help": said.help, "unit": said.unit})
}

/// Labels as a tree, for answers that are small.
pub(super) fn labels_value(labels: &Labels) -> Value {
    let pairs = labels
        .iter()
        .map(|(name, value)| (name.to_owned(), value.into()));
    Value::Object(pairs.collect::<Map<_, _>>())
}
