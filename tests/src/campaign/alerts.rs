//! Everybody is told of what came to pass, in its order, and nobody of what did not.
//!
//! Switches are pushed to a collector as series; rules fire while a switch is on, and each switch is a
//! group of its own for one webhook receiver. Each round flips some of them and meanwhile kills the
//! collector with -9, sends its receiver away, makes it reload, or sets its clock. A switch then stays
//! as it is until the receiver has heard of it. The account: of each switch the receiver must have heard,
//! repeats of one stable key left out, exactly the flips, on and off in turn. Further switches are on so
//! shortly, or have to be on for so long, that nobody may ever hear of them; alerts that wait must keep
//! their start over everything.

mod outcome;
mod receiver;
mod switches;

use std::sync::Arc;
use std::time::SystemTime;

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;
use rand::rngs::StdRng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{Rng, SeedableRng};
use serde_json::Value;

pub use self::outcome::Outcome;
use self::receiver::{Mood, Receiver};
use self::switches::{COUNT, Switches};
use crate::daemon::{Clock, Collector};
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
}

#[derive(Clone, Copy, Debug)]
enum Fault {
    Kill,
    KillTwice,
    ReceiverAway,
    ReceiverAwayAndKill,
    Reload,
    ReloadAndKill,
    SetClock,
    Nothing,
}

const FAULTS: [(Fault, &str); 8] = [
    (Fault::Kill, "killed"),
    (Fault::KillTwice, "killed twice"),
    (Fault::ReceiverAway, "receiver away"),
    (Fault::ReceiverAwayAndKill, "receiver away, killed"),
    (Fault::Reload, "reloaded"),
    (Fault::ReloadAndKill, "reloaded, killed"),
    (Fault::SetClock, "clock set"),
    (Fault::Nothing, "no fault"),
];

/// How far from the right time the collector's clock is set, in seconds. What pushes samples keeps the
/// right time, as a host beside it would; queries look back further than this.
const OFFSETS: [i64; 4] = [-20, -3, 30, 100];

/// What a clock that is read once a second and a busy machine may differ by, in seconds.
const CLOSE: f64 = 3.0;

/// Quick ones fire at once, patient ones after a second; the last are pending for ever.
const RULES: &str = "groups:
- name: quick
  interval: 200ms
  rules: [{alert: Quick, expr: quick == 1, annotations: {summary: 'switch {{ $labels.n }}'}}]
- name: patient
  interval: 250ms
  rules: [{alert: Patient, expr: patient == 1, for: 1s}]
- name: never
  interval: 300ms
  rules:
  - {alert: Waiting, expr: waiting == 1, for: 30d}
  - {alert: Blinking, expr: blinking == 1, for: 1h}
";

/// Runs a campaign to its end; an error says what did not balance.
pub async fn run(plan: Plan) -> Result<Outcome> {
    let mut stage = Stage::start(plan.seed).await?;
    for round in 1..=plan.rounds {
        let (fault, name) = *FAULTS
            .choose(&mut stage.chances)
            .context("there are faults")?;
        if let Err(wrong) = stage.play(fault).await {
            let round = format!("round {round} (seed {}): {name}", plan.seed);
            return Err(wrong.context(stage.evidence().await).context(round));
        }
        *stage.outcome.faults.entry(name).or_default() += 1;
    }
    stage.end().await
}

struct Stage {
    collector: Collector,
    clock: Clock,
    receiver: Receiver,
    switches: Switches,
    folder: Arc<Folder>,
    _port: Port,
    chances: StdRng,
    /// Since when alerts wait that never fire, as the collector first said it.
    waiting: Option<Vec<(String, String)>>,
    outcome: Outcome,
}

