use proptest::prelude::*;

use super::step::KEPT_PENDING;
use super::*;

const SECOND: i64 = 1_000;

fn labels(name: &str) -> Labels {
    Labels::from_pairs([("host", name)])
}

fn found(name: &str) -> Found {
    Found {
        series: labels(name),
        labels: Labels::from_pairs([("alertname", "A"), ("host", name)]),
        annotations: Vec::new(),
        value: 1.0,
    }
}

fn of(names: &[&str]) -> Judgement {
    Judgement {
        found: names.iter().map(|name| found(name)).collect(),
        ..Judgement::default()
    }
}

/// Of alerts of whom some are there, and one by one what was found.
fn present(found: &[&str], present: &[&str]) -> Judgement {
    Judgement {
        present: Some(present.iter().map(|name| labels(name)).collect()),
        ..of(found)
    }
}

fn timing(hold: u64, keep: u64, flap: u64) -> Timing {
    Timing {
        hold: Duration::from_secs(hold),
        keep_firing_for: Duration::from_secs(keep),
        flap: (flap > 0).then(|| Duration::from_secs(flap)),
    }
}

/// Steps through what was found at which second; the letters say what came to pass: p(ended),
/// F(ired), r(eturned), R(esolved), d(ropped), and `.` for nothing.
fn run(timing: Timing, steps: Vec<(i64, Judgement)>) -> String {
    let mut state = State::default();
    let mut story = Vec::new();
    for (second, judgement) in steps {
        let (next, events) = state.next(&timing, judgement, second * SECOND);
        state = next;
        story.push(letters(&events));
    }
    story.join(" ")
}

fn letters(events: &[Event]) -> String {
    let letters: String = events
        .iter()
        .map(|event| match event.transition {
            Transition::Pended => 'p',
            Transition::Fired => 'F',
            Transition::Returned => 'r',
            Transition::Resolved => 'R',
            Transition::Dropped => 'd',
        })
        .collect();
    if letters.is_empty() {
        ".".to_owned()
    } else {
        letters
    }
}

fn check(timing: Timing, steps: Vec<(i64, Judgement)>, expected: &str) {
    assert_eq!(run(timing, steps), expected);
}

#[test]
fn it_fires_after_its_time_and_not_before() {
    let up = || of(&["a"]);
    let none = || of(&[]);
    check(
        timing(0, 0, 0),
        vec![(0, up()), (1, up()), (2, none()), (3, none())],
        "F . R .",
    );
    check(
        timing(60, 0, 0),
        vec![(0, up()), (59, up()), (60, up()), (61, none())],
        "p . F R",
    );
    check(
        timing(60, 0, 0),
        vec![
            (0, up()),
            (30, none()),
            (60, up()),
            (119, up()),
            (120, up()),
        ],
        "p d p . F",
    );
    // Two alerts of one rule have each their own time.
    let both = || of(&["a", "b"]);
    check(
        timing(10, 0, 0),
        vec![
            (0, up()),
            (5, both()),
            (10, both()),
            (15, both()),
            (16, none()),
        ],
        "p p F F RR",
    );
}

#[test]
fn it_goes_on_firing_as_long_as_it_should() {
    let up = || of(&["a"]);
    let none = || of(&[]);
    let steps = vec![(0, up()), (1, none()), (60, none()), (61, none())];
    check(timing(0, 60, 0), steps, "F . . R");
    let steps = vec![
        (0, up()),
        (1, none()),
        (50, up()),
        (70, none()),
        (129, none()),
        (130, none()),
    ];
    check(timing(0, 60, 0), steps, "F . . . . R");
    // What did not fire yet is not kept.
    check(timing(60, 60, 0), vec![(0, up()), (30, none())], "p d");
}

