//! Rules and alerts as their users meet them: files in, alerts out, and neither kill -9 nor a reload
//! changes what they are.

mod crash;
mod damage;
mod prometheus;

use nix::sys::signal::Signal;
use prost::Message;
use serde_json::Value;
use wire::metric::STALE;
use wire::remote_write::compress;

use crate::client::{encoded, get, now_ms, post};
use crate::remote::published::{self as p, label};
use crate::server::{Server, run, until};

/// A data folder, a rule file and a configuration that names it.
pub(super) struct Site {
    folder: tempfile::TempDir,
}

impl Site {
    pub(super) fn new(rules: &str) -> Self {
        let site = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        site.write(rules);
        let config = format!(
            "[rules]\nfiles = [\"{}/*.yml\"]\nevaluation_interval = \"100ms\"\n\
             external_url = \"http://here:1/\"\nexternal_labels = {{ site = \"lab\" }}\n",
            site.folder.path().display()
        );
        std::fs::write(site.config(), config).unwrap();
        site
    }

    pub(super) fn write(&self, rules: &str) {
        std::fs::write(self.rules(), rules).unwrap();
    }

    pub(super) fn rules(&self) -> std::path::PathBuf {
        self.folder.path().join("rules.yml")
    }

    pub(super) fn config(&self) -> std::path::PathBuf {
        self.folder.path().join("nightshift.toml")
    }

    pub(super) fn data(&self) -> std::path::PathBuf {
        self.folder.path().join("data")
    }

    pub(super) async fn start(&self) -> Server {
        std::fs::create_dir_all(self.data()).unwrap();
        let config = self.config().display().to_string();
        Server::start_with(&self.data(), &["--config", &config]).await
    }
}

