//! Beside Debian's Prometheus 2.42 with the same samples: every endpoint answers with the same status,
//! keys and types, and queries count the same samples. What Prometheus 3 does otherwise is named.

mod shape;

use http::Method;
use prost::Message;
use serde_json::Value;
use wire::remote_write::compress;

use crate::client::{Answer, encoded, get, now_ms, post, send};
use crate::peer::{self, Peer};
use crate::remote::published::{self as p, label};
use crate::server::{Server, until};

/// What ends a series, as remote write has it.
const STALE: u64 = 0x7ff0_0000_0000_0002;

/// How long the data go on, in samples of 15 seconds.
const SAMPLES: i64 = 80;

/// Both with the same data, the last of them at `end_s`.
struct Both {
    server: Server,
    prometheus: Peer,
    end_s: i64,
    _folder: tempfile::TempDir,
}

impl Both {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::start(&folder.path().join("ours")).await;
        let prometheus = prometheus(folder.path(), &server);
        until("Prometheus has scraped", async || {
            let is_open = tokio::net::TcpStream::connect(prometheus.address).await;
            let path = "/api/v1/targets/metadata?limit=1";
            is_open.is_ok() && get(prometheus.address, path).await.text().contains("type")
        })
        .await;
        // Never a multiple of what subqueries step by, wherever in a minute the test begins: Prometheus
        // 2 counts a sample on the left edge of a range.
        let end_s = now_ms() / 60_000 * 60 - 57;
        let body = compress(&samples(end_s * 1_000).encode_to_vec()).unwrap();
        for address in [server.listen(), prometheus.address] {
            let headers = [
                ("content-type", "application/x-protobuf"),
                ("content-encoding", "snappy"),
                ("x-prometheus-remote-write-version", "0.1.0"),
            ];
            let answer = post(address, "/api/v1/write", &headers, body.clone()).await;
            assert_eq!(answer.status, 204, "{}", answer.text());
        }
        Self {
            server,
            prometheus,
            end_s,
            _folder: folder,
        }
    }

    /// The collector's answer and Prometheus'.
    async fn ask(&self, method: &Method, path: &str) -> (Answer, Answer) {
        let ask = |address| send(address, method.clone(), path, &[], Default::default());
        let ours = ask(self.server.listen()).await;
        (ours, ask(self.prometheus.address).await)
    }
}

/// Prometheus, which scrapes the collector and takes remote write in.
fn prometheus(folder: &std::path::Path, server: &Server) -> Peer {
    let config = format!(
        "scrape_configs:\n- job_name: tests\n  scrape_interval: 1s\n  static_configs:\n  \
         - targets: ['{}']\n",
        server.listen()
    );
    let more = [
        "--web.enable-remote-write-receiver",
        "--enable-feature=promql-per-step-stats",
    ];
    peer::prometheus(folder, &config, &more)
}

/// Two counters of which one ends, a gauge, and what a target says of itself.
fn samples(end_ms: i64) -> p::WriteRequest {
    let series = |name: &str, n: &str, value: &dyn Fn(i64) -> f64| p::TimeSeries {
        labels: vec![
            label("__name__", name),
            label("instance", "here"),
            label("job", "tests"),
            label("n", n),
        ],
        samples: (0..=SAMPLES)
            .map(|place| p::Sample {
                value: value(place),
                timestamp: end_ms - (SAMPLES - place) * 15_000,
            })
            .collect(),
        ..Default::default()
    };
    let ends = |place| match place {
        0..40 => place as f64,
        _ => f64::from_bits(STALE),
    };
    p::WriteRequest {
        timeseries: vec![
            series("beside_total", "1", &|place| place as f64),
            series("beside_total", "2", &ends),
            series("beside_gauge", "1", &|place| (place % 7) as f64),
            series("up", "1", &|_| 1.0),
            series("scrape_duration_seconds", "1", &|_| 0.25),
        ],
        metadata: vec![p::MetricMetadata {
            kind: 1,
            metric_family_name: "beside_total".into(),
            help: "How many.".into(),
            unit: String::new(),
        }],
    }
}

