//! Incidents as those meet them who are woken: alerts of a cluster as one, people who act, calls that
//! arrive, and a post-mortem afterwards. kill -9 neither loses nor repeats any of it.

mod crash;
mod pager;

use std::fmt::Write as _;

use prost::Message;
use serde_json::Value;
use wire::remote_write::compress;

use crate::alerts::{Site, until_state};
use crate::client::{get, now_ms, post};
use crate::remote::published::{self as p, label};
use crate::server::{Server, run, until};

use pager::Pager;

const RULES: &str = r#"
groups:
- name: db
  interval: 100ms
  rules:
  - alert: Down
    expr: pg_up == 0
    labels: {severity: high}
    annotations: {summary: "{{ $labels.instance }} <cannot> be reached"}
  - alert: Lag
    expr: lag > 120
    labels: {severity: low}
"#;

/// A folder with rules, people who are on call, and a receiver that calls them.
fn site(pager: Option<&Pager>, more: &str) -> Site {
    let site = Site::new(RULES);
    let folder = site.config().with_file_name("");
    let mut config = std::fs::read_to_string(site.config()).unwrap();
    writeln!(config, "[incidents]\n{more}").unwrap();
    if let Some(pager) = pager {
        let (oncall, told) = (folder.join("oncall.yaml"), folder.join("told.yaml"));
        std::fs::write(&oncall, ONCALL).unwrap();
        std::fs::write(&told, pager.file()).unwrap();
        writeln!(config, "oncall = {:?}", oncall.display().to_string()).unwrap();
        writeln!(
            config,
            "[notify]\nconfig = {:?}",
            told.display().to_string()
        )
        .unwrap();
    }
    std::fs::write(site.config(), config).unwrap();
    site
}

const ONCALL: &str = r#"
people: [{name: ann, receivers: [ann]}]
schedules:
  - name: dba
    time_zone: Europe/Berlin
    layers: [{name: always, start: 2020-01-01, people: [ann]}]
policies:
  - name: night
    severities: [high]
    steps: [{after: 0s, notify: [{schedule: dba}]}, {after: 1h, notify: [{receiver: boss}]}]
"#;

/// Stores one sample by remote write, `ago_ms` old.
async fn push(server: &Server, labels: &[(&str, &str)], value: f64, ago_ms: i64) {
    let series = p::TimeSeries {
        labels: labels
            .iter()
            .map(|(name, value)| label(name, value))
            .collect(),
        samples: vec![p::Sample {
            value,
            timestamp: now_ms() - ago_ms,
        }],
        ..Default::default()
    };
    let request = p::WriteRequest {
        timeseries: vec![series],
        metadata: vec![],
    };
    let headers = [
        ("content-type", "application/x-protobuf"),
        ("content-encoding", "snappy"),
    ];
    let body = compress(&request.encode_to_vec()).unwrap();
    let answer = post(server.listen(), "/api/v1/write", &headers, body).await;
    assert_eq!(answer.status, 204, "{}", answer.text());
}

async fn tell(server: &Server, name: &str, instance: &str, value: f64) {
    push(
        server,
        &[("__name__", name), ("instance", instance)],
        value,
        0,
    )
    .await;
}

/// Says to which cluster two servers belong.
async fn describe(server: &Server) {
    for instance in ["pg1:5432", "pg2:5432"] {
        let labels = [
            ("__name__", "pg_system_info"),
            ("instance", instance),
            ("system_identifier", "77"),
        ];
        push(server, &labels, 1.0, 0).await;
    }
}

async fn incidents(server: &Server) -> Vec<Value> {
    let answer = get(server.listen(), "/api/incidents").await.json();
    answer["data"]["incidents"].as_array().unwrap().clone()
}

