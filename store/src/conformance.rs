//! What every store must do, whatever it is made of: one suite, run against each implementation.
//!
//! [`check`] holds the cases that have a name; [`check_against_model`] compares a store with a plain
//! list of everything that was appended.

mod model;

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use wire::batch::{AgentId, BatchId, RunId, Sequence};
use wire::metric::Kind;

use crate::append::{Append, Arrival, Delivery, Origin, Outcome, Refused, Row, TimeLimits};
use crate::labels::Labels;
use crate::matcher::Matcher;
use crate::read::{Exemplar, Metadata, Read, ReadError, STALE, Sample, Selector, TimeRange};

pub(crate) use model::check_against_model;

/// Runs every case, each on a store of its own.
pub(crate) async fn check<S: Append + Read>(make_store: impl AsyncFn() -> S) {
    what_is_appended_is_read(&make_store().await).await;
    an_identity_is_stored_once(&make_store().await).await;
    concurrent_duplicates_are_stored_once(&make_store().await).await;
    without_identity_each_is_stored(&make_store().await).await;
    times_are_read_in_order(&make_store().await).await;
    matchers_find_as_prometheus_does(&make_store().await).await;
    listings_are_sorted_and_limited(&make_store().await).await;
    metadata_is_what_was_said_last(&make_store().await).await;
    exemplars_are_found_by_their_series(&make_store().await).await;
    every_float_and_time_comes_back(&make_store().await).await;
    too_many_samples_are_an_error(&make_store().await).await;
}

/// Runs the cases of a store that takes what is at most a minute ahead, and an hour late.
pub(crate) async fn check_time_limits<S: Append + Read>(store: &S) {
    const MINUTE: i64 = 60_000;
    const HOUR: i64 = 60 * MINUTE;
    let now = 1_000 * HOUR;
    let give = async |series: &str, times: &[i64]| {
        let rows = times.iter().map(|at_ms| row(series, *at_ms, 1.0));
        let mut delivery = anonymous(rows.collect());
        delivery.arrival.wall_ms = now;
        store.append(vec![delivery]).await.unwrap()[0]
    };
    let in_part = |future, late| {
        Outcome::StoredInPart(Refused {
            future,
            late,
            exemplars: 0,
        })
    };
    // What is not known yet may begin at any time in the past, and be told in any order.
    let old = [now - 700 * HOUR, now - 800 * HOUR, i64::MIN];
    assert_eq!(give("__name__=old", &old).await, Outcome::Stored);
    let late = [now - 700 * HOUR - HOUR, now - 701 * HOUR - 1];
    assert_eq!(give("__name__=old", &late).await, in_part(0, 1));
    // Up to the limit, and not a millisecond more.
    let ahead = [now + MINUTE, now + MINUTE + 1, i64::MAX];
    assert_eq!(give("__name__=new", &ahead).await, in_part(2, 0));
    // Within the hour of the present everything is in time, however new the newest is.
    assert_eq!(give("__name__=new", &[now - HOUR]).await, Outcome::Stored);
    assert_eq!(give("__name__=new", &[now - HOUR - 1]).await, in_part(0, 1));
    // An agent may be of any time, and does not make others late.
    let rows = vec![row("__name__=far", now + 900 * HOUR, 1.0)];
    let mut delivery = from_agent(AgentId::random(), RunId::random(), 1, rows);
    delivery.arrival.wall_ms = now;
    let outcomes = store.append(vec![delivery]).await.unwrap();
    assert_eq!(outcomes, [Outcome::Stored]);
    assert_eq!(
        give("__name__=far", &[now - HOUR / 2]).await,
        Outcome::Stored
    );
    assert_eq!(found(store, &[]).await.len(), 8);

    let mut delivery = anonymous(vec![row("__name__=new", now, 1.0)]);
    delivery.arrival.wall_ms = now;
    let exemplar = |at_ms| Exemplar {
        labels: labels("trace_id=a"),
        sample: Sample { at_ms, value: 1.0 },
    };
    delivery.exemplars = [now, now + HOUR]
        .map(|at_ms| (labels("__name__=new"), exemplar(at_ms)))
        .into();
    let outcomes = store.append(vec![delivery]).await.unwrap();
    let refused = Refused {
        exemplars: 1,
        ..Refused::default()
    };
    assert_eq!(outcomes, [Outcome::StoredInPart(refused)]);
}

