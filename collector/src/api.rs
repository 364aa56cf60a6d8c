//! What the collector answers over HTTP, beside taking telemetry in.
//!
//! The paths under `/api/v1`, `/federate` and `/-/` are Prometheus' own, with its parameters, shapes
//! and errors, those under `/api/v2` Alertmanager's; `/api/agents`, `/api/incidents` and others are
//! ours.
//! Nearly everything needs the store, so until the journal is read back it answers 503, `/-/healthy`
//! and `/metrics` excepted; what is told of alerts needs the state database only.

mod agents;
mod alerting;
mod answer;
mod body;
mod compress;
mod cors;
mod escaped;
mod exemplars;
mod expression;
mod federate;
mod history;
mod incidents;
mod join;
mod json;
mod labels;
mod lifecycle;
mod metadata;
mod oncall;
mod own;
mod params;
mod queries;
mod query;
mod relabel;
mod replay;
mod stats;
mod status;
mod targets;
pub(crate) mod time;
mod tree;
mod v2;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::handler::Handler;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, any, get, post};
use http::StatusCode;
use tower_http::timeout::TimeoutLayer;

use crate::clock::Clock;
use crate::collector::{Gate, Store};
use crate::config::Config;
use crate::identity::authority::Authority;
use crate::identity::token::Tokens;
use crate::incidents::Incidents;
use crate::judge::Judge;
use crate::metrics::Counters;
use crate::notify::Notifier;

use answer::ApiError;

pub(crate) use oncall::told as oncall_told;

pub use queries::Queries;
pub use replay::Replay;

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
    /// What is known of rules and alerts.
    pub judge: Arc<Judge>,
    /// What is known of incidents.
    pub incidents: Arc<Incidents>,
    /// Who is told of alerts.
    pub notifier: Arc<Notifier>,
    /// The certificate authority.
    pub authority: Arc<Authority>,
    /// The join tokens.
    pub tokens: Tokens,
    /// Who runs queries.
    pub queries: Queries,
    /// What the start has to read back.
    pub replay: Replay,
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
        .route("/federate", read(federate::federate))
        .route("/api/agents", get(agents::list))
        .route("/api/agents/join", post(join::join))
        .route("/api/alerts/history", read(history::history))
        .merge(incidents::routes())
        .route("/api/oncall", read(oncall::show))
        .route("/api/notifications", read(history::notifications))
        .route("/version", get(own::version))
        .route("/-/reload", any(lifecycle::forbidden))
        .route("/-/quit", any(lifecycle::forbidden))
        .merge(prometheus(&api))
        .merge(v2::routes(&api))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(middleware::from_fn(compress::gzip))
        .layer(TimeoutLayer::with_status_code(
            StatusCode::SERVICE_UNAVAILABLE,
            answer_timeout,
        ))
        .with_state(api)
}

/// The paths of Prometheus' API.
fn prometheus(api: &Arc<Api>) -> Router<Arc<Api>> {
    let of = |path: &str| format!("/api/v1/{path}");
    let admin = post(lifecycle::disabled).put(lifecycle::disabled);
    let admin = admin.fallback(async || lifecycle::other_method("OPTIONS, POST, PUT"));
    reading()
        .route(&of("targets/relabel_steps"), read(relabel::steps))
        .route(&of("rules"), read(alerting::rules))
        .route(&of("alerts"), read(alerting::alerts))
        .route(&of("alertmanagers"), read(alerting::alertmanagers))
        .route(&of("features"), read(status::features))
        .route(&of("status/buildinfo"), read(own::build_info))
        .route(&of("status/config"), read(status::config))
        .route(&of("status/flags"), read(status::flags))
        .route(&of("status/runtimeinfo"), read(status::runtime_info))
        .route(&of("status/tsdb"), read(status::tsdb))
        .route(&of("admin/tsdb/{*what}"), admin)
        .layer(middleware::from_fn_with_state(Arc::clone(api), when_ready))
        // These two answer before it is ready: who waits for it wants to know why.
        .route(&of("notifications"), read(alerting::notifications))
        .route(&of("status/walreplay"), read(replay::status))
        // Whoever asks which methods there are is told of all, whatever the path.
        .route(&of("{*other}"), any(own::not_found))
        .layer(middleware::from_fn(cors::allow))
}

/// Turns everything away until the store is open, as Prometheus does.
async fn when_ready(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
    match api.gate.store() {
        Some(_) => next.run(request).await,
        None => ([lifecycle::STOPPING], ApiError::starting()).into_response(),
    }
}

/// The paths that read what is stored.
fn reading() -> Router<Arc<Api>> {
    let of = |path: &str| format!("/api/v1/{path}");
    Router::new()
        .route(&of("query"), asked(query::instant))
        .route(&of("query_range"), asked(query::range))
        .route(&of("query_exemplars"), asked(exemplars::query))
        .route(&of("format_query"), asked(expression::format))
        .route(&of("parse_query"), asked(expression::parse))
        .route(&of("labels"), asked(labels::names))
        .route(&of("label/{name}/values"), read(labels::values))
        .route(
            &of("series"),
            asked(labels::series).delete(lifecycle::not_implemented),
        )
        .route(&of("metadata"), read(metadata::families))
        .route(&of("targets"), read(targets::list))
        .route(&of("targets/metadata"), read(metadata::by_target))
        .route(&of("scrape_pools"), read(targets::pools))
}

/// A path that is only read.
fn read<H: Handler<T, Arc<Api>>, T: 'static>(handler: H) -> MethodRouter<Arc<Api>> {
    get(handler).fallback(async || lifecycle::other_method("GET, HEAD, OPTIONS"))
}

/// A path that takes its parameters as a form as well.
fn asked<H: Handler<T, Arc<Api>>, T: 'static>(handler: H) -> MethodRouter<Arc<Api>> {
    let both = get(handler.clone()).post(handler);
    both.fallback(async || lifecycle::other_method("GET, HEAD, OPTIONS, POST"))
}
