//! `make bench`: measures Nightshift beside its peers on this machine and writes docs/benchmarks.md.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Parser;
use tests::bench::agent;

/// Measures Nightshift beside its peers on this machine, in one run.
#[derive(Parser)]
struct Options {
    /// Seconds to measure for.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Where the tables are written.
    #[arg(long, default_value = "docs/benchmarks.md")]
    write: PathBuf,
}

#[tokio::main]
async fn main() -> Result<()> {
    let options = Options::parse();
    let plan = agent::Plan {
        length: Duration::from_secs(options.seconds),
        interval: Duration::from_secs(1),
        warm_up: Duration::from_secs(20),
    };
    let table = agent::run(plan).await?;
    let text = format!(
        "# Benchmarks\n\nMade by `make bench` (`--seconds {}`). Machines differ and are shared: read the \
         ratios.\n\n## The agent beside the exporters it replaces\n\n{table}",
        options.seconds
    );
    std::io::stdout().write_all(text.as_bytes())?;
    std::fs::write(&options.write, text)
        .with_context(|| format!("write {}", options.write.display()))
}