/// The limits that [`check_time_limits`] counts on.
pub(crate) const TIME_LIMITS: TimeLimits = TimeLimits {
    future: Some(Duration::from_secs(60)),
    late: Some(Duration::from_secs(3_600)),
};

/// Steady milliseconds that ascend over all tests of the process.
fn arrival() -> Arrival {
    static NOW: AtomicI64 = AtomicI64::new(1_700_000_000_000);
    let now = NOW.fetch_add(1, Ordering::Relaxed);
    Arrival {
        wall_ms: now,
        steady_ms: now,
        sent_ms: None,
    }
}

pub(crate) fn labels(text: &str) -> Labels {
    let pairs = text
        .split(',')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap());
    Labels::from_pairs(pairs)
}

pub(crate) fn row(series: &str, at_ms: i64, value: f64) -> Row {
    Row {
        labels: labels(series),
        sample: Sample { at_ms, value },
    }
}

pub(crate) fn anonymous(rows: Vec<Row>) -> Delivery {
    Delivery {
        origin: None,
        arrival: arrival(),
        rows,
        metadata: vec![],
        exemplars: vec![],
    }
}

pub(crate) fn from_agent(agent: AgentId, run: RunId, sequence: u64, rows: Vec<Row>) -> Delivery {
    let id = BatchId {
        agent,
        run,
        sequence: Sequence(sequence),
    };
    Delivery {
        origin: Some(Origin {
            id,
            host: "db1".into(),
            source: "host".into(),
            instance: "db1".into(),
        }),
        ..anonymous(rows)
    }
}

/// Everything that a selector finds, as text: `series@time=value`.
pub(crate) async fn found<S: Read>(store: &S, selector: &[Matcher]) -> Vec<String> {
    let found = store.select(selector, TimeRange::ALL, usize::MAX).await;
    let mut lines = Vec::new();
    for series in found.unwrap() {
        let pairs: Vec<_> = series
            .labels
            .iter()
            .map(|(n, v)| format!("{n}={v}"))
            .collect();
        for sample in series.samples {
            lines.push(format!(
                "{}@{}={}",
                pairs.join(","),
                sample.at_ms,
                sample.value
            ));
        }
    }
    lines
}

async fn what_is_appended_is_read<S: Append + Read>(store: &S) {
    let delivery = anonymous(vec![
        row("__name__=b", 10, 1.0),
        row("__name__=a,x=2", 10, 2.0),
        row("__name__=a,x=1", 10, 3.0),
        row("__name__=a,x=1", 20, 4.0),
    ]);
    assert_eq!(
        store.append(vec![delivery]).await.unwrap(),
        [Outcome::Stored]
    );
    assert_eq!(
        found(store, &[]).await,
        [
            "__name__=a,x=1@10=3",
            "__name__=a,x=1@20=4",
            "__name__=a,x=2@10=2",
            "__name__=b@10=1"
        ]
    );
    let range = TimeRange {
        from_ms: 20,
        to_ms: 20,
    };
    let at_20 = store.select(&[], range, 10).await.unwrap();
    assert_eq!(at_20.len(), 1);
    assert_eq!(
        at_20[0].samples,
        [Sample {
            at_ms: 20,
            value: 4.0
        }]
    );
}

