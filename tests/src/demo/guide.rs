//! What the demonstration tells a person: what runs, what to open, what to break and where it shows.

use std::fmt::{self, Display, Formatter};

use anyhow::Result;

use super::{Demo, Scene};
use crate::http::escape;
use crate::lab::Lab;
use crate::lab::node::Node;
use crate::lab::roles::Role;

/// A heading with lines of a label and a command each.
struct Section {
    heading: &'static str,
    lines: Vec<(String, String)>,
}

impl Section {
    fn new(heading: &'static str) -> Self {
        Self {
            heading,
            lines: Vec::new(),
        }
    }

    fn line(&mut self, label: impl Into<String>, text: impl Into<String>) {
        self.lines.push((label.into(), text.into()));
    }
}

impl Display for Section {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "\n{}", self.heading)?;
        for (label, text) in &self.lines {
            writeln!(formatter, "  {label:<26} {text}")?;
        }
        Ok(())
    }
}

/// The lab with Nightshift.
pub(super) fn all(demo: &Demo) -> Result<String> {
    let collector = demo.collector.endpoints()?.listen;
    let mut text = format!("Nightshift watches {}\n", title(&demo.scene, &demo.lab));
    text += &alerts(&collector).to_string();
    text += &look(&collector, demo).to_string();
    text += &enter(&demo.lab).to_string();
    text += &breakage(&demo.lab, Some(&collector)).to_string();
    text += &files(&demo.lab, Some(demo)).to_string();
    Ok(text + END)
}

/// The lab alone.
pub(super) fn lab(scene: &Scene, lab: &Lab) -> String {
    let mut text = format!("The lab is up: {}\n", title(scene, lab));
    text += &enter(lab).to_string();
    text += &breakage(lab, None).to_string();
    text += &files(lab, None).to_string();
    text + END
}

const END: &str = "\nCtrl-C ends everything and leaves nothing behind.";

fn title(scene: &Scene, lab: &Lab) -> String {
    let nodes: Vec<&str> = lab.nodes().map(Node::name).collect();
    let docker = match lab.docker() {
        Ok(_) => "a Docker engine".to_owned(),
        Err(error) => format!("{error:#}"),
    };
    format!(
        "PostgreSQL on {} ({} is the primary), PgBouncer, Redis, an ETL job every {} s, an application \
         with {} operations a second and bursts of {} times as many, {docker}.",
        nodes.join(", "),
        lab.primary().name(),
        scene.etl_every.as_secs(),
        scene.load.rate,
        scene.load.burst,
    )
}

fn alerts(collector: &str) -> Section {
    let mut section = Section::new("Alerts, of all that is in rules/packs");
    // The collector's program lies beside this one.
    let nightshift = std::env::current_exe().map(|program| program.with_file_name("nightshift"));
    let nightshift = nightshift.unwrap_or_else(|_| "nightshift".into());
    let ask = |words: &str| {
        let nightshift = nightshift.display();
        format!("{nightshift} {words} --collector http://{collector}")
    };
    section.line("what pends and fires", ask("alerts"));
    section.line("every transition", ask("alerts history"));
    section.line(
        "all rules",
        format!("curl -s http://{collector}/api/v1/rules"),
    );
    section
}

