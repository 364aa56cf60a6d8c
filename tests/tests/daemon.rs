//! The supervision of daemons, tried on a shell script that behaves like one.

use anyhow::{Result, ensure};
use tests::daemon::Daemon;
use tests::lab::folder::Folder;
use tests::wait::{GENEROUS, wait_for};

/// Logs `line`, and ends well when asked to.
fn daemon(line: &str) -> Result<Daemon> {
    let script = format!("trap 'exit 0' TERM; echo '{line}'; while :; do sleep 0.05; done");
    let folder = Folder::new()?;
    Ok(Daemon::of(&folder, "daemon", "/bin/bash".into()).args(["-c", &script]))
}

async fn logged(daemon: &Daemon, times: usize) -> Result<()> {
    wait_for("the line is logged", GENEROUS, || async {
        let lines = daemon.log()?.lines().count();
        ensure!(lines == times, "{lines} lines");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_daemon_is_started_killed_and_stopped() {
    let daemon = daemon("2026-01-01T00:00:00Z  INFO daemon: started").unwrap();
    daemon.start().unwrap();
    assert!(daemon.start().is_err(), "it runs already");
    logged(&daemon, 1).await.unwrap();
    daemon.kill().await.unwrap();
    assert!(daemon.process().is_err(), "it is stopped");
    daemon.start().unwrap();
    logged(&daemon, 2).await.unwrap();
    daemon.stop().await.unwrap();
}

#[tokio::test]
async fn a_complaint_that_was_not_expected_fails_the_test() {
    let test = tokio::spawn(async {
        let daemon = daemon("2026-01-01T00:00:00Z  WARN daemon: spool is full").unwrap();
        daemon.start().unwrap();
        logged(&daemon, 1).await.unwrap();
    });
    let failure = test.await.unwrap_err().into_panic();
    let message = failure.downcast::<String>().unwrap();
    assert!(
        message.contains("daemon complained") && message.contains("spool is full"),
        "{message}"
    );
}

#[tokio::test]
async fn a_complaint_that_was_expected_does_not() {
    let daemon = daemon("2026-01-01T00:00:00Z  WARN daemon: spool is full").unwrap();
    daemon.complaints().expect("spool is full");
    daemon.start().unwrap();
    logged(&daemon, 1).await.unwrap();
}

#[tokio::test]
async fn a_daemon_that_ends_badly_does_not_stop_well() {
    let folder = Folder::new().unwrap();
    let daemon = Daemon::of(&folder, "daemon", "/bin/bash".into());
    let daemon = daemon.args(["-c", "echo ready; exec sleep 1000"]);
    daemon.start().unwrap();
    logged(&daemon, 1).await.unwrap();
    let error = daemon.stop().await.unwrap_err().to_string();
    assert!(error.contains("signal: 15"), "{error}");
}
