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

fn breakage(lab: &Lab, collector: Option<&str>) -> Section {
    let mut section = Section::new("Break, and see it");
    let primary = psql(lab.primary());
    let mut tell = |label: &str, commands: &[String], selector: &str| {
        let mut label = label.to_owned();
        for command in commands {
            section.line(std::mem::take(&mut label), command);
        }
        if let Some(collector) = collector {
            section.line("", format!("  see: {}", federate(collector, selector)));
        }
    };
    if let Some(replica) = lab.replicas().first().map(psql) {
        let replay = |verb| format!(r#"{replica} -c "SELECT pg_wal_replay_{verb}()""#);
        let lag = r#"{__name__=~"pg_replication_lag.*"}"#;
        tell(
            "a standby falls behind",
            &[replay("pause"), replay("resume")],
            lag,
        );
    }
    let job = |on| {
        let update = format!("UPDATE audit.jobs SET enabled = {on}");
        format!(r#"{primary} warehouse -c "{update}""#)
    };
    tell(
        "the ETL job stops",
        &[job("false"), job("true")],
        "etl_last_success_age_seconds",
    );
    let archive =
        |change| format!(r#"{primary} -c "ALTER SYSTEM {change}" -c "SELECT pg_reload_conf()""#);
    let broken = [
        archive("SET archive_command = 'false'"),
        archive("RESET archive_command"),
    ];
    tell(
        "archiving breaks",
        &broken,
        r#"{__name__=~"pg_stat_archiver_.+"}"#,
    );
    let lock = format!(r#"{primary} loans -c "BEGIN; LOCK payments; SELECT pg_sleep(60)""#);
    tell(
        "a session blocks others",
        &[lock],
        r#"{__name__=~"pg_(stat_activity|locks)_count"}"#,
    );
    let hang = |signal| {
        let pids = format!("$(pgrep -f -- '-D {}')", lab.primary().data().display());
        format!("pkill -{signal} -P {pids}; kill -{signal} {pids}")
    };
    tell("the primary hangs", &[hang("STOP"), hang("CONT")], "pg_up");
    if let Ok(docker) = lab.docker() {
        let docker = format!("docker -H unix://{}", docker.socket().display());
        let run = format!("{docker} run -d --network none -m 16m lab/busybox tail /dev/zero");
        tell("a container is killed", &[run], "container_last_oom_killed");
    }
    section
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
