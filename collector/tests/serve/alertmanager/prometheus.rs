//! A Prometheus elsewhere sends its alerts to the collector.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use tokio::task::JoinHandle;

use super::{Site, ask};
use crate::notify::Hook;
use crate::peer;
use crate::server::until;

/// Something that a Prometheus scrapes, of one series with a value that changes.
struct Target {
    address: SocketAddr,
    value: Arc<Mutex<u32>>,
    serving: JoinHandle<()>,
}

impl Target {
    async fn start(value: u32) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let value = Arc::new(Mutex::new(value));
        let shown = async |State(value): State<Arc<Mutex<u32>>>| {
            let value = *value.lock().unwrap();
            format!("cpu{{host=\"db1\"}} {value}\n")
        };
        let routes = Router::new().fallback(shown).with_state(Arc::clone(&value));
        let serving = tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Self {
            address,
            value,
            serving,
        }
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

const RULES: &str = "\
groups:
- name: g
  rules:
  - alert: High
    expr: cpu > 90
    labels: {severity: page}
    annotations: {summary: '{{ $labels.host }} is at {{ $value }}'}
";

#[tokio::test]
async fn its_alerts_are_routed_told_and_resolved() {
    let hook = Hook::start().await;
    let target = Target::start(95).await;
    let site = Site::new(&hook.file(""));
    let server = site.start().await;
    let rules = site.path("rules.yml");
    std::fs::write(&rules, RULES).unwrap();
    let config = format!(
        "global: {{scrape_interval: 200ms, evaluation_interval: 200ms, external_labels: {{site: lab}}}}\n\
         rule_files: ['{}']\n\
         scrape_configs: [{{job_name: target, static_configs: [{{targets: ['{}']}}]}}]\n\
         alerting: {{alertmanagers: [{{static_configs: [{{targets: ['{}']}}]}}]}}\n",
        rules.display(),
        target.address,
        server.listen()
    );
    let theirs = peer::prometheus(
        site.folder.path(),
        &config,
        &["--rules.alert.resend-delay=1s"],
    );
    hook.until_told(1).await;
    assert_eq!(hook.told(), ["firing: db1 firing"]);
    let alerts = ask(&server, "alerts?filter=host=db1").await;
    let alert = &alerts[0];
    assert_eq!(alert["labels"]["site"], "lab");
    assert_eq!(alert["annotations"]["summary"], "db1 is at 95");
    let url = alert["generatorURL"].as_str().unwrap();
    assert!(url.contains("/graph?g0.expr="), "{url}");
    // Sent again and again, it is told once.
    let updated_at = alert["updatedAt"].clone();
    until("it is sent again", async || {
        let alerts = ask(&server, "alerts").await;
        alerts[0]["updatedAt"] != updated_at
    })
    .await;
    *target.value.lock().unwrap() = 5;
    hook.until_told(2).await;
    assert_eq!(
        hook.told(),
        ["firing: db1 firing", "resolved: db1 resolved"]
    );
    until("nothing fires", async || {
        ask(&server, "alerts").await.as_array().unwrap().is_empty()
    })
    .await;
    drop(theirs);
    server.stop(&[]).await;
}
