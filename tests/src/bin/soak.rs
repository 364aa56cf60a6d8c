//! `make soak`: the long campaigns of faults and of random input. Writes what they came to to docs/soak.md.

use std::fmt::Display;
use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Parser;
use tests::campaign::{alerts, fuzz, loss};

/// Runs the campaigns for as long as one likes.
#[derive(Parser)]
struct Options {
    /// For how many minutes new campaigns of each kind are begun.
    #[arg(long, default_value_t = 30)]
    minutes: u64,
    /// Faults in a campaign.
    #[arg(long, default_value_t = 50)]
    rounds: u32,
    /// Faults in each campaign of alerts.
    #[arg(long, default_value_t = 200)]
    alert_rounds: u32,
    /// The first campaign's seed; each further one has the next.
    #[arg(long, default_value_t = 1_000)]
    seed: u64,
    /// For how many seconds each property is tried with new cases.
    #[arg(long, default_value_t = 120)]
    fuzz_seconds: u64,
    /// Where the findings are written.
    #[arg(long, default_value = "docs/soak.md")]
    write: PathBuf,
}

/// What is said of a build that `make soak` does not make.
const PROFILE: &str = if cfg!(debug_assertions) {
    ", but in a debug build"
} else {
    ""
};

/// A report that grows, on the terminal too, and how many campaigns failed.
struct Report {
    text: String,
    failed: u32,
}

impl Report {
    fn add(&mut self, text: &str) -> Result<()> {
        std::io::stdout().write_all(text.as_bytes())?;
        self.text.push_str(text);
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let options = Options::parse();
    let mut report = Report {
        text: String::new(),
        failed: 0,
    };
    report.add(&format!(
        "# What the long campaigns found\n\nMade by `make soak ARGS=\"--minutes {} --rounds {} \
         --alert-rounds {} --seed {} --fuzz-seconds {}\"`{}.\n",
        options.minutes,
        options.rounds,
        options.alert_rounds,
        options.seed,
        options.fuzz_seconds,
        PROFILE
    ))?;
    let loss = |seed| async move {
        // Six collections a second for a minute and more.
        let (rounds, away) = (options.rounds, 600);
        loss::run(loss::Plan { rounds, seed, away }).await
    };
    let heading = "Loss: agent and collector killed, kept apart, the spool torn, its disk filled";
    campaign(heading, &options, &mut report, loss).await?;
    let alerts = |seed| async move {
        let rounds = options.alert_rounds;
        alerts::run(alerts::Plan { rounds, seed }).await
    };
    let heading = "Alerts: collector killed, its receiver away, reloads, a clock that is set";
    campaign(heading, &options, &mut report, alerts).await?;
    properties(&options, &mut report).await?;
    std::fs::write(&options.write, &report.text)
        .with_context(|| format!("write {}", options.write.display()))?;
    anyhow::ensure!(report.failed == 0, "{} campaigns failed", report.failed);
    Ok(())
}

/// Runs a campaign with one seed after another until its time is over.
async fn campaign<O: Display, F: Future<Output = Result<O>>>(
    heading: &str,
    options: &Options,
    report: &mut Report,
    run: impl Fn(u64) -> F,
) -> Result<()> {
    report.add(&format!("\n## {heading}\n\n"))?;
    let end = Instant::now() + Duration::from_secs(options.minutes * 60);
    for seed in options.seed.. {
        match run(seed).await {
            Ok(outcome) => report.add(&format!("- seed {seed}: balanced. {outcome}\n"))?,
            Err(error) => {
                report.failed += 1;
                report.add(&format!("- seed {seed}: **{error:#}**\n"))?;
            }
        }
        if Instant::now() >= end {
            break;
        }
    }
    Ok(())
}

async fn properties(options: &Options, report: &mut Report) -> Result<()> {
    report.add("\n## Properties: random bytes, texts and queries\n\n")?;
    for target in fuzz::TARGETS {
        let outcome = fuzz::run(target, Duration::from_secs(options.fuzz_seconds)).await?;
        report.failed += u32::from(outcome.found.is_some());
        report.add(&format!("- {target}: {outcome}\n"))?;
    }
    Ok(())
}