/// Paths, whether their data are a map of names, and what in them may differ. With a reason:
/// Prometheus 3 added what only the collector has; what only Prometheus has is of Go.
const ENDPOINTS: [(&str, bool, &[&str]); 33] = [
    ("query?query=beside_total", false, &[]),
    ("query?query=beside_total[1m]", false, &[]),
    ("query?query=1", false, &[]),
    ("query?query='a'", false, &[]),
    // Prometheus 3.13: samplesRead.
    (
        "query?query=beside_total&stats=all",
        false,
        &[".data.stats.samples.samplesRead"],
    ),
    (
        "query?query=beside_total&stats=1",
        false,
        &[
            ".data.stats.samples.samplesRead",
            // Prometheus 2.42 gives the steps with stats=all only as well, but counts them null.
            ".data.stats.samples.totalQueryableSamplesPerStep",
        ],
    ),
    (
        "query_range?query=beside_total&start=START&end=END&step=60",
        false,
        &[],
    ),
    (
        "query_range?query=beside_total&start=START&end=END&step=60&stats=all",
        false,
        &[".data.stats.samples.samplesRead"],
    ),
    ("query?query=sum(", false, &[]),
    ("query?query=beside_total*on(job)beside_total", false, &[]),
    ("query?query=1&timeout=0", false, &[".detail", ".hint"]),
    ("query_range?query=1&start=2&end=1&step=1", false, &[]),
    ("format_query?query=sum(beside_total)by(n)", false, &[]),
    ("query_exemplars?query=beside_total", false, &[]),
    ("series?match[]=beside_total", false, &[]),
    ("series", false, &[]),
    ("labels", false, &[]),
    ("labels?match[]=", false, &[]),
    ("label/n/values", false, &[]),
    ("metadata", true, &[]),
    ("metadata?limit=0", true, &[]),
    ("metadata?limit=x", true, &[]),
    // Prometheus 3.0 (and 2.48): droppedTargetCounts.
    ("targets", false, &[".data.droppedTargetCounts"]),
    (
        "targets?state=active",
        false,
        &[".data.droppedTargetCounts"],
    ),
    ("targets/metadata?metric=nothing", false, &[]),
    ("targets/metadata?limit=x", false, &[]),
    ("rules", false, &[]),
    ("alerts", false, &[]),
    ("status/flags", true, &[]),
    ("status/buildinfo", false, &[]),
    ("status/tsdb", false, &[]),
    // Prometheus 3: state.
    ("status/walreplay", false, &[".data.state"]),
    (
        "status/runtimeinfo",
        false,
        &[
            // Prometheus 3.2.
            ".data.hostname",
            ".data.serverTime",
            // Of Go, and of Prometheus' own log.
            ".data.goroutineCount",
            ".data.GOGC",
            ".data.GODEBUG",
            ".data.corruptionCount",
        ],
    ),
];

