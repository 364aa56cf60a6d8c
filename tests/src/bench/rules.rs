//! What ten thousand rules cost, and how long it takes until somebody is told, beside Prometheus with
//! Alertmanager in the same run.
//!
//! A hundred thousand series get a sample every fifteen seconds by remote write, from a fleet in which
//! something is always in trouble and series come and go. The rules are those of a team: most about one
//! instance, the rest about a cluster or the whole fleet, in groups of 20 to 48, evaluated every fifteen
//! seconds. Each program runs alone, on two processors, first without rules and then with them: the
//! difference is what rules cost, for samples are paid for anyhow. CPU is that of the whole process,
//! so what it puts off to later counts; Alertmanager, which gets all that fires as our notifications do,
//! is counted with Prometheus. While all of this goes on, delays are measured ([`delay`]).

mod alertmanager;
mod delay;
mod fleet;
mod readings;
mod rulebook;

use std::fmt::Write;
use std::num::NonZero;
use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};
use tokio::time::{Instant, sleep_until};

use super::cost::Reading;
use super::program::{Program, Running, Setup};
use super::push;
use crate::lab::folder::Folder;

use alertmanager::Alertmanager;
use delay::{Conditions, Delays, quantile};
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
/// Rounds over which conditions come to hold.
const DELAYED: u32 = 8;

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
    delays: Vec<Delays>,
}

/// A program with what it needs to tell somebody.
struct Side {
    running: Running,
    alertmanager: Option<Alertmanager>,
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
    let mut conditions = Conditions::prepare().await?;
    let routes = folder.path().join("routes.yaml");
    conditions.write_routes(&routes)?;
    let side = Side::start(program, folder.path(), &routes).await?;
    let mut load = Load::begin(&side.running).await?;

    let before = side.cost()?;
    load.send(ALONE).await?;
    let after = side.cost()?;
    let alone = (after.cpu - before.cpu) / ALONE;
    let resident_alone = after.resident;

    let address = side.running.address();
    let rules = rulebook::write(folder.path())?;
    side.running.reload()?;
    load.send(SETTLING).await?;
    let (before, first) = (side.cost()?, Readings::of(&address).await?);
    ensure!(
        first.rules == rules,
        "{} has {} of {rules} rules",
        program.name(),
        first.rules
    );
    let mut longest_group = Duration::ZERO;
    for _ in 0..rounds {
        load.send(1).await?;
        let now = Readings::of(&address).await?;
        longest_group = longest_group.max(now.longest_group);
    }
    let (after, last) = (side.cost()?, Readings::of(&address).await?);
    let alerts = readings::alerts(&address).await?;

    Conditions::write_rules(&folder.path().join("conditions.yml"))?;
    side.running.reload()?;
    load.send(2).await?;
    let playing = conditions.play(&address, INTERVAL * (DELAYED - 2));
    tokio::try_join!(load.send(DELAYED), playing)?;
    let delays = conditions.delays().await?;
    side.kill().await?;
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
        delays,
    })
}

impl Side {
    /// Starts a program with the rules in a folder and Alertmanager's routes.
    async fn start(program: Program, folder: &Path, routes: &Path) -> Result<Self> {
        let alertmanager = match program {
            Program::Prometheus => Some(Alertmanager::start(routes).await?),
            Program::Nightshift | Program::VictoriaMetrics => None,
        };
        let files = folder.join("*.yml");
        let (files, routes) = (files.display(), routes.display());
        let mut setup = Setup {
            nightshift: format!(
                "[rules]\nfiles = [\"{files}\"]\nevaluation_interval = \"15s\"\n\
                 [notify]\nconfig = \"{routes}\"\nburst = 0\n"
            ),
            prometheus: format!(
                "global: {{evaluation_interval: 15s}}\nrule_files: [\"{files}\"]\n"
            ),
            processors: Some(PROCESSORS),
        };
        if let Some(alertmanager) = &alertmanager {
            setup.prometheus += &format!(
                "alerting: {{alertmanagers: [{{static_configs: [{{targets: [\"{}\"]}}]}}]}}\n",
                alertmanager.address()
            );
        }
        Ok(Self {
            running: Running::start_as(program, &setup).await?,
            alertmanager,
        })
    }

    fn cost(&self) -> Result<Reading> {
        let mut cost = self.running.cost()?;
        if let Some(alertmanager) = &self.alertmanager {
            let more = alertmanager.cost()?;
            cost.cpu += more.cpu;
            cost.resident += more.resident;
            cost.peak += more.peak;
        }
        Ok(cost)
    }

    async fn kill(&self) -> Result<()> {
        if let Some(alertmanager) = &self.alertmanager {
            alertmanager.kill().await?;
        }
        self.running.kill().await
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
         process, with Prometheus also that of Alertmanager, which gets what fires; of rules it is what comes on top of \
         the same samples without rules. The share is that of both processors over the interval.\n\n\
         | program | CPU s an interval | of rules | CPU ms a rule | share used by rules | longest group s | missed | failed | rules an interval | resident MB | without rules | pending, firing |\n\
         |---|---|---|---|---|---|---|---|---|---|---|---|\n"
    );
    for cost in costs {
        let [pending, firing] = cost.alerts;
        // Writing to a String cannot fail.
        writeln!(
            text,
            "| {} | {:.2} | {:.2} | {:.3} | {:.1} % | {:.2} | {} | {} | {:.0} | {:.0} | {:.0} | {pending}, {firing} |",
            cost.name,
            cost.with_rules.as_secs_f64(),
            cost.of_rules(),
            cost.of_rule(),
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
            "\nRatio to {}: CPU of a rule {:.2}, of all {:.2} (goal below 1), memory {:.2}. Goal: nothing missed, with \
             room left.",
            peer.name,
            ours.of_rule() / peer.of_rule(),
            ours.with_rules.as_secs_f64() / peer.with_rules.as_secs_f64(),
            ours.resident as f64 / peer.resident as f64,
        )
        .ok();
    }
    text + &delays(costs)
}

fn delays(costs: &[Cost]) -> String {
    let mut text = format!(
        "\nWhile this goes on, {} conditions of each pace come to hold at any time, each an alert with `for: 15s` and a \
         group of its own with `group_wait: 0s`, told by a webhook. The delay is from the sample with which the condition \
         began to hold to the request, less `for`; it contains the wait for the next evaluation. What comes after that is \
         counted from the time of the evaluation that fired. Milliseconds.\n\n\
         | program | evaluated every | p50 | p99 | longest | after the evaluation p50 | p99 | longest |\n\
         |---|---|---|---|---|---|---|---|\n",
        delay::EACH
    );
    for cost in costs {
        for delays in &cost.delays {
            write!(text, "| {} | {} |", cost.name, delays.pace).ok();
            for delays in [&delays.in_all, &delays.after] {
                for share in [0.5, 0.99, 1.0] {
                    write!(text, " {} |", quantile(delays, share).as_millis()).ok();
                }
            }
            text.push('\n');
        }
    }
    text + "\nGoal: p99 at most 1,000.\n"
}

impl Cost {
    /// Seconds an interval.
    fn of_rules(&self) -> f64 {
        self.with_rules.saturating_sub(self.alone).as_secs_f64()
    }

    /// Milliseconds for each that was evaluated.
    fn of_rule(&self) -> f64 {
        self.of_rules() * 1e3 / self.evaluated
    }

    fn share(&self) -> f64 {
        self.of_rules() / INTERVAL.as_secs_f64() / PROCESSORS.get() as f64
    }
}
