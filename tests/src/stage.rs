//! A lab with a collector and its agents, on which an end-to-end test plays.
//!
//! Owns the order in which they start and end. Leaves what breaks, and what must then be seen, to the
//! test; what does not come true in time fails it by a panic that says what was seen instead.

use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::daemon::{Agent, Collector, Config, Watched};
use crate::lab::Lab;
use crate::lab::builder::Builder;
use crate::wait::{GENEROUS, wait_for};

/// A lab, a collector, and agents that ship to it.
pub struct Stage {
    // Dropped first to last: the agents before the collector, the collector before the lab.
    pub agents: Vec<Agent>,
    pub collector: Collector,
    pub lab: Lab,
}

impl Stage {
    /// A lab with an agent for each of its nodes.
    pub async fn start(builder: Builder, watched: Watched, interval: Duration) -> Result<Self> {
        let lab = builder.customers(100).start().await?;
        let mut configs = Vec::new();
        for node in lab.nodes() {
            let mut config = Config::for_node(&lab, node, watched)?;
            config.interval = interval;
            configs.push(config);
        }
        Self::with(lab, configs).await
    }

    /// A running lab with the agents that are so configured; where to ship to is added.
    pub async fn with(lab: Lab, configs: Vec<Config>) -> Result<Self> {
        let collector = Collector::start(lab.folder(), "127.0.0.1:0").await?;
        Self::before(lab, collector, configs).await
    }

    /// The same with a collector configured by this TOML, which the first of the agents watches, too.
    pub async fn judged(lab: Lab, mut configs: Vec<Config>, collector: &str) -> Result<Self> {
        let collector = Collector::start_configured(lab.folder(), "127.0.0.1:0", collector).await?;
        let first = configs
            .first_mut()
            .context("somebody watches the collector")?;
        first.scrape(&collector.endpoints()?.listen);
        Self::before(lab, collector, configs).await
    }

    async fn before(lab: Lab, collector: Collector, configs: Vec<Config>) -> Result<Self> {
        let mut agents = Vec::new();
        for mut config in configs {
            config.collectors = vec![format!("http://{}", collector.endpoints()?.listen)];
            agents.push(Agent::start(lab.folder(), &config).await?);
        }
        Ok(Self {
            agents,
            collector,
            lab,
        })
    }

    /// Waits until the one series that `selector` finds in the collector has a value that passes.
    pub async fn wait(&self, selector: &str, passes: impl Fn(f64) -> bool) -> f64 {
        let look = || async {
            let value = self.collector.value(selector).await?;
            ensure!(passes(value), "{selector} is {value}");
            anyhow::Ok(value)
        };
        match wait_for(selector, GENEROUS, look).await {
            Ok(value) => value,
            Err(error) => panic!("{error:#}"),
        }
    }

    /// Ends the daemons in order, which also judges their logs.
    pub async fn end(self) -> Result<()> {
        for agent in &self.agents {
            agent.daemon().stop().await?;
        }
        self.collector.daemon().stop().await
    }
}
