//! What clients of Prometheus ask beside queries: metadata, exemplars, targets, status; and Grafana's
//! own checks of a data source.

use opentelemetry_proto::tonic::metrics::v1::{Exemplar, exemplar, metric::Data};
use prost::Message;
use serde_json::{Value, json};

use crate::client::{Agent, PROTOBUF, batch, decoded, encoded, get, now_ms, post};
use crate::server::Server;

#[tokio::test]
async fn what_fills_memory_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path()).await;
    let ask = async |path: &str| get(server.listen(), path).await.json();
    let empty = ask("/api/v1/status/tsdb").await;
    let nothing = json!({
        "numSeries": 0, "numLabelPairs": 0, "chunkCount": 0,
        "minTime": i64::MAX, "maxTime": i64::MIN,
    });
    assert_eq!(data(&empty)["headStats"], nothing);
    assert_eq!(data(&empty)["seriesCountByLabelValuePair"], json!([]));

    let (agent, at_ms) = (Agent::new(), now_ms());
    let headers = [("content-type", PROTOBUF)];
    for (sequence, at_ms) in [(1, at_ms - 5_000), (2, at_ms)] {
        let values = [("1", 1.0), ("22", 2.0), ("333", 3.0)];
        let bytes = agent.encode(sequence, &batch("probe_a", at_ms, &values));
        let answer = post(server.listen(), "/v1/metrics", &headers, bytes).await;
        assert_eq!(answer.status, 200);
    }
    let bytes = agent.encode(3, &batch("b", at_ms, &[("1", 1.0)]));
    post(server.listen(), "/v1/metrics", &headers, bytes).await;
    let count = |name: &str, value: u64| json!({"name": name, "value": value});
    let all = ask("/api/v1/status/tsdb").await;
    let expected = json!({
        "headStats": {
            "numSeries": 4, "numLabelPairs": 7, "chunkCount": 4,
            "minTime": at_ms - 5_000, "maxTime": at_ms,
        },
        "seriesCountByMetricName": [count("probe_a", 3), count("b", 1)],
        "labelValueCountByLabelName": [
            count("n", 3), count("__name__", 2), count("instance", 1), count("job", 1),
        ],
        "memoryInBytesByLabelName": [
            count("__name__", 22), count("job", 20), count("instance", 16), count("n", 7),
        ],
        "seriesCountByLabelValuePair": [
            count("instance=here", 4), count("job=tests", 4), count("__name__=probe_a", 3),
            count("n=1", 2), count("__name__=b", 1), count("n=22", 1), count("n=333", 1),
        ],
    });
    assert_eq!(data(&all), &expected);
    let two = ask("/api/v1/status/tsdb?limit=2").await;
    for (key, all) in data(&all).as_object().unwrap() {
        if let Some(all) = all.as_array() {
            let first: Vec<&Value> = all.iter().take(2).collect();
            assert_eq!(data(&two)[key], json!(first), "{key}");
        }
    }
    server.stop(&[]).await;
}

/// Two metrics, one of them with an exemplar, and `up`.
async fn with_data(server: &Server, at_ms: i64) {
    let agent = Agent::new();
    let headers = [("content-type", PROTOBUF)];
    for (sequence, name) in [(1, "probe_a"), (2, "probe_b"), (3, "up")] {
        let bytes = agent.encode(sequence, &batch(name, at_ms, &[("1", 1.0)]));
        let mut request = decoded(&bytes);
        let metric = &mut request.resource_metrics[0].scope_metrics[0].metrics[0];
        let Some(Data::Gauge(gauge)) = &mut metric.data else {
            panic!("{metric:?}");
        };
        if name == "probe_b" {
            gauge.data_points[0].exemplars = vec![Exemplar {
                time_unix_nano: u64::try_from(at_ms).unwrap() * 1_000_000,
                value: Some(exemplar::Value::AsDouble(0.25)),
                trace_id: vec![0xab; 16],
                ..Default::default()
            }];
        }
        let body = request.encode_to_vec();
        let answer = post(server.listen(), "/v1/metrics", &headers, body).await;
        assert_eq!(answer.status, 200);
    }
}

fn data(answer: &Value) -> &Value {
    assert_eq!(answer["status"], "success", "{answer}");
    &answer["data"]
}

#[tokio::test]
async fn grafana_finds_a_prometheus() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path()).await;
    for path in [
        "/api/v1/query?query=1%2B1&time=4",
        "/api/v1/query?query=1%2B1&time=4.000",
    ] {
        let answer = get(server.listen(), path).await;
        let expected = r#"{"status":"success","data":{"resultType":"scalar","result":[4,"2"]}}"#;
        assert_eq!((answer.status, answer.text()), (200, expected.to_owned()));
    }
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let answer = post(
        server.listen(),
        "/api/v1/query",
        &form,
        "query=1%2B1&time=4",
    )
    .await;
    assert_eq!(answer.json()["data"]["resultType"], "scalar");
    let info = get(server.listen(), "/api/v1/status/buildinfo")
        .await
        .json();
    assert!(data(&info)["version"].is_string());
    assert_eq!(data(&info).get("features"), None);
    server.stop(&[]).await;
}

