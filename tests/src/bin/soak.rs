//! `make soak`: the long fault campaigns. Writes what they came to to docs/soak.md.

use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Parser;
use tests::campaign::loss;

/// Runs the fault campaigns for as long as one likes.
#[derive(Parser)]
struct Options {
    /// For how many minutes new campaigns are begun.
    #[arg(long, default_value_t = 30)]
    minutes: u64,
    /// Faults in a campaign.
    #[arg(long, default_value_t = 50)]
    rounds: u32,
    /// The first campaign's seed; each further one has the next.
    #[arg(long, default_value_t = 1_000)]
    seed: u64,
    /// Where the findings are written.
    #[arg(long, default_value = "docs/soak.md")]
    write: PathBuf,
}

#[tokio::main]
async fn main() -> Result<()> {
    let options = Options::parse();
    let end = Instant::now() + Duration::from_secs(options.minutes * 60);
    let mut report = format!(
        "# What the long campaigns found\n\nMade by `make soak ARGS=\"--minutes {} --rounds {} --seed {}\"`.\n\n\
         ## Loss: agent and collector killed, kept apart, the spool torn\n\n",
        options.minutes, options.rounds, options.seed
    );
    let mut failed = 0;
    for seed in options.seed.. {
        // Six collections a second for a minute and more.
        let plan = loss::Plan {
            rounds: options.rounds,
            seed,
            away: 600,
        };
        let line = match loss::run(plan).await {
            Ok(outcome) => format!("- seed {seed}: balanced. {outcome}\n"),
            Err(error) => {
                failed += 1;
                format!("- seed {seed}: **{error:#}**\n")
            }
        };
        std::io::stdout().write_all(line.as_bytes())?;
        report.push_str(&line);
        if Instant::now() >= end {
            break;
        }
    }
    std::fs::write(&options.write, report)
        .with_context(|| format!("write {}", options.write.display()))?;
    anyhow::ensure!(failed == 0, "{failed} campaigns did not balance");
    Ok(())
}
