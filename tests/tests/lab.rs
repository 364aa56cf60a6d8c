//! The whole lab: what is in it works, and nothing of it is left.

use std::path::{Path, PathBuf};

use anyhow::{Context, Error, Result, ensure};
use nix::sys::signal::Signal;
use tests::lab::docker::Docker;
use tests::lab::folder::Folder;
use tests::lab::launch::Launch;
use tests::lab::process::Process;
use tests::lab::roles::Role;
use tests::lab::workload::Load;
use tests::lab::{Account, Lab};
use tests::wait::{GENEROUS, wait_for};

#[tokio::test]
async fn replicas_stream_and_can_be_paused() {
    let lab = Lab::builder()
        .replicas(2)
        .customers(100)
        .start()
        .await
        .unwrap();
    let slots = "SELECT string_agg(slot_name || ' ' || active, ', ' ORDER BY slot_name) FROM pg_replication_slots";
    assert_eq!(
        lab.primary().value(slots).await.unwrap(),
        "node2 true, node3 true"
    );
    let standbys = "SELECT string_agg(application_name || ' ' || state, ', ' ORDER BY application_name) \
                    FROM pg_stat_replication";
    assert_eq!(
        lab.primary().value(standbys).await.unwrap(),
        "node2 streaming, node3 streaming"
    );

    let [paused, other] = lab.replicas() else {
        panic!("two replicas")
    };
    paused.pause_replay().await.unwrap();
    let write = "INSERT INTO branches VALUES (21, 'Branch 21', 'Vienna')";
    lab.primary().sql_in("loans", write).await.unwrap();
    other.catch_up_with(lab.primary()).await.unwrap();
    let count = "SELECT count(*) FROM branches";
    assert_eq!(other.value_in("loans", count).await.unwrap(), "21");
    assert_eq!(paused.value_in("loans", count).await.unwrap(), "20");
    paused.resume_replay().await.unwrap();
    paused.catch_up_with(lab.primary()).await.unwrap();
    assert_eq!(paused.value_in("loans", count).await.unwrap(), "21");
}

#[tokio::test]
async fn the_application_writes_through_pgbouncer_and_directly() {
    let lab = Lab::builder()
        .pgbouncer(true)
        .redis(true)
        .customers(100)
        .start()
        .await
        .unwrap();
    let counted = "SELECT count(*) FROM payments";
    let before: u64 = lab
        .primary()
        .value_in("loans", counted)
        .await
        .unwrap()
        .parse()
        .unwrap();
    lab.workload().start(Load {
        rate: 400.0,
        ..Load::default()
    });
    wait_for("fifty payments", GENEROUS, || async {
        let tally = lab.workload().tally();
        ensure!(tally.payments >= 50, "{tally:?}");
        Ok(())
    })
    .await
    .unwrap();
    lab.workload().stop().await;
    let tally = lab.workload().tally();
    assert_eq!(tally.failed, 0);
    let after: u64 = lab
        .primary()
        .value_in("loans", counted)
        .await
        .unwrap()
        .parse()
        .unwrap();
    assert_eq!(after - before, tally.payments);

    let console = lab
        .pgbouncer()
        .unwrap()
        .session(Role::Monitor, "pgbouncer")
        .await
        .unwrap();
    let pools = console.sql("SHOW POOLS").await.unwrap();
    assert!(
        pools.iter().any(|pool| pool[0].as_deref() == Some("loans")),
        "{pools:?}"
    );
    assert_eq!(
        lab.redis().unwrap().command(&["DBSIZE"]).await.unwrap(),
        "20"
    );
}

#[tokio::test]
async fn the_etl_job_fills_the_warehouse_and_writes_down_its_runs() {
    let lab = Lab::builder().customers(100).start().await.unwrap();
    let payments = lab
        .primary()
        .value_in("loans", "SELECT count(*) FROM payments")
        .await
        .unwrap();
    assert_eq!(lab.etl().run_once().await.unwrap().to_string(), payments);
    assert_eq!(lab.etl().run_once().await.unwrap(), 0);
    let runs =
        "SELECT string_agg(status || ' ' || rows_loaded, ', ' ORDER BY id) FROM audit.etl_runs";
    let expected = format!("succeeded {payments}, succeeded 0");
    assert_eq!(
        lab.primary().value_in("warehouse", runs).await.unwrap(),
        expected
    );

    lab.primary()
        .sql_in("warehouse", "ALTER TABLE fact_payments RENAME TO gone")
        .await
        .unwrap();
    assert!(lab.etl().run_once().await.is_err());
    let last = "SELECT status || ': ' || error FROM audit.etl_runs ORDER BY id DESC LIMIT 1";
    let last = lab.primary().value_in("warehouse", last).await.unwrap();
    assert!(
        last.starts_with("failed: ") && last.contains("fact_payments"),
        "{last}"
    );

    lab.primary()
        .sql_in("warehouse", "UPDATE audit.jobs SET enabled = false")
        .await
        .unwrap();
    assert_eq!(lab.etl().run_once().await.unwrap(), 0);
    let count = lab
        .primary()
        .value_in("warehouse", "SELECT count(*) FROM audit.etl_runs")
        .await;
    assert_eq!(count.unwrap(), "3");
}

