//! Errors as OTLP says them: a `google.rpc.Status`, which gRPC carries in a header and HTTP as the
//! body, with the time after which to try again where trying again makes sense.

use std::time::Duration;

use prost::Message;

use super::Refusal;

/// `google.rpc.Status`.
#[derive(Clone, PartialEq, Message)]
pub struct Status {
    /// A gRPC code.
    #[prost(int32, tag = "1")]
    pub code: i32,
    /// For a developer to read.
    #[prost(string, tag = "2")]
    pub message: String,
    /// Messages of other types.
    #[prost(message, repeated, tag = "3")]
    pub details: Vec<Detail>,
}

/// `google.protobuf.Any`.
#[derive(Clone, PartialEq, Message)]
pub struct Detail {
    /// Which type.
    #[prost(string, tag = "1")]
    pub type_url: String,
    /// The message.
    #[prost(bytes = "vec", tag = "2")]
    pub value: Vec<u8>,
}

/// `google.rpc.RetryInfo`.
#[derive(Clone, PartialEq, Message)]
pub struct RetryInfo {
    /// How long to wait.
    #[prost(message, optional, tag = "1")]
    pub retry_delay: Option<Delay>,
}

/// `google.protobuf.Duration`.
#[derive(Clone, PartialEq, Message)]
pub struct Delay {
    /// Whole seconds.
    #[prost(int64, tag = "1")]
    pub seconds: i64,
    /// And billionths.
    #[prost(int32, tag = "2")]
    pub nanos: i32,
}

const RETRY_INFO: &str = "type.googleapis.com/google.rpc.RetryInfo";

impl Status {
    /// What a refusal is as a status.
    pub(super) fn of(refusal: &Refusal) -> Self {
        let details = refusal.retry_after().map(|after| Detail {
            type_url: RETRY_INFO.into(),
            value: retry_info(after).encode_to_vec(),
        });
        Self {
            code: refusal.code().into(),
            message: refusal.to_string(),
            details: details.into_iter().collect(),
        }
    }

    /// In the JSON form of protobuf; the only detail there ever is, is the retry delay.
    pub(super) fn to_json(&self, retry_after: Option<Duration>) -> serde_json::Value {
        let details: Vec<_> = retry_after
            .map(|after| {
                serde_json::json!({
                    "@type": RETRY_INFO,
                    "retryDelay": format!("{}s", after.as_secs_f64()),
                })
            })
            .into_iter()
            .collect();
        serde_json::json!({"code": self.code, "message": self.message, "details": details})
    }
}

fn retry_info(after: Duration) -> RetryInfo {
    RetryInfo {
        retry_delay: Some(Delay {
            seconds: i64::try_from(after.as_secs()).unwrap_or(i64::MAX),
            nanos: after.subsec_nanos().cast_signed(),
        }),
    }
}
