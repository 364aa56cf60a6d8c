//! Queries as clients of Prometheus ask them: shapes, parameters, errors.

use serde_json::{Value, json};

use crate::client::{Agent, Answer, JSON, PROTOBUF, batch, encoded, get, post, send};
use crate::server::Server;

const FORM: [(&str, &str); 1] = [("content-type", "application/x-www-form-urlencoded")];

/// Ten minutes of two series, a value every 30 s, from this time on.
const START: i64 = 1_700_000_000_000;

async fn with_data(server: &Server) {
    let agent = Agent::new();
    let headers = [("content-type", PROTOBUF)];
    for step in 0..=20 {
        let at_ms = START + step * 30_000;
        let values = [("1", step as f64), ("2", 0.5 * step as f64)];
        let bytes = agent.encode(1 + step as u64, &batch("probe_total", at_ms, &values));
        let answer = post(server.listen(), "/v1/metrics", &headers, bytes).await;
        assert_eq!(answer.status, 200);
    }
}

fn metric(n: &str) -> Value {
    json!({"__name__": "probe_total", "instance": "here", "job": "tests", "n": n})
}

async fn ask(server: &Server, path: &str, params: &[(&str, &str)]) -> Answer {
    let pairs: Vec<String> = params
        .iter()
        .map(|(name, value)| format!("{name}={}", encoded(value)))
        .collect();
    get(server.listen(), &format!("{path}?{}", pairs.join("&"))).await
}

fn success(data: Value) -> Value {
    json!({"status": "success", "data": data})
}

#[tokio::test]
async fn each_type_of_result_has_its_shape() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path()).await;
    with_data(&server).await;
    let check = async |query: &str, kind: &str, result: Value| {
        let params = [("query", query), ("time", "1700000090.5")];
        let answer = ask(&server, "/api/v1/query", &params).await;
        let expected = success(json!({"resultType": kind, "result": result}));
        assert_eq!((answer.status, answer.json()), (200, expected), "{query}");
    };
    check("1e6 * 3", "scalar", json!([1_700_000_090.5, "3000000"])).await;
    check("-1/0", "scalar", json!([1_700_000_090.5, "-Inf"])).await;
    check("'a\"b'", "string", json!([1_700_000_090.5, "a\"b"])).await;
    check("nothing", "vector", json!([])).await;
    check(
        "probe_total",
        "vector",
        json!([
            {"metric": metric("1"), "value": [1_700_000_090.5, "3"]},
            {"metric": metric("2"), "value": [1_700_000_090.5, "1.5"]},
        ]),
    )
    .await;
    check(
        "probe_total{n='1'}[45s]",
        "matrix",
        json!([{"metric": metric("1"), "values": [[1_700_000_060, "2"], [1_700_000_090, "3"]]}]),
    )
    .await;
    server.stop(&[]).await;
}

#[tokio::test]
async fn ranges_by_address_and_by_form_are_the_same() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path()).await;
    with_data(&server).await;
    let query = encoded("sum by (job) (rate(probe_total[1m]))");
    let params =
        format!("query={query}&start=2023-11-14T22:14:20Z&end=1700000120.000&step=30s&timeout=10s");
    let by_address = get(server.listen(), &format!("/api/v1/query_range?{params}")).await;
    let expected = success(json!({"resultType": "matrix", "result": [{
        "metric": {"job": "tests"},
        "values": [[1_700_000_060, "0.05"], [1_700_000_090, "0.05"], [1_700_000_120, "0.05"]],
    }]}));
    assert_eq!(by_address.json(), expected);
    assert_eq!(by_address.header("content-type"), JSON);
    let by_form = post(
        server.listen(),
        "/api/v1/query_range",
        &FORM,
        params.clone(),
    )
    .await;
    assert_eq!(by_form.json(), expected);
    // What is no form says nothing; the address is read all the same.
    let path = format!("/api/v1/query_range?{params}");
    for (headers, body) in [
        (&[][..], ""),
        (&[("content-type", "text/plain")][..], "query=x("),
    ] {
        let by_address = post(server.listen(), &path, headers, body).await;
        assert_eq!(by_address.json(), expected, "{body}");
    }
    server.stop(&[]).await;
}

