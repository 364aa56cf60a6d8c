//! Remote write, out: into real receivers, each read back sample by sample; and what a receiver that is
//! away, refuses or knows less makes of it.

mod stub;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;

use serde_json::Value;

use super::{V1, request_v1, series, write};
use crate::client::{encoded, get, now_ms};
use crate::peer::{Peer, free_address, spawn};
use crate::server::{Server, until};
use stub::{Got, Reply, Stub};

/// Values by time, by series.
type Known = BTreeMap<String, BTreeMap<i64, f64>>;

/// Prometheus that takes remote write, on `address`.
fn prometheus(folder: &Path, address: SocketAddr) -> Peer {
    let config = folder.join("prometheus.yml");
    std::fs::write(&config, "global: {}\n").unwrap();
    let arguments = [
        format!("--config.file={}", config.display()),
        format!(
            "--storage.tsdb.path={}",
            folder.join("prometheus").display()
        ),
        format!("--web.listen-address={address}"),
        "--web.enable-remote-write-receiver".to_owned(),
    ];
    spawn("prometheus", &arguments, address)
}

fn victoria_metrics(folder: &Path, address: SocketAddr) -> Peer {
    let arguments = [
        format!("-storageDataPath={}", folder.join("victoria").display()),
        format!("-httpListenAddr={address}"),
        "-retentionPeriod=1".to_owned(),
    ];
    spawn("victoria-metrics", &arguments, address)
}

async fn listens(address: SocketAddr) {
    until("the peer listens", async || {
        tokio::net::TcpStream::connect(address).await.is_ok()
    })
    .await;
}

/// A collector with these targets.
async fn forwarding(data: &Path, targets: &str) -> Server {
    let config = data.join("c.toml");
    std::fs::write(&config, targets).unwrap();
    Server::start_with(data, &["--config", config.to_str().unwrap()]).await
}

/// Writes one sample to each of five series, and remembers them.
async fn give(server: &Server, at_ms: i64, known: &mut Known) {
    let names: Vec<String> = (0..5).map(|place| format!("forward_{place}")).collect();
    let value = known.values().map(BTreeMap::len).sum::<usize>() as f64 + 0.25;
    let request = names.iter().map(|name| series(name, &[(at_ms, value)]));
    let answer = write(server, V1, &request_v1(request.collect())).await;
    assert_eq!(answer.status, 204);
    for name in names {
        known.entry(name).or_default().insert(at_ms, value);
    }
}

/// What Prometheus holds, or a collector, through the API that both have.
async fn in_prometheus(address: SocketAddr) -> Known {
    let query = encoded("{__name__=~\"forward_.*\"}[1h]");
    let answer = get(address, &format!("/api/v1/query?query={query}")).await;
    let mut known = Known::new();
    let answer = answer.json();
    for found in answer["data"]["result"].as_array().unwrap() {
        let name = found["metric"]["__name__"].as_str().unwrap().to_owned();
        let samples = found["values"].as_array().unwrap().iter().map(|pair| {
            let at_ms = (pair[0].as_f64().unwrap() * 1_000.0).round() as i64;
            (at_ms, pair[1].as_str().unwrap().parse().unwrap())
        });
        known.insert(name, samples.collect());
    }
    known
}

/// What VictoriaMetrics holds, as it exports it.
async fn in_victoria_metrics(address: SocketAddr) -> Known {
    let selector = encoded("{__name__=~\"forward_.*\"}");
    let answer = get(address, &format!("/api/v1/export?match[]={selector}")).await;
    let mut known = Known::new();
    for line in answer.text().lines() {
        let found: Value = serde_json::from_str(line).unwrap();
        let name = found["metric"]["__name__"].as_str().unwrap().to_owned();
        let times = found["timestamps"].as_array().unwrap().iter();
        let values = found["values"].as_array().unwrap().iter();
        let samples = times.zip(values);
        let samples = samples.map(|(at, value)| (at.as_i64().unwrap(), value.as_f64().unwrap()));
        // It may export a series in several lines.
        known.entry(name).or_default().extend(samples);
    }
    known
}

