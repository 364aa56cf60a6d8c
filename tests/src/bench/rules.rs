//! What ten thousand rules cost, beside Prometheus in the same run.
//!
//! A hundred thousand series get a sample every fifteen seconds by remote write, from a fleet in which
//! something is always in trouble and series come and go. The rules are those of a team: most about one
//! instance, the rest about a cluster or the whole fleet, in groups of 20 to 48, evaluated every fifteen
//! seconds. Each program runs alone, on two processors, first without rules and then with them: the
//! difference is what rules cost, for samples are paid for anyhow. CPU is that of the whole process,
//! so what it puts off to later counts.

mod fleet;
mod readings;
mod rulebook;

use std::fmt::Write;
use std::num::NonZero;
use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};
use tokio::time::{Instant, sleep_until};

use super::program::{Program, Running, Setup};
use super::push;
use crate::lab::folder::Folder;

use fleet::{Fleet, STEP_MS};
use readings::Readings;

const INTERVAL: Duration = Duration::from_millis(STEP_MS.unsigned_abs());
const PROCESSORS: NonZero<usize> = NonZero::new(2).unwrap();
/// Connections at once, as a sender with a few shards has.
const CONNECTIONS: usize = 4;
/// Rounds that are there before: what `rate` and its like look back on, twice.
const BEFORE: u32 = 40;
/// Rounds over which samples alone are measured.
const ALONE: u32 = 6;
/// Rounds with rules that are left out: until what pends has fired, and memory has grown.
const SETTLING: u32 = 8;

/// What one program cost.
struct Cost {
    name: &'static str,
    /// CPU time of an interval without rules, and with them.
    alone: Duration,
    with_rules: Duration,
    longest_group: Duration,
    missed: u64,
    failed: u64,
    /// Rules evaluated in an interval.
    evaluated: f64,
    resident_alone: u64,
    resident: u64,
    /// Alerts that pend and fire at the end.
    alerts: [usize; 2],
}

/// Runs both programs and returns the table as Markdown.
pub async fn run(rounds: u32) -> Result<String> {
    let mut costs = Vec::new();
    for program in [Program::Nightshift, Program::Prometheus] {
        costs.push(measure(program, rounds).await?);
    }
    Ok(table(rounds, &costs))
}

async fn measure(program: Program, rounds: u32) -> Result<Cost> {
    let folder = Folder::new()?;
    let files = folder.path().join("*.yml");
    let running = Running::start_as(program, &setup(&files)).await?;
    let mut load = Load::begin(&running).await?;

    let before = running.cost()?;
    load.send(ALONE).await?;
    let after = running.cost()?;
    let alone = (after.cpu - before.cpu) / ALONE;
    let resident_alone = after.resident;

    let rules = rulebook::write(folder.path())?;
    running.reload()?;
    load.send(SETTLING).await?;
    let (before, first) = (running.cost()?, Readings::of(&running.address()).await?);
    ensure!(
        first.rules == rules,
        "{} has {} of {rules} rules",
        program.name(),
        first.rules
    );
    let mut longest_group = Duration::ZERO;
    for _ in 0..rounds {
        load.send(1).await?;
        let now = Readings::of(&running.address()).await?;
        longest_group = longest_group.max(now.longest_group);
    }
    let (after, last) = (running.cost()?, Readings::of(&running.address()).await?);
    let alerts = readings::alerts(&running.address()).await?;
    running.kill().await?;
    Ok(Cost {
        name: program.name(),
        alone,
        with_rules: (after.cpu - before.cpu) / rounds,
        longest_group,
        missed: last.missed - first.missed,
        failed: last.failed - first.failed,
        evaluated: (last.evaluated - first.evaluated) as f64 / f64::from(rounds),
        resident_alone,
        resident: after.resident,
        alerts,
    })
}

fn setup(files: &Path) -> Setup {
    let files = files.display();
    Setup {
        nightshift: format!("[rules]\nfiles = [\"{files}\"]\nevaluation_interval = \"15s\"\n"),
        prometheus: format!("global: {{evaluation_interval: 15s}}\nrule_files: [\"{files}\"]\n"),
        processors: Some(PROCESSORS),
    }
}

