//! An agent joins with a one-time token and ships over mutual TLS from then on.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use anyhow::ensure;
use tests::daemon::{Agent, Collector, Config, locate};
use tests::lab::folder::Folder;
use tests::wait::{GENEROUS, wait_for};

async fn token(data: &Path) -> String {
    let made = Command::new(locate("nightshift").await.unwrap())
        .args(["token", "create", "--data"])
        .arg(data)
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    String::from_utf8(made.stdout).unwrap().trim().to_owned()
}

async fn join(listen: &str, token: &str, data: &Path) -> Output {
    let mut command = Command::new(locate("nightshift-agent").await.unwrap());
    command
        .args([
            "join",
            "--collector",
            &format!("https://{listen}"),
            "--data",
        ])
        .arg(data);
    command
        .env("NIGHTSHIFT_JOIN_TOKEN", token)
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test]
async fn an_agent_joins_once_and_ships_over_tls() {
    let folder = Folder::new().unwrap();
    let collector = Collector::start(&folder, "127.0.0.1:0").await.unwrap();
    collector
        .daemon()
        .complaints()
        .expect("an agent was not let in");
    let listen = collector.endpoints().unwrap().listen;
    let data = folder.path().join("agent/data");

    let good = token(collector.data()).await;
    let joined = join(&listen, &good, &data).await;
    assert!(joined.status.success(), "{joined:?}");
    let again = join(&listen, &good, &folder.path().join("other")).await;
    assert_eq!(again.status.code(), Some(1));
    assert!(said(&again).contains("used before"), "{}", said(&again));

    let foreign = token(&folder.path().join("another-collector")).await;
    let refused = join(&listen, &foreign, &folder.path().join("other")).await;
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        said(&refused).contains("is not the collector"),
        "{}",
        said(&refused)
    );
    for output in [&joined, &again, &refused] {
        let secret = good.rsplit('-').next().unwrap();
        assert!(!format!("{output:?}").contains(secret));
    }

    let mut config = Config::host("agent");
    config.collectors = vec![format!("https://{listen}")];
    config.interval = Duration::from_secs(1);
    let agent = Agent::start(&folder, &config).await.unwrap();
    let arrives = || async {
        let load = collector.value("node_load1").await?;
        ensure!(load >= 0.0, "{load}");
        anyhow::Ok(())
    };
    wait_for("batches arrive over TLS", GENEROUS, arrives)
        .await
        .unwrap();
    agent.daemon().stop().await.unwrap();
    collector.daemon().stop().await.unwrap();
}

#[tokio::test]
async fn an_agent_that_has_not_joined_is_told_so() {
    let folder = Folder::new().unwrap();
    let collector = Collector::start(&folder, "127.0.0.1:0").await.unwrap();
    let mut config = Config::host("agent");
    config.collectors = vec![format!("https://{}", collector.endpoints().unwrap().listen)];
    let agent = Agent::start(&folder, &config).await.unwrap();
    let status = agent.daemon().wait().await.unwrap();
    assert_eq!(status.code(), Some(2));
    assert!(agent.daemon().log().unwrap().contains("ca_file"));
    collector.daemon().stop().await.unwrap();
}
