//! What a query may take, and what happens to one that takes more or that nobody waits for.

use std::path::Path;

use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::client::{Agent, PROTOBUF, batch, encoded, get, now_ms, post};
use crate::server::{Server, until};

/// Computes for seconds at the least: eleven thousand ranges of seven thousand numbers, four times.
const ENDLESS: &str = "stddev_over_time(stddev_over_time(stddev_over_time(stddev_over_time(\
                       vector(time())[2h:1s])[2h:1s])[2h:1s])[2h:1s])";

async fn start(data: &Path, query: &str) -> Server {
    let config = data.join("nightshift.toml");
    std::fs::write(&config, format!("[query]\n{query}\n")).unwrap();
    Server::start_with(data, &["--config", config.to_str().unwrap()]).await
}

async fn with_data(server: &Server) {
    let agent = Agent::new();
    let headers = [("content-type", PROTOBUF)];
    let names: Vec<String> = (0..30).map(|number| number.to_string()).collect();
    let values: Vec<(&str, f64)> = names.iter().map(|name| (name.as_str(), 1.0)).collect();
    for step in 0..10 {
        let bytes = agent.encode(step + 1, &batch("probe", now_ms() - 1_000, &values));
        let answer = post(server.listen(), "/v1/metrics", &headers, bytes).await;
        assert_eq!(answer.status, 200);
    }
}

fn path(query: &str) -> String {
    format!("/api/v1/query?query={}", encoded(query))
}

fn endless() -> String {
    let query = encoded(ENDLESS);
    format!("/api/v1/query_range?query={query}&start=0&end=11000&step=1")
}

fn text<'a>(answer: &'a Value, key: &str) -> &'a str {
    answer[key].as_str().unwrap_or_default()
}

#[tokio::test]
async fn what_meets_a_bound_is_told_which() {
    for (settings, query, message, option) in [
        (
            "max_series = 29",
            "probe",
            "selects more than 29 series",
            "query.max_series",
        ),
        (
            "max_samples = 29",
            "probe",
            "too many samples",
            "query.max_samples",
        ),
        (
            "max_memory = \"1MiB\"",
            "sum_over_time(vector(1)[1d:1s])",
            "more than 1 MiB of memory",
            "query.max_memory",
        ),
    ] {
        let data = tempfile::tempdir().unwrap();
        let server = start(data.path(), settings).await;
        with_data(&server).await;
        let answer = get(server.listen(), &path(query)).await;
        let told = answer.json();
        assert_eq!(
            (answer.status, text(&told, "errorType")),
            (422, "execution"),
            "{told}"
        );
        assert!(text(&told, "error").contains(message), "{told}");
        assert!(
            text(&told, "detail").starts_with("one query may take "),
            "{told}"
        );
        assert!(text(&told, "hint").contains(option), "{told}");
        let small = get(server.listen(), &path("count(probe{n='1'})")).await;
        assert_eq!(small.status, 200);
        server.stop(&[]).await;
    }
}

#[tokio::test]
async fn what_takes_too_long_is_stopped_by_the_clients_time_or_ours() {
    let data = tempfile::tempdir().unwrap();
    let server = start(data.path(), "timeout = \"30s\"").await;
    let endless = format!("{}&timeout=50ms", endless());
    let answer = get(server.listen(), &endless).await;
    let told = answer.json();
    assert_eq!(
        (answer.status, text(&told, "errorType")),
        (503, "timeout"),
        "{told}"
    );
    assert_eq!(
        text(&told, "error"),
        "query timed out in expression evaluation"
    );
    assert_eq!(text(&told, "detail"), "it was given 0.05 s");
    server.stop(&[]).await;
    let data = tempfile::tempdir().unwrap();
    let server = start(data.path(), "timeout = \"20ms\"").await;
    let longer = format!("{}&timeout=1h", self::endless());
    let told = get(server.listen(), &longer).await.json();
    assert_eq!(text(&told, "detail"), "it was given 0.02 s");
    server.stop(&[]).await;
}

#[tokio::test]
async fn a_client_that_goes_away_frees_its_place() {
    let data = tempfile::tempdir().unwrap();
    let settings = "concurrency = 1";
    let server = start(data.path(), settings).await;
    let mut stream = TcpStream::connect(server.listen()).await.unwrap();
    let request = format!("GET {} HTTP/1.1\r\nhost: x\r\n\r\n", endless());
    stream.write_all(request.as_bytes()).await.unwrap();
    // It runs once another finds no place.
    until("the query runs", async || {
        let other = get(
            server.listen(),
            &format!("{}&timeout=20ms", path("vector(1)")),
        )
        .await;
        other.status == 503
    })
    .await;
    drop(stream);
    let canceled = "nightshift_queries_total{outcome=\"canceled\"}";
    until("it is canceled", async || {
        server.metric(canceled).await == 1.0
    })
    .await;
    until("its place is free", async || {
        get(server.listen(), &path("vector(1)")).await.status == 200
    })
    .await;
    server.stop(&[]).await;
}

#[tokio::test]
async fn beyond_the_places_queries_are_told_to_come_back_and_telemetry_goes_on() {
    let data = tempfile::tempdir().unwrap();
    let settings = "concurrency = 1";
    let server = start(data.path(), settings).await;
    let mut stream = TcpStream::connect(server.listen()).await.unwrap();
    let request = format!("GET {} HTTP/1.1\r\nhost: x\r\n\r\n", endless());
    stream.write_all(request.as_bytes()).await.unwrap();
    let short = format!("{}&timeout=20ms", path("vector(1)"));
    let mut refused = get(server.listen(), &short).await;
    until("the other query has no place", async || {
        refused = get(server.listen(), &short).await;
        refused.status == 503
    })
    .await;
    let told = refused.json();
    assert_eq!(text(&told, "errorType"), "unavailable", "{told}");
    assert_eq!(refused.header("retry-after"), "5");
    assert!(text(&told, "hint").contains("query.concurrency"), "{told}");
    with_data(&server).await;
    assert_eq!(get(server.listen(), "/-/ready").await.status, 200);
    // It does not hold up the end either.
    server.stop(&[]).await;
    drop(stream);
}