async fn an_identity_is_stored_once<S: Append + Read>(store: &S) {
    let (agent, run) = (AgentId::random(), RunId::random());
    let give = |run, sequence, value: f64| {
        store.append(vec![from_agent(
            agent,
            run,
            sequence,
            vec![row("__name__=a", sequence as i64, value)],
        )])
    };
    assert_eq!(give(run, 1, 1.0).await.unwrap(), [Outcome::Stored]);
    assert_eq!(give(run, 2, 2.0).await.unwrap(), [Outcome::Stored]);
    // The same identities with other numbers: were they stored, it would show.
    assert_eq!(give(run, 1, 9.0).await.unwrap(), [Outcome::Duplicate]);
    assert_eq!(give(run, 2, 9.0).await.unwrap(), [Outcome::Duplicate]);
    // A gap is what the sender dropped.
    assert_eq!(give(run, 7, 7.0).await.unwrap(), [Outcome::Stored]);
    assert_eq!(give(run, 6, 9.0).await.unwrap(), [Outcome::Duplicate]);
    assert_eq!(
        give(RunId::random(), 3, 3.0).await.unwrap(),
        [Outcome::Stored]
    );
    let twice = vec![
        from_agent(agent, run, 8, vec![row("__name__=a", 8, 8.0)]),
        from_agent(agent, run, 8, vec![row("__name__=a", 8, 9.0)]),
        from_agent(agent, run, 9, vec![row("__name__=a", 9, 9.5)]),
    ];
    assert_eq!(
        store.append(twice).await.unwrap(),
        [Outcome::Stored, Outcome::Duplicate, Outcome::Stored]
    );
    let expected =
        ["@1=1", "@2=2", "@3=3", "@7=7", "@8=8", "@9=9.5"].map(|end| format!("__name__=a{end}"));
    assert_eq!(found(store, &[]).await, expected);
}

async fn concurrent_duplicates_are_stored_once<S: Append + Read>(store: &S) {
    let (agent, run) = (AgentId::random(), RunId::random());
    for sequence in 1..20 {
        let copies = (0..8).map(|copy| {
            let at_ms = sequence as i64;
            let rows = vec![row("__name__=a", at_ms, f64::from(copy))];
            store.append(vec![from_agent(agent, run, sequence, rows)])
        });
        let outcomes = futures::future::join_all(copies).await;
        let stored = outcomes
            .into_iter()
            .filter(|outcome| outcome.as_ref().unwrap()[0] == Outcome::Stored)
            .count();
        assert_eq!(stored, 1, "sequence {sequence}");
    }
    assert_eq!(found(store, &[]).await.len(), 19);
}

async fn without_identity_each_is_stored<S: Append + Read>(store: &S) {
    for value in [1.0, 2.0] {
        let delivery = anonymous(vec![row("__name__=a", 5, value)]);
        assert_eq!(
            store.append(vec![delivery]).await.unwrap(),
            [Outcome::Stored]
        );
    }
    assert_eq!(
        found(store, &[]).await,
        ["__name__=a@5=2"],
        "the later one of a moment counts"
    );
}

async fn times_are_read_in_order<S: Append + Read>(store: &S) {
    for times in [[50, 10, 30], [40, 20, 10]] {
        let rows = times.map(|at_ms| row("__name__=a", at_ms, at_ms as f64 + times[0] as f64));
        store.append(vec![anonymous(rows.to_vec())]).await.unwrap();
    }
    assert_eq!(
        found(store, &[]).await,
        ["10=50", "20=60", "30=80", "40=80", "50=100"].map(|end| format!("__name__=a@{end}"))
    );
}

