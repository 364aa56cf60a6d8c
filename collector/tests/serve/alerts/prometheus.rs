//! `/api/v1/rules` and `/api/v1/alerts` beside those of Debian's Prometheus, of the same rule file.

use std::path::Path;

use serde_json::Value;

use super::{Site, evaluated};
use crate::client::get;
use crate::peer::{self, Peer};
use crate::server::until;

const RULES: &str = r#"
groups:
- name: one
  interval: 1s
  limit: 5
  rules:
  - {record: 'a:b', expr: 'vector(1)  +  1'}
  - {record: 'a:c', expr: vector(2), labels: {x: y}}
  - alert: Fires
    expr: vector(3) > 2
    labels: {severity: page, text: '{{ $value }}'}
    annotations: {summary: 'It has {{ $value }}'}
  - {alert: Pends, expr: vector(1), for: 1h, keep_firing_for: 5m}
  - {alert: Quiet, expr: vector(1) > 2}
- name: two
  interval: 1s
  rules:
  - {alert: Fails, expr: 'vector(1) / on() group_left() (label_replace(vector(1), "a", "b", "", "") or vector(1))'}
"#;

/// Prometheus with the rules of the site.
fn beside(site: &Site, folder: &Path) -> Peer {
    let config = format!("rule_files: ['{}']\n", site.rules().display());
    peer::prometheus(folder, &config, &[])
}

/// What differs from run to run: times and the wording of errors.
fn comparable(mut value: Value) -> Value {
    match &mut value {
        Value::Array(items) => items
            .iter_mut()
            .for_each(|item| *item = comparable(item.take())),
        Value::Object(object) => {
            for (key, inner) in object.iter_mut() {
                *inner = match key.as_str() {
                    "evaluationTime" if inner.is_number() => "a number".into(),
                    "lastEvaluation" | "activeAt" | "lastError" if inner.is_string() => {
                        "a text".into()
                    }
                    _ => comparable(inner.take()),
                };
            }
        }
        _ => {}
    }
    value
}

#[tokio::test]
async fn both_tell_the_same_of_the_same_file() {
    let site = Site::new(RULES);
    let server = site.start().await;
    let folder = tempfile::tempdir().unwrap();
    let peer = beside(&site, folder.path());
    evaluated(&server, 6).await;
    until("Prometheus has evaluated all", async || {
        if tokio::net::TcpStream::connect(peer.address).await.is_err() {
            return false;
        }
        let answer = get(peer.address, "/api/v1/rules").await;
        answer.status == 200
            && !answer.text().contains("\"health\":\"unknown\"")
            && answer.text().contains("\"groups\":[{")
    })
    .await;
    for path in [
        "/api/v1/rules",
        "/api/v1/rules?type=alert",
        "/api/v1/rules?type=record",
        "/api/v1/rules?type=nothing",
    ] {
        let (ours, theirs) = (
            get(server.listen(), path).await,
            get(peer.address, path).await,
        );
        assert_eq!(ours.status, theirs.status, "{path}");
        if ours.status == 200 {
            let (ours, theirs) = (
                kept(comparable(ours.json())),
                kept(comparable(theirs.json())),
            );
            assert_eq!(ours, theirs, "{path}");
        }
    }
    let sorted = async |address| {
        let answer = comparable(get(address, "/api/v1/alerts").await.json());
        let mut alerts = answer["data"]["alerts"].as_array().unwrap().clone();
        alerts.retain(|alert| alert["labels"]["alertname"] != "RuleFailing");
        alerts.sort_by_key(ToString::to_string);
        alerts
    };
    assert_eq!(sorted(server.listen()).await, sorted(peer.address).await);
    server.stop(&["a rule failed"]).await;
}

/// Prometheus 2.42 tells of groups of which no rule is asked for as well; Prometheus 3 does not.
fn kept(mut answer: Value) -> Value {
    if let Some(groups) = answer["data"]["groups"].as_array_mut() {
        groups.retain(|group| !group["rules"].as_array().is_none_or(Vec::is_empty));
    }
    answer
}

#[tokio::test]
async fn rules_are_found_by_every_parameter() {
    let site = Site::new(RULES);
    let server = site.start().await;
    evaluated(&server, 6).await;
    let names = async |parameters: &str| {
        let answer = get(server.listen(), &format!("/api/v1/rules?{parameters}"))
            .await
            .json();
        let groups = answer["data"]["groups"].as_array().unwrap().clone();
        let rules = groups
            .iter()
            .flat_map(|group| group["rules"].as_array().unwrap());
        let names: Vec<&str> = rules.map(|rule| rule["name"].as_str().unwrap()).collect();
        (names.join(" "), answer["data"]["groupNextToken"].clone())
    };
    let check = async |parameters: &str, expected: &str| {
        assert_eq!(names(parameters).await.0, expected, "{parameters}");
    };
    let file = site.rules().display().to_string();
    check("rule_name[]=Pends&rule_name[]=a:b", "a:b Pends").await;
    check("rule_group[]=two", "Fails").await;
    check(&format!("file[]={file}&type=record"), "a:b a:c").await;
    check("file[]=other", "").await;
    check("match[]=%7Bseverity=%22page%22%7D", "Fires").await;
    let (first, token) = names("group_limit=1").await;
    assert_eq!(first, "a:b a:c Fires Pends Quiet");
    let next = format!("group_limit=1&group_next_token={}", token.as_str().unwrap());
    assert_eq!(names(&next).await, ("Fails".to_owned(), Value::Null));
    let path = "/api/v1/rules?exclude_alerts=true&rule_name[]=Fires";
    let answer = get(server.listen(), path).await.json();
    let rule = &answer["data"]["groups"][0]["rules"][0];
    assert_eq!(
        (&rule["state"], &rule["alerts"]),
        (&"firing".into(), &Value::Array(vec![]))
    );
    for wrong in [
        "group_limit=0",
        "group_limit=x",
        "group_next_token=1",
        "group_limit=1&group_next_token=1",
        "exclude_alerts=perhaps",
        "type=all",
    ] {
        let answer = get(server.listen(), &format!("/api/v1/rules?{wrong}")).await;
        assert_eq!(answer.status, 400, "{wrong}");
    }
    server.stop(&["a rule failed"]).await;
}
