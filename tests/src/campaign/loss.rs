//! Nothing is lost between agent and collector, and nothing is stored twice.
//!
//! One agent with a fast source ships to one collector on one port. Each round kills one of them with
//! -9, tears the end of the spool, keeps the collector away, or fills the spool's disk. The account:
//! every batch that ever stood in the spool was numbered within a run, from 1 without gaps. So the
//! collector must come to have each run up to the highest number seen in the spool, and must have stored
//! exactly as many batches as these numbers add up to, but for those that the agent reported as dropped.
//! What was dropped after the collector had stored it, and before the agent knew, is in both accounts:
//! so no more may be missing than was reported. A batch is only then on no disk while the disk is full;
//! an agent that is killed meanwhile takes it along, and nobody ever learns its number.

mod outcome;

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::Signal;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use serde::Deserialize;

pub use self::outcome::Outcome;
use super::small_disk::SmallDisk;
use super::spool_files;
use crate::daemon::{Agent, Collector, Config};
use crate::lab::folder::Folder;
use crate::lab::ports::Port;
use crate::parity::Exposition;
use crate::wait::{GENEROUS, wait_for};

/// How long a campaign is, and which.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// How many faults.
    pub rounds: u32,
    /// Where its chances come from.
    pub seed: u64,
    /// Batches that are gathered while the collector is away, at the most.
    pub away: u64,
}

#[derive(Clone, Copy, Debug)]
enum Fault {
    KillAgent,
    KillCollector,
    KillBoth,
    TearSpool,
    StopCollector,
    FillDisk,
    FillDiskAndStopCollector,
    FillDiskAndKillAgent,
}

const FAULTS: [(Fault, &str); 8] = [
    (Fault::KillAgent, "agent killed"),
    (Fault::KillCollector, "collector killed"),
    (Fault::KillBoth, "both killed"),
    (Fault::TearSpool, "agent killed, spool torn"),
    (Fault::StopCollector, "collector away"),
    (Fault::FillDisk, "disk full"),
    (Fault::FillDiskAndStopCollector, "disk full, collector away"),
    (Fault::FillDiskAndKillAgent, "disk full, agent killed"),
];

/// So few looks that memory does not overflow: nobody could count what a killed agent had dropped.
const FIT_IN_MEMORY: u64 = 4;
/// What an agent's log begins with at each start.
const STARTED: &str = "agent started";
/// The disk of the spool is left to nothing else, so that the last byte counts. So little memory
/// that a long time with a full disk and no collector overflows it.
const SPOOL: &str = "\n[spool]\nsize = \"16MiB\"\nkeep_free = \"0B\"\nmemory = \"2MiB\"\n";

/// After so many faults the account is made up, for the collector remembers 64 runs of an agent.
const SETTLE_AFTER: u32 = 25;

/// Runs a campaign to its end; an error says what did not balance.
pub async fn run(plan: Plan) -> Result<Outcome> {
    let mut stage = Stage::start(plan.seed).await?;
    for round in 1..=plan.rounds {
        let (fault, name) = *FAULTS
            .choose(&mut stage.chances)
            .context("there are faults")?;
        let told = format!("round {round} (seed {}): {name}", plan.seed);
        stage
            .commit(fault, plan.away)
            .await
            .with_context(|| told.clone())?;
        *stage.outcome.faults.entry(name).or_default() += 1;
        if round % SETTLE_AFTER == 0 || round == plan.rounds {
            stage
                .settle()
                .await
                .with_context(|| format!("account after {told}"))?;
        }
    }
    stage.end().await
}

/// The sum of a family.
fn sum(metrics: &Exposition, name: &str) -> f64 {
    metrics.series_named(name).map(|(_, value)| value).sum()
}

struct Stage {
    agent: Agent,
    collector: Collector,
    disk: SmallDisk,
    _folder: Arc<Folder>,
    _port: Port,
    chances: StdRng,
    /// The highest number seen of each run.
    produced: BTreeMap<String, u64>,
    /// What the present run of the agent has reported as dropped.
    dropped_by_run: u64,
    outcome: Outcome,
}

/// An agent in `/api/agents`, as far as the account needs it.
#[derive(Debug, Deserialize)]
struct Listed {
    stored_batches: u64,
    skipped_batches: u64,
    runs: Vec<ListedRun>,
}

#[derive(Debug, Deserialize)]
struct ListedRun {
    run: String,
    sequence: u64,
}

