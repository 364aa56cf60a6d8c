use query::promql::LabelledValue;
use rules::file::RuleFile;
use rules::state::{Found, Judgement, State, Timing};
use store::labels::Labels;
use store::read::is_stale;

use super::*;
use crate::state::{Origin, Remembered};
use assemble::Before;

fn found(text: &str, file: &str) -> Vec<files::Found> {
    let read = RuleFile::parse(text.as_bytes()).unwrap();
    let groups = read.groups.into_iter();
    groups
        .map(|group| files::Found {
            file: file.to_owned(),
            group,
        })
        .collect()
}

fn fired(timing: &Timing, at_ms: i64) -> (State, Vec<rules::state::Event>) {
    let labels = Labels::from_pairs([("alertname", "A")]);
    let judgement = Judgement {
        found: vec![Found {
            series: Labels::from_pairs([]),
            labels,
            annotations: Vec::new(),
            value: 1.0,
        }],
        ..Judgement::default()
    };
    State::default().next(timing, judgement, at_ms)
}

fn kept() -> Kept {
    Kept::new(Origin {
        key: "k".to_owned(),
        group: "g".to_owned(),
        rule: "A".to_owned(),
        file: "f".to_owned(),
    })
}

#[test]
fn a_rule_is_found_again_where_it_means_the_same() {
    let config = RulesConfig::default();
    let keys = |text: &str, file: &str| {
        let groups = Before::default().groups(found(text, file), &config);
        let slots = groups.iter().flat_map(|group| &group.slots);
        slots
            .map(|slot| slot.kept.origin.key.clone())
            .collect::<Vec<_>>()
    };
    let group = |rules: &str| format!("groups:\n- name: g\n  rules:\n{rules}");
    let a = "  - {alert: A, expr: up == 0, for: 5m}\n";
    let plain = keys(&group(a), "a.yml");
    let check = |rules: &str, file: &str, expected: bool| {
        let found = keys(&group(rules), file).contains(&plain[0]);
        assert_eq!(found, expected, "{rules}");
    };
    check(a, "b.yml", true);
    check(
        "  - {alert: A, expr: up < 1, for: 1m, annotations: {a: b}}\n",
        "a.yml",
        true,
    );
    check(
        "  - {alert: B, expr: up == 0}\n  - {alert: A, expr: up}\n",
        "a.yml",
        true,
    );
    check(
        "  - {alert: A, expr: up == 0, labels: {a: b}}\n",
        "a.yml",
        false,
    );
    check("  - {alert: B, expr: up == 0}\n", "a.yml", false);
    check("  - {record: A, expr: up == 0}\n", "a.yml", false);
    // Two that are alike are still two.
    let twice = keys(&group(&(a.to_owned() + a)), "a.yml");
    assert_eq!(twice[0], plain[0]);
    assert_ne!(twice[0], twice[1]);
}

#[test]
fn only_what_must_last_is_saved() {
    let timing = Timing::default();
    let mut kept = kept();
    let (state, events) = fired(&timing, 1_000);
    kept.step(state.clone(), events, &["[1]".to_owned()]);
    let (rule, events) = kept.changes();
    assert_eq!(rule.unwrap().alerts.len(), 1);
    assert_eq!(events[0].evidence, "[1]");
    // It could not be saved: it is there the next time as well.
    kept.step(state.clone(), Vec::new(), &[]);
    assert_eq!(kept.changes().1.len(), 1);
    kept.saved();
    assert!(kept.changes().0.is_none() && kept.changes().1.is_empty());
    // Another value is no change.
    let mut other = state;
    other
        .alerts
        .values_mut()
        .for_each(|alert| alert.value = 2.0);
    kept.step(other, Vec::new(), &[]);
    assert!(kept.changes().0.is_none());
    kept.end(2_000);
    let (rule, events) = kept.changes();
    assert_eq!(rule.unwrap().removed.len(), 1);
    assert_eq!(events.len(), 1);
}

#[test]
fn what_waits_to_be_saved_is_bounded() {
    let mut kept = kept();
    for at_ms in 0..3_000 {
        let (state, events) = fired(&Timing::default(), at_ms);
        kept.step(state, events, &[]);
    }
    let (_, events) = kept.changes();
    assert_eq!((events.len(), events[999].at_ms), (1_000, 2_999));
}

#[test]
fn series_that_end_are_marked() {
    let labels = |name: &str| Labels::from_pairs([("a", name)]);
    let given = |names: &[&str]| -> Vec<LabelledValue> {
        let labels = names.iter().map(|name| labels(name));
        labels
            .map(|labels| LabelledValue { labels, value: 1.0 })
            .collect()
    };
    let mut kept = kept();
    let mut written = |names: &[&str]| {
        let rows = kept.rows(&given(names), 5);
        let ended = rows.iter().filter(|row| is_stale(row.sample.value)).count();
        (rows.len() - ended, ended)
    };
    assert_eq!(written(&["x", "y"]), (2, 0));
    assert_eq!(written(&["y"]), (1, 1));
    assert_eq!(written(&[]), (0, 1));
    assert_eq!(written(&[]), (0, 0));
    // After a restart it is known what alerts wrote before.
    let (state, _) = fired(&Timing::default(), 1);
    let origin = kept.origin.clone();
    let mut kept = Kept::remembered(Remembered { origin, state });
    assert_eq!(kept.rows(&[], 5).len(), 2);
}

#[test]
fn a_clock_that_is_set_leaves_alerts_their_age() {
    let timing = Timing {
        hold: Duration::from_secs(60),
        ..Timing::default()
    };
    let mut kept = kept();
    let (state, events) = fired(&timing, 1_000);
    kept.step(state, events, &[]);
    kept.saved();
    kept.shift(3_600_000);
    let alert = kept.state.alerts.values().next().unwrap();
    assert_eq!(alert.active_at_ms, 3_601_000);
    assert!(kept.changes().0.is_some());
}
