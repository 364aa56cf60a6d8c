//! `/api/v2/alerts`: which alerts there are, and taking some in from elsewhere.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use http::StatusCode;
use serde_json::Value;

use crate::api::Api;
use crate::api::answer::ApiError;
use crate::api::params::Params;
use crate::notify::PostError;

use super::filter::Filter;
use super::refusal::{Refusal, told};
use super::shape::Shown;
use super::{given, posted};

/// Largest body: what a Prometheus sends at once, 256 alerts, with 16 kB each.
const MAX_BODY: usize = 4 << 20;

pub(super) async fn list(
    State(api): State<Arc<Api>>,
    params: Result<Params, ApiError>,
) -> Result<Json<Value>, Refusal> {
    let filter = Filter::read(params)?;
    let shown = Shown::now(&api);
    let alerts = api.notifier.alerts(shown.now_ms);
    let alerts = alerts.iter().filter(|alert| filter.has(alert));
    let wanted = alerts.filter(|alert| filter.has_some_receiver(&alert.receivers));
    Ok(Json(wanted.map(|alert| shown.alert(alert)).collect()))
}

/// What is right is taken in, even if something else in the same request is wrong.
pub(super) async fn post(
    State(api): State<Arc<Api>>,
    request: Request,
) -> Result<StatusCode, Refusal> {
    let body = given::body("alerts", request, MAX_BODY).await?;
    let shown = Shown::now(&api);
    let posted = posted::read(&body, shown.resolve_timeout, shown.now_ms)?;
    if !posted.alerts.is_empty() {
        let taken = api.notifier.post(posted.alerts).await;
        taken.map_err(|error| match error {
            PostError::NotReady => Refusal::starting(),
            PostError::Unsaved(_) => Refusal::unsaved(error.to_string()),
        })?;
    }
    if posted.wrong.is_empty() {
        return Ok(StatusCode::OK);
    }
    Err(Refusal::wrong(told(&posted.wrong, "; ")))
}

impl Shown {
    pub(super) fn now(api: &Api) -> Self {
        Self {
            now_ms: api.clock.wall_ms(),
            resolve_timeout: api.notifier.resolve_timeout(),
        }
    }
}