/// The samples, a round every interval.
struct Load<'a> {
    running: &'a Running,
    fleet: Fleet,
    next: Instant,
    next_ms: i64,
}

impl<'a> Load<'a> {
    /// Sends what was before, and goes on from now.
    async fn begin(running: &'a Running) -> Result<Self> {
        let now = std::time::SystemTime::UNIX_EPOCH.elapsed()?;
        let now_ms = i64::try_from(now.as_millis())?;
        let mut load = Self {
            running,
            fleet: Fleet::new()?,
            next: Instant::now(),
            next_ms: now_ms - STEP_MS * i64::from(BEFORE),
        };
        for _ in 0..BEFORE {
            load.send_round().await?;
        }
        running.rest().await?;
        // Rounds that were due while it rested come at once.
        while load.next_ms < now_ms + i64::try_from(load.next.elapsed().as_millis())? {
            load.send_round().await?;
        }
        load.next = Instant::now();
        Ok(load)
    }

    async fn send(&mut self, rounds: u32) -> Result<()> {
        for _ in 0..rounds {
            sleep_until(self.next).await;
            self.next += INTERVAL;
            self.send_round().await?;
        }
        sleep_until(self.next).await;
        Ok(())
    }

    async fn send_round(&mut self) -> Result<()> {
        let bodies = self.fleet.round(self.next_ms)?;
        self.next_ms += STEP_MS;
        let address = self.running.address();
        let shares = bodies.chunks(bodies.len().div_ceil(CONNECTIONS));
        let senders = shares.map(|bodies| push::send(&address, bodies.iter()));
        futures::future::try_join_all(senders).await.map(drop)
    }
}

fn table(rounds: u32, costs: &[Cost]) -> String {
    let mut text = format!(
        "10,000 rules (9,000 of them about one instance, 960 about a cluster, 40 about all) in 421 groups, every 15 s \
         over 100,000 series with a sample every 15 s by remote write, 250 of them new each time. One program after the \
         other on two processors, {rounds} intervals each, after eight that do not count. CPU is that of the whole \
         process; of rules it is what comes on top of the same samples without rules. The share is that of both \
         processors over the interval.\n\n\
         | program | CPU s an interval | of rules | share used by rules | longest group s | missed | failed | rules an interval | resident MB | without rules | pending, firing |\n\
         |---|---|---|---|---|---|---|---|---|---|---|\n"
    );
    for cost in costs {
        let [pending, firing] = cost.alerts;
        // Writing to a String cannot fail.
        writeln!(
            text,
            "| {} | {:.2} | {:.2} | {:.1} % | {:.2} | {} | {} | {:.0} | {:.0} | {:.0} | {pending}, {firing} |",
            cost.name,
            cost.with_rules.as_secs_f64(),
            cost.of_rules(),
            cost.share() * 100.0,
            cost.longest_group.as_secs_f64(),
            cost.missed,
            cost.failed,
            cost.evaluated,
            cost.resident as f64 / 1e6,
            cost.resident_alone as f64 / 1e6,
        )
        .ok();
    }
    if let [ours, peer] = costs {
        writeln!(
            text,
            "\nRatio to {}: CPU of rules {:.2}, of all {:.2} (goal below 1), memory {:.2}. Goal: nothing missed, with \
             room left.",
            peer.name,
            ours.of_rules() / peer.of_rules(),
            ours.with_rules.as_secs_f64() / peer.with_rules.as_secs_f64(),
            ours.resident as f64 / peer.resident as f64,
        )
        .ok();
    }
    text
}

impl Cost {
    /// Seconds an interval.
    fn of_rules(&self) -> f64 {
        self.with_rules.saturating_sub(self.alone).as_secs_f64()
    }

    fn share(&self) -> f64 {
        self.of_rules() / INTERVAL.as_secs_f64() / PROCESSORS.get() as f64
    }
}
