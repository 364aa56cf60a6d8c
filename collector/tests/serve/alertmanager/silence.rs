//! `nightshift silence`, and what `nightshift alerts` shows of it.

use serde_json::Value;

use super::{FILE, Site, ask, give, until_routed};
use crate::server::{Server, run};

fn nightshift(server: &Server, arguments: &[&str]) -> (i32, String, String) {
    let collector = format!("http://{}", server.listen());
    run(&[arguments, &["--collector", &collector]].concat())
}

#[tokio::test]
async fn silences_are_added_listed_shown_and_ended() {
    let site = Site::new(FILE);
    let server = site.start().await;
    until_routed(&server).await;
    let alerts = "[{\"labels\":{\"alertname\":\"Disk\",\"host\":\"db1\"}},\
                  {\"labels\":{\"alertname\":\"Disk\",\"host\":\"web1\"}}]";
    assert_eq!(give(&server, "alerts", alerts).await.status, 200);
    let add = [
        "silence",
        "add",
        "Disk",
        "host=~db.*",
        "--for",
        "2h",
        "--comment",
        "new disks",
        "--as",
        "ana",
    ];
    let (code, out, err) = nightshift(&server, &add);
    assert_eq!(code, 0, "{err}");
    assert!(
        err.ends_with("for 2h; 1 alert that fires is quiet now\n"),
        "{err}"
    );
    let id = out.trim().to_owned();
    let silence = ask(&server, &format!("silence/{id}")).await;
    assert_eq!(silence["createdBy"], "ana");
    let (_, out, _) = nightshift(&server, &["silence", "list"]);
    for part in [
        &id,
        "active",
        "1h59m",
        "alertname=\"Disk\" host=~\"db.*\"",
        "ana",
        "new disks",
    ] {
        assert!(out.contains(part), "{part}: {out}");
    }
    let (_, out, _) = nightshift(&server, &["silence", "list", "--match", "host=x"]);
    assert_eq!(out, "no silences\n");
    let begin = &id[..8];
    let (_, out, _) = nightshift(&server, &["silence", "show", begin]);
    assert!(
        out.contains("alertname=Disk host=db1") && !out.contains("web1"),
        "{out}"
    );
    shows_them(&server, &id);
    let (code, out, _) = nightshift(&server, &["silence", "expire", begin]);
    assert_eq!((code, out), (0, format!("{id} ended\n")));
    let (_, out, _) = nightshift(&server, &["silence", "expire", &id]);
    assert!(out.contains("had ended at"), "{out}");
    let (_, out, _) = nightshift(&server, &["silence", "list", "--expired", "-o", "json"]);
    let silences: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(silences[0]["status"]["state"], "expired");
    server.stop(&[]).await;
}

/// The alerts of both hosts, of which one is quiet.
fn shows_them(server: &Server, id: &str) {
    let (_, out, _) = nightshift(server, &["alerts"]);
    let line = |host: &str| out.lines().find(|line| line.contains(host)).unwrap_or(&out);
    assert!(line("db1").starts_with("silenced "), "{out}");
    assert!(
        line("web1").starts_with("firing ") && line("web1").contains(" log"),
        "{out}"
    );
    let (_, out, _) = nightshift(server, &["alerts", "-o", "json"]);
    let told: Value = serde_json::from_str(&out).unwrap();
    let quiet = told["alerts"].as_array().unwrap().iter();
    let quiet: Vec<&Value> = quiet.filter(|alert| alert["silencedBy"][0] == id).collect();
    assert_eq!(quiet[0]["receivers"], serde_json::json!(["log"]), "{out}");
}

/// What is wrong, the exit code, and a part of what is told.
const WRONG: [(&[&str], i32, &str); 9] = [
    (&["add", "a=b"], 2, "--comment"),
    (&["add", "--comment", "why"], 2, "MATCHER"),
    (
        &["add", "a=~(", "--comment", "why"],
        2,
        "hint: write LABEL=VALUE",
    ),
    (
        &["add", "a=", "--comment", "why"],
        2,
        "must not match the empty string",
    ),
    (
        &["add", "a=b", "--for", "0s", "--comment", "why"],
        2,
        "--for 2h",
    ),
    (
        &[
            "add",
            "a=b",
            "--until",
            "2020-01-01T00:00:00Z",
            "--comment",
            "why",
        ],
        2,
        "over already",
    ),
    (
        &[
            "add",
            "a=b",
            "--for",
            "1h",
            "--until",
            "now",
            "--comment",
            "why",
        ],
        2,
        "cannot be used with",
    ),
    (
        &["show", "f00"],
        3,
        "hint: nightshift silence list --expired",
    ),
    (&["expire", "f00"], 3, "there is no silence"),
];

#[tokio::test]
async fn what_is_wrong_is_told_with_what_to_do() {
    let site = Site::new(FILE);
    let server = site.start().await;
    for (arguments, code, part) in WRONG {
        let (found, _, err) = nightshift(&server, &[&["silence"], arguments].concat());
        assert_eq!(found, code, "{arguments:?}: {err}");
        assert!(err.contains(part), "{arguments:?}: {err}");
    }
    let nowhere = ["silence", "list", "--collector", "http://127.0.0.1:1"];
    let (code, _, err) = run(&nowhere);
    assert_eq!(code, 1);
    assert!(err.contains("hint: see that it runs"), "{err}");
    server.stop(&[]).await;
}
