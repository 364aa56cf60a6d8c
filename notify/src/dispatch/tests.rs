mod model;

use std::cell::Cell;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::alert::Alert;
use crate::config::Kind;
use crate::route::{GroupBy, Route};

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;

pub(super) fn id(receiver: &str, kind: Kind) -> IntegrationId {
    IntegrationId {
        receiver: receiver.to_owned(),
        kind,
        index: 0,
    }
}

pub(super) fn way(receiver: &str, group_by: &[&str], send_resolved: bool) -> Arc<Way> {
    let mut names: Vec<String> = group_by.iter().map(|name| (*name).to_owned()).collect();
    names.sort();
    let mut route = Route::root();
    route.receiver = receiver.to_owned();
    route.group_by = GroupBy::Labels(names);
    let channels = vec![Channel {
        id: id(receiver, Kind::Webhook),
        send_resolved,
    }];
    Arc::new(Way { route, channels })
}

pub(super) fn labels(name: &str, host: &str) -> Labels {
    Labels::from_pairs([("alertname", name), ("host", host)])
}

pub(super) fn own(name: &str, host: &str, times: (i64, Option<i64>), event: i64) -> Known {
    Known {
        alert: Alert {
            labels: labels(name, host),
            annotations: Vec::new(),
            starts_at_ms: times.0,
            ends_at_ms: times.1,
            updated_at_ms: times.0,
            generator_url: String::new(),
        },
        source: Source::Own { event },
    }
}

/// A machine with what tests turn on and off.
struct Bench {
    dispatch: Dispatch,
    ways: Vec<Arc<Way>>,
    silenced: Cell<bool>,
    acknowledged: Cell<bool>,
    within: Cell<bool>,
}

impl Bench {
    fn new(ways: Vec<Arc<Way>>) -> Self {
        Self {
            dispatch: Dispatch::default(),
            ways,
            silenced: Cell::new(false),
            acknowledged: Cell::new(false),
            within: Cell::new(false),
        }
    }

    fn hear(&mut self, known: Known, now_ms: i64) {
        let ways = self.ways.clone();
        let router = move |_: &Labels| ways.clone();
        self.dispatch.hear(known, Some(&router), now_ms);
    }

    fn fires(&mut self, name: &str, now_ms: i64) {
        self.hear(own(name, "a", (now_ms, None), now_ms), now_ms);
    }

    fn ends(&mut self, name: &str, now_ms: i64) {
        let began_ms = self.dispatch.alert(Fingerprint::of(&labels(name, "a")));
        let began_ms = began_ms.map_or(0, |known| known.alert.starts_at_ms);
        self.hear(own(name, "a", (began_ms, Some(now_ms)), now_ms), now_ms);
    }

    fn reroute(&mut self, now_ms: i64) {
        let ways = self.ways.clone();
        let router = move |_: &Labels| ways.clone();
        self.dispatch.reroute(Some(&router), now_ms);
    }

    /// What is told, as `why: names of what fires / names of what is over`.
    fn told(&mut self, now_ms: i64) -> Vec<String> {
        let view = View {
            is_inhibited: &|_, labels| labels.get("alertname") == Some("Quiet"),
            is_silenced: &|_| self.silenced.get(),
            is_within: &|_| self.within.get(),
            is_acknowledged: &|_| self.acknowledged.get(),
            external_url: "http://here",
        };
        let told = self.dispatch.flush(&view, now_ms);
        told.iter().map(shown).collect()
    }
}

fn shown(telling: &Telling) -> String {
    let told = &telling.notification;
    let names = |alerts: &mut dyn Iterator<Item = &Alert>| {
        let names: Vec<&str> = alerts.map(Alert::name).collect();
        names.join(" ")
    };
    let (firing, over) = (names(&mut told.firing()), names(&mut told.resolved()));
    format!("{:?}: {firing} / {over}", told.reason)
}

