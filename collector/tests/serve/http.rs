//! OTLP over HTTP, on both ports that speak it.

use std::io::Write;

use http::Method;
use nightshift::ingest::status::Status;
use prost::Message;
use serde_json::{Value, json};

use crate::client::{self, Agent, JSON, PROTOBUF, batch, now_ms, post};
use crate::server::Server;

const PATH: &str = "/v1/metrics";

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::bulk::compress(bytes, 1).unwrap()
}

#[tokio::test]
async fn protobuf_comes_in_compressed_or_not() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path()).await;
    let agent = Agent::new();
    let mut sequence = 0;
    for address in [server.listen(), server.endpoints().otlp_http.unwrap()] {
        for encoding in ["", "identity", "gzip", "zstd"] {
            sequence += 1;
            let bytes = agent.encode(sequence, &batch("probe", now_ms(), &[(encoding, 1.0)]));
            let body = match encoding {
                "gzip" => gzip(&bytes),
                "zstd" => zstd(&bytes),
                _ => bytes,
            };
            let headers = [("content-type", PROTOBUF), ("content-encoding", encoding)];
            let answer = post(address, PATH, &headers, body).await;
            assert_eq!(
                (
                    answer.status,
                    answer.header("content-type"),
                    answer.body.len()
                ),
                (200, PROTOBUF, 0),
                "{encoding}"
            );
        }
    }
    assert_eq!(server.metric("nightshift_ingest_samples_total").await, 8.0);
    server.stop(&[]).await;
}

fn json_request(metrics: Value) -> String {
    let attributes = json!([{"key": "service.name", "value": {"stringValue": "shop"}}]);
    json!({"resourceMetrics": [{"resource": {"attributes": attributes}, "scopeMetrics": [{"metrics": metrics}]}]}).to_string()
}

#[tokio::test]
async fn a_stranger_from_the_future_is_refused_in_part() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path()).await;
    let at = |ahead_s: i64| ((now_ms() + ahead_s * 1_000) * 1_000_000).to_string();
    let metrics = json!([{"name": "soon", "gauge": {"dataPoints": [
        {"timeUnixNano": at(0), "asInt": "1"}, {"timeUnixNano": at(3_600), "asInt": "2"}]}}]);
    let headers = [("content-type", "application/json")];
    let answer = post(server.listen(), PATH, &headers, json_request(metrics)).await;
    assert_eq!(answer.status, 200);
    let partial = &answer.json()["partialSuccess"];
    assert_eq!(partial["rejectedDataPoints"], "1");
    let why = partial["errorMessage"].as_str().unwrap();
    assert!(
        why.contains("too far ahead of the collector's clock"),
        "{why}"
    );
    server.stop(&[]).await;
}

#[tokio::test]
async fn json_comes_in_as_the_specification_writes_it() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path()).await;
    let at = (now_ms() * 1_000_000).to_string();
    let metrics = json!([
        {"name": "cart.size", "unit": "By", "description": "d", "gauge": {"dataPoints": [
            {"timeUnixNano": at, "asInt": "7", "attributes": [{"key": "a", "value": {"boolValue": true}}]}]}},
        {"name": "orders", "unit": "1", "sum": {"aggregationTemporality": 2, "isMonotonic": true,
            "dataPoints": [{"startTimeUnixNano": "1", "timeUnixNano": at, "asDouble": 2.5}]}},
        {"name": "wait", "unit": "s", "histogram": {"aggregationTemporality": 2, "dataPoints": [
            {"timeUnixNano": at, "count": "3", "sum": 4.0, "bucketCounts": ["1", "2"], "explicitBounds": [0.5]}]}},
        {"name": "old", "sum": {"aggregationTemporality": 1, "isMonotonic": true, "dataPoints": [{"asInt": "1"}, {"asInt": 2}]}},
        {"name": "future", "unknownField": {"x": [1]}, "gauge": {"dataPoints": [{"timeUnixNano": at, "asDouble": 1, "unknown": null}]}}
    ]);
    let headers = [("content-type", "application/json; charset=utf-8")];
    let answer = post(server.listen(), PATH, &headers, json_request(metrics)).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, JSON));
    let partial = &answer.json()["partialSuccess"];
    assert_eq!(partial["rejectedDataPoints"], "2");
    assert!(
        partial["errorMessage"]
            .as_str()
            .unwrap()
            .contains("old has delta temporality")
    );
    let answer = client::get(server.listen(), "/federate?match[]=%7Bjob=%22shop%22%7D").await;
    let values: Vec<_> = answer
        .text()
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.rsplit_once(' ').unwrap().0.to_owned())
        .collect();
    let common = "job=\"shop\"";
    let expected = [
        format!("cart_size_bytes{{a=\"true\",{common},instance=\"\"}} 7"),
        format!("future{{{common},instance=\"\"}} 1"),
        format!("orders_total{{{common},instance=\"\"}} 2.5"),
        format!("wait_seconds_bucket{{{common},le=\"+Inf\",instance=\"\"}} 3"),
        format!("wait_seconds_bucket{{{common},le=\"0.5\",instance=\"\"}} 1"),
        format!("wait_seconds_count{{{common},instance=\"\"}} 3"),
        format!("wait_seconds_sum{{{common},instance=\"\"}} 4"),
    ];
    assert_eq!(values, expected);
    let whole = json_request(json!([{"name": "x", "gauge": {"dataPoints": [{"asInt": 1}]}}]));
    let answer = post(server.listen(), PATH, &headers, whole).await;
    assert_eq!((answer.status, answer.json()), (200, json!({})));
    server.stop(&[]).await;
}

