//! What befalls hosts, tried on the running agent: servers that hang, refuse or vanish, clocks that
//! step, texts and catalogs of absurd size. In each trial what is broken is named, everything else
//! arrives as before, what was mended is seen again without a restart, and the agent stays the same
//! process, inside its bounds.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use tests::bench::cost;
use tests::daemon::{Agent, Clock, Config, Watched};
use tests::lab::Lab;
use tests::lab::builder::Builder;
use tests::lab::docker::Docker;
use tests::lab::node::Node;
use tests::lab::roles::Role;
use tests::stage::Stage;
use tests::wait::{GENEROUS, wait_for};

/// The shortest that leaves PostgreSQL's source time enough on a machine that builds beside.
const INTERVAL: Duration = Duration::from_secs(2);
/// So many collections of a source that goes on are waited for where one must not hold up others.
const A_FEW: u32 = 2;
/// What an agent may ever have resident. The goal for a release build is 20 MB; code that is not
/// optimised has three times the text to page in and copies what else would be moved. What grows
/// without bound (a megabyte of text kept a collection, 10,000 tables as series) is above it soon.
const MOST_RESIDENT: u64 = 64 << 20;

const NOTHING: [&str; 0] = [];

/// One agent on a stage, and which process it was at the beginning.
struct Trial {
    stage: Stage,
    pid: u32,
}

impl Trial {
    async fn start(builder: Builder, watched: Watched) -> Self {
        let lab = builder.customers(100).start().await.unwrap();
        let config = Config::for_node(&lab, lab.primary(), watched).unwrap();
        Self::with(lab, config).await
    }

    async fn with(lab: Lab, mut config: Config) -> Self {
        config.interval = INTERVAL;
        let stage = Stage::with(lab, vec![config]).await.unwrap();
        let pid = stage.agents[0].daemon().process().unwrap().pid();
        Self { stage, pid }
    }

    fn agent(&self) -> &Agent {
        &self.stage.agents[0]
    }

    fn expects(&self, complaint: &str) {
        self.agent().daemon().complaints().expect(complaint);
    }

    async fn wait(&self, selector: &str, passes: impl Fn(f64) -> bool) -> f64 {
        self.stage.wait(selector, passes).await
    }

    /// Waits until the collector has a few more collections of the host, which gives its own time,
    /// and of every other source that has a series which grows with each.
    async fn goes_on(&self, growing: &[&str]) {
        let few = INTERVAL.as_secs_f64() * f64::from(A_FEW);
        let before = self.wait("node_time_seconds", |_| true).await;
        let mut marks = Vec::new();
        for selector in growing {
            marks.push((selector, self.wait(selector, |_| true).await));
        }
        self.wait("node_time_seconds", |now| now > before + few)
            .await;
        for (selector, mark) in marks {
            self.wait(selector, |now| now > mark).await;
        }
    }

    /// What the agent's log says about that source, from the message on. Asserts that nothing is said
    /// twice, however long it lasts: a failure may change its words, but is not told each interval.
    fn said(&self, message: &str, source: &str) -> Vec<String> {
        let log = self.agent().daemon().log().unwrap();
        let source = format!("source=\"{source}\"");
        let about = log.lines().filter(|line| line.contains(&source));
        let said: Vec<String> = about
            .filter_map(|line| line.find(message).map(|at| line[at..].to_owned()))
            .collect();
        let once: BTreeSet<&String> = said.iter().collect();
        assert_eq!(once.len(), said.len(), "{said:#?}");
        said
    }

    /// The sum of a family of the agent's own numbers.
    async fn own(&self, name: &str) -> Result<f64> {
        let metrics = self.agent().metrics().await?;
        let values: Vec<f64> = metrics.series_named(name).map(|(_, value)| value).collect();
        ensure!(!values.is_empty(), "no {name}");
        Ok(values.iter().sum())
    }

    /// Waits until everything that was gathered so far has arrived, and nothing was lost on the way.
    async fn nothing_is_lost(&self) {
        let given = self
            .own("nightshift_spool_produced_batches_total")
            .await
            .unwrap();
        let arrived = || async {
            let taken = self
                .own("nightshift_spool_acknowledged_batches_total")
                .await?;
            ensure!(taken >= given, "{taken} of {given} batches were taken");
            anyhow::Ok(())
        };
        wait_for("all batches arrive", GENEROUS, arrived)
            .await
            .unwrap();
        for lost in [
            "nightshift_spool_dropped_batches_total",
            "nightshift_ship_rejected_samples_total",
        ] {
            assert_eq!(self.own(lost).await.unwrap(), 0.0, "{lost}");
        }
    }

    /// How long the longest value of a label is, of all that the agent gives.
    async fn longest_text(&self) -> usize {
        let metrics = self.agent().metrics().await.unwrap();
        let labels = metrics.series().flat_map(|(key, _)| key.labels.values());
        labels.map(|value| value.chars().count()).max().unwrap()
    }

