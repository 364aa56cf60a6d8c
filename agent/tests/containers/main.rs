//! The containers source against a real engine, whose containers burn, grow, die and restart.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod engine;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use engine::{Engine, IMAGE};
use nightshift_agent::collect::{Gap, Gather, Source, SourceError};
use nightshift_agent::config::Problems;
use nightshift_agent::sources::containers::{
    Access, Containers, Flavour, RawSettings, discover_at,
};

/// Far above what any of these states takes to come about, on a machine under load.
const PATIENCE: Duration = Duration::from_secs(60);

/// What one collection gave.
struct Look {
    /// By name and labels, as the text format writes them.
    series: BTreeMap<String, f64>,
    gaps: Vec<Gap>,
    outcome: Result<(), SourceError>,
}

impl Look {
    /// The series of a container, by the name it has beside `id`, `image` and `name`.
    fn of(&self, container: &str, series: &str) -> Option<f64> {
        let (family, more) = series.split_once('{').unwrap_or((series, "}"));
        let wanted = format!("{family}{{name={container}");
        let more = more.trim_end_matches('}');
        let found = self.series.iter().find(|(key, _)| {
            key.starts_with(&format!("{wanted},")) && (more.is_empty() || key.contains(more))
        });
        found.map(|(_, value)| *value)
    }
}

fn settings(engine: &Engine) -> RawSettings {
    RawSettings {
        socket: Some(engine.socket()),
        ..RawSettings::default()
    }
}

fn source(raw: RawSettings) -> Containers {
    let mut problems = Problems::default();
    let settings = raw.validate(&mut problems);
    Containers::new(settings.unwrap_or_else(|| panic!("{:?}", problems.into_inner())))
}

async fn look(source: &mut Containers) -> Look {
    let mut out = Gather::default();
    let outcome = source.collect(&mut out).await;
    let (families, gaps) = out.finish();
    let mut series = BTreeMap::new();
    for family in families {
        for point in family.points {
            let find = |name: &str| point.labels.iter().find(|label| label.name == name);
            let name = find("name")
                .map(|label| label.value.clone())
                .unwrap_or_default();
            let labels: Vec<String> = point
                .labels
                .iter()
                .filter(|label| label.name != "name")
                .map(|label| format!("{}={}", label.name, label.value))
                .collect();
            let key = format!("{}{{name={name},{}}}", family.name, labels.join(","));
            let before = series.insert(key.clone(), point.value);
            assert_eq!(before, None, "{key} came twice");
        }
    }
    Look {
        series,
        gaps,
        outcome,
    }
}

/// Looks until what is wanted is seen.
async fn until(source: &mut Containers, what: &str, wanted: impl Fn(&Look) -> bool) -> Look {
    let end = Instant::now() + PATIENCE;
    loop {
        let look = look(source).await;
        if wanted(&look) {
            return look;
        }
        let Look {
            series,
            gaps,
            outcome,
        } = look;
        assert!(
            Instant::now() < end,
            "never saw {what}: {outcome:?} {gaps:?} {series:#?}"
        );
    }
}

/// Seconds since 1970, by another's arithmetic.
fn seconds(time: &str) -> f64 {
    let output = std::process::Command::new("date")
        .args(["+%s", "-d", time])
        .output()
        .unwrap();
    String::from_utf8(output.stdout)
        .unwrap()
        .trim()
        .parse()
        .unwrap()
}