async fn matchers_find_as_prometheus_does<S: Append + Read>(store: &S) {
    let series = [
        "__name__=up,job=node",
        "__name__=up,job=pg,zone=a",
        "__name__=up",
        "__name__=pg_up,job=pg",
    ];
    let rows = series.map(|series| row(series, 1, 1.0));
    store.append(vec![anonymous(rows.to_vec())]).await.unwrap();
    let check = async |selector: &[Matcher], expected: &[&str]| {
        let lines = found(store, selector).await;
        let expected: Vec<_> = expected
            .iter()
            .map(|series| format!("{series}@1=1"))
            .collect();
        assert_eq!(lines, expected, "{selector:?}");
    };
    let pattern = |label: &str, text| Matcher::matches(label, text).unwrap();
    let not_pattern = |label: &str, text| Matcher::not_matches(label, text).unwrap();
    let up = Matcher::equal("__name__", "up");
    check(
        std::slice::from_ref(&up),
        &[
            "__name__=up",
            "__name__=up,job=node",
            "__name__=up,job=pg,zone=a",
        ],
    )
    .await;
    check(&[up.clone(), Matcher::equal("job", "")], &["__name__=up"]).await;
    check(
        &[up.clone(), Matcher::not_equal("job", "pg")],
        &["__name__=up", "__name__=up,job=node"],
    )
    .await;
    check(
        &[pattern("__name__", ".*up"), Matcher::equal("job", "pg")],
        &["__name__=pg_up,job=pg", "__name__=up,job=pg,zone=a"],
    )
    .await;
    check(&[pattern("__name__", "u")], &[]).await;
    check(&[pattern("zone", "a|")], &series_sorted(&series)).await;
    check(&[not_pattern("job", "pg|node")], &["__name__=up"]).await;
    check(
        &[pattern("job", ".+"), Matcher::not_equal("zone", "")],
        &["__name__=up,job=pg,zone=a"],
    )
    .await;
    check(&[Matcher::equal("nothing", "here")], &[]).await;
}

fn series_sorted<'a>(series: &[&'a str]) -> Vec<&'a str> {
    let mut sorted = series.to_vec();
    sorted.sort_by_key(|text| labels(text));
    sorted
}

async fn listings_are_sorted_and_limited<S: Append + Read>(store: &S) {
    let rows = vec![
        row("__name__=b,job=y", 1, 0.0),
        row("__name__=a,job=x", 1, 0.0),
        row("__name__=a,zone=z", 1, 0.0),
    ];
    store.append(vec![anonymous(rows)]).await.unwrap();
    let all = TimeRange::ALL;
    let names = store.label_names(&[], all, None).await.unwrap();
    assert_eq!(
        (names.items, names.truncated),
        (vec!["__name__".into(), "job".into(), "zone".into()], false)
    );
    let values = store.label_values("job", &[], all, None).await.unwrap();
    assert_eq!(values.items, ["x", "y"]);
    let first = store
        .label_values("__name__", &[], all, Some(1))
        .await
        .unwrap();
    assert_eq!((first.items, first.truncated), (vec!["a".to_owned()], true));
    let a_or_y = [
        vec![Matcher::equal("__name__", "a")],
        vec![Matcher::equal("job", "y")],
        vec![Matcher::equal("job", "x")],
    ];
    let series = store.series(&a_or_y, all, None).await.unwrap();
    assert_eq!(
        series.items,
        ["__name__=a,job=x", "__name__=a,zone=z", "__name__=b,job=y"].map(labels)
    );
    let exact = store.series(&a_or_y, all, Some(3)).await.unwrap();
    assert!(!exact.truncated);
    let elsewhere = TimeRange {
        from_ms: 2,
        to_ms: i64::MAX,
    };
    assert!(
        store
            .series(&a_or_y, elsewhere, None)
            .await
            .unwrap()
            .items
            .is_empty()
    );
}

async fn metadata_is_what_was_said_last<S: Append + Read>(store: &S) {
    for help in ["first", "second"] {
        let metadata = Metadata {
            kind: Kind::Counter,
            help: help.into(),
            unit: "s".into(),
        };
        let delivery = Delivery {
            metadata: vec![("a".into(), metadata)],
            ..anonymous(vec![row("__name__=a", 1, 1.0)])
        };
        store.append(vec![delivery]).await.unwrap();
    }
    let of = |family: &str, help: &str| {
        let metadata = Metadata {
            kind: Kind::Counter,
            help: help.into(),
            unit: "s".into(),
        };
        (family.to_owned(), metadata)
    };
    let other = Delivery {
        metadata: vec![of("0", "before")],
        ..anonymous(vec![row("__name__=0", 1, 1.0)])
    };
    store.append(vec![other]).await.unwrap();
    let said = async |family| store.metadata(family).await.unwrap();
    assert_eq!(said(Some("a")).await, [of("a", "second")]);
    assert_eq!(said(Some("b")).await, []);
    assert_eq!(said(None).await, [of("0", "before"), of("a", "second")]);
}

