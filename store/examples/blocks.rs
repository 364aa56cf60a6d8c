//! What blocks cost: bytes a sample, time to write, merge and select.
//!
//!     cargo run --release -p store --example blocks -- FOLDER < SAMPLES
//!     cargo run --release -p store --example blocks -- FOLDER SERIES HOURS
//!
//! SAMPLES are lines `name=value,name=value<TAB>milliseconds<TAB>number`, sorted by labels as the store
//! sorts them and by time. With SERIES and HOURS a load is generated instead: counters and gauges, a
//! sample each 15 s.

#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::io::BufRead;
use std::path::Path;
use std::time::Instant;

use store::blocks::{Blocks, Objects, Opening, Options, Provenance};
use store::labels::Labels;
use store::matcher::Matcher;
use store::read::{Read, Sample, Series, TimeRange};

const STEP_MS: i64 = 15_000;
const CUT_MS: i64 = 2 * 3_600_000;
const START_MS: i64 = 1_700_006_400_000;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let folder = arguments.first().expect("a folder");
    let objects = Objects::in_folder(Path::new(folder)).unwrap();
    let opening = Blocks::open(objects, Options::default(), Opening::ToServe);
    let (blocks, damages) = runtime.block_on(opening).unwrap();
    assert!(damages.is_empty(), "{damages:?}");
    let last = match arguments.get(1..) {
        Some([series, hours]) => generate(&blocks, series.parse().unwrap(), hours.parse().unwrap()),
        _ if blocks.stats().blocks == 0 => add_lines(&blocks),
        _ => START_MS,
    };
    say("written", &blocks);
    let begun = Instant::now();
    let report = blocks.maintain(last + 200 * 3_600_000).unwrap();
    println!("maintained in {:?}: {report:?}", begun.elapsed());
    say("merged", &blocks);
    runtime.block_on(select(&blocks));
}

fn say(when: &str, blocks: &Blocks) {
    let stats = blocks.stats();
    let each = stats.bytes as f64 / stats.samples as f64;
    println!("{when}: {each:.4} bytes a sample; {stats:?}");
}

fn add(blocks: &Blocks, cut: i64, series: impl Iterator<Item = Series>) {
    let begun = Instant::now();
    let provenance = Provenance {
        arrived_from_ms: cut * CUT_MS,
        arrived_to_ms: (cut + 1) * CUT_MS - 1,
        mark: 0,
    };
    let id = blocks.add(series, provenance).unwrap();
    println!("block {id} in {:?}", begun.elapsed());
}

fn add_lines(blocks: &Blocks) -> i64 {
    let mut cuts: BTreeMap<i64, BTreeMap<Labels, Vec<Sample>>> = BTreeMap::new();
    for line in std::io::stdin().lock().lines() {
        let line = line.unwrap();
        let mut fields = line.split('\t');
        let labels = fields.next().unwrap().split(',');
        let labels = Labels::from_pairs(labels.map(|pair| pair.split_once('=').unwrap()));
        let at_ms: i64 = fields.next().unwrap().parse().unwrap();
        let value: f64 = fields.next().unwrap().parse().unwrap();
        let cut = cuts.entry(at_ms / CUT_MS).or_default();
        cut.entry(labels).or_default().push(Sample { at_ms, value });
    }
    let last = cuts.keys().last().copied().unwrap_or(0);
    for (cut, series) in cuts {
        let series = series.into_iter();
        add(
            blocks,
            cut,
            series.map(|(labels, samples)| Series { labels, samples }),
        );
    }
    last * CUT_MS
}

fn generate(blocks: &Blocks, series: u64, hours: i64) -> i64 {
    let first = START_MS / CUT_MS;
    let cuts = first..first + hours / 2;
    for cut in cuts.clone() {
        // Twenty metrics, each on as many instances as it takes; numbered so that they sort.
        let all = (0..20u64).flat_map(|metric| {
            (0..series / 20).map(move |instance| {
                let pairs = [
                    ("__name__", format!("metric_{metric:02}")),
                    ("instance", format!("host-{instance:06}:9100")),
                    ("job", "node".to_owned()),
                ];
                Series {
                    labels: Labels::from_pairs(pairs.iter().map(|(n, v)| (*n, v.as_str()))),
                    samples: samples(cut, metric, instance),
                }
            })
        });
        add(blocks, cut, all);
    }
    cuts.end * CUT_MS
}

fn samples(cut: i64, metric: u64, instance: u64) -> Vec<Sample> {
    let steps = cut * CUT_MS / STEP_MS..(cut + 1) * CUT_MS / STEP_MS;
    let mut state = (metric << 32 | instance).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut count = (cut - START_MS / CUT_MS) as f64 * 100_000.0;
    steps
        .map(|step| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            count += (state % 400) as f64;
            let value = match metric % 4 {
                0 => 1.0,
                1 => count,
                2 => (state % 10_000) as f64 / 100.0,
                _ => count.sqrt(),
            };
            Sample {
                at_ms: step * STEP_MS,
                value,
            }
        })
        .collect()
}

async fn select(blocks: &Blocks) {
    let name = |name: &str| Matcher::equal("__name__", name);
    let hosts = |pattern| Matcher::matches("instance", pattern).unwrap();
    let one = Matcher::equal("instance", "host-000777:9100");
    for (what, selector) in [
        ("one series", vec![name("metric_05"), one.clone()]),
        ("another", vec![name("metric_06"), one.clone()]),
        ("one again", vec![name("metric_05"), one.clone()]),
        ("one host", vec![one]),
        (
            "a hundred hosts",
            vec![name("metric_09"), hosts("host-0002..:9100")],
        ),
        ("a metric", vec![name("metric_10")]),
        (
            "a pattern of names",
            vec![
                Matcher::matches("__name__", "metric_1[23]").unwrap(),
                hosts(".*1:9100"),
            ],
        ),
    ] {
        let begun = Instant::now();
        let found = blocks.select(&selector, TimeRange::ALL, usize::MAX).await;
        let found = found.unwrap();
        let samples: usize = found.iter().map(|series| series.samples.len()).sum();
        println!(
            "{what}: {} series, {samples} samples in {:?}",
            found.len(),
            begun.elapsed()
        );
    }
}