#[tokio::test]
async fn resources_show_with_cadvisors_names_and_labels() {
    let engine = Engine::start();
    let mut source = source(settings(&engine));
    engine.run("burn", &["--cpus", "0.5"], "while :; do :; done");
    // A shell variable of 24 MB; with nothing behind `sleep`, the shell would become it.
    let grow = "big=$(head -c 24000000 /dev/zero | tr '\\0' a); sleep 1000; :";
    let id = engine.run("grow", &["--memory", "64m", "--pids-limit", "50"], grow);

    let seen = until(&mut source, "burning and growing", |look| {
        look.of("burn", "container_cpu_usage_seconds_total{cpu=total}") > Some(0.4)
            && look.of("burn", "container_cpu_cfs_throttled_periods_total") > Some(0.0)
            && look.of("grow", "container_memory_rss") > Some(24e6)
    })
    .await;

    assert!(seen.gaps.is_empty(), "{:?}", seen.gaps);
    let grown = |series: &str| {
        seen.of("grow", series)
            .unwrap_or_else(|| panic!("no {series}"))
    };
    assert_eq!(
        grown("container_spec_memory_limit_bytes"),
        64.0 * 1024.0 * 1024.0
    );
    assert!(grown("container_memory_usage_bytes") >= grown("container_memory_rss"));
    assert!(grown("container_memory_usage_bytes") <= grown("container_spec_memory_limit_bytes"));
    assert!(grown("container_memory_working_set_bytes") <= grown("container_memory_usage_bytes"));
    assert!(grown("container_memory_working_set_bytes") > 24e6);
    assert_eq!(grown("container_threads_max"), 50.0);
    assert_eq!(grown("container_state{state=running}"), 1.0);
    assert_eq!(grown("container_state{state=exited}"), 0.0);
    assert_eq!(grown("container_health_state"), -1.0);
    assert_eq!(grown("container_last_oom_killed"), 0.0);
    assert_eq!(grown("container_oom_events_total"), 0.0);
    assert_eq!(grown("container_restarts_total"), 0.0);
    assert!(grown("container_processes") >= 1.0);
    let started = engine.docker(&["inspect", "--format", "{{.State.StartedAt}}", "grow"]);
    assert_eq!(grown("container_start_time_seconds"), seconds(&started));
    assert!(grown("container_last_seen") >= grown("container_start_time_seconds"));
    assert_eq!(seen.of("grow", "container_exit_code"), None);
    assert_eq!(seen.of("grow", "container_spec_cpu_quota"), None);

    assert_eq!(seen.of("burn", "container_spec_cpu_quota"), Some(50_000.0));
    assert_eq!(
        seen.of("burn", "container_spec_cpu_period"),
        Some(100_000.0)
    );
    assert_eq!(
        seen.of("burn", "container_spec_memory_limit_bytes"),
        Some(0.0)
    );
    assert_eq!(seen.of("burn", "container_processes"), Some(1.0));
    let user = seen.of("burn", "container_cpu_user_seconds_total").unwrap();
    let total = seen
        .of("burn", "container_cpu_usage_seconds_total")
        .unwrap();
    // The kernel counts the total, and samples at its ticks what of it is the user's.
    assert!(user > 0.0 && user <= total * 2.0, "{user} of {total}");

    let labels = format!("container_memory_rss{{name=grow,id=/docker/{id},image={IMAGE}}}");
    assert!(seen.series.contains_key(&labels), "no {labels}");
    // The size of the one layer on top of the image, and of the disk below it.
    let written = seen.of("grow", "container_fs_usage_bytes").unwrap();
    assert!(seen.of("grow", "container_fs_limit_bytes").unwrap() > written);
}

#[tokio::test]
async fn what_a_container_reads_and_writes_shows() {
    let engine = Engine::start();
    let mut source = source(settings(&engine));
    // Control groups version 1 count only on devices where some group has a limit, and do not know
    // whose pages the kernel writes back later.
    let device = engine.device();
    let limit = format!("{device}:1gb");
    let script = "dd if=/dev/zero of=/file bs=1M count=8 oflag=direct && sleep 1000";
    engine.run("write", &["--device-write-bps", &limit], script);
    let of_device = |series: &str| format!("{series}{{device={device}}}");
    until(&mut source, "8 MB written", |look| {
        let written = of_device("container_fs_writes_bytes_total");
        let writes = of_device("container_fs_writes_total");
        look.of("write", &written) >= Some(8.0 * 1024.0 * 1024.0)
            && look.of("write", &writes) >= Some(1.0)
    })
    .await;
}

#[tokio::test]
async fn a_container_killed_by_its_memory_limit_shows() {
    let engine = Engine::start();
    let mut source = source(settings(&engine));
    engine.run("victim", &["--memory", "16m"], "exec tail /dev/zero");
    let seen = until(&mut source, "the kill", |look| {
        look.of("victim", "container_last_oom_killed") == Some(1.0)
            && look.of("victim", "container_state{state=exited}") == Some(1.0)
    })
    .await;
    assert_eq!(seen.of("victim", "container_oom_events_total"), Some(1.0));
    assert_eq!(seen.of("victim", "container_exit_code"), Some(137.0));
    assert_eq!(
        seen.of("victim", "container_state{state=exited}"),
        Some(1.0)
    );
    assert_eq!(
        seen.of("victim", "container_state{state=running}"),
        Some(0.0)
    );
    assert_eq!(seen.of("victim", "container_memory_usage_bytes"), None);
    assert!(seen.gaps.is_empty(), "{:?}", seen.gaps);
    // Seen again, it is still the same kill.
    let again = look(&mut source).await;
    assert_eq!(again.of("victim", "container_oom_events_total"), Some(1.0));
}

