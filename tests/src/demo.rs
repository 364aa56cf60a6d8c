//! The demonstration: a lab with everything in it, a collector, and an agent a node, for a person to
//! look at and to break.

mod guide;

use std::net::TcpListener;
use std::time::Duration;

use anyhow::{Context, Result};
use futures::future::try_join_all;

use crate::daemon::{Agent, Collector, Config, Watched};
use crate::lab::Lab;
use crate::lab::node::Node;
use crate::lab::workload::Load;
use crate::packs;

/// What a person may choose about the lab.
#[derive(Clone, Debug)]
pub struct Scene {
    /// How many standbys.
    pub replicas: u32,
    /// How many customers the loan database starts with.
    pub customers: u32,
    /// From one run of the ETL job to the next.
    pub etl_every: Duration,
    /// How hard the application works.
    pub load: Load,
}

impl Scene {
    /// Starts the lab alone.
    pub async fn lab(&self) -> Result<Lab> {
        let lab = Lab::builder()
            .replicas(self.replicas)
            .pgbouncer(true)
            .redis(true)
            .docker_if_possible()
            .customers(self.customers)
            .etl_every(self.etl_every)
            .workload(self.load)
            .start()
            .await?;
        if let Ok(docker) = lab.docker() {
            docker.run_healthy("loans-web").await?;
            let limits = ["--memory", "64m", "--cpus", "0.5", "--restart", "always"];
            let work = "while :; do head -c 1000000 /dev/zero | wc -c; sleep 1; done";
            docker
                .run("loans-worker", &limits, &["sh", "-c", work])
                .await?;
        }
        Ok(lab)
    }

    /// What to try with the lab alone.
    #[must_use]
    pub fn guide(&self, lab: &Lab) -> String {
        guide::lab(self, lab)
    }
}

/// A lab with Nightshift watching it.
pub struct Demo {
    scene: Scene,
    // The daemons first: they end before what they watch does.
    agents: Vec<Agent>,
    collector: Collector,
    lab: Lab,
}

impl Demo {
    /// Starts everything. The collector listens at `listen` if that is free, and anywhere else if not.
    pub async fn start(scene: Scene, listen: &str) -> Result<Self> {
        let lab = scene.lab().await?;
        let free = TcpListener::bind(listen).is_ok();
        let listen = if free { listen } else { "127.0.0.1:0" };
        let rules = format!("[rules]\nfiles = [{:?}]\n", packs::pattern());
        let collector = Collector::start_configured(lab.folder(), listen, &rules).await;
        let collector = collector.context("start the collector")?;
        collector.daemon().complaints().ignore();
        let address = collector.endpoints()?.listen;
        let agents = lab.nodes().map(|node| agent(&lab, node, &address));
        let agents = try_join_all(agents).await.context("start the agents")?;
        Ok(Self {
            scene,
            agents,
            collector,
            lab,
        })
    }

    /// What to open and what to try.
    pub fn guide(&self) -> Result<String> {
        guide::all(self)
    }

    /// Lets the daemons end in order.
    pub async fn stop(self) -> Result<()> {
        for agent in &self.agents {
            agent.daemon().stop().await?;
        }
        self.collector.daemon().stop().await
    }
}

async fn agent(lab: &Lab, node: &Node, collector: &str) -> Result<Agent> {
    // One host in truth, so one agent reports it, together with what stands beside the nodes.
    let first = node.name() == lab.primary().name();
    let watched = if first {
        Watched::Everything
    } else {
        Watched::Node
    };
    let mut config = Config::for_node(lab, node, watched)?;
    config.collectors.push(format!("http://{collector}"));
    if first {
        config.scrape(collector);
    }
    let agent = Agent::start(lab.folder(), &config).await?;
    agent.daemon().complaints().ignore();
    Ok(agent)
}
