//! Blocks in a bucket, at a real server of S3: what is stored there comes back, what cannot be reached
//! is said to be so, and nothing is lost or written by two.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hyper::StatusCode;
use serde_json::Value;
use tests::bench::push::{Line, body, send};
use tests::daemon::{Collector, locate};
use tests::http::{self, Answer, escape};
use tests::lab::ceph::{Ceph, KEY, KEY_ID};
use tests::lab::folder::Folder;
use tests::wait::{GENEROUS, wait_for};
use wire::remote_write::Sample;

/// Upkeep looks every 15 s.
const UPKEEP: Duration = Duration::from_secs(120);

/// A cluster with a bucket, and the configuration of a collector that has its blocks there.
struct Bucket {
    folder: Arc<Folder>,
    ceph: Ceph,
    config: PathBuf,
}

impl Bucket {
    async fn make() -> Self {
        Self::of(1_000).await
    }

    /// With so many samples in memory before they go to a block.
    async fn of(max_samples: u32) -> Self {
        let folder = Folder::new().unwrap();
        let ceph = Ceph::start(&folder).await.unwrap();
        ceph.make_bucket("blocks").await.unwrap();
        folder.write("keys/id", &format!("{KEY_ID}\n")).unwrap();
        folder.write("keys/secret", &format!("{KEY}\n")).unwrap();
        let tls = format!("https://{}", ceph.tls_address());
        let more = format!("ca_file = {:?}", ceph.authority());
        let config = configure(&folder, "s3", &tls, "blocks/fleet", &more);
        let text = fs::read_to_string(&config).unwrap();
        let text = text.replace(
            "max_samples = 1000",
            &format!("max_samples = {max_samples}"),
        );
        fs::write(&config, text).unwrap();
        Self {
            folder,
            ceph,
            config,
        }
    }

    async fn collector(&self) -> Collector {
        let config = self.config.display().to_string();
        let words = [
            "--otlp-grpc",
            "off",
            "--otlp-http",
            "off",
            "--config",
            &config,
        ];
        let started = Collector::start_with(&self.folder, "127.0.0.1:0", &words);
        started.await.unwrap()
    }

    /// Runs `nightshift store` on a data folder.
    async fn store(&self, words: &[&str], data: &Path) -> Output {
        let mut command = Command::new(locate("nightshift").await.unwrap());
        command.arg("store").args(words).arg(data);
        command.arg("--config").arg(&self.config).output().unwrap()
    }
}

fn configure(folder: &Arc<Folder>, name: &str, endpoint: &str, place: &str, more: &str) -> PathBuf {
    let keys = folder.path().join("keys");
    let text = format!(
        "[store]\nmax_samples = 1000\nblocks = \"s3://{place}\"\n\n[store.s3]\n\
         endpoint = {endpoint:?}\naccess_key_id_file = {:?}\nsecret_access_key_file = {:?}\n{more}\n",
        keys.join("id"),
        keys.join("secret"),
    );
    folder.write(format!("{name}.toml"), &text).unwrap()
}

fn now_ms() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    now.as_millis().try_into().unwrap()
}

/// Sends as many series as told, of ten samples each, a second apart and the last at `to_ms`.
async fn ingest(collector: &Collector, metric: &str, series: u64, to_ms: i64) {
    let named = |number: u64| {
        vec![
            ("__name__".to_owned(), metric.to_owned()),
            ("number".to_owned(), format!("{number:06}")),
        ]
    };
    let labels: Vec<_> = (0..series).map(named).collect();
    let lines = labels.iter().zip(0_u64..).map(|(labels, number)| Line {
        labels,
        samples: (0..10)
            .map(|place| Sample {
                at_ms: to_ms - 1_000 * (9 - place),
                value: noise(number * 10 + place.cast_unsigned()),
            })
            .collect(),
    });
    let body = body(lines).unwrap();
    let address = collector.endpoints().unwrap().listen;
    send(&address, std::iter::once(&body)).await.unwrap();
}

