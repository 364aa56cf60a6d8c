//! `nightshift query`, against a running collector.

use std::process::Command;

use serde_json::Value;

use crate::client::{Agent, PROTOBUF, batch, now_ms, post};
use crate::server::{PROGRAM, Server};

/// Exit code, standard output and standard error.
type Told = (i32, String, String);

/// An hour of a sawtooth, a value a minute.
async fn with_data(server: &Server) -> i64 {
    let agent = Agent::new();
    let headers = [("content-type", PROTOBUF)];
    let end_ms = now_ms() / 60_000 * 60_000;
    for minute in 0..=60u64 {
        let at_ms = end_ms - 3_600_000 + i64::try_from(minute).unwrap() * 60_000;
        let values = [("1", (minute % 20) as f64), ("2", 5.0)];
        let bytes = agent.encode(minute + 1, &batch("saw", at_ms, &values));
        let answer = post(server.listen(), "/v1/metrics", &headers, bytes).await;
        assert_eq!(answer.status, 200);
    }
    end_ms
}

/// The server runs on this test's own thread, so the program must not block it.
async fn ask(arguments: &[&str], collector: &str) -> Told {
    let mut command = Command::new(PROGRAM);
    command
        .arg("query")
        .args(arguments)
        .env("NIGHTSHIFT_COLLECTOR", collector);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let code = output.status.code().unwrap();
    (code, text(output.stdout), text(output.stderr))
}

#[tokio::test]
async fn answers_are_shown_as_asked() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path()).await;
    let end_s = (with_data(&server).await / 1_000).to_string();
    let url = format!("http://{}", server.listen());
    let at = ["--at", end_s.as_str()];
    let check = async |arguments: &[&str], expected: &str| {
        let told = ask(arguments, &url).await;
        assert_eq!(
            told,
            (0, expected.to_owned(), String::new()),
            "{arguments:?}"
        );
    };
    check(&["1 + 1"], "2\n").await;
    let table = "saw{instance=\"here\", job=\"tests\"}\nn  value\n1      0\n2      5\n";
    check(&["saw", at[0], at[1]], table).await;
    check(&["nothing"], "no series\n").await;
    let scalar = format!(r#"{{"result":[{end_s},"2"],"resultType":"scalar"}}"#);
    check(&["2", at[0], at[1], "-o", "json"], &format!("{scalar}\n")).await;
    let (_, csv, _) = ask(&["saw", at[0], at[1], "-o", "csv"], &url).await;
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines[0], "time,__name__,instance,job,n,value");
    assert!(lines[2].ends_with(",saw,here,tests,2,5"), "{csv}");
    let range = [
        "saw{n='2'}",
        "--from",
        "-30m",
        "--to",
        "now",
        "--step",
        "10m",
        "-o",
        "json",
    ];
    let (code, json, _) = ask(&range, &url).await;
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((code, &json["resultType"]), (0, &Value::from("matrix")));
    assert_eq!(json["result"][0]["values"].as_array().unwrap().len(), 4);
    server.stop(&[]).await;
}

#[tokio::test]
async fn a_graph_has_axes_and_a_legend() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path()).await;
    let end_s = (with_data(&server).await / 1_000).to_string();
    let url = format!("http://{}", server.listen());
    let (code, graph, _) = ask(&["saw", "-o", "graph", "--at", &end_s], &url).await;
    assert_eq!(code, 0, "{graph}");
    let lines: Vec<&str> = graph.lines().collect();
    assert!(
        lines[0].starts_with("19 ┤") && lines[0].contains('a'),
        "{graph}"
    );
    assert!(graph.contains(" 0 ┤a"), "{graph}");
    assert!(graph.contains("└───"), "{graph}");
    let legend: Vec<&str> = lines.iter().rev().take(2).copied().collect();
    assert_eq!(
        legend[0],
        "b saw{instance=\"here\", job=\"tests\", n=\"2\"}  5"
    );
    assert!(
        lines.iter().all(|line| line.chars().count() <= 110),
        "{graph}"
    );
    server.stop(&[]).await;
}

#[tokio::test]
async fn what_goes_wrong_has_a_code_and_a_hint() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path()).await;
    with_data(&server).await;
    let url = format!("http://{}", server.listen());
    let check = async |arguments: &[&str], url: &str, code: i32, expected: &[&str]| {
        let (got, out, told) = ask(arguments, url).await;
        assert_eq!((got, out.as_str()), (code, ""), "{arguments:?}: {told}");
        for part in expected {
            assert!(told.contains(part), "{arguments:?}: {told}");
        }
    };
    let nobody = "http://127.0.0.1:1";
    check(
        &["up"],
        nobody,
        1,
        &["cannot reach the collector at 127.0.0.1:1", "hint: "],
    )
    .await;
    check(
        &["up"],
        "https://127.0.0.1:1",
        2,
        &["needs --ca-file", "tls/ca.crt"],
    )
    .await;
    let caret = "  sum(up) bogus\n          ^^^^^\n";
    check(
        &["sum(up) bogus"],
        nobody,
        2,
        &["the expression is wrong: ", caret],
    )
    .await;
    check(
        &["up", "--at", "yesterday"],
        nobody,
        2,
        &["write now, an age such as -1h"],
    )
    .await;
    check(&["up", "--to", "now"], nobody, 2, &["--from"]).await;
    check(
        &["up", "--from", "now", "--to", "-1h"],
        nobody,
        2,
        &["--to is before --from"],
    )
    .await;
    let matched = ["saw * on(job) saw"];
    check(&matched, &url, 3, &["found duplicate series"]).await;
    let many = ["saw", "--from", "-1d", "--step", "1s"];
    check(&many, &url, 2, &["exceeded maximum resolution"]).await;
    server.stop(&[]).await;
}

#[tokio::test]
async fn a_collector_with_tls_is_asked_with_its_authority() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path()).await;
    let url = format!("https://localhost:{}", server.listen().port());
    let authority = data.path().join("tls/ca.crt");
    let authority = authority.to_str().unwrap();
    let told = ask(&["6 * 7", "--ca-file", authority], &url).await;
    assert_eq!(told, (0, "42\n".to_owned(), String::new()));
    let (code, _, told) = ask(&["1", "--ca-file", "/nowhere"], &url).await;
    assert_eq!(code, 2, "{told}");
    server.stop(&[]).await;
}