#[test]
fn a_group_waits_then_tells_news_at_its_interval() {
    let mut bench = Bench::new(vec![way("team", &["host"], true)]);
    bench.fires("A", 0);
    assert_eq!(bench.dispatch.next_due_ms(), Some(30 * SECOND));
    assert!(bench.told(29 * SECOND).is_empty());
    bench.fires("B", 29 * SECOND);
    assert_eq!(bench.told(30 * SECOND), ["First: A B / "]);
    bench.fires("C", 31 * SECOND);
    bench.ends("A", 32 * SECOND);
    assert!(bench.told(5 * MINUTE).is_empty());
    assert_eq!(bench.told(330 * SECOND), ["More: B C / A"]);
    bench.ends("B", 331 * SECOND);
    bench.ends("C", 332 * SECOND);
    assert_eq!(bench.told(630 * SECOND), ["Resolved:  / B C"]);
    assert_eq!(bench.dispatch.groups().count(), 0);
    assert_eq!(bench.dispatch.alerts().count(), 0);
    // The group begins anew, and so does its wait.
    bench.fires("A", 640 * SECOND);
    assert_eq!(bench.told(670 * SECOND), ["First: A / "]);
}

#[test]
fn what_is_older_than_the_wait_is_told_at_once() {
    let mut bench = Bench::new(vec![way("team", &[], true)]);
    bench.hear(own("A", "a", (0, None), 1), 31 * SECOND);
    assert_eq!(bench.told(31 * SECOND), ["First: A / "]);
    let mut bench = Bench::new(vec![way("team", &[], true)]);
    bench.fires("A", 0);
    bench.hear(own("B", "a", (-MINUTE, None), 1), SECOND);
    assert_eq!(bench.told(SECOND), ["First: A B / "]);
    // But not in a group that was told before.
    bench.hear(own("C", "a", (-MINUTE, None), 1), 2 * SECOND);
    assert!(bench.told(2 * SECOND).is_empty());
}

#[test]
fn without_a_wait_it_is_told_in_the_same_step() {
    let mut at_once = (*way("team", &["host"], true)).clone();
    at_once.route.group_wait = Duration::ZERO;
    let mut bench = Bench::new(vec![Arc::new(at_once)]);
    bench.fires("A", 5);
    assert_eq!(bench.told(5), ["First: A / "]);
}

#[test]
fn what_ends_before_it_was_told_is_never_told() {
    let mut bench = Bench::new(vec![way("team", &[], true)]);
    bench.fires("A", 0);
    bench.ends("A", SECOND);
    assert!(bench.told(MINUTE).is_empty());
    assert_eq!(bench.dispatch.alerts().count(), 0);
    // Nor is the end of something that nobody heard of.
    bench.ends("B", MINUTE);
    assert_eq!(bench.dispatch.alerts().count(), 0);
}

#[test]
fn the_same_is_told_again_after_a_while_unless_somebody_took_it_on() {
    let mut bench = Bench::new(vec![way("team", &[], true)]);
    bench.fires("A", 0);
    assert_eq!(bench.told(30 * SECOND), ["First: A / "]);
    let mut told = Vec::new();
    let mut run = |bench: &mut Bench, from_minute: i64, to_minute: i64| {
        for minute in from_minute..to_minute {
            let found = bench.told(minute * MINUTE + 30 * SECOND);
            told.extend(found.into_iter().map(|one| (minute, one)));
        }
        std::mem::take(&mut told)
    };
    let repeat = "Repeat: A / ".to_owned();
    assert_eq!(
        run(&mut bench, 1, 481),
        [(240, repeat.clone()), (480, repeat.clone())]
    );
    bench.acknowledged.set(true);
    assert!(run(&mut bench, 481, 900).is_empty());
    bench.fires("B", 900 * MINUTE);
    assert_eq!(
        run(&mut bench, 900, 910),
        [(900, "More: A B / ".to_owned())]
    );
    bench.acknowledged.set(false);
    assert_eq!(
        run(&mut bench, 910, 1_141),
        [(1_140, "Repeat: A B / ".to_owned())]
    );
}

