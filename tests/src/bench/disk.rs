//! How many bytes a sample takes on disk once all is tidied up, beside Prometheus and VictoriaMetrics.
//!
//! Real samples: node_exporter and postgres_exporter on a busy instance, scraped in quick succession
//! and stamped fifteen seconds apart; and the made-up load. Each program is brought to what it comes to
//! in time by its own means: ours by `nightshift store compact`, Prometheus by a snapshot, which is a
//! block, VictoriaMetrics by a forced merge. What counts is the length of all files, indexes included.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use hyper::body::Bytes;
use tokio::time::{MissedTickBehavior, interval};
use wire::remote_write::Sample;

use super::exporters::Exporters;
use super::made;
use super::program::{Program, Running, built};
use super::push::{self, Labels, Line};
use crate::http;
use crate::lab::Lab;
use crate::lab::workload::Load;
use crate::parity::Exposition;

/// Between two samples of a series, by their stamps.
const STEP_MS: i64 = 15_000;
/// Series of one request, as senders bound them.
const BATCH: usize = 2_000;

/// How the samples are won.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// How often exporters are scraped.
    pub scrapes: u32,
    /// From one scrape to the next.
    pub pause: Duration,
}

/// The same samples for every program.
struct Samples {
    what: String,
    samples: usize,
    bodies: Vec<Bytes>,
}

/// Runs all programs and returns the table as Markdown.
pub async fn run(plan: Plan) -> Result<String> {
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed()?;
    let start_ms =
        i64::try_from(now.as_millis())? - STEP_MS * i64::from(plan.scrapes) - STEP_MS * 20;
    let loads = [scraped(plan, start_ms).await?, made_up(start_ms)?];
    let mut text = String::from(
        "Bytes a sample on disk, indexes included, after each program has merged what it holds; CPU \
         seconds a million samples while the same remote-write requests came in.\n",
    );
    for load in &loads {
        // Writing to a String cannot fail.
        writeln!(
            text,
            "\n{}:\n\n| program | bytes a sample | CPU s a million samples |\n|---|---|---|",
            load.what
        )
        .ok();
        for program in Program::ALL {
            let (bytes, cpu) = measure(program, load).await?;
            writeln!(text, "| {} | {bytes:.3} | {cpu:.2} |", program.name()).ok();
        }
    }
    Ok(text)
}

/// Scrapes of real exporters.
async fn scraped(plan: Plan, start_ms: i64) -> Result<Samples> {
    let lab = Lab::builder().replicas(1).workload(Load::default());
    let lab = lab.start().await?;
    let instances: Vec<_> = lab.nodes().collect();
    let exporters = Exporters::start(lab.folder(), &instances)?;
    exporters.ready().await?;
    let mut ticks = interval(plan.pause);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut load = Samples {
        what: String::new(),
        samples: 0,
        bodies: Vec::new(),
    };
    let mut series = 0;
    for round in 0..plan.scrapes {
        ticks.tick().await;
        let at_ms = start_ms + STEP_MS * i64::from(round);
        let pages = exporters.scrape().await?;
        let mut lines: Vec<(Labels, f64)> = Vec::new();
        for (instance, page) in pages.iter().enumerate() {
            lines.extend(labelled(page, instance)?);
        }
        series = series.max(lines.len());
        load.samples += lines.len();
        for lines in lines.chunks(BATCH) {
            let lines = lines.iter().map(|(labels, value)| Line {
                labels,
                samples: vec![Sample {
                    at_ms,
                    value: *value,
                }],
            });
            load.bodies.push(push::body(lines)?);
        }
    }
    let samples = load.samples;
    load.what = format!(
        "node_exporter and postgres_exporter of two busy instances, {} scrapes {:.1} s apart and stamped 15 s \
         apart ({series} series, {samples} samples)",
        plan.scrapes,
        plan.pause.as_secs_f64(),
    );
    Ok(load)
}

/// The series of a page as a scrape would store them.
fn labelled(page: &str, instance: usize) -> Result<Vec<(Labels, f64)>> {
    let exposition = Exposition::parse(page)?;
    let lines = exposition.series().map(|(key, value)| {
        let mut labels: BTreeMap<String, String> = key.labels.clone();
        labels.insert("__name__".to_owned(), key.name.clone());
        labels.insert("job".to_owned(), "exporter".to_owned());
        labels.insert("instance".to_owned(), format!("db-{instance:04}:9100"));
        (labels.into_iter().collect(), value)
    });
    Ok(lines.collect())
}

/// Ten thousand series of the made-up load over four hours.
fn made_up(start_ms: i64) -> Result<Samples> {
    const SERIES: usize = 10_000;
    const ROUNDS: usize = 480;
    let labels: Vec<_> = (0..SERIES)
        .map(|place| made::labels("node", place))
        .collect();
    let mut bodies = Vec::new();
    for round in 0..ROUNDS {
        let at_ms = start_ms + STEP_MS * i64::try_from(round)?;
        let lines: Vec<_> = labels.iter().enumerate().collect();
        for lines in lines.chunks(BATCH) {
            let lines = lines.iter().map(|(place, labels)| Line {
                labels,
                samples: vec![Sample {
                    at_ms,
                    value: made::value(*place, round),
                }],
            });
            bodies.push(push::body(lines)?);
        }
    }
    Ok(Samples {
        what: format!("{SERIES} made-up series, {ROUNDS} samples each, 15 s apart"),
        samples: SERIES * ROUNDS,
        bodies,
    })
}

/// Bytes a sample, and CPU seconds a million samples.
async fn measure(program: Program, load: &Samples) -> Result<(f64, f64)> {
    let running = Running::start(program, "").await?;
    let before = running.cost()?;
    push::send(&running.address(), load.bodies.iter()).await?;
    running.rest().await?;
    let cpu = (running.cost()?.cpu - before.cpu).as_secs_f64();
    let bytes = tidied(program, &running).await?;
    let samples = load.samples as f64;
    Ok((bytes as f64 / samples, cpu / samples * 1e6))
}

/// How long the files are once the program has merged what it holds.
async fn tidied(program: Program, running: &Running) -> Result<u64> {
    let (address, data) = (running.address(), running.data());
    match program {
        Program::Nightshift => {
            running.kill().await?;
            let mut compact = Command::new(built("nightshift")?);
            let done = compact.args(["store", "compact"]).arg(&data).output()?;
            let said = String::from_utf8_lossy(&done.stderr);
            ensure!(done.status.success(), "nightshift store compact: {said}");
            length(&data.join("blocks"))
        }
        Program::Prometheus => {
            let path = "/api/v1/admin/tsdb/snapshot";
            let kind = "application/x-www-form-urlencoded";
            http::post(&address, path, kind, Bytes::new()).await?.ok()?;
            running.kill().await?;
            length(&data.join("snapshots"))
        }
        Program::VictoriaMetrics => {
            for path in ["/internal/force_flush", "/internal/force_merge"] {
                http::get(&address, path).await?.ok()?;
            }
            running.rest().await?;
            running.kill().await?;
            Ok(length(&data.join("data"))? + length(&data.join("indexdb"))?)
        }
    }
}

/// Of all files below a folder.
fn length(folder: &Path) -> Result<u64> {
    let mut total = 0;
    let entries = fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))?;
    for entry in entries {
        let entry = entry?;
        total += match entry.file_type()?.is_dir() {
            true => length(&entry.path())?,
            false => entry.metadata()?.len(),
        };
    }
    Ok(total)
}