/// Refused with that code, a status in the request's own format, and no time to come back.
async fn refused(
    server: &Server,
    content_type: &str,
    encoding: &str,
    body: Vec<u8>,
    expected: u16,
) {
    let headers = [
        ("content-type", content_type),
        ("content-encoding", encoding),
    ];
    let shown = format!(
        "{content_type} {encoding} {:?}",
        &body[..body.len().min(20)]
    );
    let answer = post(server.listen(), PATH, &headers, body).await;
    assert_eq!(answer.status, expected, "{shown}: {:?}", answer.body);
    assert_eq!(answer.headers.get("retry-after"), None, "{shown}");
    if answer.header("content-type") == JSON {
        assert_eq!(content_type, JSON);
        assert!(!answer.json()["message"].as_str().unwrap().is_empty());
    } else {
        let status = Status::decode(answer.body).unwrap();
        assert!(!status.message.is_empty() && status.code != 0, "{shown}");
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_with_a_status_of_the_same_format() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path()).await;
    refused(&server, "text/plain", "", b"x".to_vec(), 415).await;
    refused(&server, "", "", b"x".to_vec(), 415).await;
    refused(&server, JSON, "br", b"x".to_vec(), 415).await;
    for encoding in ["", "gzip", "zstd"] {
        refused(&server, PROTOBUF, encoding, b"hello".to_vec(), 400).await;
    }
    let truncated = gzip(&[0; 1000]);
    refused(
        &server,
        PROTOBUF,
        "gzip",
        truncated[..truncated.len() - 9].to_vec(),
        400,
    )
    .await;
    for body in [
        "",
        "{",
        "[]",
        "5",
        "{\"resourceMetrics\": 5}",
        "{\"resourceMetrics\": [{\"resource\": 5}]}",
    ] {
        refused(&server, JSON, "", body.into(), 400).await;
    }
    refused(&server, JSON, "", "[".repeat(100_000).into(), 400).await;
    let deep = format!("{{\"resourceMetrics\": {}", "[".repeat(100_000));
    refused(&server, JSON, "", deep.into(), 400).await;
    refused(&server, JSON, "", vec![0xff; 100], 400).await;
    let answer = client::send(server.listen(), Method::GET, PATH, &[], bytes::Bytes::new()).await;
    assert_eq!(answer.status, 405);
    server.stop(&[]).await;
}

#[tokio::test]
async fn what_is_too_large_before_or_after_unpacking_takes_no_memory() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path()).await;
    let empty_points = [0x0a, 0].repeat(3_000_000);
    let flood = nested(1, nested(2, nested(2, nested(5, empty_points))));
    refused(&server, PROTOBUF, "zstd", zstd(&flood), 413).await;
    refused(&server, PROTOBUF, "", vec![0; 16 * 1024 * 1024 + 1], 413).await;
    let bomb = vec![0; 65 << 20];
    refused(&server, PROTOBUF, "gzip", gzip(&bomb), 413).await;
    refused(&server, PROTOBUF, "zstd", zstd(&bomb), 413).await;
    refused(&server, JSON, "zstd", zstd(&b"{},".repeat(3_000_000)), 413).await;
    // The largest that is let in is 64 MiB, and some are under way at once.
    let resident = server.metric("process_resident_memory_bytes").await;
    assert!(resident < 400e6, "{resident}");
    server.stop(&[]).await;
}

fn nested(field: u8, content: Vec<u8>) -> Vec<u8> {
    let mut out = vec![field << 3 | 2];
    prost::encoding::encode_varint(content.len() as u64, &mut out);
    out.extend(content);
    out
}
