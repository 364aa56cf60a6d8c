//! Why a request is turned away, in Alertmanager's two shapes: an object with a code for what does not
//! have the form that the API describes, a text for what has it and is wrong all the same.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::header::{ALLOW, HeaderValue, RETRY_AFTER};
use http::{Method, StatusCode};
use serde_json::json;

/// How many mistakes are told at most.
const MOST_TOLD: usize = 100;

/// Turns a request away.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It does not have the form of such a request.
    Coded {
        status: StatusCode,
        code: u16,
        message: String,
        /// The methods that the path knows, where it is the method.
        allow: Option<&'static str>,
    },
    /// It has the form, and cannot be done.
    Plain { status: StatusCode, message: String },
}

/// A value in a body that must be other, by the codes that Alertmanager's clients know.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    code: u16,
    message: String,
}

impl Fault {
    /// A value that must be there is not.
    pub(super) fn missing(what: &str) -> Self {
        let message = format!("{what} in body is required");
        Self { code: 602, message }
    }

    /// A text does not have the form that it must have.
    pub(super) fn form(place: &str, form: &str, text: &str) -> Self {
        let message = format!("{place} must be of type {form}: {text:?}");
        Self { code: 601, message }
    }

    /// A list must not be empty.
    pub(super) fn empty(what: &str) -> Self {
        let message = format!("{what} in body should have at least 1 items");
        Self { code: 612, message }
    }
}

impl Refusal {
    pub(super) fn coded(status: StatusCode, message: impl Into<String>) -> Self {
        Self::Coded {
            status,
            code: status.as_u16(),
            message: message.into(),
            allow: None,
        }
    }

    /// The path does not know the method.
    pub(super) fn method(method: &Method, known: &'static str) -> Self {
        let status = StatusCode::METHOD_NOT_ALLOWED;
        Self::Coded {
            status,
            code: status.as_u16(),
            message: format!("method {method} is not allowed, but [{known}] are"),
            allow: Some(known),
        }
    }

    /// The body is not what it should be.
    pub(super) fn body(what: &str, why: impl std::fmt::Display) -> Self {
        let message = format!("parsing {what} body from \"\" failed, because {why}");
        Self::coded(StatusCode::BAD_REQUEST, message)
    }

    /// Values in the body are not what they should be.
    pub(super) fn faults(faults: &[Fault]) -> Self {
        let texts: Vec<_> = faults.iter().map(|fault| fault.message.clone()).collect();
        let message = match texts.as_slice() {
            [alone] => alone.clone(),
            many => format!("validation failure list:\n{}", told(many, "\n")),
        };
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        let code = faults.first().map_or(status.as_u16(), |fault| fault.code);
        Self::Coded {
            status,
            code,
            message,
            allow: None,
        }
    }

    /// The request is wrong in a way that the API's description does not say.
    pub(super) fn wrong(message: impl Into<String>) -> Self {
        Self::Plain {
            status: StatusCode::BAD_REQUEST,
            message: message.into(),
        }
    }

    /// It cannot be kept.
    pub(super) fn unsaved(message: impl Into<String>) -> Self {
        Self::Plain {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            message: message.into(),
        }
    }

    /// It is not known yet which alerts and silences there are.
    pub(super) fn starting() -> Self {
        let message = "the collector is starting: it reads back what was told";
        Self::coded(StatusCode::SERVICE_UNAVAILABLE, message)
    }
}

/// Mistakes as one text, with a word about those that are too many.
pub(super) fn told(mistakes: &[String], between: &str) -> String {
    let shown = &mistakes[..mistakes.len().min(MOST_TOLD)];
    let text = shown.join(between);
    match mistakes.len() - shown.len() {
        0 => text,
        more => format!("{text}{between}and {more} more"),
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::Plain { status, message } => (status, Json(message)).into_response(),
            Self::Coded {
                status,
                code,
                message,
                allow,
            } => {
                let body = Json(json!({"code": code, "message": message}));
                let mut response = (status, body).into_response();
                let headers = response.headers_mut();
                if let Some(allow) = allow {
                    headers.insert(ALLOW, HeaderValue::from_static(allow));
                }
                if status == StatusCode::SERVICE_UNAVAILABLE {
                    headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
                }
                response
            }
        }
    }
}
