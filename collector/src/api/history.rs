//! `/api/alerts/history`: everything that came to pass of alerts and who was told, newest first; and
//! `/api/notifications`: what of the outbox is in a certain state.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde_json::{Value, json};
use wire::causes::with_causes;

use crate::state::{Asked, EventSource, StateError, Told, ToldOf};

use super::Api;
use super::alerting::accepts;
use super::answer::{ApiError, ErrorKind, pairs, success};
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
    let failed = |error: StateError| {
        let error = with_causes(&error);
        tracing::error!(error, "cannot tell the history of alerts");
        ApiError::new(ErrorKind::Internal, error)
    };
    let (told, truncated) = db.history(asked, is_wanted).await.map_err(failed)?;
    let first = told.iter().map(|one| one.id).min().unwrap_or_default();
    let last = told.iter().map(|one| one.id).max().unwrap_or_default();
    let mut whom = db.told_of(first, last).await.map_err(failed)?;
    let events = told.iter().map(|one| {
        let whom = whom.remove(&one.id).unwrap_or_default();
        let mut event = shown(one);
        event["told"] = whom.iter().map(told_of).collect();
        event
    });
    let events: Vec<Value> = events.collect();
    Ok(success(json!({"events": events, "truncated": truncated})))
}

/// Parameters: `state`, one of `waiting` (which it is unless said), `delivered`, `refused`, `expired`,
/// `folded`; `limit`.
pub(super) async fn notifications(
    State(api): State<Arc<Api>>,
    params: Params,
) -> Result<Response, ApiError> {
    let state = params.first("state").unwrap_or("waiting");
    let limit = params.limit()?.unwrap_or(USUAL).min(MOST);
    let db = api.judge.db().ok_or_else(ApiError::starting)?;
    let rows = db.outbox_rows(state, limit).await.map_err(|error| {
        let error = with_causes(&error);
        tracing::error!(error, "cannot tell what is in the outbox");
        ApiError::new(ErrorKind::Internal, error)
    })?;
    let rows = rows.iter().map(|row| {
        let mut shown = told_of(&row.told);
        shown["id"] = row.id.into();
        shown["group"] = row.group_key.as_str().into();
        shown["nextTry"] = row.next_try_ms.map(time::rfc3339).into();
        shown
    });
    let rows: Vec<Value> = rows.collect();
    Ok(success(json!({"notifications": rows})))
}

/// Who was told, and what became of it.
fn told_of(told: &ToldOf) -> Value {
    json!({
        "integration": told.integration.to_string(),
        "outcome": told.state,
        "detail": told.detail,
        "decidedAt": time::rfc3339(told.decided_at_ms),
        "doneAt": told.done_at_ms.map(time::rfc3339),
        "attempts": told.attempts,
    })
}

fn shown(told: &Told) -> Value {
    let annotations = told
        .annotations
        .iter()
        .map(|(name, text)| (&**name, &**text));
    // Who posts an alert does not say its value.
    let (source, value) = match told.source {
        EventSource::Rule => ("rule", query::promql::go_float(told.value)),
        EventSource::Posted => ("posted", String::new()),
    };
    json!({
        "id": told.id,
        "at": time::rfc3339(told.at_ms),
        "source": source,
        "transition": told.transition,
        "group": told.group,
        "rule": told.rule,
        "file": told.file,
        "labels": pairs(told.labels.iter()),
        "annotations": pairs(annotations),
        "value": value,
        "activeAt": time::rfc3339(told.active_at_ms),
        "samples": serde_json::from_str::<Value>(&told.evidence).unwrap_or_default(),
    })
}
