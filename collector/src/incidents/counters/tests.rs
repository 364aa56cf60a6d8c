use std::time::Duration;

use incidents::book::{AlertEvent, Book, Deed, Rules};
use incidents::incident::IncidentId;
use incidents::scope::{Key, Scope};
use incidents::timeline::Became;
use store::labels::Labels;

use super::*;

const RULES: Rules = Rules {
    window: Duration::from_secs(600),
    resolve_after: Duration::ZERO,
};

fn fired(severity: &str) -> AlertEvent {
    AlertEvent {
        at_ms: 0,
        became: Became::Fired,
        group: String::new(),
        rule: "A".to_owned(),
        labels: Labels::from_pairs([("alertname", "A"), ("severity", severity)]),
        annotations: Vec::new(),
        value: String::new(),
        active_at_ms: 0,
        evidence: serde_json::json!([]),
    }
}

/// Makes steps one after another, each a change of its own.
fn counted(steps: &[&dyn Fn(&mut Book)]) -> Counters {
    let counters = Counters::default();
    let (mut incidents, mut last) = (Vec::<Incident>::new(), 0);
    for step in steps {
        let mut book = Book::new(RULES, incidents.clone(), last);
        step(&mut book);
        let outcome = book.into_outcome();
        counters.count(&outcome);
        last = outcome.last;
        for changed in outcome.changed {
            incidents.retain(|one| one.id != changed.id);
            incidents.push(changed);
        }
    }
    counters
}

fn written(counters: &Counters) -> String {
    let mut out = Exposition::default();
    counters.write(&mut out);
    out.finish()
}

fn check(text: &str, lines: &[&str]) {
    for line in lines {
        assert!(text.lines().any(|one| one == *line), "{line}\n{text}");
    }
}

#[test]
fn beginnings_and_ends_are_counted_with_the_time_between() {
    let act = |deed: Deed, at_ms: i64| {
        move |book: &mut Book| book.act(IncidentId(1), "ann", &deed, at_ms).unwrap()
    };
    let open = |book: &mut Book| {
        let scope = Scope {
            own: [Key::Host("a".to_owned())].into(),
            ..Scope::default()
        };
        book.observe(&fired("high"), &scope);
    };
    let counters = counted(&[
        &open,
        &act(Deed::Acknowledge, 90_000),
        // The first one counts.
        &act(Deed::Acknowledge, 200_000),
        &act(Deed::Note("x".to_owned()), 90_000),
        &act(Deed::Resolve, 600_000),
        &act(Deed::Reopen, 700_000),
        &act(Deed::Resolve, 1_000_000),
    ]);
    let of = "severity=\"high\"";
    check(
        &written(&counters),
        &[
            "nightshift_incidents_opened_total{severity=\"high\"} 1",
            "nightshift_incidents_opened_total{severity=\"low\"} 0",
            "nightshift_incidents_reopened_total{severity=\"high\"} 1",
            "nightshift_incidents_resolved_total{severity=\"high\"} 2",
            &format!("nightshift_incident_acknowledge_seconds_bucket{{{of},le=\"60\"}} 0"),
            &format!("nightshift_incident_acknowledge_seconds_bucket{{{of},le=\"300\"}} 1"),
            &format!("nightshift_incident_acknowledge_seconds_bucket{{{of},le=\"+Inf\"}} 1"),
            &format!("nightshift_incident_acknowledge_seconds_sum{{{of}}} 90"),
            &format!("nightshift_incident_acknowledge_seconds_count{{{of}}} 1"),
            &format!("nightshift_incident_resolve_seconds_sum{{{of}}} 1600"),
            &format!("nightshift_incident_resolve_seconds_count{{{of}}} 2"),
        ],
    );
}

#[test]
fn how_many_there_are_is_left_out_until_it_is_known() {
    let counters = Counters::default();
    assert!(!written(&counters).contains("nightshift_incidents{"));
    counters.see([((Severity::Low, Status::Acknowledged), 3)].into());
    check(
        &written(&counters),
        &[
            "nightshift_incidents{severity=\"low\",state=\"acknowledged\"} 3",
            "nightshift_incidents{severity=\"low\",state=\"open\"} 0",
            "nightshift_incidents{severity=\"high\",state=\"open\"} 0",
        ],
    );
}
