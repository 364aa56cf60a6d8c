//! Notifications as their receivers get them: a rule, an Alertmanager file and a webhook.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use nix::sys::signal::Signal;
use serde_json::Value;
use tokio::task::JoinHandle;

use crate::alerts::{Site, history, push, until_state};
use crate::client::get;
use crate::server::{Server, run, until};

const RULES: &str = r#"
groups:
- name: g
  interval: 100ms
  rules:
  - alert: High
    expr: cpu > 90
    annotations: {summary: "{{ $labels.host }} is at {{ $value }}"}
"#;

/// A webhook that remembers what it got, and answers as it is told.
pub(super) struct Hook {
    pub(super) address: SocketAddr,
    shared: Arc<Shared>,
    serving: JoinHandle<()>,
}

struct Shared {
    status: Mutex<StatusCode>,
    got: Mutex<Vec<(StatusCode, Value)>>,
}

impl Hook {
    pub(super) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            status: Mutex::new(StatusCode::OK),
            got: Mutex::default(),
        });
        let routes = Router::new()
            .fallback(answer)
            .with_state(Arc::clone(&shared));
        let serving = tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Self {
            address,
            shared,
            serving,
        }
    }

    fn answers(&self, status: u16) {
        *self.shared.status.lock().unwrap() = StatusCode::from_u16(status).unwrap();
    }

    /// What arrived, as `status: host of each alert with its own status`.
    pub(super) fn told(&self) -> Vec<String> {
        let got = self.shared.got.lock().unwrap();
        let taken = got.iter().filter(|(status, _)| status.is_success());
        taken.map(|(_, body)| shown(body)).collect()
    }

    fn refused(&self) -> usize {
        let got = self.shared.got.lock().unwrap();
        got.iter()
            .filter(|(status, _)| !status.is_success())
            .count()
    }

    pub(super) async fn until_told(&self, count: usize) {
        until(&format!("the webhook got {count}"), async || {
            self.told().len() >= count
        })
        .await;
    }

    pub(super) fn file(&self, more: &str) -> String {
        format!(
            "route: {{receiver: hook, group_by: [host], group_wait: 0s, group_interval: 200ms, \
             repeat_interval: 4h}}\n\
             receivers:\n- name: hook\n  webhook_configs: [{{url: 'http://{}/'}}]\n{more}",
            self.address
        )
    }
}

