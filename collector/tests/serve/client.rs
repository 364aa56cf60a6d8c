//! Speaks HTTP and gRPC to the collector, and makes requests as agents and others send them.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderMap, Method, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_client::MetricsServiceClient;
use prost::Message;
use tokio::net::TcpStream;
use tonic::transport::{Channel, Endpoint};
use wire::batch::{AgentId, Batch, BatchId, RunId, Sequence};
use wire::metric::{Family, Kind, Label, Point, Suffix};

pub(crate) const PROTOBUF: &str = "application/x-protobuf";
pub(crate) const JSON: &str = "application/json";

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.to_vec()).unwrap()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }
}

pub(crate) async fn get(address: SocketAddr, path: &str) -> Answer {
    send(address, Method::GET, path, &[], Bytes::new()).await
}

pub(crate) async fn post(
    address: SocketAddr,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<Bytes>,
) -> Answer {
    send(address, Method::POST, path, headers, body.into()).await
}

pub(crate) async fn send(
    address: SocketAddr,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: Bytes,
) -> Answer {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .unwrap();
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", address.to_string());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let exchange = async {
        let answer = sender
            .send_request(request.body(Full::new(body)).unwrap())
            .await
            .unwrap();
        let (head, body) = answer.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer {
            status: head.status.as_u16(),
            headers: head.headers,
            body,
        }
    };
    let mut exchange = std::pin::pin!(exchange);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        answer = &mut exchange => answer,
        // The server may close as soon as it has refused; its answer is there already.
        _ = &mut connection => exchange.await,
    }
}

pub(crate) async fn grpc(address: SocketAddr) -> MetricsServiceClient<Channel> {
    let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
    MetricsServiceClient::new(endpoint.connect().await.unwrap())
}

/// A gauge with a series for each label value, as a batch of an agent.
pub(crate) fn batch(name: &'static str, at_ms: i64, values: &[(&str, f64)]) -> Batch {
    let mut family = Family::new(name, "A test.", Kind::Gauge);
    for (label, value) in values {
        family.points.push(Point {
            suffix: Suffix::None,
            labels: vec![Label::new("n", (*label).to_owned())],
            value: *value,
            at_ms: None,
        });
    }
    Batch {
        source: "probe".into(),
        at_ms,
        target: vec![Label::new("job", "tests"), Label::new("instance", "here")],
        families: vec![family],
    }
}

pub(crate) struct Agent {
    pub(crate) id: AgentId,
    pub(crate) run: RunId,
}

impl Agent {
    pub(crate) fn new() -> Self {
        Self {
            id: AgentId::random(),
            run: RunId::random(),
        }
    }

    /// The batch as the agent would send it: the bytes of a request.
    pub(crate) fn encode(&self, sequence: u64, batch: &Batch) -> Vec<u8> {
        let id = BatchId {
            agent: self.id,
            run: self.run,
            sequence: Sequence(sequence),
        };
        let mut bytes = Vec::new();
        wire::otlp::encode(&mut bytes, batch, id, "db1");
        bytes
    }
}

pub(crate) fn decoded(bytes: &[u8]) -> ExportMetricsServiceRequest {
    ExportMetricsServiceRequest::decode(bytes).unwrap()
}

pub(crate) fn now_ms() -> i64 {
    let since = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
    i64::try_from(since.as_millis()).unwrap()
}

/// Percent-encodes a parameter's value.
pub(crate) fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-' | b'.' => {
                char::from(byte).to_string()
            }
            byte => format!("%{byte:02X}"),
        })
        .collect()
}