#[test]
fn ends_are_told_to_those_who_want_them() {
    let mut bench = Bench::new(vec![way("team", &[], false)]);
    bench.fires("A", 0);
    bench.fires("B", 0);
    assert_eq!(bench.told(30 * SECOND), ["First: A B / "]);
    bench.ends("A", MINUTE);
    assert!(bench.told(330 * SECOND).is_empty());
    bench.fires("C", 331 * SECOND);
    assert_eq!(bench.told(630 * SECOND), ["More: B C / "]);
    bench.ends("B", 631 * SECOND);
    bench.ends("C", 631 * SECOND);
    assert!(bench.told(930 * SECOND).is_empty());
    assert_eq!(bench.dispatch.groups().count(), 0);
}

#[test]
fn what_is_muted_is_not_told_and_its_end_is_told_later() {
    let mut bench = Bench::new(vec![way("team", &[], true)]);
    bench.fires("Quiet", 0);
    assert!(bench.told(30 * SECOND).is_empty());
    bench.fires("A", MINUTE);
    assert_eq!(bench.told(330 * SECOND), ["First: A / "]);
    bench.silenced.set(true);
    bench.ends("A", 331 * SECOND);
    bench.ends("Quiet", 331 * SECOND);
    assert!(bench.told(630 * SECOND).is_empty());
    assert!(bench.told(930 * SECOND).is_empty());
    // Of the one that was never told nothing is left.
    assert_eq!(bench.dispatch.alerts().count(), 1);
    bench.silenced.set(false);
    assert_eq!(bench.told(1_230 * SECOND), ["Resolved:  / A"]);
    assert_eq!(bench.dispatch.alerts().count(), 0);
}

#[test]
fn intervals_say_when_anybody_is_told() {
    let check = |active: &[&str], mute: &[&str], within: bool, expected: bool| {
        let mut timed = (*way("team", &[], true)).clone();
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        (timed.route.active_intervals, timed.route.mute_intervals) = (names(active), names(mute));
        let mut bench = Bench::new(vec![Arc::new(timed)]);
        bench.within.set(within);
        bench.fires("A", 0);
        let told = !bench.told(MINUTE).is_empty();
        assert_eq!(told, expected, "{active:?} {mute:?} {within}");
    };
    check(&[], &[], true, true);
    check(&["day"], &[], true, true);
    check(&["day"], &[], false, false);
    check(&[], &["night"], true, false);
    check(&[], &["night"], false, true);
    check(&["day"], &["lunch"], true, false);
}

#[test]
fn a_reload_goes_on_with_groups_that_are_still_there() {
    let mut bench = Bench::new(vec![way("team", &["host"], true)]);
    bench.fires("A", 0);
    assert_eq!(bench.told(30 * SECOND), ["First: A / "]);
    bench.reroute(MINUTE);
    assert_eq!(bench.dispatch.next_due_ms(), Some(330 * SECOND));
    assert!(bench.told(330 * SECOND).is_empty());
    // A second receiver gets what fires at once, for it began long ago.
    bench.ways.push(way("other", &["host"], true));
    bench.reroute(6 * MINUTE);
    assert_eq!(bench.told(6 * MINUTE), ["First: A / "]);
    // While there is no configuration everything waits.
    bench.dispatch.reroute(None, 7 * MINUTE);
    bench
        .dispatch
        .hear(own("A", "a", (0, Some(8 * MINUTE)), 9), None, 8 * MINUTE);
    assert_eq!(bench.dispatch.next_due_ms(), None);
    bench.reroute(9 * MINUTE);
    let resolved = "Resolved:  / A".to_owned();
    assert_eq!(bench.told(20 * MINUTE), [resolved.clone(), resolved]);
    // A route that is no more takes its groups along.
    bench.fires("A", 30 * MINUTE);
    bench.ways.pop();
    bench.reroute(30 * MINUTE);
    assert_eq!(bench.dispatch.groups().count(), 1);
}

