//! Clients that others wrote, against a running collector: promtool of Debian's Prometheus 2.42, and
//! prometheus-api-client for Python. (`promtool push metrics` came later than 2.42.)

use std::path::PathBuf;
use std::process::Command;

use crate::client::{Agent, PROTOBUF, batch, now_ms, post};
use crate::server::Server;

const SCRIPT: &str = include_str!("client.py");

/// Ten minutes of three metrics, the last one `up`, a value every 30 s.
async fn with_data(server: &Server) -> i64 {
    let agent = Agent::new();
    let headers = [("content-type", PROTOBUF)];
    let end_ms = now_ms() / 30_000 * 30_000;
    let mut sequence = 0;
    for step in 0..=20u32 {
        let at_ms = end_ms - 600_000 + i64::from(step) * 30_000;
        for (name, value) in [("probe_a", f64::from(step)), ("probe_b", 0.5), ("up", 1.0)] {
            sequence += 1;
            let bytes = agent.encode(sequence, &batch(name, at_ms, &[("1", value)]));
            let answer = post(server.listen(), "/v1/metrics", &headers, bytes).await;
            assert_eq!(answer.status, 200);
        }
    }
    end_ms / 1_000
}

/// The collector runs beside, so waiting for the client holds it up in nothing.
async fn run(mut command: Command) -> (bool, String, String) {
    let output = tokio::task::spawn_blocking(move || command.output())
        .await
        .unwrap();
    let output = output.expect("scripts/setup.sh installs the clients");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (
        output.status.success(),
        text(output.stdout),
        text(output.stderr),
    )
}

#[tokio::test]
async fn promtool_asks() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path()).await;
    let end = with_data(&server).await;
    let (url, end) = (format!("http://{}", server.listen()), end.to_string());
    let (from, labels) = (
        (end.parse::<i64>().unwrap() - 60).to_string(),
        "{instance=\"here\", job=\"tests\", n=\"1\"}",
    );
    let check = async |words: &[&str], expected: &str| {
        let mut command = Command::new("promtool");
        command.arg("query").args(words);
        let (ok, out, told) = run(command).await;
        assert!(ok, "{words:?}: {told}");
        assert_eq!(out, expected, "{words:?}");
    };
    let time = format!("--time={end}");
    let instant = format!("probe_a{labels} => 20 @[{end}]\n");
    check(&["instant", &time, &url, "probe_a"], &instant).await;
    check(
        &["instant", &time, &url, "1 + 1"],
        &format!("scalar: 2 @[{end}]\n"),
    )
    .await;
    let (start, stop) = (format!("--start={from}"), format!("--end={end}"));
    let middle = end.parse::<i64>().unwrap() - 30;
    let range = format!("probe_a{labels} =>\n18 @[{from}]\n19 @[{middle}]\n20 @[{end}]\n");
    check(
        &["range", &start, &stop, "--step=30s", &url, "probe_a"],
        &range,
    )
    .await;
    let series = "{__name__=\"probe_a\", instance=\"here\", job=\"tests\", n=\"1\"}\n\
                  {__name__=\"up\", instance=\"here\", job=\"tests\", n=\"1\"}\n";
    check(&["series", "--match=probe_a", "--match=up", &url], series).await;
    check(&["labels", &url, "__name__"], "probe_a\nprobe_b\nup\n").await;
    let mut wrong = Command::new("promtool");
    wrong.args(["query", "instant", &url, "sum("]);
    let (ok, _, told) = run(wrong).await;
    assert!(
        !ok && told.contains("bad_data") && told.contains("parse error"),
        "{told}"
    );
    server.stop(&[]).await;
}

#[tokio::test]
async fn prometheus_api_client_asks() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path()).await;
    let end = with_data(&server).await;
    let home = std::env::var_os("NIGHTSHIFT_PYTHON");
    let home = home.map_or_else(
        || PathBuf::from("/var/cache/nightshift/python"),
        PathBuf::from,
    );
    let mut command = Command::new(home.join("bin/python"));
    command.args([
        "-c",
        SCRIPT,
        &format!("http://{}", server.listen()),
        &end.to_string(),
    ]);
    let (ok, out, told) = run(command).await;
    assert!(ok, "{told}");
    assert_eq!(out, "ok\n");
    server.stop(&[]).await;
}
