//! Agents on the nodes of a whole lab, asked at their own `/metrics`; no collector is needed for that.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tests::daemon::{Agent, Config, Watched};
use tests::lab::Lab;
use tests::lab::node::Node;
use tests::wait::{GENEROUS, wait_for};

#[tokio::test]
async fn agents_see_all_that_is_in_the_lab() {
    let lab = Lab::builder()
        .replicas(1)
        .pgbouncer(true)
        .redis(true)
        .docker_if_possible();
    let lab = lab.customers(100).start().await.unwrap();
    let loaded = lab.etl().run_once().await.unwrap();
    let replica = agent(&lab, &lab.replicas()[0], Watched::Node)
        .await
        .unwrap();
    let primary = agent(&lab, lab.primary(), Watched::Everything)
        .await
        .unwrap();

    shows(&replica, "pg_replication_is_replica", 1.0)
        .await
        .unwrap();
    shows(&primary, "pg_replication_is_replica", 0.0)
        .await
        .unwrap();
    shows(&primary, "pgbouncer_up", 1.0).await.unwrap();
    shows(&primary, "redis_up", 1.0).await.unwrap();
    shows(
        &primary,
        "etl_rows_total",
        f64::from(u32::try_from(loaded).unwrap()),
    )
    .await
    .unwrap();
    if let Ok(docker) = lab.docker() {
        docker.run_oom("greedy").await.unwrap();
        shows(&primary, "container_last_oom_killed", 1.0)
            .await
            .unwrap();
    }
    for agent in [&primary, &replica] {
        agent.daemon().stop().await.unwrap();
    }
}

async fn agent(lab: &Lab, node: &Node, watched: Watched) -> Result<Agent> {
    let mut config = Config::for_node(lab, node, watched)?;
    // The shortest that leaves PostgreSQL's source time enough on a machine that builds beside.
    config.interval = Duration::from_secs(3);
    let agent = Agent::start(lab.folder(), &config).await?;
    agent
        .daemon()
        .complaints()
        .expect("no collector is configured");
    Ok(agent)
}

/// Waits until the one series of that name, with the cluster's label, has that value.
async fn shows(agent: &Agent, name: &str, expected: f64) -> Result<()> {
    wait_for(name, GENEROUS, || async {
        let metrics = agent.metrics().await?;
        let (key, value) = metrics
            .series_named(name)
            .next()
            .context("no such series")?;
        ensure!(
            key.labels
                .get("cluster")
                .is_some_and(|cluster| cluster == "loans"),
            "{key:?}"
        );
        ensure!((value - expected).abs() < 1e-9, "{value}");
        Ok(())
    })
    .await
}
