//! What the collector says of itself: health, metrics, version, and a page for who looks around.

use std::sync::Arc;
use wire::text;

use axum::Json;
use axum::extract::State;
use axum::response::{Html, IntoResponse, Response};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde_json::{Value, json};

use crate::metrics as own_metrics;

use super::Api;
use super::answer::{ApiError, success};
use super::lifecycle;

const INDEX: &str = include_str!("own/index.html");

pub(super) async fn index() -> Html<&'static str> {
    Html(INDEX)
}

/// The process lives and answers.
pub(super) async fn healthy() -> &'static str {
    "Nightshift is healthy.\n"
}

/// It can take in and answer everything.
pub(super) async fn ready(State(api): State<Arc<Api>>) -> Response {
    match api.gate.store() {
        Some(_) => "Nightshift is ready.\n".into_response(),
        None => {
            let message = format!("{}\n", ApiError::starting().message());
            let status = StatusCode::SERVICE_UNAVAILABLE;
            (status, [lifecycle::STOPPING], message).into_response()
        }
    }
}

pub(super) async fn metrics(State(api): State<Arc<Api>>) -> Response {
    let store = api.gate.store();
    let now_ms = api.clock.wall_ms();
    let body = own_metrics::render(&api.counters, store.as_deref(), now_ms);
    ([(CONTENT_TYPE, text::CONTENT_TYPE)], body).into_response()
}

/// Without `features`, or Grafana takes us for Mimir. What a build does not know is empty.
pub(super) async fn build_info() -> Response {
    success(build())
}

/// The same without the envelope.
pub(super) async fn version() -> Json<Value> {
    Json(build())
}

fn build() -> Value {
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "revision": "",
        "branch": "",
        "buildUser": "",
        "buildDate": "",
        "goVersion": "",
    })
}

/// As Prometheus words it.
pub(super) async fn not_found() -> (StatusCode, &'static str) {
    (StatusCode::NOT_FOUND, "404 page not found\n")
}
