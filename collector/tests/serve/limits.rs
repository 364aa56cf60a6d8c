//! Too much at once, and a disk that is full: turned away with the time to come back, and as before
//! once that has passed.

use std::process::Command;

use nightshift::ingest::status::{RetryInfo, Status};
use prost::Message;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tonic::Code;

use crate::client::{self, Agent, PROTOBUF, batch, decoded, get, now_ms, post};
use crate::server::{Server, until};

const HEADERS: [(&str, &str); 1] = [("content-type", PROTOBUF)];

/// A request of which the body is still to come.
pub(crate) async fn hold_a_place(server: &Server, length: usize) -> TcpStream {
    let mut stream = TcpStream::connect(server.listen()).await.unwrap();
    let head = format!(
        "POST /v1/metrics HTTP/1.1\r\nhost: x\r\ncontent-type: {PROTOBUF}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

fn retry_delay(details: &[u8]) -> i64 {
    let status = Status::decode(details).unwrap();
    assert_eq!(
        status.details[0].type_url,
        "type.googleapis.com/google.rpc.RetryInfo"
    );
    let info = RetryInfo::decode(&status.details[0].value[..]).unwrap();
    info.retry_delay.unwrap().seconds
}

#[tokio::test]
async fn one_too_many_is_told_when_to_come_back() {
    let data = tempfile::tempdir().unwrap();
    let config = data.path().join("c.toml");
    std::fs::write(&config, "[otlp]\nmax_concurrent_requests = 1\n").unwrap();
    let server = Server::start_with(data.path(), &["--config", config.to_str().unwrap()]).await;
    let agent = Agent::new();
    let bytes = agent.encode(1, &batch("probe", now_ms(), &[("a", 1.0)]));
    let mut holder = hold_a_place(&server, bytes.len()).await;
    let refused = async || post(server.listen(), "/v1/metrics", &HEADERS, bytes.clone()).await;
    // The first request takes its place as soon as its head is read.
    until("the place is taken", async || refused().await.status == 429).await;
    let answer = refused().await;
    assert_eq!((answer.status, answer.header("retry-after")), (429, "1"));
    assert_eq!(retry_delay(&answer.body), 1);
    let mut client = client::grpc(server.listen()).await;
    let status = client.export(decoded(&bytes)).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert_eq!(retry_delay(status.details()), 1);
    assert_eq!(
        get(server.listen(), "/-/ready").await.status,
        200,
        "reads go on"
    );
    holder.write_all(&bytes).await.unwrap();
    let mut answer = String::new();
    holder.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    client.export(decoded(&bytes)).await.unwrap();
    server.stop(&[]).await;
}

/// The limit on file sizes stands in for a full disk: every write to the journal fails.
fn limit_files(server: &Server, limit: &str) {
    let status = Command::new("prlimit")
        .args([
            "--pid",
            &server.pid().to_string(),
            &format!("--fsize={limit}:unlimited"),
        ])
        .status()
        .expect("prlimit of util-linux is needed");
    assert!(status.success());
}

#[tokio::test]
async fn a_full_disk_refuses_and_recovers_by_itself() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path()).await;
    let agent = Agent::new();
    let bytes = |sequence: u64| {
        let name = sequence.to_string();
        agent.encode(sequence, &batch("probe", now_ms(), &[(name.as_str(), 1.0)]))
    };
    let answer = post(server.listen(), "/v1/metrics", &HEADERS, bytes(1)).await;
    assert_eq!(answer.status, 200);

    limit_files(&server, "0");
    let mut client = client::grpc(server.listen()).await;
    for _ in 0..3 {
        let answer = post(server.listen(), "/v1/metrics", &HEADERS, bytes(2)).await;
        assert_eq!((answer.status, answer.header("retry-after")), (503, "5"));
        let status = client.export(decoded(&bytes(2))).await.unwrap_err();
        assert_eq!(status.code(), Code::Unavailable);
        assert_eq!(retry_delay(status.details()), 5);
    }
    let series = "/api/v1/series?match[]=probe";
    let stored = async |server: &Server| {
        get(server.listen(), series).await.json()["data"]
            .as_array()
            .unwrap()
            .len()
    };
    assert_eq!(
        stored(&server).await,
        1,
        "what is not acknowledged is not visible, and reads go on"
    );
    assert!(server.metric("nightshift_journal_failures_total").await >= 1.0);

    limit_files(&server, "unlimited");
    for sequence in [2, 3] {
        client.export(decoded(&bytes(sequence))).await.unwrap();
    }
    assert_eq!(stored(&server).await, 3);
    let log = server.log();
    assert_eq!(
        log.matches("cannot store telemetry").count(),
        1,
        "one line for the whole outage:\n{log}"
    );
    server.kill().await;

    let server = Server::start(data.path()).await;
    assert_eq!(stored(&server).await, 3);
    assert_eq!(server.metric("nightshift_store_samples").await, 3.0);
    server.stop(&[]).await;
}
