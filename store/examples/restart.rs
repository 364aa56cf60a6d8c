//! What the journal costs: to take in, on disk, and to read back.
//!
//!     cargo run --release -p store --example restart -- fill FOLDER SERIES SAMPLES
//!     cargo run --release -p store --example restart -- open FOLDER
//!
//! `fill` appends that many samples of each series, 15 s apart, to a store in FOLDER, and closes it.
//! `open` opens it again. Both say the time and CPU that a sample took and the most memory that the
//! process ever had: opened again it must not need more than it did when it was filled.

#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::path::Path;
use std::time::Instant;

use store::append::{Append, Arrival, Delivery, Row};
use store::embedded::{Embedded, Folders, Options};
use store::labels::Labels;
use store::read::Sample;

const STEP_MS: i64 = 15_000;
const START_MS: i64 = 1_700_006_400_000;
/// As many as Prometheus sends in one request.
const ROWS: usize = 2_000;
/// Requests that are under way at once.
const TOGETHER: usize = 8;

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["fill", folder, series, samples] => {
            let (series, samples) = (series.parse().unwrap(), samples.parse().unwrap());
            fill(Path::new(folder), series, samples).await;
        }
        ["open", folder] => open(Path::new(folder)).await,
        _ => println!("fill FOLDER SERIES SAMPLES | open FOLDER"),
    }
}

async fn fill(folder: &Path, series: usize, samples: i64) {
    let opened = Embedded::open(Folders::below(folder), Options::default(), START_MS).await;
    let (store, _) = opened.unwrap();
    let labels: Vec<Labels> = (0..series).map(labels).collect();
    let mut seconds = 0.0;
    let cpu = cpu_seconds();
    let mut making = 0.0;
    for step in 0..samples {
        for some in labels.chunks(ROWS * TOGETHER).enumerate() {
            let made = cpu_seconds();
            let deliveries: Vec<Delivery> = deliveries(step, some).collect();
            making += cpu_seconds() - made;
            let begun = Instant::now();
            let appends = deliveries.into_iter().map(|one| store.append(vec![one]));
            for outcome in futures::future::join_all(appends).await {
                outcome.unwrap();
            }
            seconds += begun.elapsed().as_secs_f64();
        }
    }
    store.close().await;
    let cpu = cpu_seconds() - cpu - making;
    say(
        "filled",
        series as f64 * samples as f64,
        seconds,
        cpu,
        &store,
    );
}

async fn open(folder: &Path) {
    let now_ms = START_MS + 2 * 3_600_000;
    let begun = Instant::now();
    let (store, found) = Embedded::open(Folders::below(folder), Options::default(), now_ms)
        .await
        .unwrap();
    let seconds = begun.elapsed().as_secs_f64();
    assert!(found.journal.damages.is_empty(), "{:?}", found.journal);
    let samples = found.journal.samples as f64;
    say("opened", samples, seconds, cpu_seconds(), &store);
    store.close().await;
}

fn say(what: &str, samples: f64, seconds: f64, cpu: f64, store: &Embedded) {
    let each = |seconds: f64| seconds * 1e6 / samples;
    let (journal, stats) = (store.journal_stats(), store.stats());
    println!(
        "{what}: {samples} samples in {seconds:.2} s, {:.3} µs a sample ({:.3} of CPU); journal {:.2} bytes a sample; {} series, {} samples held in {} MB packed; at most {:.0} MB resident",
        each(seconds),
        each(cpu),
        journal.disk_bytes as f64 / samples,
        stats.series,
        stats.samples,
        stats.sample_bytes >> 20,
        status("VmHWM:") / 1024.0,
    );
}

/// A line of the kernel's about this process, in kB.
fn status(key: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(key)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let after_name = stat.rsplit(')').next().unwrap();
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let ticks = |at: usize| fields[at].parse::<f64>().unwrap();
    // The kernel counts a hundredth of a second, on every Linux.
    (ticks(11) + ticks(12)) / 100.0
}

fn deliveries(step: i64, some: (usize, &[Labels])) -> impl Iterator<Item = Delivery> {
    let (part, labels) = some;
    let at_ms = START_MS + step * STEP_MS;
    let first = part * ROWS * TOGETHER;
    labels.chunks(ROWS).enumerate().map(move |(chunk, labels)| {
        let rows = labels.iter().enumerate().map(|(place, labels)| Row {
            labels: labels.clone(),
            sample: Sample {
                at_ms: at_ms + chunk as i64 * 7 % 100,
                value: value(first + chunk * ROWS + place, step),
            },
        });
        Delivery {
            origin: None,
            arrival: Arrival {
                wall_ms: at_ms,
                steady_ms: at_ms,
                sent_ms: None,
            },
            rows: rows.collect(),
            metadata: Vec::new(),
            exemplars: Vec::new(),
        }
    })
}

/// A hundred metrics of each host.
fn labels(number: usize) -> Labels {
    let (metric, host) = (number % 100, number / 100);
    let name = format!("pg_stat_something_number_{metric:02}_total");
    let instance = format!("db-{host:05}.example.org:9187");
    Labels::from_pairs([
        ("__name__", name.as_str()),
        ("instance", instance.as_str()),
        ("job", "postgres-exporter"),
        ("datname", ["app", "ledger", "postgres"][host % 3]),
        ("server", "10.0.0.1:5432"),
    ])
}

/// A quarter each stands still, counts, is measured with two decimals, and is any number.
fn value(series: usize, step: i64) -> f64 {
    let mut state = (series as u64) << 32 | step.cast_unsigned();
    state = (state ^ state >> 31).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let chance = (state ^ state >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 40;
    let count = (series as f64 * 1_000.0) + (step * 100) as f64 + (chance % 100) as f64;
    match series % 4 {
        0 => (series % 7) as f64,
        1 => count,
        2 => (chance % 10_000) as f64 / 100.0,
        _ => count.sqrt(),
    }
}