#[tokio::test]
async fn metadata_and_exemplars_outlive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path()).await;
    let at_ms = now_ms();
    with_data(&server, at_ms).await;
    server.stop(&[]).await;
    let server = Server::start(folder.path()).await;
    let ask = async |path: &str| get(server.listen(), path).await.json();
    let said = json!([{"type": "gauge", "help": "A test.", "unit": ""}]);
    let expected = json!({"probe_a": said, "probe_b": said, "up": said});
    assert_eq!(data(&ask("/api/v1/metadata").await), &expected);
    let one = ask("/api/v1/metadata?limit=1&limit_per_metric=1").await;
    assert_eq!(data(&one), &json!({"probe_a": said}));
    let one = ask("/api/v1/metadata?metric=probe_b").await;
    assert_eq!(data(&one), &json!({"probe_b": said}));
    assert_eq!(data(&ask("/api/v1/metadata?metric=no").await), &json!({}));

    let target = json!({"instance": "here", "job": "tests"});
    let of_target = ask("/api/v1/targets/metadata?metric=probe_a").await;
    let expected = json!([{"target": target, "type": "gauge", "help": "A test.", "unit": ""}]);
    assert_eq!(data(&of_target), &expected);
    let selector = encoded("{job=\"tests\"}");
    let path = format!("/api/v1/targets/metadata?match_target={selector}");
    assert_eq!(data(&ask(&path).await).as_array().unwrap().len(), 3);
    let none = ask("/api/v1/targets/metadata?metric=no").await;
    assert_eq!(data(&none), &json!([]));
    let none = ask("/api/v1/metadata?limit=0").await;
    assert_eq!(data(&none), &json!({}));

    let query = encoded("rate(probe_b[5m]) + probe_a");
    let found = ask(&format!("/api/v1/query_exemplars?query={query}")).await;
    let series = json!({"__name__": "probe_b", "instance": "here", "job": "tests", "n": "1"});
    let exemplar = json!({
        "labels": {"trace_id": "ab".repeat(16)}, "value": "0.25", "timestamp": at_ms as f64 / 1e3,
    });
    let expected = json!([{"seriesLabels": series, "exemplars": [exemplar]}]);
    assert_eq!(data(&found), &expected);
    let before = format!("/api/v1/query_exemplars?query={query}&end=1");
    assert_eq!(data(&ask(&before).await), &json!([]));
    assert_eq!(
        data(&ask("/api/v1/query_exemplars?query=1").await),
        &json!([])
    );
    server.stop(&[]).await;
}

#[tokio::test]
async fn what_it_is_and_does_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path()).await;
    with_data(&server, now_ms()).await;
    let ask = async |path: &str| {
        get(server.listen(), &format!("/api/v1/{path}"))
            .await
            .json()
    };

    let targets = ask("targets").await;
    let target = &data(&targets)["activeTargets"][0];
    assert_eq!(target["health"], "up");
    assert_eq!(target["scrapePool"], "tests");
    assert_eq!(target["labels"]["instance"], "here");
    assert_eq!(data(&targets)["droppedTargets"], json!([]));
    let dropped = ask("targets?state=dropped").await;
    assert_eq!(data(&dropped)["activeTargets"], json!([]));
    let other = ask("targets?scrapePool=other").await;
    assert_eq!(data(&other)["activeTargets"], json!([]));
    assert_eq!(
        data(&ask("scrape_pools").await),
        &json!({"scrapePools": ["tests"]})
    );

    assert_eq!(data(&ask("rules").await), &json!({"groups": []}));
    assert_eq!(data(&ask("alerts").await), &json!({"alerts": []}));
    let none = json!({"activeAlertmanagers": [], "droppedAlertmanagers": []});
    assert_eq!(data(&ask("alertmanagers").await), &none);
    assert_eq!(data(&ask("notifications").await), &json!([]));

    let flags = ask("status/flags").await;
    assert_eq!(data(&flags)["query.timeout"], "2m");
    let config = ask("status/config").await;
    let yaml = data(&config)["yaml"].as_str().unwrap();
    assert!(yaml.contains("  query.timeout: \"2m\"\n"), "{yaml}");
    let runtime = ask("status/runtimeinfo").await;
    assert_eq!(data(&runtime)["reloadConfigSuccess"], true);
    let replay = ask("status/walreplay").await;
    assert_eq!(data(&replay)["state"], "done");
    let features = ask("features").await;
    assert_eq!(data(&features)["promql_functions"]["rate"], true);
    let nowhere = ask("targets?state=nowhere").await;
    assert_eq!(data(&nowhere)["activeTargets"], json!([]));
    assert_eq!(data(&nowhere)["droppedTargetCounts"], Value::Null);
    assert_eq!(data(&dropped)["droppedTargetCounts"], json!({"tests": 0}));
    let steps = ask("targets/relabel_steps?scrapePool=tests&labels=%7B%22a%22:%22b%22%7D").await;
    assert_eq!(data(&steps), &json!({"steps": []}));
    let version = get(server.listen(), "/version").await.json();
    assert_eq!(&version, data(&ask("status/buildinfo").await));
    let escaped = ask("label/U______name____/values").await;
    assert_eq!(data(&escaped), &json!(["probe_a", "probe_b", "up"]));
    server.stop(&[]).await;
}
