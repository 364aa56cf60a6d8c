//! The envelope of Prometheus' HTTP API: what succeeded, and what did not with the status that its
//! clients know.

use std::time::Duration;

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use query::promql::{Limit, QueryError};
use serde_json::{Map, Value, json};
use store::read::{Listing, ReadError};
use wire::causes::with_causes;
use wire::quantity::Size;

use super::json::Json as Text;

/// What Prometheus says where a limit cut something off.
pub(super) const TRUNCATED: &str = "results truncated due to limit";

/// How long a store of blocks that is away should be left alone.
const BLOCKS_PAUSE: Duration = Duration::from_secs(5);

/// Texts by name, as an object.
pub(super) fn pairs<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Value {
    let object: Map<String, Value> = pairs
        .map(|(name, value)| (name.to_owned(), value.into()))
        .collect();
    Value::Object(object)
}

/// What kind of error it is; clients tell them apart by these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ErrorKind {
    /// The request is wrong.
    BadData,
    /// The request is right and has no answer, or none that may be given.
    Execution,
    /// It took too long.
    Timeout,
    /// Nobody waits for the answer.
    Canceled,
    /// A bug, or a store that cannot be read.
    Internal,
    /// Not now.
    Unavailable,
    /// There is no such thing.
    NotFound,
}

impl ErrorKind {
    fn text(self) -> &'static str {
        match self {
            Self::BadData => "bad_data",
            Self::Execution => "execution",
            Self::Timeout => "timeout",
            Self::Canceled => "canceled",
            Self::Internal => "internal",
            Self::Unavailable => "unavailable",
            Self::NotFound => "not_found",
        }
    }

    fn status(self) -> StatusCode {
        match self {
            Self::BadData => StatusCode::BAD_REQUEST,
            Self::Execution => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Timeout | Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            // Nginx' number for a client that closed the connection, which Prometheus took over.
            Self::Canceled => StatusCode::from_u16(499).unwrap_or(StatusCode::REQUEST_TIMEOUT),
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::NotFound => StatusCode::NOT_FOUND,
        }
    }
}

/// Why a request gets no data.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ApiError {
    kind: ErrorKind,
    message: String,
    detail: Option<String>,
    hint: Option<String>,
    retry_after: Option<Duration>,
}

impl ApiError {
    pub(super) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            detail: None,
            hint: None,
            retry_after: None,
        }
    }

    pub(super) fn bad_data(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::BadData, message)
    }

    pub(super) fn parameter(name: &str, why: impl std::fmt::Display) -> Self {
        Self::bad_data(format!("invalid parameter {name:?}: {why}"))
    }

    /// The store is not open yet.
    pub(super) fn starting() -> Self {
        let message = "the collector is starting: it opens its blocks and reads its journal back";
        Self::new(ErrorKind::Unavailable, message).after(Duration::from_secs(1))
    }

    /// A query met a bound.
    pub(super) fn limit(limit: Limit) -> Self {
        let (what, option) = match limit {
            Limit::Samples(most) => (format!("{most} samples"), "query.max_samples"),
            Limit::Series(most) => (format!("{most} series"), "query.max_series"),
            Limit::Memory(most) => (Size(most as u64).to_string(), "query.max_memory"),
        };
        Self::new(ErrorKind::Execution, limit.to_string())
            .with_detail(format!("one query may take {what}"))
            .with_hint(format!(
                "select fewer series, ask for a shorter time or a larger step, or raise {option}"
            ))
    }

    pub(super) fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    pub(super) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// When it is worth trying again.
    pub(super) fn after(mut self, retry_after: Duration) -> Self {
        self.retry_after = Some(retry_after);
        self
    }

    pub(super) fn kind(&self) -> ErrorKind {
        self.kind
    }

    pub(super) fn status(&self) -> StatusCode {
        self.kind.status()
    }

    pub(super) fn message(&self) -> &str {
        &self.message
    }
}

impl From<ReadError> for ApiError {
    fn from(error: ReadError) -> Self {
        let message = error.to_string();
        match error {
            ReadError::TooManySamples { .. } => Self::new(ErrorKind::Execution, message),
            // Half an answer would be taken for a whole one.
            ReadError::Objects(error) => Self::new(ErrorKind::Unavailable, message)
                .with_detail(with_causes(&error.source))
                .with_hint(
                    "older samples cannot be reached; see whether the store of blocks answers",
                )
                .after(BLOCKS_PAUSE),
        }
    }
}

impl From<QueryError> for ApiError {
    fn from(error: QueryError) -> Self {
        match error {
            QueryError::Parse(why) | QueryError::Invalid(why) => Self::parameter("query", why),
            QueryError::Execution(why) => Self::new(ErrorKind::Execution, why),
            QueryError::Limit(limit) => Self::limit(limit),
            error @ QueryError::TimedOut => Self::new(ErrorKind::Timeout, error.to_string()),
            error @ QueryError::Cancelled => Self::new(ErrorKind::Canceled, error.to_string()),
            QueryError::Read(error) => error.into(),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let kind = self.kind.text();
        let mut body = json!({"status": "error", "errorType": kind, "error": self.message});
        for (key, value) in [("detail", self.detail), ("hint", self.hint)] {
            if let Some(value) = value {
                body[key] = value.into();
            }
        }
        let mut response = (self.kind.status(), Json(body)).into_response();
        if let Some(after) = self.retry_after {
            let seconds = HeaderValue::from(after.as_secs().max(1));
            response.headers_mut().insert(RETRY_AFTER, seconds);
        }
        response
    }
}

/// A successful answer.
pub(super) fn success(data: Value) -> Response {
    Json(json!({"status": "success", "data": data})).into_response()
}

/// A successful answer that is written already.
pub(super) fn written(text: Text) -> Response {
    ([(CONTENT_TYPE, "application/json")], text.into_bytes()).into_response()
}

/// A list, which says so where the limit cut it.
pub(super) fn listing<T>(listing: &Listing<T>, mut show: impl FnMut(&mut Text, &T)) -> Text {
    let mut text = Text::success();
    text.list(&listing.items, &mut show);
    if listing.truncated {
        text.notes("warnings", &[TRUNCATED]);
    }
    text.end_object();
    text
}
