//! Alertmanager's API as its clients meet it: amtool, a Prometheus that sends alerts, our own commands,
//! and whoever means no good; and beside a real Alertmanager.

mod amtool;
mod beside;
mod hostile;
mod posted;
mod prometheus;
mod silence;

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::client::{Answer, JSON, get, post};
use crate::server::{Server, until};

/// Routes, inhibition and an interval that always mutes.
const FILE: &str = r#"
route:
  receiver: log
  group_by: [alertname]
  group_wait: 0s
  routes:
  - matchers: [team="db"]
    receiver: db
    group_by: ['...']
    continue: true
  - matchers: [severity="page"]
    receiver: pager
    mute_time_intervals: [always]
time_intervals:
- {name: always, time_intervals: [{}]}
inhibit_rules:
- {source_matchers: [severity="critical"], target_matchers: [severity="warning"], equal: [host]}
receivers:
- name: log
- name: db
- name: pager
"#;

/// A data folder with an Alertmanager file that is in use.
struct Site {
    folder: tempfile::TempDir,
}

impl Site {
    fn new(file: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let site = Self { folder };
        std::fs::write(site.file(), file).unwrap();
        let config = format!("[notify]\nconfig = \"{}\"\n", site.file().display());
        std::fs::write(site.path("nightshift.toml"), config).unwrap();
        site
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn file(&self) -> PathBuf {
        self.path("alertmanager.yml")
    }

    async fn start(&self) -> Server {
        let data = self.path("data");
        std::fs::create_dir_all(&data).unwrap();
        let config = self.path("nightshift.toml").display().to_string();
        Server::start_with(&data, &["--config", &config]).await
    }
}

/// Posts JSON to a path of the API.
async fn give(server: &Server, path: &str, body: &str) -> Answer {
    let headers = [("content-type", JSON)];
    let path = format!("/api/v2/{path}");
    post(server.listen(), &path, &headers, body.to_owned()).await
}

/// What a path of the API answers.
async fn ask(server: &Server, path: &str) -> Value {
    let answer = get(server.listen(), &format!("/api/v2/{path}")).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    answer.json()
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// Waits until the configuration is in force.
async fn until_routed(server: &Server) {
    until("the Alertmanager file is in force", async || {
        !ask(server, "receivers")
            .await
            .as_array()
            .unwrap()
            .is_empty()
    })
    .await;
}