impl Stage {
    async fn start(seed: u64) -> Result<Self> {
        let folder = Folder::new()?;
        let port = Port::claim()?;
        let address = format!("127.0.0.1:{}", port.number());
        let collector = Collector::start(&folder, &address).await?;
        let mut config = Config::host("agent");
        config.collectors = vec![format!("http://{address}")];
        config.interval = Duration::from_millis(50);
        config.further = SPOOL.to_owned();
        let disk = SmallDisk::mount(&folder, "agent/data").await?;
        let agent = Agent::start(&folder, &config).await?;
        // Broken connections are what this is about.
        agent.daemon().complaints().expect("WARN");
        collector.daemon().complaints().expect("WARN");
        let chances = StdRng::seed_from_u64(seed);
        let (produced, outcome) = (BTreeMap::new(), Outcome::default());
        Ok(Self {
            agent,
            collector,
            disk,
            _folder: folder,
            _port: port,
            chances,
            produced,
            dropped_by_run: 0,
            outcome,
        })
    }

    async fn commit(&mut self, fault: Fault, away: u64) -> Result<()> {
        let before = self.chances.random_range(1..40);
        self.progress(before).await?;
        match fault {
            Fault::KillAgent => self.kill_agent().await?,
            Fault::KillCollector => {
                self.collector.daemon().kill().await?;
                let meanwhile = self.chances.random_range(0..20);
                self.progress(meanwhile).await?;
                self.collector.start_again().await?;
                return Ok(());
            }
            Fault::KillBoth => {
                self.collector.daemon().kill().await?;
                self.kill_agent().await?;
                self.collector.start_again().await?;
            }
            Fault::TearSpool => {
                self.kill_agent().await?;
                self.tear_spool()?;
            }
            Fault::StopCollector => {
                self.collector.daemon().stop().await?;
                let meanwhile = self.chances.random_range(away / 2..=away);
                self.progress(meanwhile).await?;
                self.collector.start_again().await?;
                return Ok(());
            }
            Fault::FillDisk => {
                self.disk.fill()?;
                let meanwhile = self.chances.random_range(1..40);
                self.progress(meanwhile).await?;
                return self.free_disk().await;
            }
            Fault::FillDiskAndStopCollector => {
                self.collector.daemon().stop().await?;
                self.disk.fill()?;
                let meanwhile = self.chances.random_range(away / 2..=away);
                self.progress(meanwhile).await?;
                self.free_disk().await?;
                self.collector.start_again().await?;
                return Ok(());
            }
            Fault::FillDiskAndKillAgent => {
                self.disk.fill()?;
                let meanwhile = self.chances.random_range(0..FIT_IN_MEMORY);
                self.progress(meanwhile).await?;
                self.kill_agent().await?;
                self.disk.free()?;
            }
        }
        self.start_agent()
    }

    fn start_agent(&mut self) -> Result<()> {
        self.dropped_by_run = 0;
        self.agent.daemon().start()
    }

    /// Frees the disk and waits until the agent writes to it again, after which nothing is dropped;
    /// takes down what was. Until it tries the disk again memory may overflow, the collector there or
    /// not: the agent may be in a pause before it tries that one again.
    async fn free_disk(&mut self) -> Result<()> {
        self.disk.free()?;
        let on_disk = || async {
            let log = self.agent.daemon().log()?;
            let run = log.rfind(STARTED).context("the agent did not start")?;
            let times = |said| log[run..].matches(said).count();
            let (left, back) = (
                times("spool goes on in memory"),
                times("spool is on disk again"),
            );
            ensure!(
                left == back,
                "it left the disk {left} times and came back {back} times"
            );
            Ok::<_, anyhow::Error>(())
        };
        wait_for("the spool is on disk again", GENEROUS, on_disk).await?;
        self.note_dropped().await
    }

    /// Takes down what the present run reports as dropped by now.
    async fn note_dropped(&mut self) -> Result<()> {
        let produced = "nightshift_spool_produced_batches_total";
        let stale = sum(&self.agent.metrics().await?, produced);
        // Sources that are configured anew look at once, the agent at itself among them.
        self.agent.daemon().process()?.signal(Signal::SIGHUP)?;
        let fresh = || async {
            let metrics = self.agent.metrics().await?;
            let now = sum(&metrics, produced);
            ensure!(now > stale, "the agent still speaks of {now} batches");
            Ok::<_, anyhow::Error>(sum(&metrics, "nightshift_spool_dropped_batches_total"))
        };
        // A count of batches is a whole number far below 2^53.
        let dropped = wait_for("the agent counts again", GENEROUS, fresh).await? as u64;
        self.outcome.dropped += dropped - self.dropped_by_run;
        self.dropped_by_run = dropped;
        Ok(())
    }

    async fn kill_agent(&mut self) -> Result<()> {
        self.agent.daemon().kill().await?;
        self.look_into_spool()
    }