#[test]
fn it_resolves_only_once_it_is_clear() {
    let cleared = |by: &[Labels]| Judgement {
        clear: Some(by.to_vec()),
        ..of(&[])
    };
    let up = || of(&["a"]);
    let other = Labels::from_pairs([("__name__", "x"), ("host", "b")]);
    let own = Labels::from_pairs([("__name__", "x"), ("host", "a"), ("more", "c")]);
    let all = Labels::from_pairs([]);
    check(
        timing(0, 0, 0),
        vec![
            (0, up()),
            (1, cleared(&[])),
            (2, cleared(&[other])),
            (3, cleared(&[own])),
        ],
        "F . . R",
    );
    check(
        timing(0, 0, 0),
        vec![(0, up()), (1, cleared(&[all]))],
        "F R",
    );
}

#[test]
fn a_missing_series_can_leave_it_as_it_is() {
    let gone = || present(&[], &[]);
    let fine = || present(&[], &["a"]);
    let up = || present(&["a"], &["a"]);
    // Pending rides over it, with the same start, and fires with the next result.
    check(
        timing(60, 0, 0),
        vec![(0, up()), (30, gone()), (60, gone()), (61, up())],
        "p . . F",
    );
    check(timing(60, 0, 0), vec![(0, up()), (30, fine())], "p d");
    // Firing does too, for as long as it takes.
    check(
        timing(0, 0, 0),
        vec![
            (0, up()),
            (1, gone()),
            (1_000_000, gone()),
            (1_000_001, fine()),
        ],
        "F . . R",
    );
    // What pended and went away for good is let go.
    check(
        timing(60, 0, 0),
        vec![(0, up()), (1, gone()), (3_601, gone()), (3_602, gone())],
        "p . . d",
    );
}

#[test]
fn coming_back_soon_goes_on_with_the_episode() {
    let up = || of(&["a"]);
    let none = || of(&[]);
    let steps = vec![
        (0, up()),
        (60, up()),
        (70, none()),
        (130, up()),
        (140, none()),
        (201, up()),
    ];
    check(timing(60, 0, 60), steps, "p F R r R p");
    let mut state = State::default();
    for (second, judgement) in [(0, up()), (10, none()), (20, up())] {
        state = state.next(&timing(0, 0, 60), judgement, second * SECOND).0;
    }
    let alert = state.active().next().unwrap();
    assert_eq!((alert.active_at_ms, alert.returns), (0, 1));
    let fired_at_ms = 0;
    assert_eq!(
        alert.phase,
        Phase::Firing {
            fired_at_ms,
            gone_since_ms: None
        }
    );
}

#[test]
fn what_resolved_is_remembered_for_a_while() {
    let mut state = State::default();
    for (second, judgement) in [(0, of(&["a"])), (1, of(&[])), (901, of(&[]))] {
        state = state.next(&timing(0, 0, 0), judgement, second * SECOND).0;
    }
    assert_eq!((state.alerts.len(), state.active().count()), (1, 0));
    assert!(state.series().is_empty());
    state = state.next(&timing(0, 0, 0), of(&[]), 902 * SECOND).0;
    assert_eq!(state, State::default());
}

#[test]
fn series_tell_what_pends_and_fires() {
    let (state, _) = State::default().next(&timing(60, 0, 0), of(&["a"]), 5_500);
    let shown: Vec<String> = state
        .series()
        .iter()
        .map(|one| format!("{:?} {}", one.labels, one.value))
        .collect();
    assert_eq!(
        shown,
        [
            r#"{"__name__": "ALERTS", "alertname": "A", "alertstate": "pending", "host": "a"} 1"#,
            r#"{"__name__": "ALERTS_FOR_STATE", "alertname": "A", "host": "a"} 5"#,
        ]
    );
}

#[test]
fn a_clock_that_steps_back_fires_nothing() {
    let up = || of(&["a"]);
    check(
        timing(60, 0, 0),
        vec![(1_000, up()), (0, up()), (900, up()), (1_060, up())],
        "p . . F",
    );
    check(
        timing(0, 60, 0),
        vec![(1_000, up()), (500, of(&[])), (400, of(&[]))],
        "F . .",
    );
}

/// What was seen of one series at one evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    Holds,
    Fine,
    Missing,
}

