//! What a collector answers to an export, as far as a shipper acts on it: how many points it
//! refused, and when to come again.
//!
//! Constraints: the answers of any OTLP receiver must be readable, whatever else they carry; nothing
//! in an answer may make the reader allocate beyond the answer's own size; a delay that makes no
//! sense (negative, overflowing) is no delay. The few fields are declared here, for the agent does
//! not carry the generated types.

use std::time::Duration;

use prost::Message;

/// The type of the detail that carries a delay, behind whatever host its address names.
const RETRY_INFO: &str = "google.rpc.RetryInfo";

/// An `ExportMetricsServiceResponse`.
#[derive(Clone, PartialEq, Message)]
pub struct ExportAnswer {
    /// Set where not all went well.
    #[prost(message, optional, tag = "1")]
    pub partial_success: Option<PartialSuccess>,
}

/// An `ExportMetricsPartialSuccess`.
#[derive(Clone, PartialEq, Message)]
pub struct PartialSuccess {
    /// Points that were refused; they must not be sent again.
    #[prost(int64, tag = "1")]
    pub rejected_data_points: i64,
    /// Why, or a warning where nothing was refused.
    #[prost(string, tag = "2")]
    pub error_message: String,
}

#[derive(Clone, PartialEq, Message)]
struct RpcStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<Detail>,
}

#[derive(Clone, PartialEq, Message)]
struct Detail {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    retry_delay: Option<Delay>,
}

#[derive(Clone, PartialEq, Message)]
struct Delay {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

impl ExportAnswer {
    /// Reads an answer.
    ///
    /// # Errors
    /// When the bytes are no protobuf.
    pub fn read(bytes: &[u8]) -> Result<Self, prost::DecodeError> {
        Self::decode(bytes)
    }
}

/// Reads the delay out of the details of a gRPC status (`grpc-status-details-bin`).
#[must_use]
pub fn retry_delay(details: &[u8]) -> Option<Duration> {
    let status = RpcStatus::decode(details).ok()?;
    let detail = status
        .details
        .iter()
        .find(|detail| detail.type_url.rsplit('/').next() == Some(RETRY_INFO))?;
    let delay = RetryInfo::decode(detail.value.as_slice())
        .ok()?
        .retry_delay?;
    let seconds = u64::try_from(delay.seconds).ok()?;
    let nanos = u32::try_from(delay.nanos).ok()?;
    (nanos < 1_000_000_000).then(|| Duration::new(seconds, nanos))
}

/// Writes the details of a gRPC status that asks to come again after `delay`.
#[must_use]
pub fn retry_details(code: i32, message: &str, delay: Duration) -> Vec<u8> {
    let delay = Delay {
        seconds: i64::try_from(delay.as_secs()).unwrap_or(i64::MAX),
        // Below one billion by the definition of `subsec_nanos`.
        nanos: i32::try_from(delay.subsec_nanos()).unwrap_or_default(),
    };
    let info = RetryInfo {
        retry_delay: Some(delay),
    };
    RpcStatus {
        code,
        message: message.to_owned(),
        details: vec![Detail {
            type_url: format!("type.googleapis.com/{RETRY_INFO}"),
            value: info.encode_to_vec(),
        }],
    }
    .encode_to_vec()
}

/// Writes a `google.rpc.Status` without details.
#[must_use]
pub fn status(code: i32, message: &str) -> Vec<u8> {
    let message = message.to_owned();
    RpcStatus {
        code,
        message,
        details: Vec::new(),
    }
    .encode_to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delay_is_read_back() {
        let delay = Duration::new(61, 5_000_000);
        assert_eq!(retry_delay(&retry_details(8, "slow", delay)), Some(delay));
    }

    #[test]
    fn details_without_a_sound_delay_give_none() {
        let negative = |seconds, nanos| {
            let info = RetryInfo {
                retry_delay: Some(Delay { seconds, nanos }),
            };
            let detail = Detail {
                type_url: RETRY_INFO.to_owned(),
                value: info.encode_to_vec(),
            };
            RpcStatus {
                code: 8,
                message: String::new(),
                details: vec![detail],
            }
            .encode_to_vec()
        };
        for details in [
            Vec::new(),
            b"\xff\xff\xff\xff".to_vec(),
            negative(-1, 0),
            negative(0, -1),
            negative(0, i32::MAX),
        ] {
            assert_eq!(retry_delay(&details), None, "{details:?}");
        }
    }

    #[test]
    fn answers_of_the_generated_types_are_read() {
        use opentelemetry_proto::tonic::collector::metrics::v1 as generated;
        let answer = generated::ExportMetricsServiceResponse {
            partial_success: Some(generated::ExportMetricsPartialSuccess {
                rejected_data_points: 3,
                error_message: "too old".to_owned(),
            }),
        };
        let read = ExportAnswer::read(&answer.encode_to_vec()).unwrap();
        let partial = read.partial_success.unwrap();
        assert_eq!(
            (partial.rejected_data_points, partial.error_message.as_str()),
            (3, "too old")
        );
        assert_eq!(ExportAnswer::read(b"").unwrap().partial_success, None);
        assert!(ExportAnswer::read(b"\x0a\xff").is_err());
    }
}
