use super::*;
use crate::config::Kind;

fn integration() -> IntegrationId {
    IntegrationId {
        receiver: "team".to_owned(),
        kind: Kind::Pagerduty,
        index: 0,
    }
}

/// `+A` fires, `-A` is over.
fn telling(group: &str, alerts: &str, reason: Reason) -> Telling {
    let entries = alerts.split_whitespace().map(|text| {
        let (sign, name) = text.split_at(1);
        let labels = Labels::from_pairs([("alertname", name)]);
        let is_firing = sign == "+";
        let alert = Alert {
            labels,
            annotations: Vec::new(),
            starts_at_ms: 0,
            ends_at_ms: (!is_firing).then_some(5),
            updated_at_ms: 0,
            generator_url: String::new(),
        };
        let told = ToldAlert {
            fingerprint: alert.fingerprint(),
            event: Some(7),
            is_firing,
        };
        (told, alert)
    });
    let (told, alerts) = entries.unzip();
    Telling {
        integration: integration(),
        notification: Notification {
            receiver: "team".to_owned(),
            group_key: group.to_owned(),
            group_labels: Labels::from_pairs([("host", group)]),
            alerts,
            truncated: 0,
            at_ms: 5,
            external_url: "http://here".to_owned(),
            reason,
        },
        alerts: told,
    }
}

/// Group, alerts and reason of each telling; what is told then.
type Step<'a> = (&'a [(&'a str, &'a str, Reason)], Option<&'a str>);

/// Folds steps of `group: alerts` and compares what is told after each.
fn check(steps: &[Step<'_>]) {
    let mut digest = Digest::new(integration(), 3);
    for (tellings, expected) in steps {
        let tellings = tellings.iter();
        let tellings = tellings.map(|(group, alerts, reason)| telling(group, alerts, *reason));
        let told = digest.fold(tellings.collect(), 10);
        let shown = told.as_ref().map(|told| {
            assert_eq!(told.notification.group_key, "digest:team/pagerduty[0]:3");
            assert_eq!(told.notification.reason, Reason::Digest);
            let alerts = told.notification.alerts.iter().zip(&told.alerts);
            let shown: Vec<String> = alerts
                .map(|(alert, told)| {
                    assert_eq!(alert.is_resolved(10), !told.is_firing);
                    let sign = if told.is_firing { '+' } else { '-' };
                    format!("{sign}{}", alert.name())
                })
                .collect();
            shown.join(" ")
        });
        assert_eq!(
            shown.as_deref(),
            *expected,
            "{tellings:?}",
            tellings = steps
        );
        // It is kept as text from one step to the next.
        let text = serde_json::to_string(&digest).unwrap();
        assert_eq!(serde_json::from_str::<Digest>(&text).unwrap(), digest);
    }
}

#[test]
fn a_storm_is_told_at_its_start_with_news_and_at_its_end() {
    use Reason::{First, More, Repeat, Resolved};
    check(&[
        (
            &[("a", "+A", First), ("b", "+B", First), ("c", "+C", First)],
            Some("+A +B +C"),
        ),
        (&[("a", "-A", Resolved)], None),
        (&[("b", "+B -B2", More)], None),
        (&[("b", "+B +D", More)], Some("+B +D +C -B2 -A")),
        (&[("b", "+B +D", Repeat)], Some("+B +D +C -B2 -A")),
        (&[("c", "-C", Resolved)], None),
        (&[("b", "-B -D", Resolved)], Some("-D -B -C -B2 -A")),
    ]);
}

#[test]
fn what_began_and_ended_while_it_waited_is_told_as_over() {
    use Reason::{First, Resolved};
    check(&[(
        &[
            ("a", "+A", First),
            ("a", "-A", Resolved),
            ("b", "+B", First),
        ],
        Some("+B -A"),
    )]);
    check(&[(&[("a", "+A", First), ("a", "-A", Resolved)], Some("-A"))]);
}

#[test]
fn an_alert_of_two_groups_is_told_once() {
    let first = Reason::First;
    check(&[(
        &[
            ("a", "+A", first),
            ("b", "+A -B", first),
            ("c", "+B", first),
        ],
        Some("+A +B"),
    )]);
}

#[test]
fn groups_know_when_they_have_left() {
    let mut digest = Digest::new(integration(), 1);
    assert!(is_digest(&digest.key) && !is_digest("{}:{}"));
    digest.fold(
        vec![
            telling("a", "+A", Reason::First),
            telling("b", "+B", Reason::First),
        ],
        1,
    );
    assert_eq!(digest.groups().collect::<Vec<_>>(), ["a", "b"]);
    digest.fold(vec![telling("a", "-A", Reason::Resolved)], 2);
    assert_eq!(digest.groups().collect::<Vec<_>>(), ["b"]);
    assert!(!digest.is_over());
    digest.fold(vec![telling("b", "-B", Reason::Resolved)], 3);
    assert!(digest.is_over());
    assert_eq!(digest.told_at_ms, 3);
    assert_eq!(digest.fold(Vec::new(), 4), None);
}