async fn exemplars_are_found_by_their_series<S: Append + Read>(store: &S) {
    let exemplar = |series: &str, trace: &str, at_ms, value| {
        let exemplar = Exemplar {
            labels: labels(&format!("trace_id={trace}")),
            sample: Sample { at_ms, value },
        };
        (labels(series), exemplar)
    };
    for repeat in 0..2 {
        let delivery = Delivery {
            exemplars: vec![
                exemplar("__name__=b,x=1", "t1", 10, 0.5),
                exemplar("__name__=a,x=1", "t2", 20, 1.5),
                exemplar("__name__=b,x=1", "t3", 30, 2.5),
            ],
            ..anonymous(vec![row("__name__=b,x=1", 30 + repeat, 1.0)])
        };
        store.append(vec![delivery]).await.unwrap();
    }
    let find = async |selectors: &[Selector], from_ms, to_ms| {
        let range = TimeRange { from_ms, to_ms };
        let found = store.exemplars(selectors, range).await.unwrap();
        let shown = found.iter().flat_map(|series| {
            let name = series.series.metric_name();
            let exemplars = series.exemplars.iter();
            exemplars.map(move |one| {
                let trace = one.labels.get("trace_id").unwrap();
                format!("{name} {trace} {}={}", one.sample.at_ms, one.sample.value)
            })
        });
        shown.collect::<Vec<_>>()
    };
    let all = ["a t2 20=1.5", "b t1 10=0.5", "b t3 30=2.5"];
    assert_eq!(find(&[], i64::MIN, i64::MAX).await, all);
    let of = |name| vec![Matcher::equal("__name__", name)];
    assert_eq!(find(&[of("b")], 11, 30).await, ["b t3 30=2.5"]);
    assert_eq!(find(&[of("a"), of("b")], 0, 20).await, all[..2]);
    assert!(find(&[of("c")], 0, 20).await.is_empty());
}

async fn every_float_and_time_comes_back<S: Append + Read>(store: &S) {
    let values = [
        f64::NAN,
        STALE,
        f64::INFINITY,
        f64::NEG_INFINITY,
        -0.0,
        f64::MIN_POSITIVE,
        f64::MAX,
    ];
    let times = [
        i64::MIN,
        -1,
        0,
        1,
        253_402_300_799_000,
        i64::MAX - 1,
        i64::MAX,
    ];
    let rows = times
        .iter()
        .zip(values)
        .map(|(at_ms, value)| row("__name__=a", *at_ms, value));
    store.append(vec![anonymous(rows.collect())]).await.unwrap();
    let series = store.select(&[], TimeRange::ALL, 100).await.unwrap();
    let read: Vec<_> = series[0]
        .samples
        .iter()
        .map(|s| (s.at_ms, s.value.to_bits()))
        .collect();
    let written: Vec<_> = times
        .iter()
        .zip(values)
        .map(|(at_ms, value)| (*at_ms, value.to_bits()))
        .collect();
    assert_eq!(read, written);
}

async fn too_many_samples_are_an_error<S: Append + Read>(store: &S) {
    let rows = (0..10).map(|at_ms| row("__name__=a", at_ms, 0.0)).collect();
    store.append(vec![anonymous(rows)]).await.unwrap();
    assert!(store.select(&[], TimeRange::ALL, 10).await.is_ok());
    let refused = store.select(&[], TimeRange::ALL, 9).await;
    assert!(matches!(
        refused,
        Err(ReadError::TooManySamples { limit: 9 })
    ));
}
