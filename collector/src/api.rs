//! What the collector answers over HTTP, beside taking telemetry in.
//!
//! The paths under `/api/v1`, `/federate` and `/-/` are Prometheus' own, with its parameters, shapes
//! and errors; `/api/agents` is ours. Everything needs the store, so until the journal is read back it
//! answers 503, `/-/healthy` and `/metrics` excepted.

mod agents;
mod alerting;
mod answer;
mod compress;
mod cors;
mod escaped;
mod exemplars;
mod expression;
mod federate;
mod join;
mod json;
mod labels;
mod metadata;
mod own;
mod params;
mod queries;
mod query;
mod status;
mod targets;
pub(crate) mod time;
mod tree;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use axum::routing::{get, post};
use http::StatusCode;
use tower_http::timeout::TimeoutLayer;

use crate::clock::Clock;
use crate::collector::{Gate, Store};
use crate::config::Config;
use crate::identity::authority::Authority;
use crate::identity::token::Tokens;
use crate::metrics::Counters;

use answer::ApiError;

pub use queries::Queries;

/// How much longer than a query an answer may take: the query's own time ends first, with a message.
const ANSWER_MARGIN: Duration = Duration::from_secs(30);

/// Largest body of what is not a form: a certificate request has a few kilobytes.
const MAX_BODY: usize = 1 << 20;

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
    /// Who runs queries.
    pub queries: Queries,
    /// The configuration of the start.
    pub config: Config,
}

impl Api {
    fn store(&self) -> Result<Arc<Store>, ApiError> {
        self.gate.store().ok_or_else(ApiError::starting)
    }
}

/// The routes.
pub fn routes(api: Arc<Api>) -> Router {
    let answer_timeout = api.config.query.timeout.saturating_add(ANSWER_MARGIN);
    Router::new()
        .route("/", get(own::index))
        .route("/-/healthy", get(own::healthy))
        .route("/-/ready", get(own::ready))
        .route("/metrics", get(own::metrics))
        .route("/federate", get(federate::federate))
        .route("/api/agents", get(agents::list))
        .route("/api/agents/join", post(join::join))
        .merge(prometheus())
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(middleware::from_fn(compress::gzip))
        .layer(TimeoutLayer::with_status_code(
            StatusCode::SERVICE_UNAVAILABLE,
            answer_timeout,
        ))
        .with_state(api)
}

/// The paths of Prometheus' API.
fn prometheus() -> Router<Arc<Api>> {
    let of = |path: &str| format!("/api/v1/{path}");
    Router::new()
        .route(&of("query"), get(query::instant).post(query::instant))
        .route(&of("query_range"), get(query::range).post(query::range))
        .route(
            &of("query_exemplars"),
            get(exemplars::query).post(exemplars::query),
        )
        .route(
            &of("format_query"),
            get(expression::format).post(expression::format),
        )
        .route(
            &of("parse_query"),
            get(expression::parse).post(expression::parse),
        )
        .route(&of("labels"), get(labels::names).post(labels::names))
        .route(&of("label/{name}/values"), get(labels::values))
        .route(&of("series"), get(labels::series).post(labels::series))
        .route(&of("metadata"), get(metadata::families))
        .route(&of("targets"), get(targets::list))
        .route(&of("targets/metadata"), get(metadata::by_target))
        .route(&of("scrape_pools"), get(targets::pools))
        .route(&of("rules"), get(alerting::rules))
        .route(&of("alerts"), get(alerting::alerts))
        .route(&of("alertmanagers"), get(alerting::alertmanagers))
        .route(&of("notifications"), get(alerting::notifications))
        .route(&of("features"), get(status::features))
        .route(&of("status/buildinfo"), get(own::build_info))
        .route(&of("status/config"), get(status::config))
        .route(&of("status/flags"), get(status::flags))
        .route(&of("status/runtimeinfo"), get(status::runtime_info))
        .route(&of("status/tsdb"), get(status::tsdb))
        .route(&of("status/walreplay"), get(status::wal_replay))
        .layer(middleware::from_fn(cors::allow))
}
