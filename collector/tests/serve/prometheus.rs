//! Beside a real Prometheus: it scrapes /federate, and both answer the same questions alike.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::client::{Agent, PROTOBUF, batch, encoded, get, now_ms, post};
use crate::peer::{self, Peer};
use crate::server::{Server, until};

/// Prometheus, which scrapes /federate.
fn scraping(server: &Server, folder: &Path) -> Peer {
    let config = format!(
        "scrape_configs:\n- job_name: federate\n  honor_labels: true\n  scrape_interval: 1s\n  \
         metrics_path: /federate\n  params:\n    'match[]': ['{{job=\"tests\"}}']\n  static_configs:\n  \
         - targets: ['{}']\n",
        server.listen()
    );
    peer::prometheus(folder, &config, &[])
}

async fn is_listening(address: SocketAddr) -> bool {
    tokio::net::TcpStream::connect(address).await.is_ok()
}

/// Stores eight series of which some are hard to write down.
async fn store_probes(server: &Server) {
    let agent = Agent::new();
    for (sequence, name) in [(1, "probe_a"), (2, "probe_b")] {
        let values = [
            ("1", 1.0),
            ("two \"words\"\n", 2.5),
            ("inf", f64::INFINITY),
            ("small", 1e-300),
        ];
        let bytes = agent.encode(sequence, &batch(name, now_ms(), &values));
        let headers = [("content-type", PROTOBUF)];
        assert_eq!(
            post(server.listen(), "/v1/metrics", &headers, bytes)
                .await
                .status,
            200
        );
    }
}

fn questions(probes: &str) -> Vec<String> {
    vec![
        format!("/api/v1/series?match[]={probes}"),
        format!("/api/v1/labels?match[]={probes}"),
        format!("/api/v1/label/n/values?match[]={probes}"),
        format!("/api/v1/label/__name__/values?match[]={probes}&match[]=probe_a"),
        format!("/api/v1/series?match[]={probes}&start=1&end=2"),
        format!(
            "/api/v1/series?match[]={}",
            encoded("probe_a{n=~\"in.|sm(a|b)l{2}\"}")
        ),
        "/api/v1/label/nothing/values".into(),
        "/api/v1/series".into(),
        "/api/v1/series?match[]=%7B%7D".into(),
        "/api/v1/series?match[]=up&start=yesterday".into(),
        "/api/v1/labels?match[]=%7B".into(),
        "/api/v1/labels?end=x".into(),
        "/api/v1/label/n/values?match[]=sum(up)".into(),
    ]
}

#[tokio::test]
async fn both_answer_alike() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path()).await;
    store_probes(&server).await;
    let folder = tempfile::tempdir().unwrap();
    let prometheus = scraping(&server, folder.path());
    let probes = encoded("{__name__=~\"probe_.*\"}");
    until("Prometheus has scraped all", async || {
        if !is_listening(prometheus.address).await {
            return false;
        }
        let answer = get(
            prometheus.address,
            &format!("/api/v1/series?match[]={probes}"),
        )
        .await;
        answer.status == 200
            && answer.json()["data"]
                .as_array()
                .is_some_and(|data| data.len() == 8)
    })
    .await;
    for path in questions(&probes) {
        let (ours, theirs) = (
            get(server.listen(), &path).await,
            get(prometheus.address, &path).await,
        );
        assert_eq!(ours.status, theirs.status, "{path}");
        assert_eq!(comparable(ours.json()), comparable(theirs.json()), "{path}");
    }
    let path = format!("/federate?match[]={probes}");
    let (ours, theirs) = (
        get(server.listen(), &path).await,
        get(prometheus.address, &path).await,
    );
    assert_eq!(
        with_plain_numbers(&ours.text()),
        with_plain_numbers(&theirs.text())
    );
    server.stop(&[]).await;
}

/// All but the wording of errors.
fn comparable(mut answer: Value) -> Value {
    if let Some(error) = answer.get_mut("error") {
        *error = Value::Null;
    }
    answer
}

/// Go writes `1e-05` where Rust writes `1e-5`: numbers are compared as numbers.
fn with_plain_numbers(text: &str) -> Vec<String> {
    text.lines()
        .map(|line| match line.rsplitn(3, ' ').collect::<Vec<_>>()[..] {
            [at, value, series] if !line.starts_with('#') => {
                format!("{series} {} {at}", value.parse::<f64>().unwrap())
            }
            _ => line.to_owned(),
        })
        .collect()
}

#[tokio::test]
async fn promtool_finds_nothing_wrong_with_the_own_metrics() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path()).await;
    let text = get(server.listen(), "/metrics").await.body;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("metrics");
    std::fs::write(&path, text).unwrap();
    let output = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(std::fs::File::open(&path).unwrap())
        .output()
        .expect("promtool is needed: scripts/setup.sh installs it with prometheus");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    server.stop(&[]).await;
}
