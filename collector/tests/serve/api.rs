//! What the collector answers: shapes, parameters, errors.

use serde_json::{Value, json};

use crate::client::{self, Agent, JSON, PROTOBUF, batch, encoded, get, now_ms, post};
use crate::server::Server;

async fn with_data(server: &Server) -> Agent {
    let agent = Agent::new();
    let headers = [("content-type", PROTOBUF)];
    for (sequence, name) in [(1, "probe_a"), (2, "probe_b")] {
        let bytes = agent.encode(sequence, &batch(name, now_ms(), &[("1", 1.0), ("2", 2.5)]));
        let answer = post(server.listen(), "/v1/metrics", &headers, bytes).await;
        assert_eq!(answer.status, 200);
    }
    agent
}

fn series(name: &str, n: &str) -> Value {
    json!({"__name__": name, "instance": "here", "job": "tests", "n": n})
}

#[tokio::test]
async fn labels_values_and_series_answer_as_prometheus_does() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path()).await;
    with_data(&server).await;
    let check = async |path: &str, expected: Value| {
        let answer = get(server.listen(), path).await;
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (200, JSON),
            "{path}"
        );
        assert_eq!(
            answer.json(),
            json!({"status": "success", "data": expected}),
            "{path}"
        );
    };
    let a = encoded("probe_a{n=\"1\"}");
    let both = encoded("{__name__=~\"probe_.*\",n=\"2\"}");
    check(
        "/api/v1/labels",
        json!(["__name__", "instance", "job", "n"]),
    )
    .await;
    check(&format!("/api/v1/labels?match[]={a}&end=1"), json!([])).await;
    check("/api/v1/label/n/values", json!(["1", "2"])).await;
    check(
        &format!("/api/v1/label/__name__/values?match[]={both}&match[]={a}"),
        json!(["probe_a", "probe_b"]),
    )
    .await;
    check("/api/v1/label/nothing/values", json!([])).await;
    check(
        &format!("/api/v1/series?match[]={a}&match[]={both}"),
        json!([
            series("probe_a", "1"),
            series("probe_a", "2"),
            series("probe_b", "2")
        ]),
    )
    .await;
    check(&format!("/api/v1/series?match[]={a}&start=2015-07-01T20:10:30.781Z&end=2100-01-01T00:00:00%2B02:00"), json!([series("probe_a", "1")])).await;
    check("/api/v1/status/buildinfo", json!({"version": env!("CARGO_PKG_VERSION"), "revision": "", "branch": "", "buildUser": "", "buildDate": "", "goVersion": ""})).await;

    server.stop(&[]).await;
}

#[tokio::test]
async fn limits_and_forms_are_understood() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path()).await;
    with_data(&server).await;
    let limited = get(server.listen(), "/api/v1/labels?limit=2").await.json();
    assert_eq!(
        limited,
        json!({"status": "success", "data": ["__name__", "instance"], "warnings": ["results truncated due to limit"]})
    );
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let answer = post(
        server.listen(),
        "/api/v1/series?limit=1",
        &form,
        "match[]=probe_b&match[]=probe_a",
    )
    .await;
    assert_eq!(answer.json()["data"], json!([series("probe_a", "1")]));
    let answer = post(server.listen(), "/api/v1/labels", &form, "").await;
    assert_eq!(
        answer.json()["data"],
        json!(["__name__", "instance", "job", "n"])
    );
    server.stop(&[]).await;
}