/// The state by looking at the whole history: nothing is carried from one step to the next.
fn model(timing: &Timing, history: &[(i64, Seen)]) -> &'static str {
    let ms = |d: Duration| i64::try_from(d.as_millis()).unwrap();
    let (mut start, mut fired, mut gone, mut resolved, mut missing) =
        (None, false, None, None, None);
    for (at, seen) in history {
        if *seen == Seen::Missing && start.is_some() {
            let since = *missing.get_or_insert(*at);
            if !fired && at - since > ms(timing.hold.max(KEPT_PENDING)) {
                (start, missing) = (None, None);
            }
            continue;
        }
        missing = None;
        match (seen, start) {
            (Seen::Holds, known) => {
                gone = None;
                let returns = timing
                    .flap
                    .is_some_and(|flap| resolved.is_some_and(|(_, when)| at - when <= ms(flap)));
                if known.is_none() && returns {
                    (start, fired) = (resolved.map(|(start, _)| start), true);
                }
                let since = *start.get_or_insert(*at);
                resolved = None;
                fired |= at - since >= ms(timing.hold);
            }
            (_, Some(_)) if !fired => start = None,
            (_, Some(since)) => {
                let from = *gone.get_or_insert(*at);
                if at - from >= ms(timing.keep_firing_for) {
                    (resolved, start, fired, gone) = (Some((since, *at)), None, false, None);
                }
            }
            (_, None) => {}
        }
    }
    match (start, fired) {
        (None, _) => "nothing",
        (Some(_), false) => "pending",
        (Some(_), true) => "firing",
    }
}

proptest! {
    #[test]
    fn it_agrees_with_the_whole_history(
        (hold, keep, flap) in (0u64..120, 0u64..120, 0u64..200),
        steps in proptest::collection::vec((1i64..90, 0..3u8), 1..60),
    ) {
        let timing = timing(hold, keep, flap);
        let mut state = State::default();
        let mut history = Vec::new();
        let mut at = 0;
        let mut told = "nothing";
        for (after, seen) in steps {
            at += after * SECOND;
            let (seen, judgement) = match seen {
                0 => (Seen::Holds, present(&["a"], &["a"])),
                1 => (Seen::Fine, present(&[], &["a"])),
                _ => (Seen::Missing, present(&[], &[])),
            };
            history.push((at, seen));
            // A restart between any two steps: what is kept is all there is.
            let (next, events) = state.clone().next(&timing, judgement, at);
            state = next;
            let phase = state.active().next().map_or("nothing", |alert| match alert.phase {
                Phase::Pending => "pending",
                _ => "firing",
            });
            prop_assert_eq!(phase, model(&timing, &history), "{:?}", history);
            // Who only hears of the events knows the same.
            for event in &events {
                told = match event.transition {
                    Transition::Pended => "pending",
                    Transition::Fired | Transition::Returned => "firing",
                    Transition::Resolved | Transition::Dropped => "nothing",
                };
            }
            prop_assert_eq!(phase, told);
            prop_assert!(events.len() <= 1);
            prop_assert_eq!(state.next(&timing, of(&[]), at).1, state.next(&timing, of(&[]), at).1);
        }
    }

    #[test]
    fn alerts_do_not_touch_each_other(
        steps in proptest::collection::vec((1i64..90, any::<bool>(), any::<bool>()), 1..40),
    ) {
        let timing = timing(60, 30, 90);
        let (mut both, mut alone) = (State::default(), State::default());
        let mut at = 0;
        for (after, a, b) in steps {
            at += after * SECOND;
            let names: Vec<&str> = [(a, "a"), (b, "b")].into_iter().filter(|(is, _)| *is).map(|(_, name)| name).collect();
            both = both.next(&timing, of(&names), at).0;
            alone = alone.next(&timing, of(if a { &["a"] } else { &[] }), at).0;
            let of_both: Vec<_> = both.alerts.values().filter(|alert| alert.series == labels("a")).collect();
            let of_alone: Vec<_> = alone.alerts.values().collect();
            prop_assert_eq!(of_both, of_alone);
        }
    }
}
