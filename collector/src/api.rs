//! What the collector answers over HTTP, beside taking telemetry in.
//!
//! The paths under `/api/v1`, `/federate` and `/-/` are Prometheus' own, with its parameters, shapes
//! and errors; `/api/agents` is ours. Everything needs the store, so until the journal is read back it
//! answers 503, `/-/healthy` and `/metrics` excepted.

mod agents;
mod answer;
mod federate;
mod join;
mod labels;
mod own;
mod params;
mod time;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use http::StatusCode;
use tower_http::timeout::TimeoutLayer;

use crate::clock::Clock;
use crate::collector::Gate;
use crate::identity::authority::Authority;
use crate::identity::token::Tokens;
use crate::metrics::Counters;

/// Longest time that an answer may take: two minutes, as Prometheus gives its queries.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(120);

/// Largest form: a thousand selectors of a kilobyte each.
const MAX_FORM: usize = 1 << 20;

/// Samples that one request may read, as many as Prometheus allows a query.
const MAX_SAMPLES: usize = 50_000_000;

/// What every answer is made from.
#[derive(Debug)]
pub struct Api {
    /// The way to the store.
    pub gate: Arc<Gate>,
    /// The clocks.
    pub clock: Clock,
    /// The own counters.
    pub counters: Arc<Counters>,
    /// The certificate authority.
    pub authority: Arc<Authority>,
    /// The join tokens.
    pub tokens: Tokens,
}

/// The routes.
pub fn routes(api: Arc<Api>) -> Router {
    Router::new()
        .route("/", get(own::index))
        .route("/-/healthy", get(own::healthy))
        .route("/-/ready", get(own::ready))
        .route("/metrics", get(own::metrics))
        .route("/federate", get(federate::federate))
        .route("/api/agents", get(agents::list))
        .route("/api/agents/join", post(join::join))
        .route("/api/v1/labels", get(labels::names).post(labels::names))
        .route("/api/v1/label/{name}/values", get(labels::values))
        .route("/api/v1/series", get(labels::series).post(labels::series))
        .route("/api/v1/status/buildinfo", get(own::build_info))
        .layer(DefaultBodyLimit::max(MAX_FORM))
        .layer(TimeoutLayer::with_status_code(
            StatusCode::SERVICE_UNAVAILABLE,
            ANSWER_TIMEOUT,
        ))
        .with_state(api)
}
