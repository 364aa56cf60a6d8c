//! Debian's amtool works against the collector as it does against Alertmanager.

use std::process::Command;

use serde_json::Value;

use super::{FILE, Site, ask, shown};
use crate::server::Server;

/// Runs amtool against a collector, or without one; gives its exit code and both outputs.
fn amtool(site: &Site, server: Option<&Server>, arguments: &[&str]) -> (i32, String, String) {
    let mut command = Command::new("amtool");
    // It reads a configuration of its own from there.
    command.env("HOME", site.folder.path());
    if let Some(server) = server {
        let address = format!("--alertmanager.url=http://{}", server.listen());
        command.args([&address, "--no-version-check"]);
    }
    let output = command.args(arguments).output();
    let output =
        output.unwrap_or_else(|error| panic!("amtool (scripts/setup.sh installs it): {error}"));
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let (out, err) = (text(output.stdout), text(output.stderr));
    (output.status.code().unwrap(), out, err)
}

/// Runs it, and wants it to succeed.
fn works(site: &Site, server: &Server, arguments: &str) -> String {
    let arguments: Vec<&str> = arguments.split_whitespace().collect();
    let (code, out, err) = amtool(site, Some(server), &arguments);
    assert_eq!((code, err.as_str()), (0, ""), "{arguments:?}: {out}");
    out
}

/// The alerts that it lists, each by its labels but the name.
fn alerts(site: &Site, server: &Server, arguments: &str) -> Vec<String> {
    let out = works(site, server, &format!("alert query -o json {arguments}"));
    let alerts: Vec<Value> = serde_json::from_str(&out).unwrap();
    let mut shown: Vec<String> = alerts.iter().map(severity).collect();
    shown.sort();
    shown
}

fn severity(alert: &Value) -> String {
    let severity = alert["labels"]["severity"].as_str();
    severity.unwrap_or("none").to_owned()
}

#[tokio::test]
async fn it_adds_and_queries_alerts() {
    let site = Site::new(FILE);
    let server = site.start().await;
    let add = |labels: &str| works(&site, &server, &format!("alert add {labels}"));
    add("alertname=Disk host=h severity=critical --annotation=summary=full");
    add("alertname=Disk host=h severity=warning team=db");
    add("alertname=Disk host=h severity=page team=db --generator-url=http://p:9090/graph");
    add("Cpu host=h");
    works(&site, &server, "silence add severity=page -c testing");
    for (arguments, expected) in [
        ("", &["critical", "none"][..]),
        ("Disk", &["critical"]),
        ("alertname=Cpu", &["none"]),
        ("host=~h", &["critical", "none"]),
        ("severity!~crit.*", &["none"]),
        ("--inhibited", &["warning"]),
        ("--silenced", &["page"]),
        ("--silenced --receiver=pager", &["page"]),
        ("--silenced --inhibited --receiver=db", &["page", "warning"]),
        ("--active Nothing", &[]),
        ("--unprocessed Cpu", &[]),
    ] {
        assert_eq!(alerts(&site, &server, arguments), expected, "{arguments}");
    }
    let simple = works(&site, &server, "alert query Disk");
    assert!(
        simple.contains("full") && simple.contains("active"),
        "{simple}"
    );
    let extended = works(&site, &server, "alert query -o extended --silenced Disk");
    for part in ["http://p:9090/graph", "suppressed", "severity=\"page\""] {
        assert!(extended.contains(part), "{part}: {extended}");
    }
    // It is over as soon as somebody says so.
    add("Cpu host=h --start=2020-01-01T00:00:00Z --end=2020-01-01T00:00:01Z");
    add("Cpu host=h --end=2020-01-01T00:00:01Z");
    assert_eq!(alerts(&site, &server, "Disk"), ["critical"]);
    let wrong = ["alert", "query", "Disk", "severity=~("];
    let (code, _, err) = amtool(&site, Some(&server), &wrong);
    assert_eq!(code, 1, "{err}");
    server.stop(&[]).await;
}