fn look(collector: &str, demo: &Demo) -> Section {
    let mut section = Section::new("Look");
    section.line("agents", format!("curl -s http://{collector}/api/agents"));
    let names = format!("curl -s http://{collector}/api/v1/label/__name__/values");
    section.line("names of all series", names);
    section.line(
        "replication",
        federate(collector, r#"{__name__=~"pg_stat_replication_.+"}"#),
    );
    section.line(
        "freshness of the warehouse",
        federate(collector, r#"{__name__=~"etl_.+"}"#),
    );
    section.line(
        "the collector itself",
        format!("curl -s http://{collector}/metrics"),
    );
    for agent in &demo.agents {
        section.line(
            agent.daemon().name(),
            format!("curl -s http://{}/metrics", agent.address()),
        );
    }
    section
}

fn enter(lab: &Lab) -> Section {
    let mut section = Section::new("Enter");
    for node in lab.nodes() {
        section.line(node.name(), format!("{} loans", psql(node)));
    }
    if let Ok(bouncer) = lab.pgbouncer() {
        let (port, role) = (bouncer.port(), Role::Superuser);
        let login = format!("PGPASSWORD={} psql -h 127.0.0.1 -p {port}", role.password());
        section.line(
            "PgBouncer's console",
            format!("{login} -U {} pgbouncer", role.name()),
        );
    }
    if let Ok(redis) = lab.redis() {
        section.line("Redis", format!("redis-cli -p {}", redis.port()));
    }
    if let Ok(docker) = lab.docker() {
        let socket = docker.socket();
        section.line(
            "Docker",
            format!("docker -H unix://{} ps -a", socket.display()),
        );
    }
    section
}

/// What can be broken: how, how it is mended, where it shows, and what is told of it.
struct Breakage {
    what: &'static str,
    commands: Vec<String>,
    selector: &'static str,
    alert: &'static str,
}

fn breakage(lab: &Lab, collector: Option<&str>) -> Section {
    let mut section = Section::new("Break, and see it");
    let mut all = of_standbys(lab);
    all.extend(of_primary(lab));
    all.extend(of_containers(lab));
    for breakage in all {
        let mut label = breakage.what.to_owned();
        for command in breakage.commands {
            section.line(std::mem::take(&mut label), command);
        }
        if let Some(collector) = collector {
            let seen = federate(collector, breakage.selector);
            section.line("", format!("  see:  {seen}"));
            section.line("", format!("  told: {}", breakage.alert));
        }
    }
    section
}

fn of_standbys(lab: &Lab) -> Vec<Breakage> {
    let Some(node) = lab.replicas().first() else {
        return Vec::new();
    };
    let replica = psql(node);
    let replay = |verb| format!(r#"{replica} -c "SELECT pg_wal_replay_{verb}()""#);
    let control = |verb| {
        let (program, data) = (node.control(), node.data());
        let (program, data, log) = (program.display(), data.display(), node.log_path());
        let log = log.display();
        format!("(cd {data} && runuser -u postgres -- {program} {verb} -m fast -D . -l {log})")
    };
    let stops = Breakage {
        what: "a standby stops",
        commands: vec![control("stop"), control("start")],
        selector: "pg_up",
        alert: "ReplicaDown, after 3 minutes",
    };
    let lags = Breakage {
        what: "a standby falls behind",
        commands: vec![replay("pause"), replay("resume")],
        selector: r#"{__name__=~"pg_replication_lag.*"}"#,
        alert: "ReplicationLagSeconds, after 7 minutes",
    };
    vec![stops, lags]
}

fn of_primary(lab: &Lab) -> Vec<Breakage> {
    let primary = psql(lab.primary());
    let job = |on| {
        let update = format!("UPDATE audit.jobs SET enabled = {on}");
        format!(r#"{primary} warehouse -c "{update}""#)
    };
    let archive =
        |change| format!(r#"{primary} -c "ALTER SYSTEM {change}" -c "SELECT pg_reload_conf()""#);
    let lock = r#"loans -c "BEGIN; LOCK payments; SELECT pg_sleep(300)""#;
    let hang = |signal| {
        let pids = format!("$(pgrep -f -- '-D {}')", lab.primary().data().display());
        format!("pkill -{signal} -P {pids}; kill -{signal} {pids}")
    };
    let etl = Breakage {
        what: "the ETL job stops",
        commands: vec![job("false"), job("true")],
        selector: "etl_last_success_age_seconds",
        alert: "EtlStale, after four missed runs and 5 minutes",
    };
    let archiving = Breakage {
        what: "archiving breaks",
        commands: vec![
            archive("SET archive_command = 'false'"),
            archive("RESET archive_command"),
        ],
        selector: r#"{__name__=~"pg_stat_archiver_.+"}"#,
        alert: "ArchiverFailing, after 20 minutes",
    };
    let blocking = Breakage {
        what: "a session blocks others",
        commands: vec![format!("{primary} {lock}")],
        selector: r#"{__name__=~"pg_(stat_activity|locks)_count"}"#,
        alert: "PostgresSessionsBlocked, after 2 minutes",
    };
    let hanging = Breakage {
        what: "the primary hangs",
        commands: vec![hang("STOP"), hang("CONT")],
        selector: "pg_up",
        alert: "PostgresDown, after a minute",
    };
    vec![etl, archiving, blocking, hanging]
}

fn of_containers(lab: &Lab) -> Vec<Breakage> {
    let Ok(docker) = lab.docker() else {
        return Vec::new();
    };
    let docker = format!("docker -H unix://{}", docker.socket().display());
    let killed = Breakage {
        what: "a container is killed",
        commands: vec![
            format!("{docker} kill loans-web"),
            format!("{docker} start loans-web"),
        ],
        selector: r#"container_state{name="loans-web"}"#,
        alert: "ContainerStopped, after 2 minutes",
    };
    let greedy = Breakage {
        what: "one runs out of memory",
        commands: vec![format!(
            "{docker} run -d --network none -m 16m lab/busybox tail /dev/zero"
        )],
        selector: "container_last_oom_killed",
        alert: "ContainerStopped, after 2 minutes",
    };
    vec![killed, greedy]
}

fn files(lab: &Lab, demo: Option<&Demo>) -> Section {
    let mut section = Section::new("Files");
    section.line(
        "the lab's folder",
        lab.folder().path().display().to_string(),
    );
    section.line("archived WAL", lab.archive().display().to_string());
    for node in lab.nodes() {
        section.line(
            format!("log of {}", node.name()),
            node.log_path().display().to_string(),
        );
    }
    if let Some(demo) = demo {
        let daemons = demo.agents.iter().map(|agent| agent.daemon());
        for daemon in std::iter::once(demo.collector.daemon()).chain(daemons) {
            let log = daemon.log_path().display().to_string();
            section.line(format!("log of {}", daemon.name()), log);
        }
    }
    section
}

fn psql(node: &Node) -> String {
    format!(
        "psql -h {} -p {} -U postgres",
        node.home().display(),
        node.port()
    )
}

fn federate(collector: &str, selector: &str) -> String {
    format!(
        "curl -s 'http://{collector}/federate?match%5B%5D={}'",
        escape(selector)
    )
}
