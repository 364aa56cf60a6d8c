//! `/api/incidents`: which there are, one with its timeline, what people do with it, and the
//! post-mortem.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use http::HeaderValue;
use http::header::{CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use incidents::book::{Deed, Refused};
use incidents::incident::{IncidentId, Severity};
use incidents::measure::Means;
use incidents::report::{Format, json};
use serde_json::{Value, json as object};
use wire::causes::with_causes;

use crate::incidents::{Material, Undone};
use crate::state::incidents::Listed;

use super::Api;
use super::answer::{ApiError, ErrorKind, success};
use super::params::Params;
use super::{lifecycle, read};

/// How many are told unless the request says otherwise.
const USUAL: usize = 100;

/// How many are told at the most: each has its alerts with it.
const MOST: usize = 1_000;

/// Letters of a name.
const LONGEST_NAME: usize = 100;

/// Letters of a note.
const LONGEST_NOTE: usize = 10_000;

/// The routes.
pub(super) fn routes() -> Router<Arc<Api>> {
    let of = |path: &str| format!("/api/incidents{path}");
    let mut routes = Router::new()
        .route(&of(""), read(list))
        .route(&of("/{id}"), read(show))
        .route(&of("/{id}/export"), read(export));
    for deed in ["ack", "note", "resolve", "reopen", "owner"] {
        let does = async move |State(api), Path(id), params| act(api, id, deed, params).await;
        let does = post(does).fallback(async || lifecycle::other_method("OPTIONS, POST"));
        routes = routes.route(&of(&format!("/{{id}}/{deed}")), does);
    }
    routes
}

/// Parameters: `state` (`open`, or all), `from` and `to` for their beginning, `limit`.
async fn list(State(api): State<Arc<Api>>, params: Params) -> Result<Response, ApiError> {
    let unresolved_only = match params.first("state") {
        None | Some("all") => false,
        Some("open") => true,
        Some(_) => return Err(ApiError::parameter("state", "expected open or all")),
    };
    let listed = Listed {
        unresolved_only,
        from_ms: params.time_or("from", i64::MIN)?,
        to_ms: params.time_or("to", i64::MAX)?,
        limit: params.limit()?.unwrap_or(USUAL).min(MOST),
    };
    let db = api.incidents.db().ok_or_else(ApiError::starting)?;
    let (incidents, truncated) = db.incidents(listed).await.map_err(|error| failed(&error))?;
    let now_ms = api.clock.wall_ms();
    let told: Vec<Value> = incidents
        .iter()
        .map(|one| json::incident(one, now_ms))
        .collect();
    let means = |severity| json::means(&Means::of(&incidents, severity));
    Ok(success(object!({
        "incidents": told,
        "truncated": truncated,
        "means": {
            "all": means(None),
            "high": means(Some(Severity::High)),
            "medium": means(Some(Severity::Medium)),
            "low": means(Some(Severity::Low)),
        },
    })))
}

async fn show(State(api): State<Arc<Api>>, Path(id): Path<String>) -> Result<Response, ApiError> {
    let material = material(&api, &id).await?;
    let mut told = json::incident(&material.incident, material.made_at_ms);
    let timeline = material.entries.iter().map(json::entry);
    told["timeline"] = timeline.collect::<Vec<Value>>().into();
    told["missing"] = material.missing.into();
    Ok(success(told))
}

/// Parameter: `format`, which is `md`, `html` or `json`.
async fn export(
    State(api): State<Arc<Api>>,
    Path(id): Path<String>,
    params: Params,
) -> Result<Response, ApiError> {
    let format = params.first("format").unwrap_or("md");
    let format: Format = format
        .parse()
        .map_err(|why: String| ApiError::parameter("format", why))?;
    let material = material(&api, &id).await?;
    let (store, judge) = (api.store()?, Arc::clone(api.incidents.judge()));
    let options = api.queries.options();
    let name = format!("incident-{}.{format}", material.incident.id);
    let work = move |interrupt: &_| {
        let report = material.draw(&store, &judge, &options, interrupt);
        Ok(report.write(format))
    };
    let body = api.queries.run(None, work).await?;
    let mut response = ([(CONTENT_TYPE, format.content_type())], body).into_response();
    let headers = response.headers_mut();
    // It holds texts from outside; should one of them get past the escaping, it must not run here.
    let policy = "default-src 'none'; style-src 'unsafe-inline'; sandbox";
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    if let Ok(named) = HeaderValue::from_str(&format!("inline; filename=\"{name}\"")) {
        headers.insert(CONTENT_DISPOSITION, named);
    }
    Ok(response)
}

/// Parameters: `by`; for a note `text`; for an owner `owner`, nobody where it is missing.
async fn act(
    api: Arc<Api>,
    id: String,
    deed: &'static str,
    params: Params,
) -> Result<Response, ApiError> {
    let id = number(&id)?;
    let by = name(&params, "by")?;
    let by = by.ok_or_else(|| ApiError::parameter("by", "who does it must be given"))?;
    let deed = match deed {
        "ack" => Deed::Acknowledge,
        "note" => Deed::Note(note(&params)?),
        "resolve" => Deed::Resolve,
        "reopen" => Deed::Reopen,
        _ => Deed::Own(name(&params, "owner")?),
    };
    let done = api.incidents.act(id, &by, &deed).await;
    let incident = done.map_err(undone)?;
    Ok(success(json::incident(&incident, api.clock.wall_ms())))
}

async fn material(api: &Api, id: &str) -> Result<Material, ApiError> {
    let id = number(id)?;
    let store = api.store()?;
    let material = api.incidents.material(id, &store).await.map_err(undone)?;
    material.ok_or_else(|| undone(Undone::Refused(Refused::Unknown(id))))
}

fn number(id: &str) -> Result<IncidentId, ApiError> {
    id.parse().map_err(|why: String| ApiError::bad_data(why))
}

fn name(params: &Params, key: &str) -> Result<Option<String>, ApiError> {
    let Some(name) = params.first(key).map(str::trim) else {
        return Ok(None);
    };
    if name.is_empty() {
        return Ok(None);
    }
    if name.chars().count() > LONGEST_NAME || name.chars().any(char::is_control) {
        let why = format!("expected a name of at most {LONGEST_NAME} letters, on one line");
        return Err(ApiError::parameter(key, why));
    }
    Ok(Some(name.to_owned()))
}

fn note(params: &Params) -> Result<String, ApiError> {
    let text = params.first("text").unwrap_or_default().trim();
    if text.is_empty() {
        return Err(ApiError::parameter("text", "what is noted must be given"));
    }
    if text.chars().count() > LONGEST_NOTE {
        let why = format!("expected at most {LONGEST_NOTE} letters");
        return Err(ApiError::parameter("text", why));
    }
    Ok(text.to_owned())
}

fn undone(undone: Undone) -> ApiError {
    let message = undone.to_string();
    match undone {
        Undone::Starting => ApiError::starting(),
        Undone::Refused(Refused::Unknown(_)) => ApiError::new(ErrorKind::NotFound, message)
            .with_hint("nightshift incident list --all shows which there are"),
        Undone::Refused(Refused::Resolved(_)) => ApiError::new(ErrorKind::Execution, message)
            .with_hint("open it again first: nightshift incident reopen"),
        Undone::Refused(Refused::NotResolved(_)) => ApiError::new(ErrorKind::Execution, message),
        Undone::State(error) => failed(&error),
    }
}

fn failed(error: &(dyn std::error::Error + 'static)) -> ApiError {
    let error = with_causes(error);
    tracing::error!(error, "cannot use the state of incidents");
    ApiError::new(ErrorKind::Internal, error)
}