#[tokio::test]
async fn every_endpoint_has_the_same_shape() {
    let both = Both::start().await;
    let mut wrong = Vec::new();
    let more =
        ["alertmanagers", "scrape_pools", "status/config"].map(|path| (path, false, &[][..]));
    for (path, data_is_map, excepted) in ENDPOINTS.into_iter().chain(more) {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let query = query
            .replace("START", &(both.end_s - 600).to_string())
            .replace("END", &both.end_s.to_string());
        let pairs = query.split('&').map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            format!("{name}={}", encoded(value))
        });
        let path = format!("/api/v1/{path}?{}", pairs.collect::<Vec<_>>().join("&"));
        let (ours, theirs) = both.ask(&Method::GET, &path).await;
        if ours.status != theirs.status {
            wrong.push(format!("{path}: {} / {}", ours.status, theirs.status));
        }
        if ours.header("content-type") != theirs.header("content-type") {
            wrong.push(format!("{path}: {}", ours.header("content-type")));
        }
        let (ours, theirs) = (ours.json(), theirs.json());
        for key in ["status", "errorType"] {
            if ours.get(key) != theirs.get(key) {
                wrong.push(format!("{path}: {key}: {ours} / {theirs}"));
            }
        }
        let shape = |answer: &Value| shape::of(answer, data_is_map);
        let found = shape::difference(&shape(&ours), &shape(&theirs), excepted);
        wrong.extend(found.into_iter().map(|found| format!("{path}: {found}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    both.server.stop(&[]).await;
}

#[tokio::test]
async fn methods_are_known_and_refused_alike() {
    let both = Both::start().await;
    for (method, path) in [
        (Method::PUT, "/api/v1/query"),
        (Method::DELETE, "/api/v1/series"),
        (Method::POST, "/api/v1/metadata"),
        (Method::POST, "/federate"),
        (Method::GET, "/api/v1/nothing"),
        (Method::POST, "/api/v1/nothing"),
        (Method::OPTIONS, "/api/v1/nothing"),
        (Method::OPTIONS, "/api/v1/query"),
        (Method::POST, "/api/v1/query?query=1"),
        (Method::HEAD, "/-/healthy"),
        (Method::HEAD, "/-/ready"),
        (Method::GET, "/-/reload"),
        (Method::POST, "/-/reload"),
        (Method::PUT, "/-/quit"),
        (Method::POST, "/api/v1/admin/tsdb/snapshot"),
        (Method::PUT, "/api/v1/admin/tsdb/delete_series?match[]=up"),
        (Method::POST, "/api/v1/admin/tsdb/clean_tombstones"),
        (Method::GET, "/api/v1/admin/tsdb/snapshot"),
        (Method::GET, "/version"),
    ] {
        let (ours, theirs) = both.ask(&method, path).await;
        assert_eq!(ours.status, theirs.status, "{method} {path}");
        // A path that knows GET knows HEAD here.
        let allowed = |answer: &Answer| answer.header("allow").replace("HEAD, ", "");
        if ours.status == 405 {
            assert_eq!(allowed(&ours), allowed(&theirs), "{method} {path}");
        }
        if !ours.status.to_string().starts_with('2') {
            let text = |answer: &Answer| {
                let parsed = serde_json::from_slice(&answer.body);
                parsed.unwrap_or_else(|_| Value::from(answer.text().trim()))
            };
            assert_eq!(text(&ours), text(&theirs), "{method} {path}");
        }
    }
    both.server.stop(&[]).await;
}

/// Every way in which a query looks at samples.
const QUERIES: [&str; 22] = [
    "beside_total",
    "beside_total + 1",
    "beside_total offset 5m",
    "timestamp(beside_gauge)",
    "sum by (job) (rate(beside_total[2m]))",
    "rate(beside_total[90s])",
    "max_over_time(beside_total[4m])",
    "quantile_over_time(0.5, beside_gauge[3m])",
    "beside_total * on (n) group_left beside_gauge",
    "absent(beside_total)",
    "absent_over_time(beside_total[1m])",
    "max_over_time(rate(beside_total[1m])[5m:30s])",
    "sum_over_time(beside_gauge[3m:20s])",
    "max_over_time(sum_over_time(beside_gauge[1m:20s])[3m:1m])",
    "beside_total @ end()",
    "sum(beside_total @ start()) + sum(beside_total)",
    "rate(beside_total[1m] @ end())",
    "max_over_time(beside_total[3m:1m] @ end())",
    "scalar(beside_gauge) + beside_total",
    "vector(1)",
    "topk(1, beside_total) or beside_gauge",
    "histogram_quantile(0.9, beside_total)",
];

#[tokio::test]
async fn queries_look_at_as_many_samples() {
    let both = Both::start().await;
    // Off every sample, for the same reason.
    let end_s = both.end_s - 7;
    let check = async |path: String| {
        let (ours, theirs) = both.ask(&Method::GET, &path).await;
        let (ours, theirs) = (ours.json(), theirs.json());
        let looked = |answer: &Value| {
            let samples = &answer["data"]["stats"]["samples"];
            let keys = ["totalQueryableSamples", "totalQueryableSamplesPerStep"];
            keys.map(|key| samples[key].clone())
        };
        assert!(looked(&ours)[0].is_u64(), "{path}: {ours}");
        assert_eq!(looked(&ours), looked(&theirs), "{path}");
    };
    let instant_only = ["beside_total[2m]", "beside_total[3m:30s]"];
    for query in QUERIES.iter().chain(&instant_only) {
        let query = encoded(query);
        check(format!(
            "/api/v1/query?query={query}&time={end_s}&stats=all"
        ))
        .await;
    }
    for query in QUERIES {
        let query = encoded(query);
        let start_s = end_s - 900;
        let range = format!("start={start_s}&end={end_s}&step=45");
        check(format!(
            "/api/v1/query_range?query={query}&{range}&stats=all"
        ))
        .await;
    }
    both.server.stop(&[]).await;
}
