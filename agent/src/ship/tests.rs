//! The shipper against a real collector that answers by a script, stops answering, and vanishes.

use std::net::SocketAddr;

use http::Uri;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tonic::{Code, Status};
use wire::batch::Batch;
use wire::metric::{Family, Kind, Label, Point, Suffix};

use super::*;
use crate::spool::{self, Limits, Reason};
use collector::{Collector, Reply};

mod collector;
mod refusing;
mod secured;

/// A spool on disk and a shipper that empties it.
struct Rig {
    _folder: TempDir,
    queue: Queue,
    stats: Arc<Stats>,
    stop: CancellationToken,
    shipping: JoinHandle<()>,
}

/// Far beyond what any state takes to come about, so that a test that waits in vain ends.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits for a state that nobody announces.
async fn until(state: impl Fn() -> bool) {
    let reached = async {
        while !state() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, reached).await.unwrap();
}

/// Settings with waits that a test can afford.
fn settings(endpoints: Vec<Uri>) -> Settings {
    Settings {
        endpoints,
        tls: None,
        connect_timeout: Duration::from_secs(5),
        request_timeout: Duration::from_secs(5),
        keep_alive: Duration::from_secs(30),
        backoff: Duration::from_millis(5),
        backoff_limit: Duration::from_millis(20),
        drain: Duration::from_secs(20),
        request: Wanted {
            batches: 4,
            raw_bytes: 1 << 20,
        },
    }
}

fn plain(address: SocketAddr) -> Uri {
    format!("http://{address}/").parse().unwrap()
}

fn batch(number: i64) -> Batch {
    let mut family = Family::new("test_number", "A number.", Kind::Gauge);
    family.points.push(Point {
        suffix: Suffix::None,
        labels: vec![Label::new("a", "b")],
        value: number as f64,
        at_ms: None,
    });
    Batch {
        source: "test".to_owned(),
        at_ms: number,
        target: Vec::new(),
        families: vec![family],
    }
}

impl Rig {
    /// Ships `1..=batches`.
    async fn start(settings: Settings, batches: i64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let spool = spool::Settings {
            folder: folder.path().to_path_buf(),
            limits: Limits {
                disk_bytes: 1 << 20,
                segment_bytes: 2 << 10,
                memory_bytes: 1 << 16,
                keep_free: 0,
            },
        };
        let (spool, _) = spool::open(&spool).unwrap();
        let queue = Queue::new(spool, "db1");
        for number in 1..=batches {
            queue.append(batch(number)).await.unwrap();
        }
        let shipper = Shipper::new(queue.clone(), settings);
        let (stats, stop) = (shipper.stats(), CancellationToken::new());
        Self {
            _folder: folder,
            shipping: tokio::spawn(shipper.run(stop.clone())),
            queue,
            stats,
            stop,
        }
    }

    /// Waits until nothing is left to be sent.
    async fn emptied(&self) {
        let mut watch = self.queue.watch();
        let empty = |stats: &spool::Stats| stats.pending.batches == 0;
        let emptied = tokio::time::timeout(PATIENCE, watch.wait_for(empty)).await;
        emptied.unwrap().unwrap();
    }

    /// Waits until a request failed that way.
    async fn failed_with(&self, code: &str) {
        until(|| self.stats.counts().failures.contains_key(code)).await;
    }

    async fn stop(self) -> spool::Stats {
        self.stop.cancel();
        self.shipping.await.unwrap();
        self.queue.stats()
    }
}

fn up_to(last: u64) -> Vec<u64> {
    (1..=last).collect()
}

#[tokio::test]
async fn everything_arrives_once_and_in_order() {
    let collector = Collector::start([]);
    let rig = Rig::start(settings(vec![plain(collector.address)]), 30).await;
    rig.emptied().await;
    for number in 31..=33 {
        rig.queue.append(batch(number)).await.unwrap();
    }
    rig.emptied().await;
    assert_eq!(collector.kept(), up_to(33));
    assert!(
        collector
            .requests(1)
            .await
            .iter()
            .all(|request| request.len() <= 4)
    );
    let counts = rig.stats.counts();
    assert_eq!(counts.failures.len(), 0);
    assert!(counts.last_success.is_some() && counts.bytes > 0);
    assert_eq!(rig.stop().await.acknowledged().batches, 33);
}

