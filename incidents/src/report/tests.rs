use std::collections::BTreeSet;

use serde_json::json;
use store::labels::Labels;

use super::*;
use crate::incident::{Acknowledged, Escalation, IncidentId, Member, Resolved, Severity, Span};
use crate::scope::Key;
use crate::timeline::{AlertChange, Became, Escalated, Notified, Outcome, Role, What};

/// Saturday, 21 November 2026, 03:00 UTC.
const BEGIN: i64 = 1_795_230_000_000;

fn at(minutes: i64) -> i64 {
    BEGIN + minutes * 60_000
}

fn member(name: &str, instance: &str, severity: Severity, spans: &[(i64, Option<i64>)]) -> Member {
    let spans = spans.iter();
    Member {
        labels: Labels::from_pairs([("alertname", name), ("instance", instance)]),
        annotations: vec![("summary".to_owned(), format!("{instance}: {name}"))],
        group: "postgres".to_owned(),
        rule: name.to_owned(),
        severity,
        active_at_ms: at(-1),
        spans: spans
            .map(|(from, to)| Span {
                from_ms: at(*from),
                to_ms: to.map(at),
            })
            .collect(),
        earlier: 0,
    }
}

fn entry(minutes: i64, what: What) -> Entry {
    Entry {
        at_ms: at(minutes),
        what,
    }
}

fn change(member: &Member, became: Became, value: &str) -> What {
    What::Alert(AlertChange {
        became,
        labels: member.labels.clone(),
        summary: member.summary(),
        value: value.to_owned(),
        active_at_ms: member.active_at_ms,
        evidence: json!([{"metric": {"__name__": "cpu", "host": "pg1"}, "at": 1.0, "value": value}]),
    })
}

fn entries(slow: &Member, lag: &Member) -> Vec<Entry> {
    [began(slow, lag), went_on(slow, lag)].concat()
}

fn began(slow: &Member, lag: &Member) -> Vec<Entry> {
    vec![
        entry(
            -12,
            What::Setting {
                instance: "pg1:5432".to_owned(),
                name: "work_mem_bytes".to_owned(),
                from: 4_194_304.0,
                to: 1_073_741_824.0,
            },
        ),
        entry(
            0,
            What::Opened {
                severity: Severity::Medium,
            },
        ),
        entry(0, change(lag, Became::Fired, "135.2")),
        entry(
            1,
            What::Notified(Notified {
                receiver: "team/slack[0]".to_owned(),
                outcome: Outcome::Delivered,
                detail: String::new(),
                alerts: 1,
            }),
        ),
        entry(3, change(slow, Became::Fired, "97.25")),
        entry(
            3,
            What::Raised {
                from: Severity::Medium,
                to: Severity::High,
            },
        ),
    ]
}

fn went_on(slow: &Member, lag: &Member) -> Vec<Entry> {
    let ann = || "ann".to_owned();
    vec![
        entry(
            4,
            What::Escalated(Escalated {
                policy: "night".to_owned(),
                step: 1,
                people: vec![ann()],
                receivers: vec!["ann-phone".to_owned()],
            }),
        ),
        entry(6, What::Acknowledged { by: ann() }),
        entry(
            8,
            What::Note {
                by: ann(),
                text: "set work_mem back\nand reloaded".to_owned(),
            },
        ),
        entry(
            9,
            What::Role {
                instance: "pg2:5432".to_owned(),
                to: Role::Replica,
            },
        ),
        entry(15, change(slow, Became::Resolved, "41")),
        entry(20, change(lag, Became::Resolved, "3")),
        entry(25, What::Resolved { by: None }),
    ]
}

fn chart() -> Chart {
    let values = [
        30.0, 32.0, 35.0, 80.0, 95.0, 97.25, 96.0, 93.0, 91.0, 60.0, 41.0, 38.0,
    ];
    let points = (-2..).step_by(2).zip(values);
    Chart {
        title: "PostgresCpuAndLatency".to_owned(),
        expr: "cpu".to_owned(),
        bound: Some(Bound {
            value: 90.0,
            side: Side::Above,
        }),
        lines: vec![Line {
            name: "instance=pg1:5432".to_owned(),
            points: points.map(|(minute, value)| (at(minute), value)).collect(),
        }],
        more: 0,
        spans: vec![Span {
            from_ms: at(3),
            to_ms: Some(at(15)),
        }],
        from_ms: at(-5),
        to_ms: at(25),
        step_ms: 120_000,
    }
}