    /// Judges the agent, and ends everything.
    async fn end(self) {
        let process = self.agent().daemon().process().unwrap();
        process.check_running().unwrap();
        assert_eq!(process.pid(), self.pid, "the agent was restarted");
        let peak = cost::read(self.pid).unwrap().peak;
        assert!(peak < MOST_RESIDENT, "{peak} bytes were resident");
        self.stage.end().await.unwrap();
    }
}

#[tokio::test]
async fn a_postgres_that_hangs_delays_nothing_else() {
    let trial = Trial::start(Lab::builder().redis(true), Watched::Everything).await;
    let up = "pg_up{job=\"postgres-exporter\"}";
    trial.wait(up, |value| value == 1.0).await;
    trial.expects("source failed");
    // A server that hangs in the middle of a collection has answered only a part of it.
    trial.expects("part of a source left out");
    let primary = trial.stage.lab.primary();
    primary.pause().await.unwrap();
    trial.wait(up, |value| value == 0.0).await;
    trial.goes_on(&["redis_commands_processed_total"]).await;
    assert_ne!(trial.said("source failed", "postgres"), NOTHING);

    primary.resume().unwrap();
    trial.wait(up, |value| value == 1.0).await;
    let commits = "pg_stat_database_xact_commit{datname=\"loans\"}";
    let before = trial.wait(commits, |_| true).await;
    trial.wait(commits, |now| now > before).await;
    assert_eq!(trial.said("source works again", "postgres").len(), 1);
    trial.end().await;
}

#[tokio::test]
async fn a_wrong_password_is_named_once_and_corrected_without_a_restart() {
    let lab = Lab::builder()
        .redis(true)
        .customers(100)
        .start()
        .await
        .unwrap();
    let mut config = Config::host("agent");
    let password = lab.folder().write("password", "not-the-password").unwrap();
    let (interval, timeout) = (INTERVAL.as_millis(), (INTERVAL * 4 / 5).as_millis());
    let pace = format!("interval = \"{interval}ms\"\ntimeout = \"{timeout}ms\"");
    config.further = format!(
        "\n[[postgres]]\n{pace}\ndsn = \"host=127.0.0.1 port={} user={} dbname=postgres\"\n\
         password_file = {password:?}\n\n[[redis]]\n{pace}\naddress = \"{}\"\n",
        lab.primary().port(),
        Role::Monitor.name(),
        lab.redis().unwrap().address(),
    );
    let trial = Trial::with(lab, config).await;
    trial.expects("source failed");
    let up = "pg_up";
    trial.wait(up, |value| value == 0.0).await;
    trial.goes_on(&["redis_commands_processed_total"]).await;
    let said = trial.said("source failed", "postgres");
    assert_eq!(said.len(), 1, "{said:#?}");
    assert!(
        said[0].contains("password authentication failed"),
        "{said:?}"
    );
    let log = trial.agent().daemon().log().unwrap();
    assert!(!log.contains("not-the-password"), "{log}");

    fs::write(&password, Role::Monitor.password()).unwrap();
    trial.wait(up, |value| value == 1.0).await;
    assert_eq!(trial.said("source works again", "postgres").len(), 1);
    trial.end().await;
}

#[tokio::test]
async fn a_docker_socket_may_vanish_and_come_back() {
    // Where no engine can run there is no socket to vanish; the lab says why.
    Docker::available().unwrap();
    let trial = Trial::start(Lab::builder().docker(true), Watched::Everything).await;
    let docker = trial.stage.lab.docker().unwrap();
    let always = ["--restart", "always"];
    docker
        .run("steady", &always, &["sleep", "1000000"])
        .await
        .unwrap();
    let seen = "container_last_seen{name=\"steady\"}";
    let first = trial.wait(seen, |_| true).await;
    let last = trial.wait(seen, |now| now > first).await;
    let errors = "nightshift_source_errors_total{source=\"containers\"}";
    let failed = trial.wait(errors, |_| true).await;

    trial.expects("source failed");
    // An engine that stops in the middle of a collection has answered only a part of it.
    trial.expects("part of a source left out");
    docker.stop().await.unwrap();
    trial.wait(errors, |now| now >= failed + 2.0).await;
    trial
        .goes_on(&["pg_stat_database_xact_commit{datname=\"loans\"}"])
        .await;
    // What cannot be seen any more has ended, and is not shown as it was.
    let shown = trial.stage.collector.value(seen).await;
    assert!(shown.is_err(), "{seen} is {shown:?}");
    assert_eq!(trial.own("container_last_seen").await.ok(), None);
    assert_ne!(trial.said("source failed", "containers"), NOTHING);

    docker.start_again().await.unwrap();
    trial.wait(seen, |now| now > last).await;
    trial.end().await;
}

/// An agent in `/api/agents`, as far as clocks go.
#[derive(Debug, Deserialize)]
struct Listed {
    skew_seconds: Option<f64>,
    lag_seconds: Option<f64>,
    stored_batches: u64,
}

