//! From what happens on the lab to what is told of it, with the shipped packs: each fault raises the
//! alert that is meant for it, once, which ends when it is mended, and nothing else is told. A rule of a
//! user that joins two conditions fires when both have held for its time, and not before, and is told
//! by mail.
//!
//! The times of the packs are shortened, each as far as it can be while agents look every few seconds.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use anyhow::{Result, ensure};
use tests::daemon::{Config, Watched};
use tests::lab::Lab;
use tests::lab::builder::Builder;
use tests::lab::docker::Docker;
use tests::lab::node::Node;
use tests::lab::strain::Strain;
use tests::packs::{hasten, write_hastened};
use tests::receivers::{Format, Mailbox, Receiver, Security};
use tests::stage::Stage;
use tests::told::{Alert, Word, by_history, by_receiver, events, once_and_nothing_else};
use tests::wait::wait_for;

/// Longer than it takes an agent to look at everything when the machine is busy.
const INTERVAL: Duration = Duration::from_secs(3);
/// The longest wait is for two times of the archive's pack, fifteen minutes and five, in a hurry.
const PATIENT: Duration = Duration::from_secs(180);
/// Five minutes of the user's rule are twenty seconds: some looks of the agents.
const FACTOR: u32 = 15;
const ETL_EVERY: Duration = Duration::from_secs(2);

