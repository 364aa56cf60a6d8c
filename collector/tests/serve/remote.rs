//! Remote write, in: what senders of both versions are told, what is stored, and what hostile bodies do.

mod forward;
mod peers;
pub(crate) mod published;

use prost::Message;
use serde_json::Value;
use wire::remote_write::compress;

use crate::client::{Answer, encoded, get, now_ms, post};
use crate::server::Server;
use published::{self as p, label};

const WRITE: &str = "/api/v1/write";
const V1: &str = "application/x-protobuf";
const V2: &str = "application/x-protobuf;proto=io.prometheus.write.v2.Request";

async fn write(server: &Server, content_type: &str, message: &impl Message) -> Answer {
    let body = compress(&message.encode_to_vec()).unwrap();
    send(server, content_type, body).await
}

async fn send(server: &Server, content_type: &str, body: Vec<u8>) -> Answer {
    let headers = [
        ("content-type", content_type),
        ("content-encoding", "snappy"),
    ];
    post(server.listen(), WRITE, &headers, body).await
}

/// Samples, histograms and exemplars that an answer says were written.
fn written(answer: &Answer) -> [&str; 3] {
    ["samples", "histograms", "exemplars"]
        .map(|what| answer.header(&format!("x-prometheus-remote-write-{what}-written")))
}

/// The samples of one series, as `/federate` tells the newest of each.
async fn federated(server: &Server, selector: &str) -> Vec<String> {
    let path = format!("/federate?match[]={}", encoded(selector));
    let text = get(server.listen(), &path).await.text();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(str::to_owned).collect()
}

fn series(name: &str, samples: &[(i64, f64)]) -> p::TimeSeries {
    p::TimeSeries {
        labels: vec![label("__name__", name), label("job", "tests")],
        samples: samples
            .iter()
            .map(|(timestamp, value)| p::Sample {
                value: *value,
                timestamp: *timestamp,
            })
            .collect(),
        ..Default::default()
    }
}

fn request_v1(timeseries: Vec<p::TimeSeries>) -> p::WriteRequest {
    p::WriteRequest {
        timeseries,
        metadata: vec![],
    }
}

#[tokio::test]
async fn version_1_is_stored() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path()).await;
    let at = now_ms();
    let request = p::WriteRequest {
        timeseries: vec![series("one", &[(at - 1_000, 1.0), (at, 2.5)])],
        metadata: vec![p::MetricMetadata {
            kind: 1,
            metric_family_name: "one".into(),
            help: "How many.".into(),
            unit: String::new(),
        }],
    };
    let answer = write(&server, V1, &request).await;
    assert_eq!((answer.status, answer.text().as_str()), (204, ""));
    assert_eq!(written(&answer), ["2", "0", "0"]);
    let expected = format!("one{{job=\"tests\",instance=\"\"}} 2.5 {at}");
    assert_eq!(
        federated(&server, "one").await,
        std::slice::from_ref(&expected)
    );
    // Sent again, for the answer may be lost: the same once more.
    assert_eq!(write(&server, V1, &request).await.status, 204);
    assert_eq!(federated(&server, "one").await, [expected]);
    // Nothing at all is nothing wrong.
    let nothing = write(&server, V1, &request_v1(vec![])).await;
    assert_eq!((nothing.status, written(&nothing)), (204, ["0", "0", "0"]));
    let accepted =
        r#"nightshift_ingest_requests_total{protocol="remote_write_1",outcome="accepted"}"#;
    assert_eq!(server.metric(accepted).await, 3.0);
    server.stop(&[]).await;
}

#[tokio::test]
async fn version_2_is_stored() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path()).await;
    let at = now_ms();
    let texts = [
        "", "__name__", "two", "job", "tests", "trace_id", "t1", "Help.", "s",
    ];
    let request = p::Request {
        symbols: texts.iter().map(|text| (*text).to_owned()).collect(),
        timeseries: vec![p::TimeSeries2 {
            labels_refs: vec![3, 4, 1, 2],
            samples: vec![p::Sample {
                value: 7.5,
                timestamp: at,
            }],
            exemplars: vec![p::Exemplar2 {
                labels_refs: vec![5, 6],
                value: 7.0,
                timestamp: at,
            }],
            metadata: Some(p::Metadata2 {
                kind: 2,
                help_ref: 7,
                unit_ref: 8,
            }),
            created_timestamp: at - 5_000,
            ..Default::default()
        }],
    };
    let answer = write(&server, V2, &request).await;
    assert_eq!((answer.status, written(&answer)), (204, ["1", "0", "1"]));
    let expected = format!("two{{job=\"tests\",instance=\"\"}} 7.5 {at}");
    assert_eq!(federated(&server, "two").await, [expected]);
    let exemplars = server
        .metric("nightshift_remote_write_exemplars_total")
        .await;
    assert_eq!(exemplars, 1.0);
    server.stop(&[]).await;
}