async fn one(server: &Server, id: i64) -> Value {
    let answer = get(server.listen(), &format!("/api/incidents/{id}")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["data"].clone()
}

async fn until_incident(server: &Server, what: &str, is_so: impl Fn(&[Value]) -> bool) {
    until(what, async || is_so(&incidents(server).await)).await;
}

fn sentences(incident: &Value) -> Vec<String> {
    let timeline = incident["timeline"].as_array().unwrap().iter();
    timeline
        .map(|entry| entry["sentence"].as_str().unwrap().to_owned())
        .collect()
}

/// Runs a command against the server.
async fn command(server: &Server, arguments: &[&str]) -> (i32, String, String) {
    let url = format!("http://{}", server.listen());
    let all = [arguments, &["--collector", &url]].concat();
    let all: Vec<String> = all.into_iter().map(str::to_owned).collect();
    let run = move || {
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        run(&all)
    };
    tokio::task::spawn_blocking(run).await.unwrap()
}

async fn succeeds(server: &Server, arguments: &[&str]) -> String {
    let (code, out, err) = command(server, arguments).await;
    assert_eq!((code, err.as_str()), (0, ""), "{arguments:?}: {out}");
    out
}

#[tokio::test]
async fn alerts_of_a_cluster_are_one_incident_from_alert_to_post_mortem() {
    let site = site(None, "resolve_after = \"0s\"");
    let server = site.start().await;
    describe(&server).await;
    // What was changed before it began stands in its timeline.
    for (value, ago_ms) in [(4e6, 120_000), (8e6, 60_000)] {
        let labels = [
            ("__name__", "pg_settings_work_mem_bytes"),
            ("instance", "pg1:5432"),
        ];
        push(&server, &labels, value, ago_ms).await;
    }
    tell(&server, "lag", "pg2:5432", 300.0).await;
    until_state(&server, "Lag", "firing").await;
    tell(&server, "pg_up", "pg1:5432", 0.0).await;
    until_incident(&server, "both alerts are one incident", |all| {
        all.len() == 1 && all[0]["impact"]["alerts"] == 2
    })
    .await;
    let incident = one(&server, 1).await;
    assert_eq!(incident["severity"], "high");
    assert_eq!(incident["title"], "pg1:5432 <cannot> be reached");
    assert_eq!(incident["clusters"][0], "77");
    let told = sentences(&incident);
    for part in [
        "pg1:5432: setting work_mem_bytes changed from 4000000 to 8000000",
        "the incident began, severity low",
        "severity rose from low to high",
    ] {
        assert!(told.iter().any(|one| one == part), "{part}: {told:?}");
    }
    check_deeds(&server).await;
    tell(&server, "pg_up", "pg1:5432", 1.0).await;
    tell(&server, "lag", "pg2:5432", 0.0).await;
    until_incident(&server, "it is resolved by itself", |all| {
        all[0]["status"] == "resolved"
    })
    .await;
    check_exports(&server).await;
    check_refusals(&server).await;
    server.stop(&[]).await;
}

/// What people do, by the commands.
async fn check_deeds(server: &Server) {
    let told = succeeds(server, &["incident", "list"]).await;
    assert!(told.contains("high") && told.contains("2/2"), "{told}");
    let told = succeeds(server, &["incident", "ack", "1", "--as", "ann"]).await;
    assert_eq!(
        told,
        "incident 1: acknowledged, ann has it: pg1:5432 <cannot> be reached\n"
    );
    succeeds(
        server,
        &["incident", "note", "1", "--as", "ann", "it", "is <late>"],
    )
    .await;
    succeeds(server, &["incident", "assign", "1", "bob", "--as", "ann"]).await;
    let told = succeeds(server, &["incident", "show", "1"]).await;
    for part in [
        "ann acknowledged",
        "ann: it is <late>",
        "ann gave it to bob",
        "clusters: 77",
    ] {
        assert!(told.contains(part), "{part}:\n{told}");
    }
    for (series, value) in [
        (
            "nightshift_incidents{severity=\"high\",state=\"acknowledged\"}",
            1.0,
        ),
        (
            "nightshift_incidents{severity=\"high\",state=\"open\"}",
            0.0,
        ),
        ("nightshift_incidents_opened_total{severity=\"low\"}", 1.0),
        (
            "nightshift_incident_acknowledge_seconds_count{severity=\"high\"}",
            1.0,
        ),
    ] {
        assert_eq!(server.metric(series).await, value, "{series}");
    }
    let told = succeeds(server, &["incident", "list", "-o", "json"]).await;
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["incidents"][0]["owner"], "bob");
    assert_eq!(told["means"]["all"]["acknowledged"], 1);
    let told = succeeds(server, &["oncall"]).await;
    assert_eq!(told, "no schedules\n");
}

async fn check_exports(server: &Server) {
    let md = succeeds(server, &["incident", "export", "1"]).await;
    for part in [
        "# Post-mortem: pg1:5432 &lt;cannot&gt; be reached",
        "<svg ",
        "fires above 120",
        "fires at 0",
        "ann: it is &lt;late&gt;",
        "work\\_mem",
    ] {
        let part = part.replace("\\_", "_");
        assert!(md.contains(&part), "{part}:\n{md}");
    }
    let html = succeeds(server, &["incident", "export", "1", "-o", "html"]).await;
    assert!(
        html.starts_with("<!doctype html>") && html.contains("<svg "),
        "{html}"
    );
    assert!(
        !html.contains("<cannot>") && !html.contains("<script"),
        "{html}"
    );
    let json = succeeds(server, &["incident", "export", "1", "-o", "json"]).await;
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["incident"]["status"], "resolved");
    assert_eq!(json["charts"].as_array().unwrap().len(), 2);
    assert_eq!(
        json["missing"].as_array().unwrap().len(),
        0,
        "{}",
        json["missing"]
    );
    let page = get(server.listen(), "/api/incidents/1/export?format=html").await;
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    assert!(page.header("content-security-policy").contains("sandbox"));
    // The list holds what is over only where it is asked for.
    let told = succeeds(server, &["incident", "list"]).await;
    assert_eq!(told, "no incidents\n");
    let told = succeeds(server, &["incident", "list", "--all", "--from", "-1h"]).await;
    assert!(told.contains("mean time to acknowledge"), "{told}");
}

