//! The agent's series in Prometheus' text format: for `nightshift-agent once`, and over HTTP for an
//! existing Prometheus.
//!
//! [`Latest`] keeps the newest batch of each source. Series carry their `job` and `instance`, so a
//! scraper needs `honor_labels: true`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use wire::batch::Batch;
use wire::text;

/// The newest batch of each source.
#[derive(Clone, Debug, Default)]
pub struct Latest {
    batches: Arc<Mutex<BTreeMap<String, Arc<Batch>>>>,
}

impl Latest {
    /// Puts a batch in the place of the source's former one.
    pub fn put(&self, source: String, batch: Arc<Batch>) {
        // A panic while holding the lock leaves the map whole: each change is one call.
        self.batches
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(source, batch);
    }

    /// Drops the batches of sources that are not among `sources`.
    pub fn keep(&self, sources: &BTreeSet<String>) {
        self.batches
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|source, _| sources.contains(source));
    }

    /// The newest batch of every source.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<Batch>> {
        let batches = self.batches.lock().unwrap_or_else(PoisonError::into_inner);
        batches.values().cloned().collect()
    }
}

/// Why `/metrics` is not served.
#[derive(Debug, thiserror::Error)]
#[error("cannot serve /metrics on {address}: {source}")]
pub struct ExposeError {
    address: SocketAddr,
    source: std::io::Error,
}

/// Takes the address, so that a port in use stops the start and not a later moment.
pub async fn bind(address: SocketAddr) -> Result<TcpListener, ExposeError> {
    TcpListener::bind(address)
        .await
        .map_err(|source| ExposeError { address, source })
}

/// Serves `/metrics` until `stop`.
pub async fn serve(listener: TcpListener, latest: Latest, stop: CancellationToken) {
    let router = Router::new()
        .route("/metrics", get(metrics))
        .route(
            "/",
            get(|| async { "nightshift-agent: the series are at /metrics\n" }),
        )
        .with_state(latest);
    let served = axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned());
    if let Err(error) = served.await {
        tracing::error!(%error, "serving /metrics ended");
    }
}

async fn metrics(State(latest): State<Latest>) -> impl IntoResponse {
    let batches = latest.all();
    (
        [(CONTENT_TYPE, text::CONTENT_TYPE)],
        text::render(batches.iter().map(Arc::as_ref)),
    )
}