#[tokio::test]
async fn a_part_that_is_refused_is_never_success() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path()).await;
    let at = now_ms();
    let mut nameless = series("x", &[(at, 1.0), (at + 1, 1.0)]);
    nameless.labels.remove(0);
    let mut native = series("native", &[]);
    native.histograms.push(p::Histogram::default());
    let request = request_v1(vec![series("good", &[(at, 1.0)]), nameless, native]);
    let answer = write(&server, V1, &request).await;
    assert_eq!((answer.status, written(&answer)), (400, ["1", "0", "0"]));
    assert_eq!(
        answer.text(),
        "refused for good: 2 without the name of a metric, for instance {job=\"tests\"}; \
         1 native histograms, which are not stored: send classic ones, for instance \
         {__name__=\"native\", job=\"tests\"}\n"
    );
    assert_eq!(federated(&server, "good").await.len(), 1);
    let refused = r#"nightshift_remote_write_refused_total{reason="no_metric_name"}"#;
    assert_eq!(server.metric(refused).await, 2.0);
    server.stop(&[]).await;
}

#[tokio::test]
async fn times_out_of_bounds_are_refused_with_their_reason() {
    const HOUR: i64 = 3_600_000;
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path()).await;
    let now = now_ms();
    // A series begins when it likes, and goes on in order or within the window.
    let old = series("old", &[(now - 90 * HOUR, 1.0), (now - 10 * HOUR, 2.0)]);
    let ahead = series("ahead", &[(now, 1.0), (now + HOUR, 2.0)]);
    let answer = write(&server, V1, &request_v1(vec![old, ahead])).await;
    assert_eq!(answer.status, 400);
    assert_eq!(written(&answer), ["3", "0", "0"]);
    let said = answer.text();
    assert!(
        said.contains("1 samples too far ahead of the collector's clock"),
        "{said}"
    );
    let late = series("old", &[(now - 11 * HOUR, 3.0), (now - 13 * HOUR, 4.0)]);
    let answer = write(&server, V1, &request_v1(vec![late])).await;
    assert_eq!(answer.status, 400);
    assert_eq!(written(&answer), ["1", "0", "0"]);
    let said = answer.text();
    assert!(
        said.contains("1 samples too far behind the newest"),
        "{said}"
    );
    let metrics = get(server.listen(), "/metrics").await.text();
    for line in [
        "nightshift_ingest_future_samples_total 1",
        "nightshift_ingest_late_samples_total 1",
        "nightshift_remote_write_refused_total{reason=\"too_far_ahead\"} 1",
        "nightshift_remote_write_refused_total{reason=\"too_late\"} 1",
    ] {
        assert!(metrics.contains(line), "{line} is not in {metrics}");
    }
    server.stop(&[]).await;
}

#[tokio::test]
async fn unknown_types_and_encodings_are_told_so() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path()).await;
    let body = compress(&request_v1(vec![]).encode_to_vec()).unwrap();
    for (content_type, encoding, expected) in [
        (V1, "snappy", 204),
        (V1, "zstd", 415),
        (V1, "gzip", 415),
        ("application/json", "snappy", 415),
        (
            "application/x-protobuf;proto=io.prometheus.write.v9.Request",
            "snappy",
            415,
        ),
    ] {
        let headers = [
            ("content-type", content_type),
            ("content-encoding", encoding),
        ];
        let answer = post(server.listen(), WRITE, &headers, body.clone()).await;
        assert_eq!(answer.status, expected, "{content_type} {encoding}");
    }
    assert_eq!(get(server.listen(), WRITE).await.status, 405);
    server.stop(&[]).await;
}

#[tokio::test]
async fn hostile_bodies_are_refused_and_cost_little() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path()).await;
    let whole =
        compress(&request_v1(vec![series("one", &[(1, 1.0)]); 100]).encode_to_vec()).unwrap();
    let far = p::Request {
        symbols: vec![String::new()],
        timeseries: vec![p::TimeSeries2 {
            labels_refs: vec![0, u32::MAX],
            ..Default::default()
        }],
    };
    let noise: Vec<u8> = (0u32..4_000)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    let zeros = compress(&vec![0u8; 60 << 20]).unwrap();
    for (what, content_type, body, expected) in [
        ("torn snappy", V1, whole[..whole.len() / 2].to_vec(), 400),
        ("no snappy", V1, noise.clone(), 400),
        ("nothing", V1, vec![], 400),
        (
            "4 GiB claimed by six bytes",
            V1,
            vec![0xff, 0xff, 0xff, 0xff, 0x0f, 0],
            413,
        ),
        ("60 MiB of zeros in 3 MiB", V1, zeros, 400),
        ("random protobuf", V1, compress(&noise).unwrap(), 400),
        ("random protobuf", V2, compress(&noise).unwrap(), 400),
        (
            "a symbol out of range",
            V2,
            compress(&far.encode_to_vec()).unwrap(),
            400,
        ),
        ("100 MB", V1, vec![0x55; 100_000_000], 413),
    ] {
        let answer = send(&server, content_type, body).await;
        assert_eq!(answer.status, expected, "{what}: {}", answer.text());
        assert_eq!(written(&answer), ["0", "0", "0"], "{what}");
    }
    let resident = server.metric("process_resident_memory_bytes").await;
    assert!(resident < 400e6, "{resident} bytes");
    let answer = get(server.listen(), "/api/v1/series?match[]=one").await;
    assert_eq!(
        answer.json()["data"],
        Value::Array(vec![]),
        "nothing of it is stored"
    );
    server.stop(&[]).await;
}