#[tokio::test]
async fn all_receivers_get_all() {
    let folder = tempfile::tempdir().unwrap();
    let (data, other_data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let prometheus = prometheus(folder.path(), free_address());
    let victoria = victoria_metrics(folder.path(), free_address());
    let other = Server::start(other_data.path()).await;
    listens(prometheus.address).await;
    listens(victoria.address).await;
    let targets = format!(
        "[[forward]]\nname = \"prometheus\"\nurl = \"http://{}/api/v1/write\"\nmax_samples = 7\n\
         [[forward]]\nname = \"victoria\"\nurl = \"http://{}/api/v1/write\"\n\
         [[forward]]\nname = \"ourselves\"\nurl = \"http://{}/api/v1/write\"\nprotocol = \"2.0\"\n",
        prometheus.address,
        victoria.address,
        other.listen()
    );
    let server = forwarding(data.path(), &targets).await;
    let (mut known, start) = (Known::new(), now_ms() - 60_000);
    for step in 0..40 {
        give(&server, start + step * 1_000, &mut known).await;
    }
    until("Prometheus has all", async || {
        in_prometheus(prometheus.address).await == known
    })
    .await;
    until("VictoriaMetrics has all", async || {
        in_victoria_metrics(victoria.address).await == known
    })
    .await;
    until("the other collector has all", async || {
        in_prometheus(other.listen()).await == known
    })
    .await;
    assert_eq!(other.metric("nightshift_store_samples").await, 200.0);
    for target in ["prometheus", "victoria", "ourselves"] {
        let metric = async |name: &str| {
            let series = format!("nightshift_forward_{name}{{target=\"{target}\"}}");
            server.metric(&series).await
        };
        until("it is counted", async || {
            metric("sent_samples_total").await == 200.0
        })
        .await;
        until("nothing waits", async || {
            metric("pending_bytes").await == 0.0
        })
        .await;
        assert_eq!(metric("dropped_samples_total").await, 0.0);
    }
    server.stop(&[]).await;
    other.stop(&[]).await;
}

#[tokio::test]
async fn nothing_is_lost_while_the_receiver_is_away() {
    let (folder, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let address = free_address();
    let peer = prometheus(folder.path(), address);
    listens(address).await;
    let targets = format!(
        "[[forward]]\nname = \"p\"\nurl = \"http://{address}/api/v1/write\"\nmax_samples = 10\nconcurrency = 2\n"
    );
    let mut server = forwarding(data.path(), &targets).await;
    let (mut known, mut at) = (Known::new(), now_ms() - 120_000);
    for _ in 0..30 {
        at += 1_000;
        give(&server, at, &mut known).await;
    }
    until("some has arrived", async || {
        server
            .metric("nightshift_forward_sent_samples_total{target=\"p\"}")
            .await
            > 0.0
    })
    .await;
    drop(peer);
    for _ in 0..10 {
        at += 1_000;
        give(&server, at, &mut known).await;
    }
    until("it is missed", async || {
        server
            .metric("nightshift_forward_failed_requests_total{target=\"p\"}")
            .await
            > 0.0
    })
    .await;
    for _ in 0..2 {
        server.kill().await;
        server = forwarding(data.path(), &targets).await;
        for _ in 0..5 {
            at += 1_000;
            give(&server, at, &mut known).await;
        }
    }
    let _peer = prometheus(folder.path(), address);
    listens(address).await;
    until("Prometheus answers", async || {
        get(address, "/-/ready").await.status == 200
    })
    .await;
    until("Prometheus has all", async || {
        in_prometheus(address).await == known
    })
    .await;
    until("nothing waits", async || {
        server
            .metric("nightshift_forward_lag_seconds{target=\"p\"}")
            .await
            == 0.0
    })
    .await;
    server.kill().await;
}

#[tokio::test]
async fn a_killed_collector_goes_on_where_it_was() {
    let (folder, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let peer = prometheus(folder.path(), free_address());
    listens(peer.address).await;
    let targets = format!(
        "[[forward]]\nname = \"p\"\nurl = \"http://{}/api/v1/write\"\nmax_samples = 3\nconcurrency = 3\n",
        peer.address
    );
    let (mut known, mut at) = (Known::new(), now_ms() - 120_000);
    for _ in 0..4 {
        let server = forwarding(data.path(), &targets).await;
        for _ in 0..20 {
            at += 1_000;
            give(&server, at, &mut known).await;
        }
        // Somewhere within what it sends.
        server.kill().await;
    }
    let server = forwarding(data.path(), &targets).await;
    until("Prometheus has all", async || {
        in_prometheus(peer.address).await == known
    })
    .await;
    server.kill().await;
}

#[tokio::test]
async fn what_a_receiver_says_is_heeded() {
    let data = tempfile::tempdir().unwrap();
    let secrets = tempfile::tempdir().unwrap();
    let token = secrets.path().join("token");
    std::fs::write(&token, "s3cret\n").unwrap();
    let replies = vec![
        Reply::of(503).with("retry-after", "1"),
        Reply::of(429),
        Reply::of(400),
        Reply::of(204),
    ];
    let stub = Stub::start(replies).await;
    let targets = format!(
        "[[forward]]\nname = \"s\"\nurl = \"http://{}/push?x=1\"\nbearer_token_file = {token:?}\n\
         keep = ['{{__name__=~\"forward_[0-3]\"}}']\ndrop = ['forward_1']\n\
         headers = {{ X-Scope = \"a\" }}\nlabels = {{ region = \"eu\", job = \"not me\" }}\nconcurrency = 1\n",
        stub.address
    );
    let server = forwarding(data.path(), &targets).await;
    let mut known = Known::new();
    give(&server, 1_000, &mut known).await;
    until("the first was refused", async || stub.requests().len() == 3).await;
    give(&server, 2_000, &mut known).await;
    until("the second was taken", async || {
        server
            .metric("nightshift_forward_sent_samples_total{target=\"s\"}")
            .await
            == 3.0
    })
    .await;
    check_heeded(&stub.requests());
    let metric = async |name: &str| {
        server
            .metric(&format!("nightshift_forward_{name}{{target=\"s\"}}"))
            .await
    };
    assert_eq!(metric("failed_requests_total").await, 2.0);
    assert_eq!(metric("dropped_samples_total").await, 3.0);
    assert!(!server.log().contains("s3cret"));
    server
        .stop(&[
            "cannot forward; will try again",
            "the receiver refused samples",
        ])
        .await;
}

fn check_heeded(requests: &[Got]) {
    assert_eq!(requests.len(), 4);
    assert_eq!(
        requests[0].body, requests[2].body,
        "the same, until it is done with"
    );
    for request in requests {
        assert_eq!(request.path, "/push?x=1");
        for (name, value) in [
            ("authorization", "Bearer s3cret"),
            ("content-encoding", "snappy"),
            ("content-type", V1),
            ("x-prometheus-remote-write-version", "0.1.0"),
            ("x-scope", "a"),
        ] {
            assert_eq!(request.headers[name], value);
        }
    }
    let message = requests[3].decode_v1();
    let told: Vec<_> = message
        .timeseries
        .iter()
        .map(|series| {
            let labels = series
                .labels
                .iter()
                .map(|label| format!("{}={}", label.name, label.value));
            let labels: Vec<_> = labels.collect();
            format!("{} {}", labels.join(","), series.samples[0].timestamp)
        })
        .collect();
    let expected = [0, 2, 3].map(|n| format!("__name__=forward_{n},job=tests,region=eu 2000"));
    assert_eq!(told, expected);
}

#[tokio::test]
async fn who_does_not_know_version_2_gets_version_1() {
    for first in [Reply::of(415), Reply::of(204)] {
        let data = tempfile::tempdir().unwrap();
        let stub = Stub::start(vec![first, Reply::of(204)]).await;
        let targets = format!(
            "[[forward]]\nname = \"s\"\nurl = \"http://{}/\"\nprotocol = \"2.0\"\nconcurrency = 1\n",
            stub.address
        );
        let server = forwarding(data.path(), &targets).await;
        give(&server, 1_000, &mut Known::new()).await;
        until("it was taken", async || {
            server
                .metric("nightshift_forward_sent_samples_total{target=\"s\"}")
                .await
                == 5.0
        })
        .await;
        let requests = stub.requests();
        let versions: Vec<_> = requests
            .iter()
            .map(|one| {
                one.headers["x-prometheus-remote-write-version"]
                    .to_str()
                    .unwrap()
            })
            .collect();
        assert_eq!(versions, ["2.0.0", "0.1.0"]);
        assert_eq!(requests[1].decode_v1().timeseries.len(), 5);
        server
            .stop(&["the receiver does not know remote write 2.0"])
            .await;
    }
}

#[tokio::test]
async fn tls_is_spoken_to_whom_the_authority_vouches_for() {
    let (data, other_data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let other = Server::start(other_data.path()).await;
    let authority = other_data.path().join("tls/ca.crt");
    let stranger = data.path().join("tls/ca.crt");
    let target = |name: &str, authority: &Path| {
        format!(
            "[[forward]]\nname = \"{name}\"\nurl = \"https://{}/api/v1/write\"\nca_file = {authority:?}\n",
            other.listen()
        )
    };
    // The second trusts another authority: its own, which is there from its first start on.
    Server::start(data.path()).await.stop(&[]).await;
    let targets = target("known", &authority) + &target("stranger", &stranger);
    let server = forwarding(data.path(), &targets).await;
    let mut known = Known::new();
    give(&server, now_ms(), &mut known).await;
    until("the other collector has all", async || {
        in_prometheus(other.listen()).await == known
    })
    .await;
    until("the stranger is refused", async || {
        let failed = "nightshift_forward_failed_requests_total{target=\"stranger\"}";
        server.metric(failed).await > 0.0
    })
    .await;
    let sent = "nightshift_forward_sent_samples_total{target=\"stranger\"}";
    assert_eq!(server.metric(sent).await, 0.0);
    server.stop(&["cannot forward; will try again"]).await;
    other.stop(&[]).await;
}