async fn check_refusals(server: &Server) {
    let check = async |arguments: &[&str], code: i32, part: &str| {
        let found = command(server, arguments).await;
        assert_eq!(found.0, code, "{arguments:?}: {}", found.2);
        assert!(found.2.contains(part), "{arguments:?}: {}", found.2);
    };
    check(&["incident", "show", "9"], 3, "there is no incident 9").await;
    check(
        &["incident", "ack", "1", "--as", "a"],
        3,
        "incident 1 is resolved",
    )
    .await;
    check(&["incident", "show", "x"], 2, "not the number").await;
    check(
        &["incident", "export", "1", "-o", "pdf"],
        2,
        "write md, html or json",
    )
    .await;
    let refused = async |path: &str, body: &str, status: u16, part: &str| {
        let form = [("content-type", "application/x-www-form-urlencoded")];
        let answer = post(server.listen(), path, &form, body.to_owned()).await;
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
        assert!(answer.text().contains(part), "{path}: {}", answer.text());
    };
    refused("/api/incidents/1/ack", "", 400, "who does it must be given").await;
    refused("/api/incidents/1/ack", "by=%1b", 400, "expected a name").await;
    refused("/api/incidents/1/note", "by=a&text=+", 400, "what is noted").await;
    let long = format!("by=a&text={}", "x".repeat(10_001));
    refused("/api/incidents/1/note", &long, 400, "at most").await;
    refused("/api/incidents/7/resolve", "by=a", 404, "not_found").await;
    refused("/api/incidents/1/dance", "by=a", 404, "").await;
    for path in [
        "/api/incidents?state=x",
        "/api/incidents/0",
        "/api/oncall?days=0",
    ] {
        assert_eq!(get(server.listen(), path).await.status, 400, "{path}");
    }
    let answer = get(server.listen(), "/api/incidents/1/ack").await;
    assert_eq!(answer.status, 405);
}

#[tokio::test]
async fn whoever_is_on_call_is_called_and_hears_of_the_end() {
    let pager = Pager::start().await;
    let site = site(Some(&pager), "");
    let server = site.start().await;
    let told = succeeds(&server, &["oncall"]).await;
    assert!(told.contains("dba") && told.contains("ann"), "{told}");
    tell(&server, "lag", "pg1:5432", 300.0).await;
    tell(&server, "pg_up", "pg1:5432", 0.0).await;
    until("ann is called", async || pager.calls("ann").len() == 1).await;
    let call = &pager.calls("ann")[0];
    assert_eq!(call["status"], "firing");
    assert_eq!(call["groupKey"], "incident/1");
    assert_eq!(call["alerts"].as_array().unwrap().len(), 2);
    // The call and its outcome stand in the timeline.
    until("the call stands in the timeline", async || {
        let told = sentences(&one(&server, 1).await);
        told.iter()
            .any(|one| one == "step 1 of policy night calls ann by ann")
            && told
                .iter()
                .any(|one| one.starts_with("ann/webhook[0] was told of 2 alerts"))
    })
    .await;
    succeeds(&server, &["incident", "resolve", "1", "--as", "ann"]).await;
    until("ann hears of the end", async || {
        pager.calls("ann").len() == 2
    })
    .await;
    assert_eq!(pager.calls("ann")[1]["status"], "resolved");
    let closed = one(&server, 1).await;
    assert_eq!(closed["resolvedBy"], "ann");
    assert!(pager.calls("boss").is_empty());
    server.stop(&[]).await;
}

#[tokio::test]
async fn a_wrong_file_leaves_the_one_before_in_force() {
    let pager = Pager::start().await;
    let site = site(Some(&pager), "");
    let file = site.config().with_file_name("oncall.yaml");
    std::fs::write(&file, "people: [{name: ann}]\n").unwrap();
    let (code, _, err) = run(&["check-config", &site.config().display().to_string()]);
    assert_eq!(code, 2);
    assert!(err.contains("nothing reaches this person"), "{err}");
    let server = site.start().await;
    let wrong = "the file of who is on call is wrong";
    until("the mistake is told", async || server.log().contains(wrong)).await;
    std::fs::write(&file, ONCALL).unwrap();
    server.signal(nix::sys::signal::Signal::SIGHUP);
    until("ann is on call", async || {
        let told = get(server.listen(), "/api/oncall").await.json();
        told["data"]["schedules"][0]["person"] == "ann"
    })
    .await;
    server.stop(&[wrong]).await;
}
