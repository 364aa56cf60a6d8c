//! Prometheus and a collector with the same samples, asked the same things.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use anyhow::{Context, Result};
use hyper::body::Bytes;
use serde_json::Value;
use wire::batch::{AgentId, Batch, BatchId, RunId, Sequence};
use wire::metric::{Family, Label, Point};

use super::samples::Series;
use crate::daemon::Collector;
use crate::http::{self, escape};
use crate::lab::Account;
use crate::lab::folder::Folder;
use crate::lab::launch::Launch;
use crate::lab::ports::Port;
use crate::wait::{GENEROUS, wait_for};

const PROMETHEUS: &str = "/usr/bin/prometheus";
const PROMTOOL: &str = "/usr/bin/promtool";

/// Batches in one request, as an agent with a backlog sends them.
const BATCHES: usize = 60;

/// For which times is asked.
#[derive(Clone, Copy, Debug)]
pub enum When {
    /// One moment, in seconds since 1970.
    At(i64),
    /// From, to, and step, in seconds.
    Range(i64, i64, i64),
}

/// Both servers.
#[derive(Debug)]
pub struct Both {
    collector: Collector,
    prometheus: String,
    _port: Port,
}

impl Both {
    /// Starts both with the same samples.
    pub async fn start(folder: &Arc<Folder>, series: &[Series]) -> Result<Self> {
        let port = Port::claim().context("claim a port")?;
        let prometheus = format!("127.0.0.1:{}", port.number());
        backfill(folder, series).await?;
        start_prometheus(folder, &prometheus).await?;
        let collector = Collector::start(folder, "127.0.0.1:0").await?;
        export(&collector.endpoints()?.listen, series).await?;
        Ok(Self {
            collector,
            prometheus,
            _port: port,
        })
    }

    /// The answers of the collector and of Prometheus.
    pub async fn ask(&self, query: &str, when: When) -> Result<(Value, Value)> {
        let query = escape(query);
        let path = match when {
            When::At(at) => format!("/api/v1/query?query={query}&time={at}"),
            When::Range(from, to, step) => {
                format!("/api/v1/query_range?query={query}&start={from}&end={to}&step={step}")
            }
        };
        let ours = get(&self.collector.endpoints()?.listen, &path).await?;
        let theirs = get(&self.prometheus, &path).await?;
        Ok((ours, theirs))
    }

    /// Where the collector listens.
    pub fn collector(&self) -> Result<String> {
        Ok(self.collector.endpoints()?.listen)
    }

    /// Ends the collector, which must have had nothing to complain of.
    pub async fn stop(self) -> Result<()> {
        self.collector.daemon().stop().await
    }
}

async fn get(address: &str, path: &str) -> Result<Value> {
    let answer = http::get(address, path).await?;
    let mut told: Value =
        serde_json::from_str(&answer.body).with_context(|| format!("{path}: {}", answer.body))?;
    told["httpStatus"] = answer.status.as_u16().into();
    Ok(told)
}

/// Writes blocks of Prometheus' own format.
async fn backfill(folder: &Arc<Folder>, series: &[Series]) -> Result<()> {
    let mut text = String::new();
    for one in series {
        let labels = labels_of(one).map(|(name, value)| format!("{name}=\"{value}\""));
        let labels: Vec<String> = labels.collect();
        let (name, labels) = (one.name(), labels.join(","));
        for (at_ms, value) in &one.points {
            let (seconds, rest) = (at_ms / 1_000, at_ms % 1_000);
            writeln!(text, "{name}{{{labels}}} {value} {seconds}.{rest:03}")?;
        }
    }
    text += "# EOF\n";
    let input = folder.write("prometheus/samples", &text)?;
    let launch = Launch::new("prometheus", PROMTOOL, Account::Own)
        .args(["tsdb", "create-blocks-from", "openmetrics", "--quiet"])
        .arg(input)
        .arg("data");
    folder.run(&launch).await.map(drop)
}

fn labels_of(series: &Series) -> impl Iterator<Item = (&str, &str)> {
    let target = [("instance", series.instance), ("job", series.job)];
    target.into_iter().chain(series.labels.iter().copied())
}

async fn start_prometheus(folder: &Arc<Folder>, address: &str) -> Result<()> {
    folder.write("prometheus/prometheus.yml", "scrape_configs: []\n")?;
    let launch = Launch::new("prometheus", PROMETHEUS, Account::Own)
        .args(["--config.file=prometheus.yml", "--storage.tsdb.path=data"])
        .arg(format!("--web.listen-address={address}"));
    let process = folder.start(&launch)?;
    wait_for("Prometheus is ready", GENEROUS, || async {
        if let Err(ended) = process.check_running() {
            return Ok(Err(ended));
        }
        http::get(address, "/-/ready").await?.ok()?;
        anyhow::Ok(Ok(()))
    })
    .await?
}

/// Sends them as an agent does: what one target gave at one moment is one batch.
async fn export(address: &str, series: &[Series]) -> Result<()> {
    let (agent, run) = (AgentId::random(), RunId::random());
    let mut body = Vec::new();
    let batches = batches(series);
    let last = batches.len();
    for (place, batch) in batches.into_iter().enumerate() {
        let id = BatchId {
            agent,
            run,
            sequence: Sequence(1 + place as u64),
        };
        wire::otlp::encode(&mut body, &batch, id, "differential");
        if place % BATCHES == BATCHES - 1 || place + 1 == last {
            let bytes = Bytes::from(std::mem::take(&mut body));
            let answer = http::post(address, "/v1/metrics", "application/x-protobuf", bytes);
            answer.await?.ok()?;
        }
    }
    Ok(())
}

/// In the order of time.
fn batches(series: &[Series]) -> Vec<Batch> {
    let mut found: BTreeMap<(i64, &str), BTreeMap<&'static str, Family>> = BTreeMap::new();
    let mut jobs: BTreeMap<&str, &'static str> = BTreeMap::new();
    for one in series {
        jobs.insert(one.instance, one.job);
        for (at_ms, value) in &one.points {
            let families = found.entry((*at_ms, one.instance)).or_default();
            let family = families
                .entry(one.family)
                .or_insert_with(|| Family::new(one.family, "Made up.", one.kind));
            let labels = one.labels.iter();
            family.points.push(Point {
                suffix: one.suffix,
                labels: labels
                    .map(|(name, value)| Label::new(*name, *value))
                    .collect(),
                value: *value,
                at_ms: None,
            });
        }
    }
    let batch = |((at_ms, instance), families): ((i64, &str), BTreeMap<&str, Family>)| Batch {
        source: "made up".to_owned(),
        at_ms,
        target: vec![
            Label::new("job", jobs.get(instance).copied().unwrap_or_default()),
            Label::new("instance", instance.to_owned()),
        ],
        families: families.into_values().collect(),
    };
    found.into_iter().map(batch).collect()
}
