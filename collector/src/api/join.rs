//! `POST /api/agents/join`: a one-time token and a certificate request against a certificate.

use std::sync::Arc;
use std::time::SystemTime;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};

use super::Api;
use crate::identity::handshake::Peer;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ask {
    token: String,
    request: String,
}

#[derive(Serialize)]
struct Answer {
    certificate: String,
    authority: String,
}

/// The certificate is made before the token is used up: a request that cannot be signed costs none.
pub(super) async fn join(
    State(api): State<Arc<Api>>,
    Extension(peer): Extension<Peer>,
    Json(ask): Json<Ask>,
) -> Response {
    let admitted = api.authority.admit(&ask.request);
    let (agent, admission) = match admitted {
        Ok(admitted) => admitted,
        Err(error) => return (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response(),
    };
    if let Err(error) = api.tokens.redeem(&ask.token, SystemTime::now()) {
        tracing::warn!(%agent, address = %peer.address, %error, "an agent was not let in");
        return (StatusCode::FORBIDDEN, format!("{error}\n")).into_response();
    }
    tracing::info!(%agent, address = %peer.address, "an agent joined");
    let (certificate, authority) = (admission.certificate, admission.authority);
    Json(Answer {
        certificate,
        authority,
    })
    .into_response()
}
