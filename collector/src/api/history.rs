//! `/api/alerts/history`: everything that came to pass of alerts, newest first.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde_json::{Map, Value, json};
use wire::causes::with_causes;

use crate::state::{Asked, Told};

use super::Api;
use super::alerting::accepts;
use super::answer::{ApiError, ErrorKind, success};
use super::params::Params;
use super::time;

/// How many are told unless the request says otherwise.
const USUAL: usize = 1_000;

/// How many are told at the most: each has its evidence with it.
const MOST: usize = 10_000;

/// Parameters: `from` and `to`, `match[]` on the alert's labels, `limit`.
pub(super) async fn history(
    State(api): State<Arc<Api>>,
    params: Params,
) -> Result<Response, ApiError> {
    let asked = Asked {
        from_ms: params.time_or("from", i64::MIN)?,
        to_ms: params.time_or("to", i64::MAX)?,
        limit: params.limit()?.unwrap_or(USUAL).min(MOST),
    };
    let selectors = params.selectors()?;
    let db = api.judge.db().ok_or_else(ApiError::starting)?;
    let is_wanted = |labels: &_| {
        selectors.is_empty() || selectors.iter().any(|selector| accepts(selector, labels))
    };
    let (told, truncated) = db.history(asked, is_wanted).await.map_err(|error| {
        let error = with_causes(&error);
        tracing::error!(error, "cannot tell the history of alerts");
        ApiError::new(ErrorKind::Internal, error)
    })?;
    let events: Vec<Value> = told.iter().map(shown).collect();
    Ok(success(json!({"events": events, "truncated": truncated})))
}

fn shown(told: &Told) -> Value {
    let pairs = |pairs: &mut dyn Iterator<Item = (&str, &str)>| {
        let object: Map<String, Value> = pairs
            .map(|(name, value)| (name.to_owned(), value.into()))
            .collect();
        Value::Object(object)
    };
    let mut annotations = told
        .annotations
        .iter()
        .map(|(name, text)| (&**name, &**text));
    json!({
        "id": told.id,
        "at": time::rfc3339(told.at_ms),
        "transition": told.transition,
        "group": told.group,
        "rule": told.rule,
        "file": told.file,
        "labels": pairs(&mut told.labels.iter()),
        "annotations": pairs(&mut annotations),
        "value": query::promql::go_float(told.value),
        "activeAt": time::rfc3339(told.active_at_ms),
        "samples": serde_json::from_str::<Value>(&told.evidence).unwrap_or_default(),
    })
}