#[tokio::test]
async fn wrong_parameters_are_bad_data() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path()).await;
    let check = async |path: &str, expected: &str| {
        let answer = get(server.listen(), path).await;
        let body = answer.json();
        assert_eq!(
            (answer.status, &body["status"], &body["errorType"]),
            (400, &json!("error"), &json!("bad_data")),
            "{path}"
        );
        assert!(
            body["error"].as_str().unwrap().starts_with(expected),
            "{path}: {body}"
        );
    };
    check("/api/v1/series", "no match[] parameter provided").await;
    check(
        "/api/v1/series?match[]=%7B%7D",
        "invalid parameter \"match[]\": ",
    )
    .await;
    check(
        "/api/v1/series?match[]=up%7Ba=~%22(%22%7D",
        "invalid parameter \"match[]\": ",
    )
    .await;
    check(
        "/api/v1/labels?match[]=rate(up[5m])",
        "invalid parameter \"match[]\": ",
    )
    .await;
    check(
        "/api/v1/labels?start=yesterday",
        "invalid parameter \"start\": cannot parse \"yesterday\" to a valid timestamp",
    )
    .await;
    check(
        "/api/v1/label/n/values?end=NaN",
        "invalid parameter \"end\": ",
    )
    .await;
    check(
        "/api/v1/labels?limit=-1",
        "invalid parameter \"limit\": limit must be non-negative",
    )
    .await;
    check("/api/v1/labels?limit=ten", "invalid parameter \"limit\": ").await;
    let answer = get(server.listen(), "/federate?match[]=%7B").await;
    assert_eq!(answer.status, 400);
    assert_eq!(get(server.listen(), "/api/v1/nothing").await.status, 404);
    let oversized = vec![b'x'; 2 << 20];
    let form = [("content-type", "application/x-www-form-urlencoded")];
    assert_eq!(
        post(server.listen(), "/api/v1/series", &form, oversized)
            .await
            .status,
        400
    );
    server.stop(&[]).await;
}

#[tokio::test]
async fn agents_are_listed_also_after_a_restart() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path()).await;
    assert_eq!(get(server.listen(), "/api/agents").await.json(), json!([]));
    let agent = with_data(&server).await;
    let before = now_ms() as f64 / 1e3;
    let listed = async |server: &Server| {
        let mut agents = get(server.listen(), "/api/agents").await.json();
        let agent = agents[0].as_object_mut().unwrap();
        let lag = agent.remove("lag_seconds").unwrap().as_f64().unwrap();
        assert!((0.0..60.0).contains(&lag), "{lag}");
        let seen = agent["last_seen"].as_f64().unwrap();
        assert!((before - 60.0..=before).contains(&seen), "{seen}");
        assert_eq!(agent["sources"][0]["last_seen"], agent["last_seen"]);
        agents[0].clone()
    };
    let first = listed(&server).await;
    assert_eq!(first["id"], agent.id.to_string());
    assert_eq!(first["host"], "db1");
    assert_eq!(first["run"], agent.run.to_string());
    assert_eq!(first["skew_seconds"], Value::Null);
    for (key, expected) in [
        ("sequence", 2),
        ("stored_batches", 2),
        ("skipped_batches", 0),
        ("series", 2),
    ] {
        assert_eq!(first[key], expected, "{key}");
    }
    assert_eq!(first["sources"][0]["source"], "probe");
    assert_eq!(first["sources"][0]["instance"], "here");
    server.stop(&[]).await;
    let server = Server::start(data.path()).await;
    assert_eq!(listed(&server).await, first);
    server.stop(&[]).await;
}

#[tokio::test]
async fn own_pages_answer() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path()).await;
    let page = get(server.listen(), "/").await;
    assert!(
        page.text().contains("/api/agents") && page.header("content-type").starts_with("text/html")
    );
    assert_eq!(
        get(server.listen(), "/-/healthy").await.text(),
        "Nightshift is healthy.\n"
    );
    assert_eq!(get(server.listen(), "/federate").await.text(), "");
    assert!(server.metric("process_resident_memory_bytes").await > 1e6);
    assert_eq!(
        server
            .metric("nightshift_journal_fsync_seconds_count")
            .await,
        0.0
    );
    let only_otlp = server.endpoints().otlp_http.unwrap();
    assert_eq!(client::get(only_otlp, "/api/agents").await.status, 404);
    server.stop(&[]).await;
}
