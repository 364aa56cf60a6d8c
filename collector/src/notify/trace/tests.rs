use notify::dispatch::Ending;
use store::labels::Labels;

use super::*;
use crate::notify::desk::Desk;

/// What happens, at a time.
enum Step {
    /// Somebody posts it, with its beginning and its end.
    Post(i64, i64),
    /// Our own rules say that it fires.
    Own,
    /// Nothing.
    Time,
    /// What there is is written.
    Write,
    /// It cannot be written.
    Fail,
}

use Step::{Fail, Own, Post, Time, Write};

fn known(starts_at_ms: i64, ends_at_ms: Option<i64>, source: Source) -> Known {
    let alert = Alert {
        labels: Labels::from_pairs([("alertname", "A")]),
        annotations: Vec::new(),
        starts_at_ms,
        ends_at_ms,
        updated_at_ms: 0,
        generator_url: String::new(),
    };
    Known { alert, source }
}

/// Makes the steps and compares the transitions, as `time transition`.
fn check(steps: &[(i64, Step)], expected: &[&str]) {
    let mut desk = Desk::default();
    let mut events = Vec::new();
    for (now_ms, step) in steps {
        desk.follow_time(*now_ms);
        match step {
            Post(from_ms, to_ms) => {
                let source = Source::Posted(Ending::Said);
                desk.hear(known(*from_ms, Some(*to_ms), source), *now_ms);
            }
            Own => desk.hear(known(0, None, Source::Own { event: 1 }), *now_ms),
            Time => {}
            Write => {
                let changes = desk.trace.take_changes();
                desk.trace.written(&changes, 100);
                events.extend(changes.events);
            }
            Fail => {
                let changes = desk.trace.take_changes();
                desk.trace.put_back(changes);
            }
        }
    }
    events.extend(desk.trace.take_changes().events);
    let found: Vec<String> = events
        .iter()
        .map(|event| format!("{} {:?}", event.at_ms, event.transition))
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn transitions_are_what_changed() {
    check(&[(1, Post(0, 9))], &["1 Fired"]);
    check(
        &[(1, Post(0, 9)), (2, Post(0, 10)), (9, Time)],
        &["1 Fired"],
    );
    check(
        &[(1, Post(0, 9)), (9, Time), (10, Time)],
        &["1 Fired", "9 Resolved"],
    );
    // An end that is said; nothing is known of the alert afterwards.
    check(
        &[(1, Post(0, 9)), (3, Post(0, 2)), (4, Post(0, 9))],
        &["1 Fired", "3 Resolved", "4 Fired"],
    );
    // Its beginning is the same as before, or another.
    check(
        &[(1, Post(0, 9)), (9, Time), (10, Post(0, 20))],
        &["1 Fired", "9 Resolved", "10 Returned"],
    );
    check(
        &[(1, Post(0, 9)), (9, Time), (10, Post(9, 20))],
        &["1 Fired", "9 Resolved", "10 Fired"],
    );
    // What was never heard of as firing leaves nothing.
    check(&[(5, Post(0, 2)), (9, Time)], &[]);
}

#[test]
fn what_cannot_be_written_is_written_later_once() {
    check(
        &[
            (1, Post(0, 9)),
            (1, Fail),
            (2, Post(0, 10)),
            (2, Fail),
            (10, Time),
            (11, Write),
        ],
        &["1 Fired", "10 Resolved"],
    );
    check(
        &[(1, Post(0, 9)), (1, Write), (2, Post(0, 9)), (2, Write)],
        &["1 Fired"],
    );
}

#[test]
fn alerts_of_our_own_are_left_to_their_rules() {
    check(&[(1, Own), (2, Post(0, 9)), (9, Time)], &[]);
    check(
        &[(1, Post(0, 9)), (1, Write), (2, Own), (9, Time)],
        &["1 Fired"],
    );
    // Not written before the rule was heard of, it need not be.
    check(&[(1, Post(0, 9)), (1, Own), (9, Time)], &[]);
}

#[test]
fn notifications_know_the_transitions_that_are_written() {
    let mut desk = Desk::default();
    let source = Source::Posted(Ending::Said);
    desk.hear(known(0, Some(9), source), 1);
    let fingerprint = Fingerprint::of(&Labels::from_pairs([("alertname", "A")]));
    assert_eq!(desk.trace.noted[&fingerprint].event, None);
    let changes = desk.trace.take_changes();
    desk.trace.written(&changes, 7);
    assert_eq!(desk.trace.noted[&fingerprint].event, Some(7));
    desk.follow_time(9);
    let over = Noted {
        event: None,
        phase: NotedPhase::Over,
    };
    assert_eq!(desk.trace.noted[&fingerprint], over);
}
