//! `make bench`: measures Nightshift beside its peers on this machine and writes docs/benchmarks.md.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Parser, ValueEnum};
use tests::bench::{agent, disk, document, ingest, query, rules};

/// Measures Nightshift beside its peers on this machine, in one run.
#[derive(Parser)]
struct Options {
    /// Only this one; the sections of the others stay as they are.
    #[arg(long)]
    only: Option<Benchmark>,
    /// Seconds to measure the agent for.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// How often exporters are scraped for samples to keep.
    #[arg(long, default_value_t = 600)]
    scrapes: u32,
    /// Intervals of fifteen seconds over which rules are measured.
    #[arg(long, default_value_t = 12)]
    rounds: u32,
    /// Where the tables are written.
    #[arg(long, default_value = "docs/benchmarks.md")]
    write: PathBuf,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Benchmark {
    /// The agent beside exporters.
    Agent,
    /// Remote write beside Prometheus and VictoriaMetrics.
    Ingest,
    /// Bytes a sample on disk beside theirs.
    Disk,
    /// How long queries take beside theirs.
    Query,
    /// What ten thousand rules cost beside Prometheus.
    Rules,
}

#[tokio::main]
async fn main() -> Result<()> {
    let options = Options::parse();
    let is_wanted = |one| options.only.is_none_or(|only| only == one);
    if is_wanted(Benchmark::Agent) {
        let plan = agent::Plan {
            length: Duration::from_secs(options.seconds),
            interval: Duration::from_secs(1),
            warm_up: Duration::from_secs(20),
        };
        let table = agent::run(plan).await?;
        write(
            &options.write,
            "The agent beside the exporters it replaces",
            &table,
        )?;
    }
    if is_wanted(Benchmark::Ingest) {
        let table = ingest::run(&ingest::LOADS).await?;
        write(&options.write, "Metrics in by remote write", &table)?;
    }
    if is_wanted(Benchmark::Disk) {
        let plan = disk::Plan {
            scrapes: options.scrapes,
            pause: Duration::from_millis(500),
        };
        let table = disk::run(plan).await?;
        write(&options.write, "Metrics on disk", &table)?;
    }
    if is_wanted(Benchmark::Query) {
        let table = query::run().await?;
        write(&options.write, "Queries", &table)?;
    }
    if is_wanted(Benchmark::Rules) {
        let table = rules::run(options.rounds).await?;
        write(&options.write, "Rules", &table)?;
    }
    Ok(())
}

fn write(path: &Path, title: &str, table: &str) -> Result<()> {
    std::io::stdout().write_all(format!("## {title}\n\n{table}\n").as_bytes())?;
    let before = std::fs::read_to_string(path).unwrap_or_default();
    std::fs::write(path, document::with_section(&before, title, table))
        .with_context(|| format!("write {}", path.display()))
}