#[tokio::test]
async fn limits_stats_and_notes_are_given() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path()).await;
    with_data(&server).await;
    let params = [
        ("query", "probe_total"),
        ("time", "1700000600"),
        ("limit", "1"),
    ];
    let answer = ask(&server, "/api/v1/query", &params).await.json();
    assert_eq!(answer["data"]["result"].as_array().unwrap().len(), 1);
    assert_eq!(
        answer["warnings"],
        json!(["results truncated due to limit"])
    );
    let params = [
        ("query", "rate(probe[5m])"),
        ("time", "1700000600"),
        ("stats", "all"),
    ];
    let answer = ask(&server, "/api/v1/query", &params).await.json();
    assert_eq!(
        answer["data"]["stats"]["samples"],
        json!({
            "totalQueryableSamplesPerStep": [[1_700_000_600, 0]],
            "totalQueryableSamples": 0, "samplesRead": 0, "peakSamples": 0,
        })
    );
    assert!(answer["data"]["stats"]["timings"]["evalTotalTime"].is_f64());
    let params = [
        ("query", "quantile(2, probe_total)"),
        ("time", "1700000600"),
    ];
    let answer = ask(&server, "/api/v1/query", &params).await.json();
    assert_eq!(answer["warnings"].as_array().unwrap().len(), 1, "{answer}");
    let old = [("query", "probe_total"), ("time", "1700000800")];
    let found = ask(&server, "/api/v1/query", &old).await.json();
    assert_eq!(found["data"]["result"].as_array().unwrap().len(), 2);
    let short = [old[0], old[1], ("lookback_delta", "1m")];
    let found = ask(&server, "/api/v1/query", &short).await.json();
    assert_eq!(found["data"]["result"], json!([]));
    server.stop(&[]).await;
}

/// Requests and what is wrong with them.
const WRONG: [(&str, &str); 22] = [
    ("/api/v1/query", "no expression found in input"),
    (
        "/api/v1/query?query=up%7B",
        "invalid parameter \"query\": 1:4: parse error: ",
    ),
    (
        "/api/v1/query?query=up&time=x",
        "invalid parameter \"time\": cannot parse \"x\"",
    ),
    (
        "/api/v1/query?query=up&time=NaN",
        "invalid parameter \"time\": ",
    ),
    (
        "/api/v1/query?query=up&timeout=x",
        "invalid parameter \"timeout\": ",
    ),
    (
        "/api/v1/query?query=up&limit=-1",
        "invalid parameter \"limit\": ",
    ),
    ("/api/v1/query?query=up&lookback_delta=x", "lookback_delta"),
    ("/api/v1/query?query=up&time=1e15", "out of bounds"),
    (
        "/api/v1/query_range?query=up",
        "invalid parameter \"start\": cannot parse \"\"",
    ),
    ("/api/v1/format_query?query=sum(", "parse error"),
    ("/api/v1/parse_query?query=sum(", "parse error"),
    ("/api/v1/query_exemplars?query=sum(", "parse error"),
    (
        "/api/v1/query_exemplars?query=up&start=2&end=1",
        "must not be before",
    ),
    ("/api/v1/metadata?limit=x", "limit must be a number"),
    ("/api/v1/targets/metadata?match_target=%7B", "match_target"),
    ("/api/v1/rules?type=x", "not supported value \"x\""),
    ("/api/v1/status/tsdb?limit=10001", "must not exceed 10000"),
    (
        "/api/v1/status/tsdb?limit=0",
        "limit must be a positive number",
    ),
    (
        "/api/v1/status/tsdb?limit=x",
        "limit must be a positive number",
    ),
    (
        "/api/v1/targets/relabel_steps",
        "no scrapePool parameter provided",
    ),
    (
        "/api/v1/targets/relabel_steps?scrapePool=a&labels=x",
        "error parsing labels",
    ),
    (
        "/api/v1/targets/relabel_steps?scrapePool=a&labels=%7B%7D",
        "not found",
    ),
];

