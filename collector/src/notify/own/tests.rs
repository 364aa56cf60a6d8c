use std::time::Duration;

use rules::file::RuleFile;

use super::*;
use crate::judge::{Report, RuleStatus, Tally};

const RULES: &str = "
groups:
- name: g
  rules:
  - {alert: A, expr: 'cpu > 1 + 2', flap: 10m}
  - {alert: B, expr: up == 0}
";

fn rules() -> OwnRules {
    let file = RuleFile::parse(RULES.as_bytes()).unwrap();
    let rules = file.groups[0].rules.iter().map(|rule| RuleStatus {
        rule: Arc::new(rule.clone()),
        state: Arc::default(),
        report: Report::default(),
    });
    let status = GroupStatus {
        file: "f".to_owned(),
        name: "g".to_owned(),
        interval: Duration::from_secs(15),
        limit: None,
        evaluation_time: Duration::ZERO,
        last_evaluation_ms: None,
        rules: rules.collect(),
        failing: Arc::default(),
        tally: Tally::default(),
    };
    let board = Board::default();
    board.replace(std::iter::once(status));
    OwnRules::of(&board)
}

fn told(rule: &str, transition: &str, at_ms: i64) -> Told {
    Told {
        source: crate::state::EventSource::Rule,
        id: at_ms,
        at_ms,
        transition: transition.to_owned(),
        group: "g".to_owned(),
        rule: rule.to_owned(),
        file: "f".to_owned(),
        labels: Labels::from_pairs([("alertname", rule)]),
        annotations: Vec::new(),
        value: 1.0,
        active_at_ms: 1,
        evidence: "[]".to_owned(),
    }
}

/// Start and end after transitions of a rule, in their order.
fn check(rule: &str, transitions: &[(&str, i64)], expected: Option<(i64, Option<i64>)>) {
    let rules = rules();
    let mut known: Option<Known> = None;
    for (transition, at_ms) in transitions {
        let heard = rules.heard(&told(rule, transition, *at_ms), known.as_ref(), "http://x");
        known = heard.or(known);
    }
    let times = known.map(|known| (known.alert.starts_at_ms, known.alert.ends_at_ms));
    assert_eq!(times, expected, "{transitions:?}");
}

#[test]
fn transitions_become_alerts() {
    check("B", &[("pending", 5)], None);
    check("B", &[("pending", 5), ("dropped", 6)], None);
    check("B", &[("pending", 5), ("firing", 6)], Some((6, None)));
    check("B", &[("firing", 6), ("resolved", 9)], Some((6, Some(9))));
    // Nobody was told that it fires.
    check("B", &[("resolved", 9)], None);
    // A rule that is no more has no `flap`.
    check("C", &[("firing", 6), ("resolved", 9)], Some((6, Some(9))));
}

#[test]
fn the_end_of_an_episode_counts_once_it_cannot_go_on() {
    let end = Some((6, Some(600_009)));
    check("A", &[("firing", 6), ("resolved", 9)], end);
    let returned = [("firing", 6), ("resolved", 9), ("returned", 300_000)];
    check("A", &returned, Some((6, None)));
}

#[test]
fn alerts_lead_to_their_expression() {
    let heard = rules().heard(&told("A", "firing", 6), None, "http://x:1");
    let url = heard.unwrap().alert.generator_url;
    assert_eq!(url, "http://x:1/graph?g0.expr=cpu+%3E+1+%2B+2&g0.tab=1");
}