#[tokio::test]
async fn a_process_killed_within_a_container_that_lives_on_shows() {
    let engine = Engine::start();
    let mut source = source(settings(&engine));
    engine.run("parent", &["--memory", "16m"], "tail /dev/zero; sleep 1000");
    let seen = until(&mut source, "the kill", |look| {
        look.of("parent", "container_oom_events_total") == Some(1.0)
    })
    .await;
    assert_eq!(
        seen.of("parent", "container_state{state=running}"),
        Some(1.0)
    );
    assert!(seen.of("parent", "container_memory_failcnt") > Some(0.0));
}

#[tokio::test]
async fn every_kill_counts_though_the_container_restarts_between_looks() {
    let engine = Engine::start();
    let mut source = source(settings(&engine));
    // The first look begins listening.
    look(&mut source).await.outcome.unwrap();
    engine.run(
        "loop",
        &["--memory", "16m", "--restart", "always"],
        "exec tail /dev/zero",
    );
    // The engine, not this source, says when there were three restarts.
    let restarts = || engine.docker(&["inspect", "--format", "{{.RestartCount}}", "loop"]);
    let end = Instant::now() + PATIENCE;
    while restarts().parse::<u32>().unwrap() < 3 {
        assert!(Instant::now() < end, "the container does not restart");
    }
    let seen = look(&mut source).await;
    let restarts = seen.of("loop", "container_restarts_total").unwrap();
    assert!(restarts >= 3.0, "{restarts}");
    until(&mut source, "a kill for each restart", |look| {
        look.of("loop", "container_oom_events_total") >= Some(restarts)
    })
    .await;
}

#[tokio::test]
async fn health_shows_from_starting_to_unhealthy_to_healthy() {
    let engine = Engine::start();
    let mut source = source(settings(&engine));
    let check = [
        "--health-cmd",
        "test -e /well",
        "--health-interval",
        "1s",
        "--health-retries",
        "1",
    ];
    engine.run("check", &check, "sleep 1000");
    let status = |look: &Look, status: &str| {
        look.of(
            "check",
            &format!("container_health_status{{status={status}}}"),
        )
    };
    let first = look(&mut source).await;
    assert_eq!(first.of("check", "container_health_state"), Some(0.0));
    let seen = until(&mut source, "unhealthy", |look| {
        status(look, "unhealthy") == Some(1.0)
    })
    .await;
    assert_eq!(seen.of("check", "container_health_state"), Some(0.0));
    assert_eq!(status(&seen, "healthy"), Some(0.0));
    engine.docker(&["exec", "check", "/bin/touch", "/well"]);
    let seen = until(&mut source, "healthy", |look| {
        status(look, "healthy") == Some(1.0)
    })
    .await;
    assert_eq!(seen.of("check", "container_health_state"), Some(1.0));
    assert_eq!(status(&seen, "unhealthy"), Some(0.0));
}

#[tokio::test]
async fn restarts_exit_codes_and_pauses_show() {
    let engine = Engine::start();
    let mut source = source(settings(&engine));
    engine.run("again", &["--restart", "on-failure:2"], "exit 3");
    engine.run("held", &[], "sleep 1000");
    engine.docker(&[
        "create",
        "--name",
        "unborn",
        "--network",
        "none",
        IMAGE,
        "/bin/true",
    ]);
    engine.docker(&["pause", "held"]);
    let seen = until(&mut source, "two restarts and the end", |look| {
        look.of("again", "container_restarts_total") == Some(2.0)
            && look.of("again", "container_state{state=exited}") == Some(1.0)
    })
    .await;
    assert_eq!(seen.of("again", "container_exit_code"), Some(3.0));
    assert_eq!(seen.of("held", "container_state{state=paused}"), Some(1.0));
    assert!(seen.of("held", "container_memory_usage_bytes") > Some(0.0));
    assert_eq!(
        seen.of("unborn", "container_state{state=created}"),
        Some(1.0)
    );
    // It has not ended, so it has no code; it has not begun either.
    assert_eq!(seen.of("unborn", "container_exit_code"), None);
    assert_eq!(seen.of("unborn", "container_start_time_seconds"), None);
    assert!(seen.gaps.is_empty(), "{:?}", seen.gaps);
}

