//! `/api/v1/rules`, `/api/v1/alerts`, `/api/v1/alertmanagers`, `/api/v1/notifications`: there are no
//! rules yet, and clients that look for some find none.

use axum::response::Response;
use serde_json::json;

use super::answer::{ApiError, success};
use super::params::Params;

pub(super) async fn rules(params: Params) -> Result<Response, ApiError> {
    match params.first("type") {
        None | Some("alert" | "record") => {
            // A wrong selector is wrong however little it selects from.
            params.selectors()?;
            Ok(success(json!({"groups": []})))
        }
        Some(other) => {
            let why = format!("not supported value {other:?}");
            Err(ApiError::parameter("type", why))
        }
    }
}

pub(super) async fn alerts() -> Response {
    success(json!({"alerts": []}))
}

pub(super) async fn alertmanagers() -> Response {
    success(json!({"activeAlertmanagers": [], "droppedAlertmanagers": []}))
}

pub(super) async fn notifications() -> Response {
    success(json!([]))
}