impl Stage {
    async fn start(seed: u64) -> Result<Self> {
        let folder = Folder::new()?;
        let port = Port::claim()?;
        let address = format!("127.0.0.1:{}", port.number());
        let receiver = Receiver::start().await?;
        let rules = folder.write("rules.yml", RULES)?;
        let notify = folder.write("alertmanager.yml", &notifications(receiver.address()))?;
        let config = format!(
            "[rules]\nfiles = [\"{}\"]\n[notify]\nconfig = \"{}\"\nburst = 0\n",
            rules.display(),
            notify.display(),
        );
        let config = folder
            .write("nightshift.toml", &config)?
            .display()
            .to_string();
        let clock = Clock::new(&folder)?;
        let words = [
            "--otlp-grpc",
            "off",
            "--otlp-http",
            "off",
            "--config",
            &config,
        ];
        let collector = Collector::start_under(&folder, &address, &words, &clock.env()).await?;
        // A receiver that is away and a clock that is set are what this is about.
        collector.daemon().complaints().expect("WARN");
        Ok(Self {
            switches: Switches::start(&address),
            collector,
            clock,
            receiver,
            folder,
            _port: port,
            chances: StdRng::seed_from_u64(seed),
            waiting: None,
            outcome: Outcome::default(),
        })
    }

    /// Flips some switches, makes a fault meanwhile, and waits until everybody knows.
    async fn play(&mut self, fault: Fault) -> Result<()> {
        let mut all: Vec<usize> = (0..COUNT).collect();
        all.shuffle(&mut self.chances);
        let count = self.chances.random_range(1..=COUNT);
        all.truncate(count);
        let heard = self.receiver.heard();
        self.outcome.flips += count;
        self.switches.flip(&all);
        let after = self.chances.random_range(0..=count);
        match fault {
            Fault::Nothing => {}
            Fault::Kill => self.kill_after(heard + after).await?,
            Fault::KillTwice => {
                self.kill_after(heard + after).await?;
                self.kill_after(0).await?;
            }
            Fault::ReceiverAway => {
                self.leave(heard).await?;
                self.receiver.set(Mood::Takes);
            }
            Fault::ReceiverAwayAndKill => {
                self.leave(heard).await?;
                self.kill_after(0).await?;
                self.receiver.set(Mood::Takes);
            }
            Fault::Reload => self.reload_after(heard + after).await?,
            Fault::ReloadAndKill => {
                self.reload_after(heard + after).await?;
                self.kill_after(0).await?;
            }
            Fault::SetClock => {
                self.progress(heard + after).await?;
                let offset = OFFSETS.choose(&mut self.chances);
                self.set_clock(*offset.context("there are offsets")?)
                    .await?;
            }
        }
        self.settle().await
    }

    /// Waits until the receiver has heard so much, all told.
    async fn progress(&self, heard: usize) -> Result<()> {
        wait_for("the receiver hears", GENEROUS, || async {
            let now = self.receiver.heard();
            ensure!(now >= heard, "it heard {now} of {heard}");
            Ok(())
        })
        .await
    }

    async fn kill_after(&self, heard: usize) -> Result<()> {
        self.progress(heard).await?;
        self.collector.daemon().kill().await?;
        self.collector.start_again().await.map(drop)
    }

    /// The receiver is not to be had, in some way, until somebody has found out.
    async fn leave(&mut self, heard: usize) -> Result<()> {
        let mood = Mood::AWAY.choose(&mut self.chances);
        self.receiver.set(*mood.context("there are moods")?);
        let missed = self.receiver.missed();
        wait_for("the receiver is missed", GENEROUS, || async {
            let now = self.receiver.missed() - missed;
            // What was on its way before may be all that there was to tell.
            let all = self.receiver.heard() - heard;
            ensure!(now > 0 || all > 0, "nobody tried");
            Ok(())
        })
        .await
    }

    async fn reload_after(&self, heard: usize) -> Result<()> {
        self.progress(heard).await?;
        let reloaded = || -> Result<usize> {
            let log = self.collector.daemon().log()?;
            Ok(log.matches("rules reloaded").count())
        };
        let before = reloaded()?;
        let changed = format!("{RULES}# {before}\n");
        self.folder.write("rules.yml", &changed)?;
        let process = self.collector.daemon().process()?;
        process.signal(Signal::SIGHUP)?;
        wait_for("the rules are reloaded", GENEROUS, || async {
            ensure!(reloaded()? > before, "not yet");
            Ok::<_, anyhow::Error>(())
        })
        .await
    }

