//! What the agent costs, beside node_exporter and postgres_exporter on the same host, instances and
//! interval in the same run.
//!
//! Two agents run. One has every source on and ships to a collector: its figures are what a host
//! pays. The other has only the host and the two instances, what the exporters cover too: its CPU is
//! compared with the sum of theirs. Intervals are shortened so that enough collections fall into a
//! minute; CPU is given a collection, and as a share of a core at the usual ten seconds.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::time::Instant;

use super::cost::{self, Reading};
use super::exporters::Exporters;
use super::program::built;
use crate::lab::Lab;
use crate::lab::account::Account;
use crate::lab::docker::Docker;
use crate::lab::folder::Folder;
use crate::lab::launch::Launch;
use crate::lab::node::Node;
use crate::lab::process::Process;
use crate::lab::roles::Role;
use crate::lab::workload::Load;
use crate::wait::{GENEROUS, wait_for};

/// The interval for which the share of a core is given.
const USUAL_INTERVAL: f64 = 10.0;

/// How the agent is measured.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// How long.
    pub length: Duration,
    /// From one collection to the next, for all programs.
    pub interval: Duration,
    /// How long everything runs before, to leave starting costs out.
    pub warm_up: Duration,
}

/// What one program cost.
#[derive(Clone, Debug)]
pub struct Cost {
    name: String,
    cpu_per_collection: Duration,
    resident: u64,
}

impl Cost {
    fn share_of_core(&self) -> f64 {
        self.cpu_per_collection.as_secs_f64() / USUAL_INTERVAL * 100.0
    }
}

/// Runs everything and returns the table as Markdown.
pub async fn run(plan: Plan) -> Result<String> {
    let docker = Docker::available().is_ok();
    let load = Load::default();
    let lab = Lab::builder()
        .replicas(1)
        .pgbouncer(true)
        .redis(true)
        .docker(docker)
        .workload(load);
    let lab = lab.start().await?;
    let folder = lab.folder();
    let [second] = lab.replicas() else {
        anyhow::bail!("the lab has one replica")
    };
    let instances = [lab.primary(), second];

    let exporters = Exporters::start(folder, &instances)?;
    let collector = Collector::start(folder).await?;
    let all = agent(
        folder,
        "agent-all",
        &collector,
        &all_sources(&lab, docker, plan)?,
    )?;
    let common = agent(
        folder,
        "agent-common",
        &collector,
        &common_sources(&instances, plan),
    )?;

    let mut programs: Vec<(String, &Process)> = vec![
        ("nightshift-agent, all sources".to_owned(), &all),
        ("nightshift-agent, host and 2 instances".to_owned(), &common),
    ];
    programs.extend(
        exporters
            .programs
            .iter()
            .map(|(name, process, _)| (name.clone(), process)),
    );
    let costs = measure(plan, &programs, &exporters).await?;
    for (_, process) in &programs {
        process.check_running()?;
    }
    Ok(table(plan, &costs, docker))
}

/// Scrapes the exporters at the plan's pace, as Prometheus would, and reads all costs at both ends.
async fn measure(
    plan: Plan,
    programs: &[(String, &Process)],
    exporters: &Exporters,
) -> Result<Vec<Cost>> {
    let start = Instant::now() + plan.warm_up;
    exporters.scrape_until(start, plan.interval).await?;
    let before = read_all(programs)?;
    let began = Instant::now();
    exporters
        .scrape_until(began + plan.length, plan.interval)
        .await?;
    let collections = began.elapsed().as_secs_f64() / plan.interval.as_secs_f64();
    let after = read_all(programs)?;
    let costs = programs
        .iter()
        .zip(before.iter().zip(&after))
        .map(|((name, _), (first, last))| Cost {
            name: name.clone(),
            cpu_per_collection: (last.cpu - first.cpu).div_f64(collections),
            resident: last.resident,
        });
    Ok(costs.collect())
}

fn read_all(programs: &[(String, &Process)]) -> Result<Vec<Reading>> {
    programs
        .iter()
        .map(|(_, process)| cost::read(process.pid()))
        .collect()
}

/// The collector that the agents ship to.
struct Collector {
    _process: Process,
    address: String,
}

impl Collector {
    async fn start(folder: &Arc<Folder>) -> Result<Self> {
        let data = folder.path().join("collector/data");
        let launch = Launch::new("collector", built("nightshift")?, Account::Own)
            .arg("serve")
            .arg("--data")
            .arg(&data)
            .args([
                "--listen",
                "127.0.0.1:0",
                "--otlp-grpc",
                "off",
                "--otlp-http",
                "off",
            ]);
        let process = folder.start(&launch)?;
        let endpoints = data.join("endpoints.json");
        let listening = || async { listen_address(&endpoints) };
        let address = wait_for("the collector listens", GENEROUS, listening).await?;
        Ok(Self {
            _process: process,
            address,
        })
    }
}

