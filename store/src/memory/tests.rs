use super::*;
use crate::append::Arrival;
use crate::conformance::{self, anonymous, found, row};

#[tokio::test]
async fn conforms() {
    conformance::check(async || Memory::new(Bounds::default())).await;
}

#[tokio::test]
async fn holds_strangers_to_time_limits() {
    let store = Memory::new(Bounds::default()).with_limits(conformance::TIME_LIMITS);
    conformance::check_time_limits(&store).await;
}

#[test]
fn agrees_with_the_model() {
    conformance::check_against_model(
        256,
        async || Memory::new(Bounds::default()),
        async |store, _| store,
    );
}

#[test]
fn agrees_with_the_model_when_every_series_opens_a_generation() {
    // The model has twelve series; a sixteenth of sixteen is one a generation, and none is let go.
    let bounds = Bounds {
        max_series: 16,
        ..Bounds::default()
    };
    conformance::check_against_model(256, async || Memory::new(bounds), async |store, _| store);
}

fn at(steady_ms: i64, series: &str, sample_ms: i64) -> Delivery {
    Delivery {
        arrival: Arrival {
            wall_ms: 0,
            steady_ms,
            sent_ms: None,
        },
        ..anonymous(vec![row(series, sample_ms, 1.0)])
    }
}

#[tokio::test]
async fn what_arrived_within_the_retention_is_kept_whatever_its_own_time() {
    let store = Memory::new(Bounds {
        retention: Duration::from_secs(160),
        ..Bounds::default()
    });
    let day_ms = 86_400_000;
    for (second, sample_ms) in [(0, 0), (5, -day_ms), (100, day_ms), (155, 1), (200, 2)] {
        store.apply(at(second * 1000, &format!("__name__=s{second}"), sample_ms));
    }
    let held = |horizon_s: i64, expected: &'static [&'static str]| {
        let store = &store;
        async move {
            store.expire(horizon_s * 1000);
            let names = store
                .label_values("__name__", &[], TimeRange::ALL, None)
                .await
                .unwrap();
            assert_eq!(names.items, expected, "at {horizon_s} s");
            assert_eq!(store.stats().series, expected.len() as u64);
        }
    };
    held(160, &["s0", "s100", "s155", "s200", "s5"]).await;
    held(166, &["s100", "s155", "s200"]).await;
    held(10, &["s100", "s155", "s200"]).await;
    held(340, &["s200"]).await;
    held(10_000, &[]).await;
    assert_eq!(
        store.stats(),
        Stats {
            expired_samples: 5,
            ..Stats::default()
        }
    );
    store.apply(at(10_000_000, "__name__=s0", 7));
    assert_eq!(found(&store, &[]).await, ["__name__=s0@7=1"]);
}

#[tokio::test]
async fn bounds_hold_against_a_flood_and_the_newest_stays() {
    let bounds = Bounds {
        max_samples: 1_600,
        max_series: 160,
        ..Bounds::default()
    };
    let store = Memory::new(bounds);
    for number in 0..10_000 {
        store.apply(at(1, &format!("__name__=s{number}"), 1));
        assert!(store.stats().series <= 161);
    }
    for at_ms in 0..10_000 {
        store.apply(at(2, "__name__=one", at_ms));
        assert!(store.stats().samples <= 1_601);
    }
    let newest = found(&store, &[Matcher::equal("__name__", "one")]).await;
    assert_eq!(newest.last().unwrap(), "__name__=one@9999=1");
    assert!(newest.len() >= 1_500, "{}", newest.len());
    assert!(store.stats().evicted_samples > 18_000);
}

#[tokio::test]
async fn one_delivery_larger_than_the_bound_is_cut_to_it() {
    let store = Memory::new(Bounds {
        max_samples: 160,
        ..Bounds::default()
    });
    let rows = (0..1_000)
        .map(|at_ms| row("__name__=a", at_ms, 1.0))
        .collect();
    store.apply(anonymous(rows));
    let held = found(&store, &[]).await;
    assert!(held.len() <= 160 && held.len() >= 144, "{}", held.len());
    assert_eq!(held.last().unwrap(), "__name__=a@999=1");
}

#[tokio::test]
async fn what_fills_it_is_counted_and_forgotten_with_it() {
    let store = Memory::new(Bounds {
        retention: Duration::from_secs(160),
        ..Bounds::default()
    });
    assert_eq!(store.cardinality(10), Cardinality::default());
    for (steady_s, series, sample_ms) in [
        (0, "__name__=a,n=1", 5),
        (0, "__name__=a,n=22", 9),
        (100, "__name__=a,n=1", 7),
        (100, "__name__=b,n=1", -3),
    ] {
        store.apply(at(steady_s * 1000, series, sample_ms));
    }
    let count = |name: &str, count| Count::new(name, count);
    let expected = Cardinality {
        series: 3,
        label_pairs: 4,
        chunks: 4,
        first_ms: Some(-3),
        last_ms: Some(9),
        series_by_name: vec![count("a", 2), count("b", 1)],
        values_by_label: vec![count("__name__", 2), count("n", 2)],
        bytes_by_label: vec![count("n", 4), count("__name__", 3)],
        series_by_pair: vec![count("__name__=a", 2), count("n=1", 2)],
    };
    assert_eq!(store.cardinality(2), expected);
    store.expire(200_000);
    let left = store.cardinality(1);
    assert_eq!((left.series, left.chunks, left.label_pairs), (2, 2, 3));
    assert_eq!((left.first_ms, left.last_ms), (Some(-3), Some(7)));
    assert_eq!(left.series_by_name, [count("a", 1)]);
}