/// "CPU > 90 % for 5 minutes and query latency > 1 second", as a user would write it.
const JOINED: &str = "groups:
- name: joined
  rules:
  - record: host:cpu_busy:ratio
    expr: 1 - avg by (cluster) (rate(node_cpu_seconds_total{mode=\"idle\"}[5m]))
  - record: loans:query_latency:seconds
    expr: |
      sum by (cluster) (rate(pg_stat_statements_seconds_total{user=\"loans\"}[5m]))
        / sum by (cluster) (rate(pg_stat_statements_calls_total{user=\"loans\"}[5m]))
  - alert: CpuAndLatency
    expr: host:cpu_busy:ratio > 0.9 and on (cluster) loans:query_latency:seconds > 1
    for: 5m
    labels: {severity: high}
    annotations: {summary: 'CPU {{ $value | humanizePercentage }} busy and queries slow'}
";

/// How many times as fast a pack is here.
fn factor(pack: &str) -> Option<u32> {
    match pack {
        // The machine is not the lab's: another test may fill its disk or run out of memory.
        "host" => None,
        "containers" | "etl" => Some(20),
        // It tells a growing backlog from one that is caught up, by some looks.
        "archive" => Some(15),
        // Its alerts compare what two agents saw, of which one may be late.
        "replication" => Some(10),
        // Nothing of them is to fire, nor to be mistaken for a machine that is too busy.
        _ => Some(5),
    }
}

/// The lab, and who is told.
struct Play {
    stage: Stage,
    /// Of each alert by itself.
    hook: Receiver,
    /// Of the user's rule.
    mailbox: Mailbox,
}

impl Play {
    /// The whole lab under the shipped packs and the rule of a user.
    async fn begin() -> Self {
        // Where no engine can run there is no container to see; the lab says why.
        Docker::available().unwrap();
        let builder = Lab::builder()
            .replicas(2)
            .pgbouncer(true)
            .redis(true)
            .docker(true)
            .customers(100)
            .etl_every(ETL_EVERY)
            // WAL to archive comes all the time, as it does from a server with work to do.
            .set("archive_timeout", "5s");
        let play = Self::start(builder).await.unwrap();
        for complaint in ["source failed", "part of a source left out"] {
            let agents = play.stage.agents.iter();
            agents.for_each(|agent| agent.daemon().complaints().expect(complaint));
        }
        play
    }

    async fn start(builder: Builder) -> Result<Self> {
        let lab = builder.start().await?;
        let hook = Receiver::start(Format::Webhook).await?;
        let mailbox = Mailbox::start(Security::StartTls).await?;
        lab.folder()
            .write("alertmanager.yml", &routes(&hook, &mailbox))?;
        let notify = lab.folder().path().join("alertmanager.yml");
        let rules = write_hastened(lab.folder(), factor)?;
        lab.folder()
            .write("rules/joined.yml", &hasten(JOINED, FACTOR)?)?;
        let mut configs = Vec::new();
        for node in lab.nodes() {
            let first = node.name() == lab.primary().name();
            let watched = if first {
                Watched::Everything
            } else {
                Watched::Node
            };
            let mut config = Config::for_node(&lab, node, watched)?;
            config.interval = INTERVAL;
            configs.push(config);
        }
        let collector = format!(
            "[rules]\nfiles = [{rules:?}]\nevaluation_interval = \"1s\"\n\
             [notify]\nconfig = {notify:?}\nburst = 0\n"
        );
        let stage = Stage::judged(lab, configs, &collector).await?;
        Ok(Self {
            stage,
            hook,
            mailbox,
        })
    }
}

/// Alertmanager's file: each alert is told by itself and at once.
fn routes(hook: &Receiver, mailbox: &Mailbox) -> String {
    let (user, password) = Mailbox::LOGIN;
    format!(
        "global:
  smtp_smarthost: '{}'
  smtp_from: nightshift@example.com
  smtp_auth_username: {user}
  smtp_auth_password: '{password}'
route:
  receiver: hook
  group_by: ['...']
  group_wait: 0s
  group_interval: 1s
  routes:
  - receiver: hook
    continue: true
  - receiver: person
    matchers: [alertname=CpuAndLatency]
receivers:
- name: hook
  webhook_configs:
  - url: '{}'
- name: person
  email_configs:
  - to: oncall@example.com
    send_resolved: true
    tls_config: {{ca_file: '{}'}}
",
        mailbox.smarthost(),
        hook.url("/hook"),
        mailbox.certificate().display()
    )
}

fn instance(node: &Node) -> String {
    format!("agent-{}:{}", node.name(), node.port())
}

/// With the label that the agents give to everything, by which routes go.
fn of_lab(name: &str) -> Alert {
    Alert::named(name).with("cluster", "loans")
}

/// Waits until somebody was told of this alert by so many words.
async fn wait_until_told(play: &Play, alert: &Alert, words: &[Word]) {
    let look = || async {
        let told = by_receiver(&play.hook)?;
        let heard = alert.words(&told);
        ensure!(heard.len() >= words.len(), "{heard:?} of {told:?}");
        anyhow::Ok(heard)
    };
    let heard = wait_for(&alert.to_string(), PATIENT, look).await.unwrap();
    assert_eq!(heard, words, "{alert}");
}

async fn fires(play: &Play, alert: &Alert) {
    wait_until_told(play, alert, &[Word::Fires]).await;
}

async fn resolves(play: &Play, alert: &Alert) {
    wait_until_told(play, alert, &[Word::Fires, Word::Resolved]).await;
}

/// One lab for all of it: side by side, the load of one part would be felt by the others.
#[tokio::test]
async fn what_happens_on_the_lab_is_told_once_and_nothing_else_is() {
    let play = Play::begin().await;
    let mut expected = faults(&play).await;
    expected.push(load(&play).await);
    mailed(&play).await;
    let happened = by_history(&play.stage.collector).await.unwrap();
    once_and_nothing_else(&happened, &expected).unwrap();
    let told = by_receiver(&play.hook).unwrap();
    once_and_nothing_else(&told, &expected).unwrap();
    play.stage.end().await.unwrap();
}

/// Breaks and mends one thing after the other, and returns the alerts that are meant for them.
async fn faults(play: &Play) -> Vec<Alert> {
    let stage = &play.stage;
    let (primary, docker) = (stage.lab.primary(), stage.lab.docker().unwrap());
    let [replica, _] = stage.lab.replicas() else {
        panic!("two replicas")
    };
    let container = docker.run_healthy("loans-web").await.unwrap();
    all_is_well(stage, replica).await;

    // The archive takes longest to be told of, so it is broken while the others are.
    let archive = of_lab("ArchiverFailing").with("instance", &instance(primary));
    primary.set("archive_command", "false").await.unwrap();

    let down = of_lab("ReplicaDown").with("instance", &instance(replica));
    replica.stop().await.unwrap();
    fires(play, &down).await;
    replica.start().await.unwrap();
    resolves(play, &down).await;

    let killed = of_lab("ContainerStopped").with("name", "loans-web");
    docker.cli(&["kill", container.id()]).await.unwrap();
    fires(play, &killed).await;
    docker.cli(&["start", container.id()]).await.unwrap();
    resolves(play, &killed).await;

    let stale = of_lab("EtlStale").with("job", "payments");
    stage.lab.etl().stop().await.unwrap();
    fires(play, &stale).await;
    stage.lab.etl().schedule(ETL_EVERY);
    resolves(play, &stale).await;

    fires(play, &archive).await;
    primary.reset("archive_command").await.unwrap();
    resolves(play, &archive).await;
    vec![down, killed, stale, archive]
}

/// Waits until the collector has seen at work what is to be broken.
async fn all_is_well(stage: &Stage, replica: &Node) {
    let running = "container_state{name=\"loans-web\",state=\"running\"}";
    stage.wait(running, |value| value == 1.0).await;
    let archived = "pg_stat_archiver_archived_count{instance=~\"agent-node1:.*\"}";
    stage.wait(archived, |value| value > 0.0).await;
    let name = replica.name();
    let streams = format!("pg_stat_replication_sync_priority{{application_name=\"{name}\"}}");
    stage.wait(&streams, |_| true).await;
    stage.wait("etl_succeeded_total", |value| value > 0.0).await;
}

/// Loads the primary until the rule of the user fires, which it must not before its time, and returns
/// the alert.
async fn load(play: &Play) -> Alert {
    let stage = &play.stage;
    let primary = stage.lab.primary();
    let joined = of_lab("CpuAndLatency");
    let busy = Strain::on_processors(primary).await.unwrap();
    stage.wait("host:cpu_busy:ratio", |ratio| ratio > 0.9).await;

    let both_since = primary.value("SELECT clock_timestamp()").await.unwrap();
    // Below the two seconds from which the packs take a statement for slow.
    let each = Duration::from_millis(1_300);
    let slow = Strain::on_patience(primary, 4, each).await.unwrap();
    fires(play, &joined).await;
    let told = events(&stage.collector, "CpuAndLatency").await.unwrap();
    let fired = told.last().unwrap();
    let text = |key: &str| fired[key].as_str().unwrap();
    // PostgreSQL reads times as the API writes them. What came to pass before the load was complete would
    // be among what was told, too.
    let judge = format!(
        "SELECT '{}' >= timestamptz '{both_since}' AND '{}' - timestamptz '{}' >= interval '5 minutes' / {FACTOR}",
        told[0]["activeAt"].as_str().unwrap(),
        text("at"),
        text("activeAt"),
    );
    let judged = primary.value(&judge).await.unwrap();
    assert_eq!(judged, "t", "complete since {both_since}, told: {told:?}");
    assert!(text("value").parse::<f64>().unwrap() > 0.9, "{told:?}");

    // Either alone is not enough to go on.
    drop(slow);
    resolves(play, &joined).await;
    drop(busy);
    joined
}

/// That the user's rule came by mail, once when it fired and once when it ended, with what it says.
async fn mailed(play: &Play) {
    let mails = play.mailbox.wait_for(2).await.unwrap();
    let mut subjects: Vec<_> = mails
        .iter()
        .map(|mail| mail.header("Subject").unwrap_or_default())
        .collect();
    subjects.sort();
    let [fires, resolved] = &subjects[..] else {
        panic!("{subjects:?}")
    };
    assert!(fires.starts_with("[FIRING] CPU "), "{fires}");
    assert!(resolved.starts_with("[RESOLVED] CPU "), "{resolved}");
    for mail in &mails {
        // Lines are cut where they become too long.
        let text = mail.text.replace("=\n", "");
        for words in ["busy and queries slow", "CpuAndLatency", "loans"] {
            assert!(text.contains(words), "no {words:?} in: {text}");
        }
    }
}
