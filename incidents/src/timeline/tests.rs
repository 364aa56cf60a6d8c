use serde_json::json;

use super::*;

fn change(became: Became, evidence: serde_json::Value) -> What {
    What::Alert(AlertChange {
        became,
        labels: Labels::from_pairs([("alertname", "PostgresDown"), ("instance", "pg1:5432")]),
        summary: "PostgreSQL pg1:5432 cannot be reached".to_owned(),
        value: "0.123456789".to_owned(),
        active_at_ms: 0,
        evidence,
    })
}

fn check(what: What, expected: &str) {
    let entry = Entry { at_ms: 0, what };
    assert_eq!(entry.sentence(), expected);
    let text = serde_json::to_string(&entry).unwrap();
    let back = serde_json::from_str::<Entry>(&text).unwrap();
    assert_eq!(back, entry, "{text}");
}

#[test]
fn what_befell_is_told_in_words() {
    check(
        change(Became::Fired, json!([])),
        "PostgresDown fires: PostgreSQL pg1:5432 cannot be reached (value 0.12346)",
    );
    check(
        change(Became::Resolved, json!([])),
        "PostgresDown on pg1:5432 is over",
    );
    let escalated = |people: &[&str], receivers: &[&str]| {
        let owned = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect();
        What::Escalated(Escalated {
            policy: "night".to_owned(),
            step: 2,
            people: owned(people),
            receivers: owned(receivers),
        })
    };
    check(
        escalated(&["ann"], &["ann-phone", "ann-mail"]),
        "step 2 of policy night calls ann by ann-phone, ann-mail",
    );
    check(
        escalated(&[], &[]),
        "step 2 of policy night reaches nobody, for nobody is on call",
    );
    check(
        What::Notified(Notified {
            receiver: "team/slack[0]".to_owned(),
            outcome: Outcome::Retrying,
            detail: "HTTP 503".to_owned(),
            alerts: 2,
        }),
        "team/slack[0] could not be told of 2 alerts, it is tried again: HTTP 503",
    );
}

#[test]
fn what_was_done_is_told_in_words() {
    check(
        What::Owned {
            by: "ann".to_owned(),
            owner: Some("ann".to_owned()),
        },
        "ann took it over",
    );
    check(
        What::Setting {
            instance: "pg1:5432".to_owned(),
            name: "work_mem_bytes".to_owned(),
            from: 4_194_304.0,
            to: 67_108_864.0,
        },
        "pg1:5432: setting work_mem_bytes changed from 4194304 to 67108864",
    );
    check(
        What::Role {
            instance: "pg2:5432".to_owned(),
            to: Role::Primary,
        },
        "pg2:5432 became a primary",
    );
}

#[test]
fn evidence_is_told_as_series() {
    let evidence = json!([
        {"metric": {"__name__": "pg_up", "instance": "a\"b"}, "at": 1.0, "value": "0"},
        {"error": "it could not be read"},
        {"metric": {"__name__": "up"}, "at": 1.0, "value": "NaN"},
        {"metric": {"__name__": "x"}, "at": 1.0, "value": "1"},
    ]);
    let entry = Entry {
        at_ms: 0,
        what: change(Became::Fired, evidence),
    };
    assert_eq!(
        entry.evidence(2),
        [r#"pg_up{instance="a\"b"} = 0"#, "up = NaN"]
    );
}

#[test]
fn numbers_and_times_are_for_people() {
    let check = |value: f64, expected: &str| assert_eq!(number(value), expected);
    check(0.0, "0");
    check(1.0 / 3.0, "0.33333");
    check(93.456_789, "93.457");
    check(123_456.789, "123457");
    check(f64::INFINITY, "+Inf");
    check(f64::NAN, "NaN");
    let check = |ms: i64, expected: &str| assert_eq!(length(ms), expected);
    check(-5, "0s");
    check(999, "999ms");
    check(61_999, "1m1s");
    check(90_061_000, "1d1h1m");
    assert_eq!(moment(1_700_000_000_999), "2023-11-14 22:13:20");
    assert_eq!(moment(i64::MAX), "at no time that a calendar has");
}
