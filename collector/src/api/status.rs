//! `/api/v1/status/*` and `/api/v1/features`: what this server is and does, in the words in which
//! Prometheus' clients ask. What has no counterpart here is left out.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use query::promql::FUNCTIONS;
use serde_json::{Map, Value, json};
use store::memory::{Cardinality, Count};
use wire::quantity::{Period, Size};

use super::Api;
use super::answer::{ApiError, success};
use super::params::Params;
use super::time;

/// How many entries each list of statistics has, as Prometheus has it, unless the client says.
const LISTED: usize = 10;

/// The most that a client may ask for.
const MOST_LISTED: usize = 10_000;

/// The settings in force, as the YAML that clients of Prometheus expect.
pub(super) async fn config(State(api): State<Arc<Api>>) -> Response {
    let settings = settings(&api).into_iter();
    let lines = settings.map(|(key, value)| format!("  {key}: {}\n", json!(value)));
    let yaml = format!("nightshift:\n{}", lines.collect::<String>());
    success(json!({ "yaml": yaml }))
}

/// The same settings under the names of Prometheus' flags, where there is one that means the same.
pub(super) async fn flags(State(api): State<Arc<Api>>) -> Response {
    let settings = settings(&api);
    let named = [
        ("query.timeout", "query.timeout"),
        ("query.max-samples", "query.max_samples"),
        ("query.max-concurrency", "query.concurrency"),
        ("query.lookback-delta", "query.lookback"),
        ("storage.tsdb.path", "data"),
        ("storage.tsdb.retention.time", "store.retention"),
        ("web.listen-address", "listen"),
        ("log.level", "log.level"),
    ];
    let flags = named.into_iter().filter_map(|(flag, key)| {
        let (_, value) = settings.iter().find(|(name, _)| *name == key)?;
        Some((flag.to_owned(), value.clone().into()))
    });
    success(Value::Object(flags.collect::<Map<_, _>>()))
}

fn settings(api: &Api) -> Vec<(&'static str, String)> {
    let config = &api.config;
    let query = &config.query;
    vec![
        ("data", config.data.display().to_string()),
        ("listen", config.listen.clone()),
        (
            "store.retention",
            Period(config.store.retention).to_string(),
        ),
        ("store.max_samples", config.store.max_samples.to_string()),
        ("store.max_series", config.store.max_series.to_string()),
        (
            "store.future_limit",
            Period(config.store.future_limit).to_string(),
        ),
        (
            "store.late_window",
            Period(config.store.late_window).to_string(),
        ),
        ("query.timeout", Period(query.timeout).to_string()),
        ("query.max_samples", query.max_samples.to_string()),
        ("query.max_series", query.max_series.to_string()),
        (
            "query.max_memory",
            Size(query.max_memory as u64).to_string(),
        ),
        ("query.concurrency", query.concurrency.to_string()),
        ("query.lookback", Period(query.lookback).to_string()),
        ("log.level", config.log.level.clone()),
    ]
}

pub(super) async fn runtime_info(State(api): State<Arc<Api>>) -> Response {
    let hostname = nix::unistd::gethostname().unwrap_or_default();
    let folder = std::env::current_dir().unwrap_or_default();
    let started = time::rfc3339(api.clock.started_wall_ms());
    let mut info = json!({
        "startTime": started,
        "CWD": folder.display().to_string(),
        "hostname": hostname.to_string_lossy(),
        "serverTime": time::rfc3339(api.clock.wall_ms()),
        "reloadConfigSuccess": true,
        "lastConfigTime": started,
        "storageRetention": Period(api.config.store.retention).to_string(),
    });
    if let Ok(processors) = std::thread::available_parallelism() {
        info["GOMAXPROCS"] = processors.get().into();
    }
    success(info)
}

/// What fills memory: the metrics and labels with the most series.
pub(super) async fn tsdb(
    State(api): State<Arc<Api>>,
    params: Params,
) -> Result<Response, ApiError> {
    let listed = match params.first("limit").map(str::parse) {
        None => LISTED,
        Some(Ok(listed)) if listed > 0 => listed,
        Some(_) => return Err(ApiError::bad_data("limit must be a positive number")),
    };
    if listed > MOST_LISTED {
        let message = format!("limit must not exceed {MOST_LISTED}");
        return Err(ApiError::bad_data(message));
    }
    let store = api.store()?;
    let work = move |_: &_| Ok(statistics(store.cardinality(listed)));
    api.queries.run(None, work).await.map(success)
}

/// The ends of time are what Prometheus says where there is nothing.
fn statistics(found: Cardinality) -> Value {
    json!({
        "headStats": {
            "numSeries": found.series,
            "numLabelPairs": found.label_pairs,
            "chunkCount": found.chunks,
            "minTime": found.first_ms.unwrap_or(i64::MAX),
            "maxTime": found.last_ms.unwrap_or(i64::MIN),
        },
        "seriesCountByMetricName": counts(found.series_by_name),
        "labelValueCountByLabelName": counts(found.values_by_label),
        "memoryInBytesByLabelName": counts(found.bytes_by_label),
        "seriesCountByLabelValuePair": counts(found.series_by_pair),
    })
}

fn counts(counts: Vec<Count>) -> Value {
    let shown = counts.into_iter();
    shown
        .map(|Count { name, count }| json!({"name": name, "value": count}))
        .collect()
}

/// What clients may make use of.
pub(super) async fn features() -> Response {
    let on = |names: &[&str]| -> Value {
        let pairs = names.iter().map(|name| ((*name).to_owned(), true.into()));
        Value::Object(pairs.collect::<Map<_, _>>())
    };
    let functions: BTreeSet<&str> = FUNCTIONS.iter().map(|function| function.name).collect();
    let functions: Vec<&str> = functions.into_iter().collect();
    success(json!({
        "api": on(&[
            "exemplars", "label_values_match", "lookback_delta", "metadata", "parse_query",
            "format_query", "query_stats", "query_warnings", "time_range_labels", "time_range_series",
        ]),
        "promql": on(&[
            "anchored", "at_modifier", "bool", "by", "duration_expr", "fill", "group_left",
            "group_right", "ignoring", "negative_offset", "offset", "on",
            "smoothed", "subqueries", "utf8_names", "without",
        ]),
        "promql_functions": on(&functions),
        "otlp_receiver": on(&["grpc", "http"]),
    }))
}
