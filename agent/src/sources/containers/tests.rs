//! The source against an engine that says what a test makes it say: what a real one says too seldom
//! or too slowly to be tested with (see `agent/tests/containers`).

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::{Path as UrlPath, Request, State as Shared};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::UnixListener;
use tokio::task::JoinSet;

use super::*;
use crate::config::Problems;

const VERSION: &str = r#"{"Version":"20.10.24","ApiVersion":"1.41"}"#;
const INFO: &str = r#"{"CgroupDriver":"systemd","DockerRootDir":"/"}"#;
const PODMAN_VERSION: &str = r#"{"Version":"4.3.1","ApiVersion":"1.41","Components":
    [{"Name":"Podman Engine","Version":"4.3.1","Details":{"APIVersion":"4.3.1"}},{"Name":"Conmon","Version":"x"}]}"#;

/// What the engine says, and what it was asked.
#[derive(Debug, Default)]
struct Script {
    version: String,
    info: String,
    list: String,
    /// What it lists where only running containers are asked for, if that differs.
    list_running: Option<String>,
    /// By container id; what is not there is not found.
    inspect: BTreeMap<String, Value>,
    stats: BTreeMap<String, Value>,
    inspected: AtomicUsize,
    under_way: AtomicUsize,
    most_under_way: AtomicUsize,
}

/// An engine, a tree of files of its containers, and a source that looks at both.
struct Scene {
    folder: TempDir,
    script: Arc<Script>,
    _server: JoinSet<()>,
    source: Containers,
}