/// Stores one sample by remote write.
pub(super) async fn push(server: &Server, name: &str, host: &str, value: f64) {
    let series = p::TimeSeries {
        labels: vec![label("__name__", name), label("host", host)],
        samples: vec![p::Sample {
            value,
            timestamp: now_ms(),
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

/// The alerts of a name, as the API tells them.
pub(super) async fn alerts(server: &Server, name: &str) -> Vec<Value> {
    let answer = get(server.listen(), "/api/v1/alerts").await.json();
    let alerts = answer["data"]["alerts"].as_array().unwrap().iter();
    let named = alerts.filter(|alert| alert["labels"]["alertname"] == name);
    named.cloned().collect()
}

pub(super) async fn until_state(server: &Server, name: &str, state: &str) -> Value {
    let mut found = Value::Null;
    until(&format!("{name} is {state}"), async || {
        let alerts = alerts(server, name).await;
        found = alerts.first().cloned().unwrap_or_default();
        match state {
            "gone" => alerts.is_empty(),
            state => found["state"] == state,
        }
    })
    .await;
    found
}

/// The transitions of alerts of a name, oldest first.
pub(super) async fn history(server: &Server, name: &str) -> Vec<Value> {
    let path = format!("/api/alerts/history?match[]={}", encoded(name));
    let mut answer = Value::Null;
    until("the history can be read", async || {
        let asked = get(server.listen(), &path).await;
        answer = asked.json();
        asked.status != 503
    })
    .await;
    let mut events = answer["data"]["events"].as_array().unwrap().clone();
    events.reverse();
    events
}

pub(super) async fn transitions(server: &Server, name: &str) -> Vec<String> {
    let events = history(server, name).await;
    let word = |event: &Value| event["transition"].as_str().unwrap().to_owned();
    events.iter().map(word).collect()
}

/// Series and values of an instant query.
pub(super) async fn ask(server: &Server, expr: &str) -> Vec<(Value, String)> {
    let path = format!("/api/v1/query?query={}", encoded(expr));
    let answer = get(server.listen(), &path).await.json();
    let found = answer["data"]["result"].as_array().unwrap().iter();
    found
        .map(|one| {
            let value = one["value"][1].as_str().unwrap();
            (one["metric"].clone(), value.to_owned())
        })
        .collect()
}

pub(super) async fn evaluated(server: &Server, rules: usize) {
    until("all rules were evaluated", async || {
        let answer = get(server.listen(), "/api/v1/rules").await.json();
        let groups = answer["data"]["groups"].as_array().unwrap().clone();
        let rules_of = |group: &Value| group["rules"].as_array().unwrap().clone();
        let told: Vec<Value> = groups.iter().flat_map(rules_of).collect();
        told.len() == rules && told.iter().all(|rule| rule["health"] != "unknown")
    })
    .await;
}

const RULES: &str = r#"
groups:
- name: load
  interval: 100ms
  rules:
  - record: host:cpu:double
    expr: cpu * 2
    labels: {by: rule}
  - alert: CpuHigh
    expr: host:cpu:double > 180
    for: 1s
    labels: {severity: page}
    annotations:
      summary: "{{ $labels.host }} of {{ $externalLabels.site }} has {{ $value }}, see {{ $externalURL }}"
"#;

#[tokio::test]
async fn an_alert_pends_fires_and_resolves() {
    let site = Site::new(RULES);
    let server = site.start().await;
    push(&server, "cpu", "db1", 50.0).await;
    evaluated(&server, 2).await;
    assert_eq!(alerts(&server, "CpuHigh").await, [] as [Value; 0]);
    push(&server, "cpu", "db1", 95.0).await;
    let pending = until_state(&server, "CpuHigh", "pending").await;
    let firing = until_state(&server, "CpuHigh", "firing").await;
    assert_eq!(pending["activeAt"], firing["activeAt"]);
    assert_eq!(firing["value"], "1.9e+02");
    let summary = "db1 of lab has 190, see http://here:1";
    assert_eq!(firing["annotations"]["summary"], summary);
    // What a rule of the group recorded, and what alerts say of themselves.
    let recorded = ask(&server, "host:cpu:double").await;
    assert_eq!(recorded.len(), 1);
    assert_eq!(
        (&recorded[0].0["by"], &*recorded[0].1),
        (&"rule".into(), "190")
    );
    until("ALERTS fires", async || {
        let series = ask(&server, "ALERTS").await;
        series.len() == 1 && series[0].0["alertstate"] == "firing"
    })
    .await;
    let events = history(&server, "CpuHigh").await;
    assert_eq!(transitions(&server, "CpuHigh").await, ["pending", "firing"]);
    let held = time(&events[1]["at"]) - time(&events[0]["at"]);
    assert!(held >= 1_000, "fired after {held} ms");
    assert_eq!(
        events[1]["samples"][0]["metric"]["__name__"],
        "host:cpu:double"
    );
    assert_eq!(events[1]["samples"][0]["value"], "190");
    check_commands(&server).await;
    push(&server, "cpu", "db1", 10.0).await;
    until_state(&server, "CpuHigh", "gone").await;
    let all = ["pending", "firing", "resolved"];
    assert_eq!(transitions(&server, "CpuHigh").await, all);
    until("ALERTS ends", async || {
        ask(&server, "ALERTS").await.is_empty()
    })
    .await;
    let group = format!("{{rule_group=\"{};load\"}}", site.rules().display());
    let failures = format!("prometheus_rule_evaluation_failures_total{group}");
    assert_eq!(server.metric(&failures).await, 0.0);
    let rules = format!("prometheus_rule_group_rules{group}");
    assert_eq!(server.metric(&rules).await, 2.0);
    server.stop(&[]).await;
}

pub(super) fn time(value: &Value) -> i64 {
    let text = value.as_str().unwrap();
    let parsed = std::process::Command::new("date")
        .args(["-u", "+%s%3N", "-d", text])
        .output()
        .unwrap();
    String::from_utf8(parsed.stdout)
        .unwrap()
        .trim()
        .parse()
        .unwrap()
}

/// `nightshift alerts`, while an alert fires.
async fn check_commands(server: &Server) {
    let url = format!("http://{}", server.listen());
    let told = async |arguments: &[&str]| {
        let all = [&["alerts"], arguments, &["--collector", &url]].concat();
        let all: Vec<String> = all.into_iter().map(str::to_owned).collect();
        tokio::task::spawn_blocking(move || {
            let all: Vec<&str> = all.iter().map(String::as_str).collect();
            run(&all)
        })
        .await
        .unwrap()
    };
    let (code, out, err) = told(&[]).await;
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(
        out.contains("firing") && out.contains("CpuHigh") && out.contains("db1"),
        "{out}"
    );
    let (code, out, _) = told(&["-o", "json"]).await;
    let alerts: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (code, alerts["alerts"][0]["state"].as_str()),
        (0, Some("firing"))
    );
    let (code, out, err) = told(&["history", "--from", "-1d"]).await;
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.contains("pending") && out.contains("firing"), "{out}");
}

#[tokio::test]
async fn a_missed_scrape_changes_nothing_where_the_rule_says_so() {
    let rules = r#"
groups:
- name: g
  interval: 100ms
  rules:
  - {alert: Kept, expr: cpu > 90, on_missing: keep}
  - {alert: NotKept, expr: cpu > 90}
"#;
    let site = Site::new(rules);
    let server = site.start().await;
    push(&server, "cpu", "db1", 95.0).await;
    let before = until_state(&server, "Kept", "firing").await;
    until_state(&server, "NotKept", "firing").await;
    push(&server, "cpu", "db1", STALE).await;
    until_state(&server, "NotKept", "gone").await;
    push(&server, "cpu", "db1", 96.0).await;
    until_state(&server, "NotKept", "firing").await;
    let after = until_state(&server, "Kept", "firing").await;
    assert_eq!(before["activeAt"], after["activeAt"]);
    assert_eq!(transitions(&server, "Kept").await, ["firing"]);
    assert_eq!(
        transitions(&server, "NotKept").await,
        ["firing", "resolved", "firing"]
    );
    server.stop(&[]).await;
}

/// Tells it to reload and waits until it says what came of it.
async fn reload(server: &Server, told: &str) {
    let before = server.log().matches(told).count();
    server.signal(Signal::SIGHUP);
    until("the collector has reloaded", async || {
        server.log().matches(told).count() > before
    })
    .await;
}

const TWO: &str = r#"
groups:
- name: g
  interval: 100ms
  rules:
  - {alert: Stays, expr: cpu > 90}
  - {alert: Goes, expr: cpu > 90}
"#;

#[tokio::test]
async fn a_reload_keeps_what_did_not_change() {
    let site = Site::new(TWO);
    let server = site.start().await;
    push(&server, "cpu", "db1", 95.0).await;
    let before = until_state(&server, "Stays", "firing").await;
    until_state(&server, "Goes", "firing").await;
    reload(&server, "rules reloaded").await;
    evaluated(&server, 2).await;
    assert_eq!(transitions(&server, "Goes").await, ["firing"]);
    // A file that is wrong changes nothing.
    site.write("groups:\n- name: g\n  rules:\n  - {alert: Stays, expr: 'cpu >'}\n");
    reload(&server, "the rules were not reloaded").await;
    assert_eq!(alerts(&server, "Goes").await.len(), 1);
    // One without a rule ends that one's alerts; a threshold that moved is still the same rule.
    site.write(
        "groups:\n- name: g\n  interval: 100ms\n  rules:\n  - {alert: Stays, expr: cpu > 80}\n",
    );
    reload(&server, "rules reloaded").await;
    until_state(&server, "Goes", "gone").await;
    assert_eq!(transitions(&server, "Goes").await, ["firing", "resolved"]);
    let after = until_state(&server, "Stays", "firing").await;
    assert_eq!(before["activeAt"], after["activeAt"]);
    assert_eq!(transitions(&server, "Stays").await, ["firing"]);
    until("the series of the rule that is gone ends", async || {
        ask(&server, "ALERTS{alertname=\"Goes\"}").await.is_empty()
    })
    .await;
    server.stop(&["the rules were not reloaded"]).await;
}

#[tokio::test]
async fn a_rule_that_fails_changes_nothing_and_is_told_of() {
    // Once there are two series, the join has no answer.
    let rules = r#"
groups:
- name: g
  interval: 100ms
  rules:
  - {alert: Joined, expr: cpu > on() limit}
"#;
    let site = Site::new(rules);
    let server = site.start().await;
    push(&server, "limit", "a", 90.0).await;
    push(&server, "cpu", "db1", 95.0).await;
    let before = until_state(&server, "Joined", "firing").await;
    push(&server, "limit", "b", 90.0).await;
    let told = until_state(&server, "RuleFailing", "firing").await;
    assert_eq!(told["labels"]["rule"], "Joined");
    assert_eq!(told["labels"]["group"], "g");
    let joined = until_state(&server, "Joined", "firing").await;
    assert_eq!(before["activeAt"], joined["activeAt"]);
    let rules = get(server.listen(), "/api/v1/rules").await.json();
    let rule = &rules["data"]["groups"][0]["rules"][0];
    assert_eq!(rule["health"], "err");
    assert!(
        rule["lastError"].as_str().unwrap().contains("many-to-many"),
        "{rule}"
    );
    push(&server, "limit", "b", STALE).await;
    until_state(&server, "RuleFailing", "gone").await;
    assert_eq!(transitions(&server, "Joined").await, ["firing"]);
    server.stop(&["a rule failed"]).await;
}

#[tokio::test]
async fn check_config_reads_the_rule_files() {
    let site = Site::new(TWO);
    let check = |site: &Site| run(&["check-config", &site.config().display().to_string()]);
    let (code, out, _) = check(&site);
    assert_eq!((code, out.ends_with(": ok\n")), (0, true), "{out}");
    site.write("groups:\n- name: g\n  rules:\n  - {alert: A, expr: 'cpu >'}\n");
    let (code, _, err) = check(&site);
    assert_eq!(code, 2);
    assert!(err.contains("rules.yml:4:"), "{err}");
}
