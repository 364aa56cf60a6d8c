use store::labels::Labels;

use super::*;
use crate::incident::{Escalation, IncidentId, Resolved, Span};

fn incident(opened: i64, acknowledged: Option<i64>, resolved: Option<i64>) -> Incident {
    Incident {
        id: IncidentId(1),
        title: "t".to_owned(),
        severity: Severity::High,
        keys: BTreeSet::new(),
        opened_at_ms: opened,
        active_at_ms: opened,
        owner: None,
        acknowledged: None,
        first_acknowledged_at_ms: acknowledged,
        resolved: resolved.map(|at_ms| Resolved { at_ms, by: None }),
        reopened: 0,
        held: false,
        escalation: Escalation::default(),
        alerts: Vec::new(),
    }
}

fn member(labels: &[(&str, &str)], spans: &[(i64, Option<i64>)]) -> Member {
    let spans = spans.iter();
    Member {
        labels: Labels::from_pairs(labels.iter().copied()),
        annotations: Vec::new(),
        group: "g".to_owned(),
        rule: "r".to_owned(),
        severity: Severity::High,
        active_at_ms: 0,
        spans: spans
            .map(|(from_ms, to_ms)| Span {
                from_ms: *from_ms,
                to_ms: *to_ms,
            })
            .collect(),
        earlier: 0,
    }
}

#[test]
fn an_incident_comes_to_numbers() {
    let mut one = incident(1_000, Some(4_000), Some(30_000));
    one.alerts = vec![
        member(
            &[("instance", "b")],
            &[(1_000, Some(5_000)), (8_000, Some(9_000))],
        ),
        member(&[("instance", "a"), ("host", "c")], &[(2_000, Some(6_000))]),
        member(&[("host", "c")], &[(3_000, Some(4_000))]),
        member(&[], &[(20_000, Some(21_000))]),
    ];
    let impact = Impact::of(&one, 99_000);
    let expected = Impact {
        lasted_ms: 20_000,
        firing_ms: 5_000 + 1_000 + 1_000,
        to_acknowledge_ms: Some(3_000),
        to_resolve_ms: Some(20_000),
        alerts: 4,
        firings: 5,
        instances: ["a", "b", "c"].map(str::to_owned).to_vec(),
    };
    assert_eq!(impact, expected);
    // While it lasts, it is measured until now.
    one.resolved = None;
    one.alerts.push(member(&[], &[(90_000, None)]));
    let impact = Impact::of(&one, 99_000);
    assert_eq!((impact.lasted_ms, impact.to_resolve_ms), (98_000, None));
    assert_eq!(impact.firing_ms, 16_000);
}

#[test]
fn means_are_of_what_came_to_pass() {
    let check = |all: &[Incident], acknowledge: Option<i64>, resolve: Option<i64>| {
        let means = Means::of(all, Some(Severity::High));
        assert_eq!(
            (means.to_acknowledge_ms, means.to_resolve_ms),
            (acknowledge, resolve)
        );
        assert_eq!(Means::of(all, Some(Severity::Low)), Means::default());
    };
    check(&[], None, None);
    check(&[incident(0, None, None)], None, None);
    let all = [
        incident(0, Some(100), Some(500)),
        incident(1_000, Some(1_300), None),
        incident(0, None, Some(1_500)),
    ];
    // Without an alert an incident was over when it began.
    check(&all, Some(200), Some(0));
}