/// Digits that nothing can be packed into less of.
fn noise(seed: u64) -> f64 {
    let bits = seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let bits = (bits ^ (bits >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    f64::from_bits((bits >> 12) | 0x3ff0_0000_0000_0000)
}

async fn ask(collector: &Collector, query: &str, at_ms: i64) -> Answer {
    let address = collector.endpoints().unwrap().listen;
    let at = format!("{}.{:03}", at_ms / 1_000, at_ms % 1_000);
    let path = format!("/api/v1/query?query={}&time={at}", escape(query));
    http::get(&address, &path).await.unwrap()
}

/// The answer's data.
async fn told(collector: &Collector, query: &str, at_ms: i64) -> Value {
    let body = ask(collector, query, at_ms).await.ok().unwrap();
    let answer: Value = serde_json::from_str(&body).unwrap();
    answer["data"]["result"].clone()
}

async fn metric(collector: &Collector, name: &str) -> f64 {
    let text = collector.get("/metrics").await.unwrap();
    let found = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    found.unwrap().parse().unwrap()
}

/// Waits until memory has let go of what it held.
async fn all_in_blocks(collector: &Collector, samples: f64) {
    wait_for("the samples are in blocks", UPKEEP, || async {
        match metric(collector, "nightshift_store_block_samples").await {
            found if found >= samples => Ok(()),
            found => Err(format!("{found} of {samples} samples are")),
        }
    })
    .await
    .unwrap();
}

/// Waits until the collector has said so.
async fn logged(collector: &Collector, text: &str) {
    wait_for(text, UPKEEP, || async {
        match collector.daemon().log().unwrap().contains(text) {
            true => Ok(()),
            false => Err("it is not in the log"),
        }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn what_went_to_a_bucket_comes_back() {
    let bucket = Bucket::of(1_000_000).await;
    let collector = bucket.collector().await;
    let at_ms = now_ms();
    // More than 8 MiB that cannot be packed, once all of it is more than memory should hold: the file
    // goes up in parts.
    for part in ["one", "two", "three"] {
        ingest(&collector, part, 50_000, at_ms).await;
    }
    all_in_blocks(&collector, 1_500_000.0).await;
    assert!(!collector.data().join("blocks").exists());
    let objects = bucket.ceph.list("blocks").await.unwrap();
    assert!(
        objects.contains(&"fleet/owner.json".to_owned()),
        "{objects:?}"
    );
    let mut parts = 0;
    for object in objects
        .iter()
        .filter(|name| name.ends_with("samples.parquet"))
    {
        let head = bucket.ceph.head(&format!("blocks/{object}")).await.unwrap();
        let etag = head.lines().find(|line| line.starts_with("etag")).unwrap();
        parts += usize::from(etag.contains('-'));
    }
    assert!(parts > 0, "no file went up in parts: {objects:?}");
    let queries = [
        "sum(two) + sum(three)",
        "sum(avg_over_time(one[5m]))",
        "one{number=\"004711\"}[5m]",
        "count by (__name__) ({number=~\"00.*\"})",
    ];
    let mut before = Vec::new();
    for query in queries {
        before.push(told(&collector, query, at_ms).await);
    }
    assert_eq!(before[2][0]["values"].as_array().unwrap().len(), 10);
    collector.daemon().stop().await.unwrap();

    let counted = bucket
        .store(&["stats", "-o", "json"], collector.data())
        .await;
    let figures: Value = serde_json::from_slice(&counted.stdout).unwrap();
    assert_eq!(figures["samples"], 1_500_000);
    let compacted = bucket.store(&["compact"], collector.data()).await;
    let said = format!("{compacted:?}");
    assert!(
        compacted.status.success() && said.contains("now 1 blocks, 1500000 samples"),
        "{said}"
    );

    collector.start_again().await.unwrap();
    for (query, before) in queries.iter().zip(before) {
        assert_eq!(told(&collector, query, at_ms).await, before, "{query}");
    }
    collector.daemon().stop().await.unwrap();
}

#[tokio::test]
async fn while_the_bucket_is_away_data_come_in_and_queries_say_so() {
    let bucket = Bucket::make().await;
    let collector = bucket.collector().await;
    collector
        .daemon()
        .complaints()
        .expect("the upkeep of blocks failed");
    collector
        .daemon()
        .complaints()
        .expect("cannot reach the blocks; waiting for them");
    let at_ms = now_ms();
    ingest(&collector, "early", 200, at_ms).await;
    all_in_blocks(&collector, 2_000.0).await;
    let before = told(&collector, "sum(early)", at_ms).await;

    bucket.ceph.kill_gateway().await.unwrap();
    let answer = ask(&collector, "sum(early)", at_ms).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{answer:?}");
    let error: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(error["errorType"], "unavailable", "{error}");
    assert!(error["hint"].is_string(), "{error}");
    // More than memory should hold, and less than twice that, from where on it is refused.
    ingest(&collector, "meanwhile", 150, now_ms()).await;
    let late_ms = now_ms();
    let failed = "the upkeep of blocks failed";
    logged(&collector, failed).await;
    // It stops in good order, and waits at the next start, with what is in the journal.
    collector.daemon().stop().await.unwrap();
    collector.daemon().start().unwrap();
    logged(&collector, "waiting for them").await;
    bucket.ceph.start_gateway().await.unwrap();
    wait_for("the collector is ready", GENEROUS, || async {
        collector.get("/-/ready").await.map(drop)
    })
    .await
    .unwrap();
    assert_eq!(told(&collector, "sum(early)", at_ms).await, before);
    let counted = told(&collector, "sum(count_over_time(meanwhile[5m]))", late_ms).await;
    assert_eq!(counted[0]["value"][1], "1500");
    all_in_blocks(&collector, 3_500.0).await;
    assert_eq!(told(&collector, "sum(early)", at_ms).await, before);
    let log = collector.daemon().log().unwrap();
    assert_eq!(log.matches(failed).count(), 1, "logged once:\n{log}");
    assert!(!log.contains(KEY), "the key is in the log");
    collector.daemon().stop().await.unwrap();
}

#[tokio::test]
async fn a_server_that_hangs_delays_nobody_for_long() {
    let bucket = Bucket::make().await;
    let collector = bucket.collector().await;
    let at_ms = now_ms();
    ingest(&collector, "early", 200, at_ms).await;
    all_in_blocks(&collector, 2_000.0).await;
    let before = told(&collector, "sum(early)", at_ms).await;
    let gateway = bucket.ceph.gateway().unwrap();
    gateway.pause().await.unwrap();
    let answer = ask(&collector, "sum(early)", at_ms).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{answer:?}");
    ingest(&collector, "meanwhile", 20, now_ms()).await;
    gateway.resume().unwrap();
    assert_eq!(told(&collector, "sum(early)", at_ms).await, before);
    collector.daemon().stop().await.unwrap();
}

#[tokio::test]
async fn damage_in_the_bucket_is_found_and_moved_aside() {
    let bucket = Bucket::make().await;
    let collector = bucket.collector().await;
    let at_ms = now_ms();
    ingest(&collector, "early", 200, at_ms).await;
    all_in_blocks(&collector, 2_000.0).await;
    collector.daemon().stop().await.unwrap();
    let sound = bucket.store(&["check"], collector.data()).await;
    assert_eq!(sound.status.code(), Some(0), "{sound:?}");

    let objects = bucket.ceph.list("blocks").await.unwrap();
    let name = objects
        .iter()
        .find(|name| name.ends_with("samples.parquet"))
        .unwrap();
    let object = format!("blocks/{name}");
    let file = bucket.folder.path().join("object");
    bucket.ceph.get(&object, &file).await.unwrap();
    let mut bytes = fs::read(&file).unwrap();
    bytes[20] ^= 4;
    fs::write(&file, &bytes).unwrap();
    bucket.ceph.put(&file, &object).await.unwrap();

    let damaged = bucket.store(&["check"], collector.data()).await;
    let said = String::from_utf8_lossy(&damaged.stdout).into_owned();
    assert_eq!(damaged.status.code(), Some(1), "{damaged:?}");
    assert!(
        said.contains(&format!("s3://{object}: offset 0: the checksum is wrong")),
        "{said}"
    );
    assert!(said.contains("--config"), "{said}");
    let repaired = bucket.store(&["repair"], collector.data()).await;
    assert_eq!(repaired.status.code(), Some(0), "{repaired:?}");
    let objects = bucket.ceph.list("blocks").await.unwrap();
    assert!(
        objects.contains(&name.replace("fleet/", "fleet/quarantine/")),
        "{objects:?}"
    );
    assert!(!objects.contains(name), "{objects:?}");
    let sound = bucket.store(&["check"], collector.data()).await;
    assert_eq!(sound.status.code(), Some(0), "{sound:?}");
}

#[tokio::test]
async fn a_prefix_has_one_collector() {
    let bucket = Bucket::make().await;
    let collector = bucket.collector().await;
    let at_ms = now_ms();
    ingest(&collector, "early", 200, at_ms).await;
    all_in_blocks(&collector, 2_000.0).await;
    let before = told(&collector, "sum(early)", at_ms).await;

    let other = bucket.folder.path().join("other");
    let refused = serve(&bucket.config, &other).await;
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(
        said.contains("owner.json") && said.contains("store take-over"),
        "{said}"
    );
    // Its machine is lost, and another takes its place.
    let taken = bucket.store(&["take-over"], &other).await;
    assert_eq!(taken.status.code(), Some(0), "{taken:?}");
    // Should it live all the same, it notices before it writes.
    collector
        .daemon()
        .complaints()
        .expect("the upkeep of blocks failed");
    ingest(&collector, "late", 150, now_ms()).await;
    logged(&collector, "by their owner.json").await;
    collector.daemon().kill().await.unwrap();
    fs::remove_dir_all(collector.data()).unwrap();
    fs::rename(&other, collector.data()).unwrap();
    collector.start_again().await.unwrap();
    assert_eq!(told(&collector, "sum(early)", at_ms).await, before);
    collector.daemon().stop().await.unwrap();
}

#[tokio::test]
async fn what_cannot_work_is_told_at_the_start() {
    let bucket = Bucket::make().await;
    let plain = format!("http://{}", bucket.ceph.address());
    let tls = format!("https://{}", bucket.ceph.tls_address());
    let trusted = format!("ca_file = {:?}", bucket.ceph.authority());
    let wrong = bucket.folder.write("wrong", "AnotherSecretKey").unwrap();
    let (folder, data) = (&bucket.folder, bucket.folder.path().join("data"));
    let absent = configure(folder, "absent", &plain, "absent/fleet", "");
    let key = configure(folder, "key", &plain, "blocks/fleet", "");
    let text = fs::read_to_string(&key).unwrap();
    let secret = folder.path().join("keys/secret").display().to_string();
    fs::write(&key, text.replace(&secret, &wrong.display().to_string())).unwrap();
    for (config, expected) in [
        (absent, ["s3://absent/fleet", "create the bucket"]),
        (key, ["SignatureDoesNotMatch", "check the access key"]),
    ] {
        let refused = serve(&config, &data).await;
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(1), "{said}");
        for text in expected {
            assert!(said.contains(text), "{text} is not in: {said}");
        }
        assert!(
            !said.contains(KEY) && !said.contains("AnotherSecretKey"),
            "{said}"
        );
    }
    // What was never reached does not tie the folder.
    let right = configure(folder, "right", &tls, "blocks/fleet", &trusted);
    let mut command = Command::new(locate("nightshift").await.unwrap());
    let command = command.args(["store", "repair"]).arg(&data);
    let repaired = command.arg("--config").arg(&right).output().unwrap();
    assert_eq!(repaired.status.code(), Some(0), "{repaired:?}");
    // Now it is tied, and nobody who forgets the bucket sees an empty store.
    let mut command = Command::new(locate("nightshift").await.unwrap());
    let forgotten = command
        .args(["store", "stats"])
        .arg(&data)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&forgotten.stderr).into_owned();
    assert_eq!(forgotten.status.code(), Some(1), "{said}");
    assert!(
        said.contains("lie at s3://blocks/fleet") && said.contains("--config"),
        "{said}"
    );
}

/// Runs a collector that is expected to end by itself.
async fn serve(config: &Path, data: &Path) -> Output {
    let mut command = tokio::process::Command::new(locate("nightshift").await.unwrap());
    command.args(["serve", "--listen", "127.0.0.1:0", "--otlp-grpc", "off"]);
    command.args(["--otlp-http", "off", "--config"]).arg(config);
    let ended = command.arg("--data").arg(data).kill_on_drop(true).output();
    tokio::time::timeout(GENEROUS, ended)
        .await
        .unwrap()
        .unwrap()
}
