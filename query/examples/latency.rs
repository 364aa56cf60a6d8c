//! How long range queries take over 24 hours of 1,000 series, a sample every 15 seconds:
//! `cargo run --release -p query --example latency`.

use std::time::{Duration, Instant};

use query::promql::{Interrupt, Options, Query, QueryError, When};
use store::append::{Append, Arrival, Delivery, Row};
use store::labels::Labels;
use store::memory::{Bounds, Memory};
use store::read::Sample;

const SERIES: usize = 1_000;
const INTERVAL_MS: i64 = 15_000;
const DAY_MS: i64 = 86_400_000;

const QUERIES: &[&str] = &[
    "m_total",
    "sum(m_total)",
    "sum by (job) (rate(m_total[5m]))",
    "rate(m_total[1h])",
    "max_over_time(m_total[10m])",
    "avg_over_time(m_total[10m])",
    "topk(5, rate(m_total[5m]))",
    "quantile(0.9, m_total)",
    "m_total / on (instance) group_left () m_total",
    "max_over_time(sum(rate(m_total[5m]))[1h:1m])",
];

#[tokio::main(flavor = "current_thread")]
#[allow(clippy::print_stdout)]
async fn main() -> Result<(), QueryError> {
    let store = Memory::new(Bounds {
        max_samples: u64::MAX / 32,
        ..Bounds::default()
    });
    for series in 0..SERIES {
        fill(&store, series).await;
    }
    let when = When::Range {
        start_ms: 0,
        end_ms: DAY_MS,
        step: Duration::from_secs(60),
    };
    for text in QUERIES {
        let prepared = Query::parse(text)?.prepare(when, &Options::default())?;
        let start = Instant::now();
        let loaded = prepared.load(&store).await?;
        let loading = start.elapsed();
        let start = Instant::now();
        loaded.evaluate(&Interrupt::default())?;
        println!(
            "{text}: {loading:.0?} to load, {:.0?} to evaluate",
            start.elapsed()
        );
    }
    Ok(())
}

async fn fill(store: &Memory, series: usize) {
    let job = format!("job{}", series % 20);
    let instance = format!("host{series}:9100");
    let labels = Labels::from_pairs([
        ("__name__", "m_total"),
        ("job", job.as_str()),
        ("instance", instance.as_str()),
    ]);
    let rows = (0..DAY_MS / INTERVAL_MS).map(|step| Row {
        labels: labels.clone(),
        sample: Sample {
            at_ms: step * INTERVAL_MS,
            // A counter that restarts every few hours.
            #[allow(clippy::cast_precision_loss)]
            value: (step % 1_000) as f64 * 1.5,
        },
    });
    let delivery = Delivery {
        origin: None,
        arrival: Arrival {
            wall_ms: 0,
            steady_ms: 0,
            sent_ms: None,
        },
        rows: rows.collect(),
        metadata: Vec::new(),
        exemplars: Vec::new(),
    };
    store
        .append(vec![delivery])
        .await
        .expect("the store in memory takes everything");
}