/// Parameters of a range and what is wrong with them.
const WRONG_RANGES: [(&str, &str); 12] = [
    (
        "start=2&end=1&step=1",
        "end timestamp must not be before start time",
    ),
    ("start=1&end=2&step=0", "zero or negative query resolution"),
    ("start=1&end=2&step=-5", "zero or negative query resolution"),
    (
        "start=1&end=2",
        "invalid parameter \"step\": cannot parse \"\"",
    ),
    ("start=1&end=2&step=x", "invalid parameter \"step\": "),
    ("start=1&end=2&step=NaN", "invalid parameter \"step\": "),
    ("start=1&end=2&step=1e300", "invalid parameter \"step\": "),
    ("start=NaN&end=2&step=1", "invalid parameter \"start\": "),
    ("start=Inf&end=2&step=1", "invalid parameter \"start\": "),
    (
        "start=0&end=11002&step=1",
        "exceeded maximum resolution of 11,000 points",
    ),
    (
        "start=-1e14&end=1e14&step=1",
        "exceeded maximum resolution of 11,000 points",
    ),
    ("start=0&end=1e300&step=1", "invalid parameter \"end\": "),
];

#[tokio::test]
async fn what_cannot_be_asked_is_refused_as_prometheus_does() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path()).await;
    with_data(&server).await;
    let check = async |path: &str, expected: (u16, &str, &str)| {
        let answer = get(server.listen(), path).await;
        let body = answer.json();
        let kind = body["errorType"].as_str().unwrap();
        assert_eq!(
            (answer.status, kind),
            (expected.0, expected.1),
            "{path}: {body}"
        );
        let error = body["error"].as_str().unwrap();
        assert!(error.contains(expected.2), "{path}: {error}");
    };
    let range = "/api/v1/query_range?query=up&";
    for (path, expected) in WRONG {
        check(path, (400, "bad_data", expected)).await;
    }
    for (params, expected) in WRONG_RANGES {
        check(&format!("{range}{params}"), (400, "bad_data", expected)).await;
    }
    let string = "/api/v1/query_range?query='a'&start=1&end=2&step=1";
    check(
        string,
        (400, "bad_data", "invalid expression type \"string\""),
    )
    .await;
    let many = encoded("probe_total * on(job) probe_total");
    let many = format!("/api/v1/query?query={many}&time=1700000600");
    check(&many, (422, "execution", "found duplicate series")).await;
    let points = format!("{range}start=0&end=11000&step=1");
    assert_eq!(get(server.listen(), &points).await.status, 200);
    server.stop(&[]).await;
}

#[tokio::test]
async fn expressions_are_formatted_and_parsed() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path()).await;
    let params = [("query", "sum(rate(up{a='b'}[5m]))by(job)")];
    let formatted = ask(&server, "/api/v1/format_query", &params).await.json();
    let expected = "sum by (job) (rate(up{a=\"b\"}[5m]))";
    assert_eq!(formatted, success(expected.into()));
    let form = format!("query={}", encoded("1 + up"));
    let parsed = post(server.listen(), "/api/v1/parse_query", &FORM, form).await;
    let parsed = parsed.json();
    assert_eq!(parsed["data"]["type"], "binaryExpr");
    assert_eq!(parsed["data"]["rhs"]["name"], "up");
    server.stop(&[]).await;
}

#[tokio::test]
async fn large_answers_are_compressed_and_pages_elsewhere_may_read_them() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path()).await;
    with_data(&server).await;
    let path = "/api/v1/query_range?query=probe_total&start=1700000000&end=1700000600&step=1";
    let headers = [
        ("accept-encoding", "gzip"),
        ("origin", "https://elsewhere.example"),
    ];
    let method = http::Method::GET;
    let answer = send(server.listen(), method, path, &headers, Default::default()).await;
    assert_eq!(answer.header("content-encoding"), "gzip");
    assert_eq!(answer.header("access-control-allow-origin"), "*");
    let mut text = String::new();
    let mut packed = flate2::read::GzDecoder::new(&*answer.body);
    std::io::Read::read_to_string(&mut packed, &mut text).unwrap();
    let plain = get(server.listen(), path).await;
    assert_eq!(plain.text(), text);
    assert_eq!(plain.header("content-encoding"), "");
    assert!(answer.body.len() * 5 < text.len());
    let options = http::Method::OPTIONS;
    let path = "/api/v1/query";
    let answer = send(
        server.listen(),
        options,
        path,
        &headers[1..],
        Default::default(),
    )
    .await;
    assert_eq!(answer.status, 204);
    assert_eq!(
        answer.header("access-control-allow-methods"),
        "GET, POST, OPTIONS"
    );
    server.stop(&[]).await;
}
