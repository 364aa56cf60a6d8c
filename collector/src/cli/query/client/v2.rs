//! Asks a collector over Alertmanager's API, which has other shapes of errors and no envelope.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::{Method, Request, StatusCode};
use http_body_util::Full;
use serde_json::Value;
use tokio::time::timeout;

use super::{Collector, Failure};

impl Collector {
    /// The body of a successful answer; null where there is none. Waits for it on this thread.
    pub(in crate::cli) fn v2(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        patience: Duration,
    ) -> Result<Value, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::unreachable(format!("cannot start: {error}")))?;
        let body = body.map_or_else(Bytes::new, |body| Bytes::from(body.to_string()));
        let request = Request::builder()
            .method(method)
            .uri(format!("{}/api/v2/{path}", self.prefix))
            .header(HOST, format!("{}:{}", self.host, self.port))
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(body))
            .map_err(|error| Failure::usage(error.to_string()))?;
        let answer = async { timeout(patience, self.send(request)).await };
        let (status, body) = runtime.block_on(answer).map_err(|_elapsed| {
            let waited = patience.as_secs();
            Failure::unreachable(format!("{} did not answer within {waited} s", self.name()))
        })??;
        let told = match &*body {
            [] => Ok(Value::Null),
            body => serde_json::from_slice(body),
        };
        match told {
            Ok(value) if status.is_success() => Ok(value),
            Ok(why) => Err(refused(status, &why)),
            Err(error) => Err(Failure::unreachable(format!(
                "{} answered {status} and no JSON: {error}",
                self.name()
            ))),
        }
    }
}

fn refused(status: StatusCode, why: &Value) -> Failure {
    let message = why.as_str().or_else(|| why["message"].as_str());
    let message = match message {
        Some(message) => message.to_owned(),
        None => format!("the collector answered {status}"),
    };
    match status.as_u16() {
        404 => Failure::refused(message),
        400..500 => Failure::usage(message),
        _ => Failure::unreachable(message),
    }
}