    /// Sets the collector's clock and waits until every group of rules has seen it. Then alerts are as old
    /// as they were, so their starts may be other ones.
    async fn set_clock(&mut self, offset: i64) -> Result<()> {
        self.clock.set(&format!("{offset:+}"))?;
        wait_for("the collector has the new time", GENEROUS, || async {
            let answer = self.collector.get("/api/v1/query?query=time()").await?;
            let answer: Value = serde_json::from_str(&answer)?;
            let theirs = answer["data"]["result"][1].as_str().context("no time")?;
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
            let off = theirs.parse::<f64>()? - now.as_secs_f64() - offset as f64;
            ensure!(off.abs() < CLOSE, "it is {off} s off");
            Ok::<_, anyhow::Error>(())
        })
        .await?;
        let before = self.iterations().await?;
        wait_for("all groups were evaluated since", GENEROUS, || async {
            let now = self.iterations().await?;
            let mut pairs = before.iter().zip(&now);
            // One may have been under way.
            ensure!(pairs.all(|(before, now)| *now >= before + 2.0), "{now:?}");
            Ok::<_, anyhow::Error>(())
        })
        .await?;
        self.waiting = None;
        Ok(())
    }

    /// How often each group was evaluated.
    async fn iterations(&self) -> Result<Vec<f64>> {
        let metrics = Exposition::parse(&self.collector.get("/metrics").await?)?;
        let name = "prometheus_rule_group_iterations_total";
        let groups = metrics.series_named(name).map(|(_, times)| times).collect();
        Ok(groups)
    }

    /// Waits until the receiver has heard of every flip; fails at once if it heard of more.
    async fn settle(&mut self) -> Result<()> {
        let balanced = wait_for("the receiver knows all", GENEROUS * 2, || async {
            let wanted = self.switches.flips();
            let account = self.receiver.account(&wanted);
            match account {
                Ok(missing) if missing.is_empty() => Ok(Ok(())),
                Ok(missing) => Err(anyhow::anyhow!("not heard yet of switches {missing:?}")),
                Err(wrong) => Ok(Err(wrong)),
            }
        });
        balanced.await??;
        let waiting = self.waiting().await?;
        let known = self.waiting.get_or_insert_with(|| waiting.clone());
        ensure!(
            *known == waiting,
            "what waits began at {known:?}, and now at {waiting:?}"
        );
        Ok(())
    }

    /// What the collector says itself of what it told and what it has still to tell.
    async fn evidence(&self) -> String {
        let mut said = String::new();
        for path in [
            "/api/notifications",
            "/api/notifications?state=refused",
            "/api/v2/alerts",
            "/api/alerts/history?limit=20",
            "/api/v1/rules",
            "/api/v1/query?query={__name__=~\"quick|patient\"}",
            "/api/v1/query?query=time()",
        ] {
            let answer = self.collector.get(path).await;
            let answer = answer.unwrap_or_else(|wrong| format!("{wrong:#}"));
            said += &format!("\n{path}: {answer}");
        }
        said
    }

    /// The alerts that wait for ever, with their starts.
    async fn waiting(&self) -> Result<Vec<(String, String)>> {
        let all_wait = || async {
            let alerts = self.collector.get("/api/v1/alerts").await?;
            let alerts: Value = serde_json::from_str(&alerts)?;
            let alerts = alerts["data"]["alerts"]
                .as_array()
                .context("no alerts")?
                .clone();
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let waiting = alerts
                .iter()
                .filter(|alert| alert["labels"]["alertname"] == "Waiting");
            let mut waiting: Vec<_> = waiting
                .map(|alert| (text(&alert["labels"]["n"]), text(&alert["activeAt"])))
                .collect();
            waiting.sort();
            ensure!(waiting.len() == COUNT, "{} wait", waiting.len());
            Ok::<_, anyhow::Error>(waiting)
        };
        wait_for("all that waits is there", GENEROUS, all_wait).await
    }

    async fn end(mut self) -> Result<Outcome> {
        self.switches.stop();
        self.collector.daemon().stop().await?;
        self.outcome.heard = self.receiver.heard();
        self.outcome.repeated = self.receiver.repeated();
        Ok(self.outcome)
    }
}

/// Each switch is a group of its own, told at once.
fn notifications(receiver: &str) -> String {
    format!(
        "route: {{receiver: log, group_by: [alertname, n], group_wait: 0s, group_interval: 100ms, \
         repeat_interval: 24h}}\nreceivers:\n- name: log\n  webhook_configs:\n  \
         - {{url: 'http://{receiver}/', send_resolved: true}}\n"
    )
}
