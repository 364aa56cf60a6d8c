//! The envelope of Prometheus' HTTP API.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::{Value, json};
use store::read::{Listing, ReadError};

/// Why a request gets no data.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ApiError {
    /// A parameter is wrong.
    BadData(String),
    /// The store has an answer that may not be given.
    Execution(String),
    /// The store is not open yet.
    Starting,
}

impl ApiError {
    pub(super) fn parameter(name: &str, why: impl std::fmt::Display) -> Self {
        Self::BadData(format!("invalid parameter {name:?}: {why}"))
    }

    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::BadData(_) => StatusCode::BAD_REQUEST,
            Self::Execution(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Starting => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    pub(super) fn message(&self) -> &str {
        match self {
            Self::BadData(message) | Self::Execution(message) => message,
            Self::Starting => "the collector is starting: it reads its journal back",
        }
    }
}

impl From<ReadError> for ApiError {
    fn from(error: ReadError) -> Self {
        Self::Execution(error.to_string())
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let kind = match self {
            Self::BadData(_) => "bad_data",
            Self::Execution(_) => "execution",
            Self::Starting => "unavailable",
        };
        let body = json!({"status": "error", "errorType": kind, "error": self.message()});
        (self.status(), Json(body)).into_response()
    }
}

/// A successful answer.
pub(super) fn success(data: Value) -> Response {
    Json(json!({"status": "success", "data": data})).into_response()
}

/// A successful answer that says so where the limit cut it.
pub(super) fn success_listing<T>(listing: Listing<T>, show: impl FnMut(T) -> Value) -> Response {
    let data: Vec<Value> = listing.items.into_iter().map(show).collect();
    if listing.truncated {
        let warnings = ["results truncated due to limit"];
        let body = json!({"status": "success", "data": data, "warnings": warnings});
        return Json(body).into_response();
    }
    success(data.into())
}
