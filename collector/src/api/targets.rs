//! `/api/v1/targets` and `/api/v1/scrape_pools`: what agents look at, as their `up` tells it.
//!
//! Nothing is scraped from here. A target is a series of `up` with a sample within the lookback; the
//! pool is its job.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use query::instant;
use serde_json::{Map, Value, json};
use store::labels::{Labels, METRIC_NAME};
use store::matcher::Matcher;
use tokio::runtime::Handle;

use crate::collector::Store;

use super::Api;
use super::answer::{ApiError, success};
use super::metadata::labels_value;
use super::params::Params;
use super::time;

/// More than any fleet has; beyond it the list would be of no use to a person.
const MAX_TARGETS: usize = 1_000_000;

/// Up to when samples count, and how old they may be.
#[derive(Clone, Copy)]
pub(super) struct Moment {
    now_ms: i64,
    lookback: Duration,
}

/// What one source of one agent last said of itself.
struct Target {
    labels: Labels,
    is_up: bool,
    at_ms: i64,
    seconds: Option<f64>,
}

pub(super) async fn list(
    State(api): State<Arc<Api>>,
    params: Params,
) -> Result<Response, ApiError> {
    let pool = params.first("scrapePool").map(str::to_owned);
    let state = params.first("state").unwrap_or("any").to_ascii_lowercase();
    let is_wanted = |kind: &str| state == "any" || state == kind;
    let (wants_active, wants_dropped) = (is_wanted("active"), is_wanted("dropped"));
    let moment = moment(&api);
    let store = api.store()?;
    let work = move |_: &_| {
        let targets = targets(&store, moment)?;
        // Nobody drops targets here.
        let dropped = targets
            .iter()
            .map(|target| (job(&target.labels).to_owned(), 0.into()));
        let dropped = wants_dropped.then(|| dropped.collect::<Map<_, _>>());
        let shown = targets
            .iter()
            .filter(|_| wants_active)
            .filter(|target| pool.as_ref().is_none_or(|pool| job(&target.labels) == pool));
        let shown: Vec<Value> = shown.map(view).collect();
        Ok(json!({"activeTargets": shown, "droppedTargets": [], "droppedTargetCounts": dropped}))
    };
    api.queries.run(None, work).await.map(success)
}

pub(super) async fn pools(State(api): State<Arc<Api>>) -> Result<Response, ApiError> {
    let moment = moment(&api);
    let store = api.store()?;
    let work = move |_: &_| {
        let pools = pool_names(&store, moment)?;
        Ok(json!({ "scrapePools": pools }))
    };
    api.queries.run(None, work).await.map(success)
}

/// The names of all pools, each once.
pub(super) fn pool_names(store: &Store, moment: Moment) -> Result<BTreeSet<String>, ApiError> {
    let targets = targets(store, moment)?;
    Ok(targets
        .iter()
        .map(|target| job(&target.labels).to_owned())
        .collect())
}

pub(super) fn moment(api: &Api) -> Moment {
    Moment {
        now_ms: api.clock.wall_ms(),
        lookback: api.queries.config().lookback,
    }
}

fn targets(store: &Store, moment: Moment) -> Result<Vec<Target>, ApiError> {
    let newest = |name: &str| {
        let selector = [Matcher::equal(METRIC_NAME, name)];
        let Moment { now_ms, lookback } = moment;
        let found = instant::select(store, &selector, now_ms, lookback, MAX_TARGETS);
        Handle::current().block_on(found)
    };
    let durations: BTreeMap<Labels, f64> = newest("scrape_duration_seconds")?
        .into_iter()
        .map(|(labels, sample)| (unnamed(&labels), sample.value))
        .collect();
    let ups = newest("up")?.into_iter().map(|(labels, sample)| {
        let labels = unnamed(&labels);
        Target {
            is_up: sample.value > 0.0,
            at_ms: sample.at_ms,
            seconds: durations.get(&labels).copied(),
            labels,
        }
    });
    Ok(ups.collect())
}

fn unnamed(labels: &Labels) -> Labels {
    Labels::from_pairs(labels.iter().filter(|(name, _)| *name != METRIC_NAME))
}

fn job(labels: &Labels) -> &str {
    labels.get("job").unwrap_or_default()
}

fn view(target: &Target) -> Value {
    let labels = labels_value(&target.labels);
    let (health, error) = match target.is_up {
        true => ("up", ""),
        false => ("down", "the agent could not read it; its log says why"),
    };
    json!({
        "discoveredLabels": labels,
        "labels": labels,
        "scrapePool": job(&target.labels),
        // It is the agent that reaches it, and it does not say by which address.
        "scrapeUrl": "",
        "globalUrl": "",
        "lastError": error,
        "lastScrape": time::rfc3339(target.at_ms),
        "lastScrapeDuration": target.seconds,
        "health": health,
        "scrapeInterval": "",
        "scrapeTimeout": "",
    })
}