#[tokio::test]
async fn it_adds_changes_expires_and_imports_silences() {
    let site = Site::new(FILE);
    let server = site.start().await;
    let added = "silence add alertname=Disk host=~h.* team!=web -c why -a ana -d 1h";
    let id = works(&site, &server, added).trim().to_owned();
    let silence = ask(&server, &format!("silence/{id}")).await;
    assert_eq!(silence["status"]["state"], "active");
    assert_eq!(silence["createdBy"], "ana");
    let ends_at = silence["endsAt"].clone();
    let extended = works(&site, &server, "silence query -o extended");
    let matchers = "alertname=\"Disk\"";
    assert!(
        extended.contains(matchers) && extended.contains("why"),
        "{extended}"
    );
    for (arguments, expected) in [
        ("", 1),
        ("Disk", 1),
        ("host=~h.*", 1),
        ("host=h1", 0),
        ("--created-by=ana", 1),
        ("--created-by=bob", 0),
        ("--expired", 0),
        ("--within=2h", 1),
        ("--within=1m", 0),
    ] {
        let ids = works(&site, &server, &format!("silence query -q {arguments}"));
        assert_eq!(ids.lines().count(), expected, "{arguments}: {ids}");
    }
    let updated = works(
        &site,
        &server,
        &format!("silence update -d 5h -c later {id}"),
    );
    assert!(
        updated.contains(&id) && updated.contains("later"),
        "{updated}"
    );
    let silence = ask(&server, &format!("silence/{id}")).await;
    assert!(silence["endsAt"].as_str() > ends_at.as_str(), "{silence}");
    let kept = site.path("silences.json");
    std::fs::write(&kept, works(&site, &server, "silence query -o json")).unwrap();
    works(&site, &server, &format!("silence expire {id}"));
    assert_eq!(works(&site, &server, "silence query -q"), "");
    let expired = works(&site, &server, "silence query -q --expired");
    assert_eq!(expired.trim(), id);
    // What is over begins again under another id.
    let import = format!("silence import {}", shown(&kept));
    let imported = works(&site, &server, &import);
    assert_ne!(imported.trim(), id);
    assert_eq!(works(&site, &server, "silence query -q"), imported);
    works(
        &site,
        &server,
        &format!("silence import --force {}", shown(&kept)),
    );
    assert_eq!(works(&site, &server, "silence query -q").lines().count(), 2);
    server.stop(&[]).await;
}

#[tokio::test]
async fn it_is_told_what_is_wrong_with_silences() {
    let site = Site::new(FILE);
    let server = site.start().await;
    let ahead = "silence add Later -c why --start=2040-01-01T00:00:00Z --end=2040-01-02T00:00:00Z";
    let id = works(&site, &server, ahead).trim().to_owned();
    let pending = ask(&server, &format!("silence/{id}")).await;
    assert_eq!(pending["status"]["state"], "pending");
    for wrong in [
        &[
            "silence",
            "add",
            "Disk",
            "-c",
            "why",
            "--end=2020-01-01T00:00:00Z",
        ][..],
        &["silence", "add", "a=", "-c", "why"],
        &["silence", "expire", "11111111-1111-1111-1111-111111111111"],
        &["silence", "expire", "nothing"],
        &["silence", "update", "-d", "1h", "nothing"],
    ] {
        let (code, out, err) = amtool(&site, Some(&server), wrong);
        assert_eq!(code, 1, "{wrong:?}: {out}{err}");
    }
    server.stop(&[]).await;
}

#[tokio::test]
async fn it_shows_the_configuration_in_force() {
    let secret = "receivers:\n- name: log\n  slack_configs: [{api_url: 'https://hooks.slack.com/s3cr3t', \
                  channel: '#a'}]\n  webhook_configs: [{url: 'http://127.0.0.1:1/s3cr3t'}]\n";
    let site = Site::new(&FILE.replace("receivers:\n- name: log\n", secret));
    let server = site.start().await;
    super::until_routed(&server).await;
    let config = works(&site, &server, "config show");
    assert!(
        config.contains("receiver: db") && !config.contains("s3cr3t"),
        "{config}"
    );
    let routes = works(&site, &server, "config routes");
    assert!(
        routes.contains("{team=\"db\"}  continue: true  receiver: db"),
        "{routes}"
    );
    let test = |labels: &str| works(&site, &server, &format!("config routes test {labels}"));
    assert_eq!(test("severity=page team=db"), "db,pager\n");
    assert_eq!(test("severity=info"), "log\n");
    let cluster = works(&site, &server, "cluster show");
    assert!(cluster.contains("disabled"), "{cluster}");
    let file = shown(&site.file());
    let (code, out, err) = amtool(&site, None, &["check-config", &file]);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    let checked = crate::server::run(&["notify", "check", &file]);
    assert_eq!(checked.0, 0, "{}", checked.1);
    server.stop(&[]).await;
}