fn listen_address(endpoints: &Path) -> Result<String> {
    let text = fs::read_to_string(endpoints)?;
    let endpoints: serde_json::Value = serde_json::from_str(&text)?;
    let address = endpoints["http"]
        .as_str()
        .or_else(|| endpoints["listen"].as_str());
    Ok(address
        .context("endpoints.json names no address")?
        .to_owned())
}

fn agent(
    folder: &Arc<Folder>,
    name: &str,
    collector: &Collector,
    sources: &str,
) -> Result<Process> {
    let data = folder.path().join(name).join("data");
    let config = format!(
        "host_name = \"{name}\"\ndata = {data:?}\n\
         [collector]\nendpoints = [\"http://{}\"]\n[discovery]\npostgres = false\npgbouncer = false\nredis = false\n{sources}",
        collector.address
    );
    let config = folder.write(format!("{name}.toml"), &config)?;
    let launch = Launch::new(name, built("nightshift-agent")?, Account::Own);
    folder.start(&launch.args(["run", "--config"]).arg(config))
}

fn common_sources(instances: &[&Node], plan: Plan) -> String {
    let every = wire::quantity::Period(plan.interval);
    let mut text = format!(
        "[host]\ninterval = \"{every}\"\ntimeout = \"{every}\"\n[containers]\nenabled = false\n"
    );
    for instance in instances {
        let dsn = instance.dsn(Role::Monitor, "postgres");
        // Writing to a String cannot fail.
        writeln!(
            text,
            "[[postgres]]\ndsn = {dsn:?}\ninterval = \"{every}\"\ntimeout = \"{every}\""
        )
        .ok();
    }
    text
}

fn all_sources(lab: &Lab, docker: bool, plan: Plan) -> Result<String> {
    let every = wire::quantity::Period(plan.interval);
    let nodes: Vec<&Node> = lab.nodes().collect();
    let mut text = common_sources(&nodes, plan);
    if docker {
        let socket = lab.docker()?.socket();
        let on = format!(
            "[containers]\nsocket = {socket:?}\ninterval = \"{every}\"\ntimeout = \"{every}\"\n"
        );
        text = text.replace("[containers]\nenabled = false\n", &on);
    }
    let password = lab
        .folder()
        .write("monitor-password", &Role::Monitor.password())?;
    let bouncer = lab.pgbouncer()?.port();
    write!(
        text,
        "[[pgbouncer]]\ndsn = \"host=127.0.0.1 port={bouncer} user={}\"\npassword_file = {password:?}\ninterval = \"{every}\"\n\
         [[redis]]\naddress = {:?}\ninterval = \"{every}\"\n",
        Role::Monitor.name(),
        lab.redis()?.address(),
    )?;
    Ok(text)
}

fn table(plan: Plan, costs: &[Cost], docker: bool) -> String {
    let mut text = format!(
        "Over {:.0} s, a collection every {:.1} s{}.\n\n\
         | program | resident MB | CPU ms a collection | share of a core at 10 s |\n|---|---|---|---|\n",
        plan.length.as_secs_f64(),
        plan.interval.as_secs_f64(),
        if docker {
            ""
        } else {
            ", without containers (no Docker engine here)"
        },
    );
    for cost in costs {
        row(&mut text, cost);
    }
    let (ours, peers) = costs.split_at(2);
    let sum = Cost {
        name: "**exporters together**".to_owned(),
        cpu_per_collection: peers.iter().map(|cost| cost.cpu_per_collection).sum(),
        resident: peers.iter().map(|cost| cost.resident).sum(),
    };
    row(&mut text, &sum);
    let ratio = |ours: f64, theirs: f64| ours / theirs;
    let cpu = |cost: &Cost| cost.cpu_per_collection.as_secs_f64();
    writeln!(
        text,
        "\nRatios to the exporters together: all sources {:.2} of the memory and {:.2} of the CPU; \
         the families in common {:.2} of the CPU (goal 0.5). Goal for all sources: 20 MB, 1 % of a core.",
        ratio(ours[0].resident as f64, sum.resident as f64),
        ratio(cpu(&ours[0]), cpu(&sum)),
        ratio(cpu(&ours[1]), cpu(&sum)),
    )
    .ok();
    text
}

fn row(text: &mut String, cost: &Cost) {
    let megabytes = cost.resident as f64 / 1e6;
    let milliseconds = cost.cpu_per_collection.as_secs_f64() * 1e3;
    let share = cost.share_of_core();
    writeln!(
        text,
        "| {} | {megabytes:.1} | {milliseconds:.2} | {share:.2} % |",
        cost.name
    )
    .ok();
}