fn report() -> Report {
    let slow = member(
        "PostgresCpuAndLatency",
        "pg1:5432",
        Severity::High,
        &[(3, Some(15))],
    );
    let lag = member(
        "ReplicationLagSeconds",
        "pg2:5432",
        Severity::Medium,
        &[(0, Some(20))],
    );
    Report {
        entries: entries(&slow, &lag),
        incident: Incident {
            id: IncidentId(12),
            title: slow.summary(),
            severity: Severity::High,
            keys: BTreeSet::from([
                Key::Cluster("77".to_owned()),
                Key::Host("pg1".to_owned()),
                Key::Host("pg2".to_owned()),
            ]),
            opened_at_ms: at(0),
            active_at_ms: at(20),
            owner: Some("ann".to_owned()),
            acknowledged: Some(Acknowledged {
                at_ms: at(6),
                by: "ann".to_owned(),
            }),
            first_acknowledged_at_ms: Some(at(6)),
            resolved: Some(Resolved {
                at_ms: at(25),
                by: None,
            }),
            reopened: 0,
            held: false,
            escalation: Escalation::default(),
            alerts: vec![lag, slow],
        },
        charts: vec![chart()],
        missing: vec![
            "The chart of ReplicationLagSeconds: its rule is no longer there.".to_owned(),
        ],
        made_at_ms: at(600),
    }
}

#[test]
fn a_post_mortem_is_written() {
    let report = report();
    insta::assert_snapshot!("markdown", report.write(Format::Markdown));
    insta::assert_snapshot!("html", report.write(Format::Html));
    insta::assert_snapshot!("json", report.write(Format::Json));
}

#[test]
fn one_that_lasts_is_written_too() {
    let mut report = report();
    report.incident.resolved = None;
    report.incident.owner = None;
    report.incident.first_acknowledged_at_ms = None;
    report.incident.alerts = vec![member("Down", "pg1:5432", Severity::High, &[(0, None)])];
    report.entries.clear();
    report.charts.clear();
    report.missing.clear();
    insta::assert_snapshot!("lasting", report.write(Format::Markdown));
    report.incident.alerts.clear();
    for format in [Format::Markdown, Format::Html, Format::Json] {
        assert!(!report.write(format).is_empty());
    }
}

/// A page that an attacker would like, in everything that comes from outside.
#[test]
fn hostile_texts_stay_texts() {
    let evil = "\"'</td></svg></style><script>alert(1)</script>\n\n# h\n|x|`y`<img src=x onerror=z>\u{202e}\u{0}";
    let mut report = report();
    let mut bad = member(evil, evil, Severity::High, &[(0, None)]);
    bad.rule = evil.to_owned();
    report.entries = vec![
        entry(0, change(&bad, Became::Fired, evil)),
        entry(
            1,
            What::Note {
                by: evil.to_owned(),
                text: evil.to_owned(),
            },
        ),
        entry(
            2,
            What::Notified(Notified {
                receiver: evil.to_owned(),
                outcome: Outcome::Failed,
                detail: evil.to_owned(),
                alerts: 1,
            }),
        ),
    ];
    let mut told = json!([{"metric": {}, "value": evil}]);
    told[0]["metric"] = json!({"__name__": evil, evil: evil});
    if let What::Alert(change) = &mut report.entries[0].what {
        change.evidence = told;
    }
    report.incident.title = bad.summary();
    report.incident.owner = Some(evil.to_owned());
    report.incident.alerts = vec![bad];
    report.charts[0].title = evil.to_owned();
    report.charts[0].lines[0].name = evil.to_owned();
    report.missing = vec![evil.to_owned()];
    for format in [Format::Markdown, Format::Html] {
        let text = report.write(format);
        for part in ["<script", "<img", "</td></svg>", "\u{202e}", "\u{0}"] {
            assert!(!text.contains(part), "{format}: {part:?} in\n{text}");
        }
        assert_eq!(
            text.matches("</style>").count(),
            usize::from(format == Format::Html)
        );
    }
    // Each row of a table keeps its cells.
    let text = report.write(Format::Markdown);
    assert!(!text.contains("\n# h"), "{text}");
    for line in text
        .lines()
        .filter(|line| line.starts_with("| ") && line.contains("alert(1)"))
    {
        let cells = line.replace("\\|", "").matches('|').count();
        assert!([3, 4, 8].contains(&cells), "{cells}: {line}");
    }
    let back: serde_json::Value = serde_json::from_str(&report.write(Format::Json)).unwrap();
    assert_eq!(back["timeline"][1]["text"], evil);
}

#[test]
fn formats_are_read() {
    for format in [Format::Markdown, Format::Html, Format::Json] {
        assert_eq!(format.to_string().parse(), Ok(format));
    }
    assert!("pdf".parse::<Format>().is_err());
}
