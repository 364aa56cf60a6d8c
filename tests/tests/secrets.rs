//! A secret planted wherever one can be appears in no output, file or process title.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::ensure;
use tests::daemon::{Agent, Collector, Config, locate};
use tests::lab::Lab;
use tests::lab::roles::Role;
use tests::wait::{GENEROUS, wait_for};

const PLANTED: &str = "xPlantedSecretx";

/// What a program says of a configuration file with that text.
async fn checked(folder: &Path, text: &str) -> (Option<i32>, String) {
    let file = folder.join("planted.toml");
    fs::write(&file, text).unwrap();
    let mut command = Command::new(locate("nightshift-agent").await.unwrap());
    let output = command
        .args(["check-config", "--show"])
        .arg(&file)
        .output()
        .unwrap();
    (output.status.code(), format!("{output:?}"))
}

#[tokio::test]
async fn a_password_in_a_file_is_never_shown_in_any_form() {
    let folder = tempfile::tempdir().unwrap();
    for text in [
        format!("[[postgres]]\ndsn = \"postgres://app:{PLANTED}@db1:5432/loans\""),
        format!("[[postgres]]\ndsn = \"postgres://app@db1/loans?password={PLANTED}\""),
        format!("[[postgres]]\ndsn = \"host=db1 user=app password={PLANTED}\""),
        format!("[[postgres]]\ndsn = \"host=db1 user=app password='{PLANTED} and'\""),
        format!("[[pgbouncer]]\ndsn = \"host=db1 user=app password={PLANTED}\""),
        format!("[[redis]]\naddress = \"redis://:{PLANTED}@cache:6379\""),
        format!("[[sql]]\ndsn = \"postgres://app:{PLANTED}@db1/loans\"\nfiles = []"),
        format!("[[probe]]\nkind = \"postgres\"\ndsn = \"host=db1 password={PLANTED}\""),
        format!("[[probe]]\nkind = \"http\"\nurl = \"http://me:{PLANTED}@web/\""),
        format!("[[scrape]]\nurl = \"http://me:{PLANTED}@web/metrics\""),
        format!("[[redis]]\naddress = \"redis://cache:6379?password={PLANTED}\""),
        format!("[[probe]]\nkind = \"tcp\"\naddress = \"app:{PLANTED}@shop:443\""),
        format!("[[postgres]]\npassword = \"{PLANTED}\""),
        format!("[[postgres]]\nport = \"{PLANTED}\""),
        format!("[[postgres]]\ndsn = \"{PLANTED}"),
    ] {
        let (code, said) = checked(folder.path(), &text).await;
        assert!(!said.contains(PLANTED), "{text}\n{said}");
        assert_eq!(code, Some(2), "{text}\n{said}");
    }
    let password = folder.path().join("password");
    fs::write(&password, PLANTED).unwrap();
    let text =
        format!("[[postgres]]\nhost = \"/tmp\"\nuser = \"app\"\npassword_file = {password:?}");
    let (code, said) = checked(folder.path(), &text).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(!said.contains(PLANTED), "{said}");
}

#[tokio::test]
async fn a_running_agent_shows_no_secret() {
    let lab = Lab::builder().customers(100).start().await.unwrap();
    let primary = lab.primary();
    primary
        .sql(&format!("ALTER ROLE loans PASSWORD '{PLANTED}'"))
        .await
        .unwrap();
    let collector = Collector::start(lab.folder(), "127.0.0.1:0").await.unwrap();
    let mut config = Config::host("agent");
    config.collectors = vec![format!("http://{}", collector.endpoints().unwrap().listen)];
    config.interval = Duration::from_secs(1);
    config.postgres(&primary.dsn(Role::Monitor, "postgres"));
    let password = lab.folder().write("wrong-password", PLANTED).unwrap();
    // One login with the planted password, which the server refuses and talks about.
    config.further = format!(
        "\n[[probe]]\nkind = \"postgres\"\ndsn = \"host=127.0.0.1 port={} user=loans dbname=nowhere\"\n\
         password_file = {password:?}\ninterval = \"1s\"\ntimeout = \"900ms\"\n",
        primary.port()
    );
    let agent = Agent::start(lab.folder(), &config).await.unwrap();
    agent
        .daemon()
        .complaints()
        .expect("part of a source left out");
    let shows = || async {
        let statements = collector.federate("pg_stat_statements_query_id").await?;
        let altered = statements.series().any(|(key, _)| {
            key.labels
                .get("query")
                .is_some_and(|query| query.contains("ALTER ROLE loans"))
        });
        ensure!(altered, "the statement is not there yet");
        ensure!(
            agent.daemon().log()?.contains("part of a source left out"),
            "no failure yet"
        );
        anyhow::Ok(())
    };
    wait_for("the statement shows and the login fails", GENEROUS, shows)
        .await
        .unwrap();
    let title = format!("/proc/{}/cmdline", agent.daemon().process().unwrap().pid());
    let everything = [
        collector.federate_text("{__name__=~\".+\"}").await.unwrap(),
        collector.get("/api/agents").await.unwrap(),
        collector.get("/api/v1/label/query/values").await.unwrap(),
        agent.metrics_text().await.unwrap(),
        agent.daemon().log().unwrap(),
        collector.daemon().log().unwrap(),
        fs::read_to_string(title).unwrap(),
    ];
    for text in everything {
        assert!(!text.contains(PLANTED), "{text}");
    }
    agent.daemon().stop().await.unwrap();
    collector.daemon().stop().await.unwrap();
}