#[tokio::test]
async fn a_broken_archive_command_fails_and_a_working_one_archives() {
    let lab = Lab::builder().customers(10).start().await.unwrap();
    let primary = lab.primary();
    let archiver = |column: &str| format!("SELECT {column} FROM pg_stat_archiver");
    primary.set("archive_command", "false").await.unwrap();
    primary
        .sql_in("loans", "CREATE TABLE scratch (); SELECT pg_switch_wal()")
        .await
        .unwrap();
    wait_for("a failed archiving", GENEROUS, || async {
        ensure!(
            primary.value(&archiver("failed_count")).await? != "0",
            "none"
        );
        Ok(())
    })
    .await
    .unwrap();
    primary.reset("archive_command").await.unwrap();
    wait_for("an archived segment", GENEROUS, || async {
        let segment = primary.value(&archiver("last_archived_wal")).await?;
        ensure!(
            lab.archive().join(&segment).exists(),
            "{segment} is not there"
        );
        Ok(())
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_node_survives_pause_kill_and_stop() {
    let lab = Lab::builder().customers(10).start().await.unwrap();
    let node = lab.primary();
    node.pause().await.unwrap();
    for pid in node.pids().unwrap() {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        assert!(status.contains("State:\tT"), "process {pid} runs");
    }
    node.resume().unwrap();
    assert_eq!(node.value("SELECT 1").await.unwrap(), "1");
    node.kill().await.unwrap();
    assert!(node.value("SELECT 1").await.is_err());
    node.start().await.unwrap();
    assert_eq!(
        node.value_in("loans", "SELECT count(*) FROM branches")
            .await
            .unwrap(),
        "20"
    );
    node.stop().await.unwrap();
    node.start().await.unwrap();
}

#[tokio::test]
async fn containers_are_well_ill_restarted_and_killed_for_memory() {
    Docker::available().unwrap();
    let lab = Lab::builder()
        .docker(true)
        .customers(10)
        .start()
        .await
        .unwrap();
    let docker = lab.docker().unwrap();
    docker.run_healthy("web").await.unwrap();
    docker.run_unhealthy("worker").await.unwrap();
    docker.run_restarting("flapping").await.unwrap();
    let killed = docker.run_oom("greedy").await.unwrap();
    let state = &docker.inspect(&killed).await.unwrap()["State"];
    assert_eq!(state["OOMKilled"], true, "{state}");
    assert_eq!(state["ExitCode"], 137, "{state}");

    let folder = lab.folder().path().to_owned();
    drop(lab);
    assert_nothing_is_left(&folder).unwrap();
}

#[tokio::test]
async fn nothing_is_left_after_a_drop() {
    let lab = Lab::builder()
        .replicas(1)
        .pgbouncer(true)
        .redis(true)
        .customers(10);
    let lab = lab.workload(Load::default()).start().await.unwrap();
    let folder = lab.folder().path().to_owned();
    // What is killed cannot clean up after itself, and what is paused cannot be asked to.
    lab.replicas()[0].pause().await.unwrap();
    drop(lab);
    assert_nothing_is_left(&folder).unwrap();
}

#[tokio::test]
async fn nothing_is_left_after_a_panic() {
    let (send, folder) = std::sync::mpsc::sync_channel(1);
    let test = tokio::spawn(async move {
        let lab = Lab::builder().customers(10).start().await.unwrap();
        send.send(lab.folder().path().to_owned()).unwrap();
        panic!("as a failing test does");
    });
    assert!(test.await.unwrap_err().is_panic());
    assert_nothing_is_left(&folder.recv().unwrap()).unwrap();
}

#[tokio::test]
async fn nothing_is_left_after_a_signal() {
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let (process, folder) = lab_up().await.unwrap();
        let status = process.stop(signal).await.unwrap();
        assert!(status.success(), "{signal}: {status}");
        assert_nothing_is_left(&folder).unwrap();
    }
}

#[tokio::test]
async fn nothing_is_left_after_a_kill() {
    let (process, folder) = lab_up().await.unwrap();
    process.stop(Signal::SIGKILL).await.unwrap();
    let gone = || async { assert_nothing_is_left(&folder) };
    wait_for("the undertaker is done", GENEROUS, gone)
        .await
        .unwrap();
}

/// Starts the program `lab up` and returns it with the folder of its lab.
async fn lab_up() -> Result<(Process, PathBuf)> {
    let own = Folder::new()?;
    let launch = Launch::new("lab", env!("CARGO_BIN_EXE_lab"), Account::Own);
    let process = own.start(&launch.args(["up", "--replicas", "1", "--customers", "10"]))?;
    let folder = wait_for("the lab is up", GENEROUS, || async {
        process.check_running()?;
        let log = process.log()?;
        let named = log
            .lines()
            .find_map(|line| line.trim().strip_prefix("the lab's folder"));
        Ok::<_, Error>(PathBuf::from(named.context("it has not said so")?.trim()))
    });
    Ok((process.clone(), folder.await?))
}

/// The folder, the processes that work in it, control groups of its name, and shared memory.
fn assert_nothing_is_left(folder: &Path) -> Result<()> {
    ensure!(!folder.exists(), "{} is there", folder.display());
    for entry in std::fs::read_dir("/proc")?.flatten() {
        let Ok(working) = entry.path().join("cwd").read_link() else {
            continue;
        };
        ensure!(
            !working.starts_with(folder),
            "{} works in {}",
            entry.path().display(),
            working.display()
        );
    }
    let name = folder.file_name().context("a lab's folder has a name")?;
    for hierarchy in std::fs::read_dir("/sys/fs/cgroup")?.flatten() {
        let group = hierarchy.path().join(name);
        ensure!(!group.exists(), "{} is there", group.display());
    }
    ensure!(
        !Path::new("/sys/fs/cgroup").join(name).exists(),
        "its control group is there"
    );
    let mounts = std::fs::read_to_string("/proc/self/mountinfo")?;
    ensure!(
        !mounts.contains(&*name.to_string_lossy()),
        "something of it is mounted"
    );
    Ok(())
}