impl Drop for Hook {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn answer(State(shared): State<Arc<Shared>>, body: axum::body::Bytes) -> Response {
    let status = *shared.status.lock().unwrap();
    let body = serde_json::from_slice(&body).unwrap();
    shared.got.lock().unwrap().push((status, body));
    status.into_response()
}

fn shown(body: &Value) -> String {
    let alerts = body["alerts"].as_array().unwrap().iter();
    let alerts = alerts.map(|alert| {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        format!(
            "{} {}",
            text(&alert["labels"]["host"]),
            text(&alert["status"])
        )
    });
    let alerts: Vec<String> = alerts.collect();
    format!(
        "{}: {}",
        body["status"].as_str().unwrap(),
        alerts.join(", ")
    )
}

/// A folder whose configuration names an Alertmanager file in it, which is not there yet.
fn site() -> (Site, std::path::PathBuf) {
    let site = Site::new(RULES);
    let file = site.rules().with_file_name("alertmanager.yaml");
    let config = std::fs::read_to_string(site.config()).unwrap();
    let config = format!("{config}[notify]\nconfig = \"{}\"\n", file.display());
    std::fs::write(site.config(), config).unwrap();
    (site, file)
}

async fn until_logged(server: &Server, text: &str) {
    until(&format!("the log has {text:?}"), async || {
        server.log().contains(text)
    })
    .await;
}

/// Until so many transitions came to pass, and of each of them somebody was told.
async fn until_noted(server: &Server, count: usize) {
    until("who was told is noted", async || {
        let events = history(server, "High").await;
        let told = |event: &Value| event["told"][0]["outcome"] == "delivered";
        events.len() == count && events.iter().all(told)
    })
    .await;
}

#[tokio::test]
async fn an_alert_is_told_once_over_kills_and_an_outage_of_its_receiver() {
    let (site, file) = site();
    let hook = Hook::start().await;
    std::fs::write(&file, hook.file("")).unwrap();
    let server = site.start().await;
    push(&server, "cpu", "db1", 95.0).await;
    hook.until_told(1).await;
    assert_eq!(hook.told(), ["firing: db1 firing"]);
    let summary = {
        let got = hook.shared.got.lock().unwrap();
        got[0].1["alerts"][0]["annotations"]["summary"].clone()
    };
    assert_eq!(summary, "db1 is at 95");
    // Killed before it is noted it would be sent again, with the same key.
    until_noted(&server, 1).await;
    server.kill().await;
    // Away while the next one fires; the collector is killed while it knows.
    hook.answers(503);
    let server = site.start().await;
    push(&server, "cpu", "db1", 95.0).await;
    push(&server, "cpu", "db2", 99.0).await;
    until("the webhook refused one", async || hook.refused() > 0).await;
    server.kill().await;
    let server = site.start().await;
    hook.answers(200);
    hook.until_told(2).await;
    assert_eq!(hook.told()[1], "firing: db2 firing");
    push(&server, "cpu", "db1", 5.0).await;
    push(&server, "cpu", "db2", 99.0).await;
    hook.until_told(3).await;
    assert_eq!(hook.told()[2], "resolved: db1 resolved");
    until_noted(&server, 3).await;
    let events = history(&server, "High").await;
    assert_eq!(events[0]["told"][0]["integration"], "hook/webhook[0]");
    let collector = format!("http://{}", server.listen());
    let shown = run(&["alerts", "history", "--collector", &collector]);
    assert!(shown.1.contains("hook/webhook[0] 20"), "{}", shown.1);
    until("the outbox is counted", async || {
        let text = get(server.listen(), "/metrics").await.text();
        text.contains("nightshift_outbox_rows{state=\"delivered\"} 3")
    })
    .await;
    let waiting = server
        .metric("nightshift_outbox_rows{state=\"waiting\"}")
        .await;
    assert_eq!(waiting, 0.0);
    assert_eq!(hook.told().len(), 3);
    server.stop(&[]).await;
}

#[tokio::test]
async fn a_wrong_file_tells_nobody_at_a_start_and_changes_nothing_at_a_reload() {
    let (site, file) = site();
    let hook = Hook::start().await;
    std::fs::write(&file, "route: {receiver: nobody}\n").unwrap();
    let server = site.start().await;
    push(&server, "cpu", "db1", 95.0).await;
    until_state(&server, "High", "firing").await;
    until_logged(&server, "nobody is told").await;
    let expected = ["the Alertmanager file is wrong; nobody is told"];
    std::fs::write(&file, hook.file("")).unwrap();
    server.signal(Signal::SIGHUP);
    hook.until_told(1).await;
    assert_eq!(hook.told(), ["firing: db1 firing"]);
    std::fs::write(&file, hook.file("tmplates: []\n")).unwrap();
    server.signal(Signal::SIGHUP);
    let wrong = "the Alertmanager file is wrong; not reloaded";
    until_logged(&server, wrong).await;
    push(&server, "cpu", "db1", 95.0).await;
    push(&server, "cpu", "db2", 95.0).await;
    hook.until_told(2).await;
    // A right one again, which tells nothing again.
    std::fs::write(&file, hook.file("templates: []\n")).unwrap();
    server.signal(Signal::SIGHUP);
    until_logged(&server, "the Alertmanager file is reloaded").await;
    push(&server, "cpu", "db2", 5.0).await;
    hook.until_told(3).await;
    assert_eq!(hook.told()[2], "resolved: db2 resolved");
    server.stop(&[expected[0], wrong]).await;
}

#[tokio::test]
async fn without_a_file_alerts_are_known_and_the_log_says_what_to_do() {
    let site = Site::new(RULES);
    let server = site.start().await;
    push(&server, "cpu", "db1", 95.0).await;
    until_state(&server, "High", "firing").await;
    until_logged(&server, "write /etc/nightshift/alertmanager.yml").await;
    until("it is counted", async || {
        let text = get(server.listen(), "/metrics").await.text();
        text.contains("alertmanager_alerts{state=\"active\"} 1")
    })
    .await;
    server.stop(&[]).await;
}

#[tokio::test]
async fn check_config_reads_the_alertmanager_file() {
    let (site, file) = site();
    let check = |code: i32, parts: &[&str]| {
        let (found, out, err) = run(&["check-config", &site.config().display().to_string()]);
        assert_eq!(found, code, "{out}{err}");
        for part in parts {
            assert!(format!("{out}{err}").contains(part), "{part}:\n{out}{err}");
        }
    };
    let path = file.display().to_string();
    // It is named, so it has to be there.
    check(2, &[&format!("{path}: cannot read it")]);
    std::fs::write(&file, "route: {receiver: a}\nreceivers:\n- name: a\n").unwrap();
    check(0, &[": ok"]);
    // All that is wrong, with its place and what to do, and beside it what is wrong with rules.
    let wrong = "route:\n  receiver: nobody\n  group_wait: soon\nreceivers:\n- name: a\n  sms_configs: []\n";
    std::fs::write(&file, wrong).unwrap();
    site.write("groups:\n- name: g\n  rules:\n  - {alert: A, expr: 'cpu >'}\n");
    check(
        2,
        &[
            "rules.yml:4:",
            &format!("{path}:2:13: "),
            &format!("{path}:3:15: group_wait: not a duration"),
            &format!("{path}:6:3: "),
            "hint: write it as 30s",
        ],
    );
    // The same as its own command says of it.
    let (code, out, _) = run(&["notify", "check", &path]);
    assert_eq!(code, 1);
    for place in [":2:13: ", ":3:15: ", ":6:3: "] {
        assert!(out.contains(&format!("{path}{place}")), "{out}");
    }
    // A template that it names is part of it.
    std::fs::write(
        &file,
        "route: {receiver: a}\nreceivers:\n- name: a\ntemplates: [a.tmpl]\n",
    )
    .unwrap();
    site.write(RULES);
    std::fs::write(file.with_file_name("a.tmpl"), "{{ define \"x\" }}").unwrap();
    check(2, &["a.tmpl:1:"]);
}

#[tokio::test]
async fn check_config_does_without_an_alertmanager_file() {
    let site = Site::new(RULES);
    let (code, out, err) = run(&["check-config", &site.config().display().to_string()]);
    assert_eq!((code, out.ends_with(": ok\n")), (0, true), "{out}{err}");
}

#[tokio::test]
async fn a_notification_that_is_given_up_is_in_the_history_and_no_incident() {
    let (site, file) = site();
    let hook = Hook::start().await;
    std::fs::write(&file, hook.file("")).unwrap();
    let server = site.start().await;
    hook.answers(400);
    push(&server, "cpu", "db1", 95.0).await;
    until("it is in the history", async || {
        history(&server, "NotificationGivenUp").await.len() == 1
    })
    .await;
    let given_up = &history(&server, "NotificationGivenUp").await[0];
    assert_eq!(given_up["transition"], "firing");
    assert_eq!(given_up["source"], "posted");
    assert_eq!(given_up["labels"]["integration"], "hook/webhook[0]");
    // Nor is it told of itself for ever.
    let refused = async || {
        let text = get(server.listen(), "/metrics").await.text();
        text.contains("nightshift_outbox_rows{state=\"refused\"} 2")
    };
    until("both are refused", refused).await;
    // What was followed up to then is one incident, of the alert that was refused.
    hook.answers(200);
    push(&server, "cpu", "db1", 5.0).await;
    until("its end is followed", async || {
        let all = get(server.listen(), "/api/incidents").await.json();
        let all = all["data"]["incidents"].as_array().unwrap().clone();
        all.len() == 1 && all[0]["impact"]["alerts"] == 1 && all[0]["firing"] == 0
    })
    .await;
    server.stop(&["a receiver refused a notification"]).await;
}