impl Scene {
    fn new(mut script: Script) -> Self {
        if script.version.is_empty() {
            script.version = VERSION.into();
        }
        if script.info.is_empty() {
            script.info = INFO.into();
        }
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("docker.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let script = Arc::new(script);
        let mut server = JoinSet::new();
        let app = router(Arc::clone(&script));
        server.spawn(async move { axum::serve(listener, app).await.unwrap() });
        let source = Containers::new(Settings {
            socket,
            sizes: None,
            proc_root: folder.path().join("proc"),
            cgroup_root: folder.path().join("cgroup"),
            ..checked(RawSettings {
                enabled: Some(true),
                ..RawSettings::default()
            })
        });
        Self {
            folder,
            script,
            _server: server,
            source,
        }
    }

    /// Makes the files of a container, with just enough in them.
    fn put_files(&self, id: &str, pid: u32, group: &str) {
        let put = |path: String, text: &str| {
            let path = self.folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        put(format!("proc/{pid}/cgroup"), &format!("0::{group}\n"));
        put(
            format!("proc/{pid}/net/dev"),
            "eth0: 1 2 3 4 0 0 0 0 5 6 7 8 0 0 0 0\n",
        );
        let end = group.find(id).unwrap() + id.len();
        let end = group[end..]
            .find('/')
            .map_or(group.len(), |slash| end + slash);
        let group = format!("cgroup{}", &group[..end]);
        put(format!("{group}/cpu.stat"), "usage_usec 2000000\n");
        put(format!("{group}/memory.current"), "1000\n");
        put(format!("{group}/memory.stat"), "anon 1\n");
        put(format!("{group}/io.stat"), "");
        put(format!("{group}/cgroup.procs"), "1\n");
    }

    async fn look(&mut self) -> (BTreeMap<String, f64>, Vec<String>, Result<(), SourceError>) {
        let mut out = Gather::default();
        let outcome = self.source.collect(&mut out).await;
        let (families, gaps) = out.finish();
        let mut series = BTreeMap::new();
        for family in families {
            for point in family.points {
                let labels: Vec<String> = point
                    .labels
                    .iter()
                    .map(|label| format!("{}={}", label.name, label.value))
                    .collect();
                series.insert(
                    format!("{}{{{}}}", family.name, labels.join(",")),
                    point.value,
                );
            }
        }
        let gaps = gaps
            .into_iter()
            .map(|gap| format!("{}: {}", gap.what, gap.why));
        (series, gaps.collect(), outcome)
    }
}

fn checked(raw: RawSettings) -> Settings {
    let mut problems = Problems::default();
    let settings = raw.validate(&mut problems);
    settings.unwrap_or_else(|| panic!("{:?}", problems.into_inner()))
}

fn router(script: Arc<Script>) -> Router {
    Router::new()
        .route(
            "/version",
            get(|Shared(script): Shared<Arc<Script>>| async move { script.version.clone() }),
        )
        .route(
            "/info",
            get(|Shared(script): Shared<Arc<Script>>| async move { script.info.clone() }),
        )
        .route("/containers/json", get(list))
        .route("/containers/{id}/json", get(inspect))
        .route("/containers/{id}/stats", get(stats_of))
        // Events: a stream that ends at once, as of an engine that is going down.
        .route("/events", get(|| async { "" }))
        .layer(axum::middleware::from_fn_with_state(
            Arc::clone(&script),
            count_under_way,
        ))
        .with_state(script)
}

async fn count_under_way(
    Shared(script): Shared<Arc<Script>>,
    request: Request,
    next: Next,
) -> Response {
    let now = script.under_way.fetch_add(1, Ordering::SeqCst) + 1;
    script.most_under_way.fetch_max(now, Ordering::SeqCst);
    // Lets every call that is allowed beside this one arrive.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    let response = next.run(request).await;
    script.under_way.fetch_sub(1, Ordering::SeqCst);
    response
}

async fn list(Shared(script): Shared<Arc<Script>>, request: Request) -> Response {
    let query = request.uri().query().unwrap_or_default();
    match &script.list_running {
        Some(running) if !query.contains("all=true") => running.clone().into_response(),
        _ => script.list.clone().into_response(),
    }
}

async fn inspect(Shared(script): Shared<Arc<Script>>, UrlPath(id): UrlPath<String>) -> Response {
    script.inspected.fetch_add(1, Ordering::SeqCst);
    found(script.inspect.get(&id))
}

async fn stats_of(Shared(script): Shared<Arc<Script>>, UrlPath(id): UrlPath<String>) -> Response {
    found(script.stats.get(&id))
}

fn found(answer: Option<&Value>) -> Response {
    match answer {
        Some(Value::String(nonsense)) => nonsense.clone().into_response(),
        Some(answer) => answer.to_string().into_response(),
        None => {
            let message = json!({ "message": "No such container" }).to_string();
            (StatusCode::NOT_FOUND, message).into_response()
        }
    }
}

fn entry(id: &str, name: &str) -> Value {
    json!({
        "Id": id, "Names": [format!("/{name}")], "Image": "postgres:18", "State": "running",
        "Status": "Up 2 hours", "HostConfig": { "NetworkMode": "default" }, "Labels": {},
    })
}

fn running(pid: u32) -> Value {
    json!({
        "State": {
            "Status": "running", "Pid": pid, "OOMKilled": false, "ExitCode": 0,
            "StartedAt": "2026-11-21T03:42:03.191780487Z",
        },
        "RestartCount": 0, "HostConfig": { "CgroupParent": "" }, "Config": { "Image": "postgres:18" },
    })
}

#[tokio::test]
async fn a_hundred_containers_cost_one_call_once_they_are_known() {
    let names: Vec<(String, u32)> = (1..=120).map(|n| (format!("{n:064x}"), 1000 + n)).collect();
    let list: Vec<Value> = names
        .iter()
        .map(|(id, pid)| entry(id, &format!("c{pid}")))
        .collect();
    let mut scene = Scene::new(Script {
        list: Value::from(list).to_string(),
        inspect: names
            .iter()
            .map(|(id, pid)| (id.clone(), running(*pid)))
            .collect(),
        ..Script::default()
    });
    for (id, pid) in &names {
        scene.put_files(id, *pid, &format!("/system.slice/docker-{id}.scope"));
    }
    let (series, gaps, outcome) = scene.look().await;
    assert!(outcome.is_ok() && gaps.is_empty(), "{outcome:?} {gaps:?}");
    let told = |series: &BTreeMap<String, f64>| {
        series
            .keys()
            .filter(|key| key.starts_with("container_cpu_usage_seconds_total{"))
            .count()
    };
    assert_eq!(told(&series), 120);
    assert_eq!(scene.script.inspected.load(Ordering::SeqCst), 120);
    let most = scene.script.most_under_way.load(Ordering::SeqCst);
    // One more is the stream of events.
    assert!(
        (2..=engine::AT_ONCE + 1).contains(&most),
        "{most} calls side by side"
    );

    let (series, _, _) = scene.look().await;
    assert_eq!(told(&series), 120);
    assert_eq!(scene.script.inspected.load(Ordering::SeqCst), 120);
}

#[tokio::test]
async fn podman_speaks_the_same_with_other_places() {
    let id = "a".repeat(64);
    let mut inspected = running(7);
    inspected["State"]["StartedAt"] = "2026-11-21T05:42:03.5+02:00".into();
    inspected["State"]["Health"] = json!({ "Status": "", "FailingStreak": 0, "Log": null });
    let mut scene = Scene::new(Script {
        version: PODMAN_VERSION.into(),
        list: json!([entry(&id, "db")]).to_string(),
        inspect: [(id.clone(), inspected)].into(),
        ..Script::default()
    });
    scene.put_files(
        &id,
        7,
        &format!("/machine.slice/libpod-{id}.scope/container"),
    );
    let (series, gaps, outcome) = scene.look().await;
    assert!(outcome.is_ok() && gaps.is_empty(), "{outcome:?} {gaps:?}");
    let labels = format!("id=/machine.slice/libpod-{id}.scope,image=postgres:18,name=db");
    assert_eq!(
        series[&format!("container_start_time_seconds{{{labels}}}")],
        1_795_232_523.0
    );
    assert_eq!(series[&format!("container_health_state{{{labels}}}")], -1.0);
    assert_eq!(
        series[&format!("container_memory_usage_bytes{{{labels}}}")],
        1000.0
    );
    let received = format!("container_network_receive_bytes_total{{{labels},interface=eth0}}");
    assert_eq!(series[&received], 1.0);
    // Not in memory.stat, so not known: no working set rather than a wrong one.
    assert!(!series.contains_key(&format!("container_memory_working_set_bytes{{{labels}}}")));
    let facts = scene.source.engine.as_ref().unwrap().facts.clone();
    assert_eq!(facts.flavour, Flavour::Podman);
}

#[tokio::test]
async fn a_container_that_shares_a_network_has_none_of_its_own() {
    for mode in ["host", "container:1234"] {
        let id = "b".repeat(64);
        let mut listed = entry(&id, "db");
        listed["HostConfig"]["NetworkMode"] = mode.into();
        let mut scene = Scene::new(Script {
            list: json!([listed]).to_string(),
            inspect: [(id.clone(), running(7))].into(),
            ..Script::default()
        });
        scene.put_files(&id, 7, &format!("/system.slice/docker-{id}.scope"));
        let (series, gaps, _) = scene.look().await;
        assert!(gaps.is_empty(), "{gaps:?}");
        assert!(series.keys().any(|key| key.starts_with("container_cpu_")));
        assert!(
            !series
                .keys()
                .any(|key| key.starts_with("container_network_")),
            "{mode}"
        );
    }
}

#[tokio::test]
async fn a_container_gone_between_two_calls_is_left_out_without_a_gap() {
    let (here, gone, dead) = ("c".repeat(64), "d".repeat(64), "e".repeat(64));
    // `gone` cannot be inspected; `dead` can, and its process and statistics are gone after.
    let mut scene = Scene::new(Script {
        list: json!([
            entry(&here, "here"),
            entry(&gone, "gone"),
            entry(&dead, "dead")
        ])
        .to_string(),
        inspect: [(here.clone(), running(7)), (dead.clone(), running(8))].into(),
        ..Script::default()
    });
    scene.put_files(&here, 7, &format!("/system.slice/docker-{here}.scope"));
    let (series, gaps, outcome) = scene.look().await;
    assert!(outcome.is_ok() && gaps.is_empty(), "{outcome:?} {gaps:?}");
    let tells = |family: &str, name: &str| {
        series
            .keys()
            .any(|key| key.starts_with(family) && key.contains(&format!("name={name}")))
    };
    assert!(tells("container_cpu_usage", "here") && tells("container_state", "here"));
    assert!(tells("container_state", "dead") && !tells("container_cpu_usage", "dead"));
    assert!(!tells("container_", "gone"));
}

#[tokio::test]
async fn an_answer_that_makes_no_sense_costs_only_its_container() {
    let (good, bad) = ("c".repeat(64), "d".repeat(64));
    for nonsense in ["", "{", "[]", "{\"State\":\"running\"}", "<html>"] {
        let mut scene = Scene::new(Script {
            list: json!([entry(&good, "good"), entry(&bad, "bad")]).to_string(),
            inspect: [(good.clone(), running(7)), (bad.clone(), nonsense.into())].into(),
            ..Script::default()
        });
        scene.put_files(&good, 7, &format!("/system.slice/docker-{good}.scope"));
        let (series, gaps, outcome) = scene.look().await;
        assert!(outcome.is_ok(), "{nonsense}: {outcome:?}");
        assert_eq!(gaps.len(), 1, "{nonsense}: {gaps:?}");
        assert!(
            gaps[0].starts_with("container bad: it cannot be inspected"),
            "{gaps:?}"
        );
        assert!(series.keys().any(|key| key.contains("name=good")));
    }
    for nonsense in ["", "{", "{}", "<html>", "[{\"State\":\"sleeping\"}]"] {
        let mut scene = Scene::new(Script {
            list: nonsense.into(),
            ..Script::default()
        });
        let (series, _, outcome) = scene.look().await;
        let error = outcome.unwrap_err();
        assert!(
            error.message.ends_with("failed to list containers"),
            "{error:?}"
        );
        assert!(series.is_empty());
    }
}

#[tokio::test]
async fn a_state_of_podmans_own_hides_no_running_container() {
    let (up, odd) = ("1".repeat(64), "2".repeat(64));
    let mut strange = entry(&odd, "odd");
    strange["State"] = "initialized".into();
    let mut scene = Scene::new(Script {
        list: json!([strange, entry(&up, "up")]).to_string(),
        list_running: Some(json!([entry(&up, "up")]).to_string()),
        inspect: [(up.clone(), running(7))].into(),
        ..Script::default()
    });
    scene.put_files(&up, 7, &format!("/system.slice/docker-{up}.scope"));
    let (series, gaps, outcome) = scene.look().await;
    assert!(outcome.is_ok(), "{outcome:?}");
    let gap = "stopped containers: one of them is in a state that this agent does not know";
    assert_eq!(gaps, [gap]);
    assert!(
        series
            .keys()
            .any(|key| key.starts_with("container_cpu_") && key.contains("name=up"))
    );
}

#[tokio::test]
async fn too_many_containers_are_cut_with_stopped_ones_first() {
    let (stopped, up) = ("1".repeat(64), "2".repeat(64));
    let mut first = entry(&stopped, "stopped");
    first["State"] = "exited".into();
    let mut scene = Scene::new(Script {
        list: json!([first, entry(&up, "up")]).to_string(),
        inspect: [(stopped, running(0)), (up.clone(), running(7))].into(),
        ..Script::default()
    });
    scene.put_files(&up, 7, &format!("/system.slice/docker-{up}.scope"));
    scene.source.settings.max_containers = 1;
    let (series, gaps, _) = scene.look().await;
    assert_eq!(
        gaps,
        ["containers: more than 1 containers, stopped ones left out first"]
    );
    assert!(series.keys().all(|key| key.contains("name=up")));
}

#[tokio::test]
async fn a_silent_socket_is_an_error_in_good_time() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("docker.sock");
    // Connections pile up in its queue; nobody takes them.
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let mut source = Containers::new(checked(RawSettings {
        socket: Some(socket),
        timeout: wire::quantity::Period(Duration::from_millis(200)),
        ..RawSettings::default()
    }));
    for _ in 0..3 {
        let error = source.collect(&mut Gather::default()).await.unwrap_err();
        assert!(error.message.ends_with("does not answer"), "{error:?}");
    }
}

#[test]
fn settings_are_checked() {
    for (text, expected) in [
        ("enabled = true", Vec::new()),
        (
            "enabled = true\ninterval = \"500ms\"\ntimeout = \"200ms\"",
            vec!["interval"],
        ),
        ("enabled = true\ntimeout = \"11s\"", vec!["timeout"]),
        ("enabled = true\ntimeout = \"0s\"", vec!["timeout"]),
        ("enabled = true\nsizes = \"1s\"", vec!["sizes"]),
        ("enabled = true\nsizes = \"0s\"", Vec::new()),
        ("enabled = true\nmax_containers = 0", vec!["max_containers"]),
        ("enabled = true\nsocket = \"docker.sock\"", vec!["socket"]),
        (
            "enabled = true\nproc_root = \"proc\"\ncgroup_root = \"x\"",
            vec!["proc_root", "cgroup_root"],
        ),
        ("enabled = true\nlabels = [\"a\", \"\"]", vec!["labels"]),
    ] {
        let raw: RawSettings = toml::from_str(text).unwrap();
        let mut problems = Problems::default();
        let settings = raw.validate(&mut problems);
        let problems = problems.into_inner();
        let keys: Vec<&str> = problems
            .iter()
            .map(|problem| problem.key.as_str())
            .collect();
        assert_eq!(keys, expected, "{text}");
        assert_eq!(settings.is_some(), expected.is_empty(), "{text}");
        assert!(problems.iter().all(|problem| !problem.hint.is_empty()));
    }
    assert!(toml::from_str::<RawSettings>("sockets = \"/x\"").is_err());
}

#[test]
fn the_source_is_off_without_a_socket_and_when_told() {
    let nowhere = || Some(Path::new("/nonexistent/docker.sock").to_path_buf());
    for (enabled, on) in [(None, false), (Some(false), false), (Some(true), true)] {
        let raw = RawSettings {
            enabled,
            socket: nowhere(),
            ..RawSettings::default()
        };
        let mut problems = Problems::default();
        assert_eq!(raw.validate(&mut problems).is_some(), on, "{enabled:?}");
        assert!(problems.into_inner().is_empty());
    }
}