impl Trial {
    async fn listed(&self) -> Result<Listed> {
        let agents = self.stage.collector.get("/api/agents").await?;
        let agents: Vec<Listed> = serde_json::from_str(&agents)?;
        agents.into_iter().next().context("no agent is listed")
    }

    /// Waits until the collector sees the clock that far off, and more batches after that.
    async fn is_off_by(&self, seconds: f64) {
        // What a batch waits on a busy machine is far less.
        let close = |value: f64| (value - seconds).abs() < 30.0;
        let off = || async {
            let listed = self.listed().await?;
            let skew = listed.skew_seconds.context("no skew is known")?;
            ensure!(close(skew), "{listed:?}");
            let lag = listed.lag_seconds.context("no lag is known")?;
            ensure!(close(-lag), "{listed:?}");
            Ok::<_, anyhow::Error>(listed.stored_batches)
        };
        let stored = wait_for("the skew is seen", GENEROUS, off).await.unwrap();
        let more = || async {
            let now = off().await?;
            ensure!(now > stored + 5, "{now} batches, {stored} before");
            anyhow::Ok(())
        };
        wait_for("batches go on to arrive", GENEROUS, more)
            .await
            .unwrap();
        let metrics = self.stage.collector.get("/metrics").await.unwrap();
        let skew = metrics
            .lines()
            .find(|line| line.starts_with("nightshift_agent_clock_skew_seconds{"))
            .and_then(|line| line.rsplit_once(' ')?.1.parse().ok());
        assert!(skew.is_some_and(close), "{skew:?}\n{metrics}");
    }
}

#[tokio::test]
async fn a_clock_may_step_back_an_hour_and_forward_a_day() {
    let lab = Lab::builder().customers(100).start().await.unwrap();
    let mut config = Config::for_node(&lab, lab.primary(), Watched::NodeAndHost).unwrap();
    let clock = Clock::new(lab.folder()).unwrap();
    config.env = clock.env();
    let trial = Trial::with(lab, config).await;
    trial.is_off_by(0.0).await;
    for (offset, seconds) in [("-3600", -3_600.0), ("+86400", 86_400.0), ("+0", 0.0)] {
        clock.set(offset).unwrap();
        trial.is_off_by(seconds).await;
    }
    trial.nothing_is_lost().await;
    trial.end().await;
}

#[tokio::test]
async fn a_huge_query_and_ten_thousand_tables_stay_within_bounds() {
    let big = Lab::builder()
        .set("track_activity_query_size", "1MB")
        .set("max_locks_per_transaction", "2048")
        .customers(100);
    let lab = big.start().await.unwrap();
    // Filled where the agent does not look, to appear at once beside the running agent.
    fill_a_template(lab.primary()).await.unwrap();
    let config = Config::for_node(&lab, lab.primary(), Watched::NodeAndHost).unwrap();
    let trial = Trial::with(lab, config).await;
    let primary = trial.stage.lab.primary();
    let commits = "pg_stat_database_xact_commit{datname=\"loans\"}";
    trial.wait(commits, |_| true).await;
    // A thousand tables have more series than one source may give.
    trial.expects("series over the cap are dropped");
    // Views for which a slow machine has no time are named.
    trial.expects("part of a source left out");
    primary
        .sql("CREATE DATABASE many TEMPLATE filled STRATEGY file_copy")
        .await
        .unwrap();
    let text = "x".repeat(1 << 20);
    let session = primary.session(Role::Superuser, "loans").await.unwrap();
    let statement = format!("SELECT length('{text}') /* {text} */");
    session.sql(&statement).await.unwrap();

    // The session now shows the whole text as its last query.
    let count = "pg_user_tables{datname=\"many\"}";
    trial.wait(count, |value| value == 10_000.0).await;
    let left_out = "nightshift_postgres_tables_left_out{datname=\"many\"}";
    // Four databases share the three thousand that may be named.
    trial.wait(left_out, |value| value == 9_250.0).await;
    let over = "nightshift_pipeline_dropped_series_total";
    trial.wait(over, |value| value > 0.0).await;
    let longest = trial.longest_text().await;
    assert!(longest <= 1_024, "a label of {longest} characters");
    trial.goes_on(&[commits]).await;
    trial.nothing_is_lost().await;
    trial.end().await;
}

/// Makes the database `filled`, of 10,000 tables, to which nobody can connect.
async fn fill_a_template(primary: &Node) -> Result<()> {
    primary.sql("CREATE DATABASE filled").await?;
    let create = "DO $$ BEGIN FOR n IN 1..10000 LOOP \
        EXECUTE format('CREATE TABLE t%s (id int)', n); END LOOP; END $$";
    primary.sql_in("filled", create).await?;
    let close = "ALTER DATABASE filled ALLOW_CONNECTIONS false";
    primary.sql(close).await.map(drop)
}