#[tokio::test]
async fn what_was_not_acknowledged_is_sent_again() {
    let away = || Reply::Say(Status::unavailable("away"));
    let internal = || Reply::Say(Status::internal("oops"));
    let script = [away(), away(), Reply::Accept, internal(), away()];
    let collector = Collector::start(script);
    let rig = Rig::start(settings(vec![plain(collector.address)]), 12).await;
    rig.emptied().await;
    assert_eq!(collector.kept(), up_to(12));
    let failures = rig.stats.counts().failures;
    assert_eq!(failures.get("unavailable"), Some(&3));
    assert_eq!(failures.get("internal"), Some(&1));
    assert_eq!(rig.stop().await.dropped_in_all().batches, 0);
}

#[tokio::test]
async fn a_collector_that_hangs_is_asked_again() {
    let collector = Collector::start([Reply::Hang]);
    let settings = Settings {
        request_timeout: Duration::from_millis(100),
        ..settings(vec![plain(collector.address)])
    };
    let rig = Rig::start(settings, 5).await;
    rig.emptied().await;
    assert_eq!(collector.kept(), up_to(5));
    // Less at a time, for the link may be slow.
    assert!(collector.requests(2).await[1].len() <= 2);
    rig.stop().await;
}

#[tokio::test]
async fn a_collector_that_vanishes_and_returns_loses_nothing() {
    let collector = Collector::start([]);
    let address = collector.address;
    let rig = Rig::start(settings(vec![plain(address)]), 5).await;
    rig.emptied().await;
    assert_eq!(collector.kept(), up_to(5));
    collector.stop().await;
    for number in 6..=20 {
        rig.queue.append(batch(number)).await.unwrap();
    }
    rig.failed_with("connect").await;
    let collector = Collector::start_at(address);
    rig.emptied().await;
    assert_eq!(collector.kept(), (6..=20).collect::<Vec<_>>());
    rig.stop().await;
}

#[tokio::test]
async fn another_address_is_tried_without_waiting() {
    let nobody = Collector::start([]);
    let dead = nobody.address;
    nobody.stop().await;
    let collector = Collector::start([]);
    let settings = Settings {
        // Waiting even once would outlast the test.
        backoff: Duration::from_secs(3_600),
        backoff_limit: Duration::from_secs(3_600),
        ..settings(vec![plain(dead), plain(collector.address)])
    };
    let rig = Rig::start(settings, 10).await;
    rig.emptied().await;
    assert_eq!(collector.kept(), up_to(10));
    rig.stop().await;
}

#[tokio::test]
async fn a_collector_that_asks_for_time_gets_it() {
    let details = wire::answer::retry_details(8, "busy", Duration::from_secs(60));
    let busy = Status::with_details(Code::ResourceExhausted, "busy", details.into());
    let collector = Collector::start([Reply::Say(busy)]);
    let rig = Rig::start(settings(vec![plain(collector.address)]), 3).await;
    collector.requests(1).await;
    until(|| rig.stats.counts().in_backoff).await;
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(59)).await;
    assert!(rig.stats.counts().in_backoff);
    assert_eq!(collector.requests(1).await.len(), 1);
    tokio::time::advance(Duration::from_secs(2)).await;
    tokio::time::resume();
    rig.emptied().await;
    assert_eq!(collector.kept(), up_to(3));
    rig.stop().await;
}

#[tokio::test]
async fn stopping_sends_what_is_left() {
    let collector = Collector::start([]);
    let rig = Rig::start(settings(vec![plain(collector.address)]), 40).await;
    let stats = rig.stop().await;
    assert_eq!(stats.pending.batches, 0);
    assert_eq!(collector.kept(), up_to(40));
}

#[tokio::test]
async fn stopping_without_a_collector_leaves_the_rest_on_disk() {
    let nobody = Collector::start([]);
    let dead = nobody.address;
    nobody.stop().await;
    let settings = Settings {
        backoff: Duration::from_secs(3_600),
        backoff_limit: Duration::from_secs(3_600),
        drain: Duration::from_secs(3_600),
        ..settings(vec![plain(dead)])
    };
    let rig = Rig::start(settings, 4).await;
    rig.failed_with("connect").await;
    assert_eq!(rig.stop().await.pending.batches, 4);
}

#[tokio::test]
async fn stopping_does_not_wait_for_a_collector_that_hangs() {
    let collector = Collector::start([Reply::Hang]);
    let settings = Settings {
        request_timeout: Duration::from_secs(3_600),
        drain: Duration::from_millis(50),
        ..settings(vec![plain(collector.address)])
    };
    let rig = Rig::start(settings, 4).await;
    collector.requests(1).await;
    assert_eq!(rig.stop().await.pending.batches, 4);
}