#[tokio::test]
async fn statistics_are_asked_for_where_files_cannot_be_reached() {
    let engine = Engine::start();
    let elsewhere = tempfile::tempdir().unwrap();
    let mut source = source(RawSettings {
        cgroup_root: elsewhere.path().to_path_buf(),
        labels: vec!["com.example.team".into()],
        ..settings(&engine)
    });
    let label = ["--label", "com.example.team=loans", "--label", "other=x"];
    let id = engine.run("burn", &label, "while :; do :; done");
    engine.run("done", &[], "exit 0");
    let seen = until(&mut source, "burning", |look| {
        look.of("burn", "container_cpu_usage_seconds_total{cpu=total}") > Some(0.2)
            && look.of("done", "container_state{state=exited}") == Some(1.0)
    })
    .await;
    assert!(seen.of("burn", "container_memory_usage_bytes") > Some(0.0));
    assert_eq!(seen.of("burn", "container_threads"), Some(1.0));
    assert_eq!(seen.of("done", "container_memory_usage_bytes"), None);
    assert!(seen.gaps.is_empty(), "{:?}", seen.gaps);
    let labels = format!("id=/docker/{id},image={IMAGE},container_label_com_example_team=loans");
    assert!(
        seen.series
            .contains_key(&format!("container_threads{{name=burn,{labels}}}")),
        "{:#?}",
        seen.series
    );
}

#[tokio::test]
async fn an_engine_that_goes_is_an_error_and_comes_back() {
    let mut engine = Engine::start();
    let mut source = source(settings(&engine));
    engine.run("one", &["--restart", "always"], "sleep 1000");
    look(&mut source).await.outcome.unwrap();

    engine.stop();
    let gone = look(&mut source).await;
    let error = gone.outcome.unwrap_err();
    let place = engine.socket().display().to_string();
    assert_eq!(
        error.message,
        format!("there is no engine's socket at {place}")
    );
    assert!(gone.series.is_empty());

    engine.resume();
    until(&mut source, "the container again", |look| {
        look.outcome.is_ok() && look.of("one", "container_state{state=running}") == Some(1.0)
    })
    .await;
}

#[tokio::test]
async fn an_engine_that_hangs_is_an_error_and_comes_back() {
    let engine = Engine::start();
    let mut source = source(RawSettings {
        timeout: "1s".parse().unwrap(),
        ..settings(&engine)
    });
    engine.run("one", &[], "sleep 1000");
    look(&mut source).await.outcome.unwrap();

    engine.freeze(true);
    // Once with a connection, once for connecting anew.
    for _ in 0..2 {
        let error = look(&mut source).await.outcome.unwrap_err();
        assert!(error.message.ends_with("does not answer"), "{error:?}");
        assert!(!error.hint.is_empty());
    }
    let found = discover_at(vec![engine.socket()]).await;
    assert!(
        matches!(&found[0].access, Access::Closed { why, .. } if why.ends_with("does not answer"))
    );

    engine.freeze(false);
    until(&mut source, "the container again", |look| {
        look.of("one", "container_state{state=running}") == Some(1.0)
    })
    .await;
}

#[tokio::test]
async fn containers_that_come_and_go_disturb_nothing() {
    let engine = Engine::start();
    let mut source = source(settings(&engine));
    engine.run("stays", &[], "sleep 1000");
    let end = "for i in 1 2 3; do :; done";
    for round in 0..10 {
        engine.run(&format!("short{round}"), &["--rm"], end);
        let seen = look(&mut source).await;
        assert!(seen.outcome.is_ok(), "{:?}", seen.outcome);
        assert!(seen.gaps.is_empty(), "{:?}", seen.gaps);
        let stays = "container_state{state=running}";
        assert_eq!(
            seen.series
                .iter()
                .filter(|(key, _)| key.starts_with("container_restarts_total{name=stays,"))
                .count(),
            1
        );
        assert!(
            seen.of("stays", "container_memory_usage_bytes") > Some(0.0),
            "{stays}"
        );
    }
}

#[tokio::test]
async fn discovery_names_the_engine() {
    let engine = Engine::start();
    let found = discover_at(vec![
        engine.socket(),
        PathBuf::from("/nonexistent/docker.sock"),
    ])
    .await;
    let version = engine.docker(&["version", "--format", "{{.Server.Version}}"]);
    let flavour = Flavour::Docker;
    assert_eq!(found[0].access, Access::Readable { flavour, version });
    assert_eq!(found.len(), 1);
}