    fn look_into_spool(&mut self) -> Result<()> {
        for (run, highest) in spool_files::highest(&self.agent.home().join("data"))? {
            let known = self.produced.entry(run).or_insert(0);
            *known = highest.max(*known);
        }
        Ok(())
    }

    /// Leaves what a write that was cut short would leave.
    fn tear_spool(&mut self) -> Result<()> {
        let Some(path) = spool_files::newest(&self.agent.home().join("data"))? else {
            return Ok(());
        };
        let mut record = Vec::new();
        wire::frame::write(&mut record, &vec![7; self.chances.random_range(1..5_000)]);
        let cut = self.chances.random_range(1..record.len());
        let mut file = OpenOptions::new().append(true).open(&path)?;
        Ok(file.write_all(&record[..cut])?)
    }

    /// Waits until the agent has gathered so many more batches of its fast source.
    async fn progress(&mut self, batches: u64) -> Result<()> {
        let looks = || async {
            let metrics = self.agent.metrics().await?;
            let gathered = metrics.series_named("node_time_seconds").next();
            Ok::<_, anyhow::Error>(gathered.context("nothing was gathered yet")?.1)
        };
        let mut seen = wait_for("the agent gathers", GENEROUS, looks).await?;
        for _ in 0..batches {
            let again = || async {
                let now = looks().await?;
                ensure!(now > seen, "the last collection was at {now}");
                Ok::<_, anyhow::Error>(now)
            };
            seen = wait_for("the next collection", GENEROUS, again).await?;
        }
        Ok(())
    }

    /// Makes up the account: stops the agent, which empties its spool, and compares.
    async fn settle(&mut self) -> Result<()> {
        // While the collector is just back the agent may be in a pause before it tries again; only
        // when it is heard again can it empty its spool in the time that stopping leaves it.
        self.heard().await?;
        self.agent.daemon().stop().await?;
        self.look_into_spool()?;
        let agents = self.listed().await?;
        let [listed] = &agents[..] else {
            bail!("{} agents", agents.len())
        };
        for (run, produced) in &self.produced {
            let stored = listed.runs.iter().find(|listed| listed.run == *run);
            let stored = stored.map_or(0, |listed| listed.sequence);
            ensure!(
                stored >= *produced || self.outcome.dropped > 0,
                "run {run}: {produced} produced, {stored} stored"
            );
        }
        for listed in &listed.runs {
            let known = self.produced.entry(listed.run.clone()).or_insert(0);
            *known = listed.sequence.max(*known);
        }
        let produced: u64 = self.produced.values().sum();
        let stored = listed.stored_batches;
        let dropped = self.outcome.dropped;
        ensure!(
            stored <= produced && produced - stored <= dropped,
            "{produced} batches were produced, {dropped} reported as dropped and {stored} stored; \
             the agent's log has of drops:\n{}",
            self.told_of_drops()?
        );
        let skipped = listed.skipped_batches;
        ensure!(skipped <= dropped, "{skipped} batches are missing");
        self.outcome = Outcome {
            produced,
            stored,
            dropped,
            runs: self.produced.len(),
            faults: std::mem::take(&mut self.outcome.faults),
        };
        self.start_agent()
    }

    fn told_of_drops(&self) -> Result<String> {
        let log = self.agent.daemon().log()?;
        let told = |line: &&str| line.contains("drop") || line.contains(STARTED);
        Ok(log.lines().filter(told).collect::<Vec<_>>().join("\n"))
    }

    async fn listed(&self) -> Result<Vec<Listed>> {
        Ok(serde_json::from_str(
            &self.collector.get("/api/agents").await?,
        )?)
    }

    /// Waits until the collector hears of the agent's present run, up to date.
    async fn heard(&self) -> Result<()> {
        let up_to_date = || async {
            let agents = self.listed().await?;
            let lag = self.collector.value("nightshift_spool_batches").await;
            ensure!(!agents.is_empty(), "the agent is not heard");
            let metrics = self.agent.metrics().await?;
            let newest = metrics
                .series_named("node_time_seconds")
                .next()
                .context("no time")?
                .1;
            let arrived = self.collector.value("node_time_seconds").await?;
            ensure!(
                newest - arrived < 5.0,
                "{} s behind, {lag:?} in the spool",
                newest - arrived
            );
            Ok::<_, anyhow::Error>(())
        };
        wait_for("the collector is up to date", GENEROUS * 2, up_to_date).await
    }

    async fn end(self) -> Result<Outcome> {
        // An agent that has only just been started does not listen to signals yet.
        self.heard().await?;
        self.agent.daemon().stop().await?;
        self.collector.daemon().stop().await?;
        let left = fs::read_dir(self.agent.home().join("data/spool"))?.count();
        ensure!(left <= 3, "{left} files are left in the spool");
        Ok(self.outcome)
    }
}
