//! Alertmanager's API, version 2: its clients, such as amtool, Grafana and every Prometheus that sends
//! alerts, work against the collector as they are.
//!
//! Parameters, shapes, statuses and errors are those of Alertmanager 0.25, with what later ones added.
//! Bodies are bounded. What is posted is durable once it is answered with 200.

mod alerts;
mod filter;
mod given;
mod groups;
mod moment;
mod posted;
mod refusal;
mod shape;
mod silences;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::handler::Handler;
use axum::http::Uri;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, any, get};
use axum::{Json, Router};
use http::header::{CACHE_CONTROL, HeaderValue};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{Api, cors, time};

use refusal::Refusal;

/// How long a request waits while the collector starts. A Prometheus sends an alert again only after a
/// minute, so it is worth waiting; it gives up itself after ten seconds.
const STARTING: Duration = Duration::from_secs(5);

/// The routes.
pub(super) fn routes(api: &Arc<Api>) -> Router<Arc<Api>> {
    let of = |path: &str| format!("/api/v2/{path}");
    let alerts = get(alerts::list).post(alerts::post);
    let silences = get(silences::list).post(silences::post);
    let silence = get(silences::one).delete(silences::expire);
    Router::new()
        .route(&of("status"), read(status))
        .route(&of("receivers"), read(receivers))
        .route(&of("alerts"), knows(alerts, "GET,POST"))
        .route(&of("alerts/groups"), read(groups::list))
        .route(&of("silences"), knows(silences, "GET,POST"))
        .route(&of("silence/{id}"), knows(silence, "DELETE,GET"))
        .layer(middleware::from_fn_with_state(Arc::clone(api), when_ready))
        .route(&of("{*other}"), any(not_found))
        .layer(middleware::from_fn(cors::allow_reading))
}

/// A path that is only read.
fn read<H: Handler<T, Arc<Api>>, T: 'static>(handler: H) -> MethodRouter<Arc<Api>> {
    knows(get(handler), "GET")
}

fn knows(methods: MethodRouter<Arc<Api>>, known: &'static str) -> MethodRouter<Arc<Api>> {
    methods.fallback(async move |method: Method| Refusal::method(&method, known))
}

/// Waits, and then turns away, until it is known which alerts and silences there are.
async fn when_ready(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
    let loaded = tokio::time::timeout(STARTING, api.notifier.loaded()).await;
    let mut response = match loaded {
        Ok(()) => next.run(request).await,
        Err(_elapsed) => Refusal::starting().into_response(),
    };
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// There is no cluster: what is told is one collector's.
async fn status(State(api): State<Arc<Api>>) -> Json<Value> {
    Json(json!({
        "cluster": {"peers": [], "status": "disabled"},
        "config": {"original": api.notifier.shown_config().unwrap_or_default()},
        "uptime": time::rfc3339(api.clock.started_wall_ms()),
        "versionInfo": {
            "version": env!("CARGO_PKG_VERSION"),
            "revision": "",
            "branch": "",
            "buildUser": "",
            "buildDate": "",
            "goVersion": "",
        },
    }))
}

async fn receivers(State(api): State<Arc<Api>>) -> Json<Value> {
    Json(shape::receivers(&api.notifier.receivers()))
}

async fn not_found(uri: Uri) -> Refusal {
    let message = format!("path {} was not found", uri.path());
    Refusal::coded(StatusCode::NOT_FOUND, message)
}
