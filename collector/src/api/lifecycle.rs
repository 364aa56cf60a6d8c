//! What Prometheus lets clients do to it from afar only where an operator allows it: reload, quit,
//! delete. It is never allowed here, and said as Prometheus says it: tools that look for it know these
//! answers. The configuration is reloaded by SIGHUP.

use axum::response::{IntoResponse, Response};
use http::header::{ALLOW, HeaderName, HeaderValue};
use http::{Method, StatusCode};

use super::answer::{ApiError, ErrorKind};

/// `/-/reload` and `/-/quit`.
pub(super) async fn forbidden(method: Method) -> Response {
    if method == Method::POST || method == Method::PUT {
        let message = "Lifecycle API is not enabled.\n";
        return (StatusCode::FORBIDDEN, message).into_response();
    }
    let message = "Only POST or PUT requests allowed\n";
    (StatusCode::METHOD_NOT_ALLOWED, message).into_response()
}

/// `/api/v1/admin/tsdb/*`.
pub(super) async fn disabled() -> Response {
    let error = ApiError::new(ErrorKind::Unavailable, "admin APIs disabled");
    // Prometheus has no status for this one, so it says 500; 503 would have clients try again.
    (StatusCode::INTERNAL_SERVER_ERROR, error).into_response()
}

/// `DELETE /api/v1/series`, which Prometheus has kept without a meaning since its second version.
pub(super) async fn not_implemented() -> ApiError {
    ApiError::new(ErrorKind::Internal, "not implemented")
}

/// A path knows these methods and no other.
pub(super) fn other_method(known: &'static str) -> Response {
    let status = StatusCode::METHOD_NOT_ALLOWED;
    (status, [(ALLOW, known)], "Method Not Allowed\n").into_response()
}

/// What stands in an answer of 503 until the store is open, as Prometheus has it: it tells a server
/// that starts from one that stops.
pub(super) const STOPPING: (HeaderName, HeaderValue) = (
    HeaderName::from_static("x-prometheus-stopping"),
    HeaderValue::from_static("false"),
);