#[test]
fn a_clock_that_is_set_moves_everything_along() {
    let mut bench = Bench::new(vec![way("team", &[], true)]);
    bench.fires("A", 0);
    bench.dispatch.shift(1_000 * MINUTE);
    assert!(bench.told(1_000 * MINUTE + 29 * SECOND).is_empty());
    assert_eq!(bench.told(1_000 * MINUTE + 30 * SECOND), ["First: A / "]);
    bench.dispatch.shift(-1_000 * MINUTE);
    assert_eq!(bench.dispatch.next_due_ms(), Some(330 * SECOND));
}

#[test]
fn group_keys_are_those_of_alertmanager() {
    let check = |group_by: &[&str], expected: &str| {
        let labels = Labels::from_pairs([("alertname", "A\"b"), ("host", "x"), ("job", "j")]);
        let (id, _) = way("team", group_by, true).group(&labels);
        assert_eq!(&*id.key, expected);
    };
    check(&[], "{}:{}");
    check(
        &["job", "alertname", "none"],
        r#"{}:{alertname="A\"b", job="j"}"#,
    );
}

#[test]
fn posted_alerts_end_when_nobody_hears_of_them() {
    let posted = |times: (i64, i64), ending: Ending| Known {
        source: Source::Posted(ending),
        ..own("A", "a", (times.0, Some(times.1)), 0)
    };
    let mut bench = Bench::new(vec![way("team", &[], true)]);
    bench.hear(posted((0, 5 * MINUTE), Ending::Silence), 0);
    assert_eq!(bench.told(30 * SECOND), ["First: A / "]);
    bench.hear(posted((MINUTE, 6 * MINUTE), Ending::Silence), MINUTE);
    assert!(bench.told(330 * SECOND).is_empty());
    // The earlier start counts.
    let known = bench.dispatch.alerts().next().unwrap().1.clone();
    assert_eq!(
        (known.alert.starts_at_ms, known.alert.ends_at_ms),
        (0, Some(6 * MINUTE))
    );
    assert_eq!(bench.told(630 * SECOND), ["Resolved:  / A"]);
}

#[test]
fn of_two_ends_the_right_one_counts() {
    let known = |times: (i64, i64), source: Source| Known {
        source,
        ..own("A", "a", (times.0, Some(times.1)), 0)
    };
    let (said, silence) = (
        Source::Posted(Ending::Said),
        Source::Posted(Ending::Silence),
    );
    let check = |older: ((i64, i64), Source), newer: ((i64, i64), Source), expected: (i64, i64)| {
        let merged = known(older.0, older.1).merged(known(newer.0, newer.1), 10);
        let alert = merged.unwrap().alert;
        assert_eq!((alert.starts_at_ms, alert.ends_at_ms.unwrap()), expected);
    };
    check(((0, 20), silence), ((5, 30), silence), (0, 30));
    check(((0, 40), silence), ((5, 30), silence), (0, 30));
    check(((0, 40), said), ((5, 30), silence), (0, 40));
    check(((0, 40), said), ((5, 9), said), (0, 9));
    check(((0, 8), said), ((5, 7), said), (0, 8));
    check(((0, 5), said), ((6, 30), said), (6, 30));
    // What our own rules say counts while it fires.
    let ours = own("A", "a", (0, None), 3);
    assert_eq!(ours.merged(known((0, 5), said), 10), None);
    assert_eq!(ours.merged(own("A", "a", (0, Some(1)), 2), 10), None);
    assert!(known((0, 50), said).merged(ours, 10).is_some());
}

#[test]
fn a_large_group_is_told_in_part_and_says_so() {
    let mut bench = Bench::new(vec![way("team", &[], true)]);
    for number in 0..6_000 {
        bench.fires(&format!("A{number}"), 0);
    }
    let view = View {
        is_inhibited: &|_, _| false,
        is_silenced: &|_| false,
        is_within: &|_| false,
        is_acknowledged: &|_| false,
        external_url: "",
    };
    let told = bench.dispatch.flush(&view, MINUTE);
    assert_eq!(told[0].notification.alerts.len(), 5_000);
    assert_eq!(told[0].alerts.len(), 5_000);
    assert_eq!(told[0].notification.truncated, 1_000);
}
