//! What queries are counted to look at. The collector's tests compare it with Prometheus; this is for
//! what Prometheus 2 has not, and for what is not counted.

// Everything here is test code; the lint sees only functions marked as tests.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use query::promql::{Cost, Detail, Options, When, evaluate};
use store::append::{Append, Arrival, Delivery, Row};
use store::labels::Labels;
use store::memory::{Bounds, Memory};
use store::read::Sample;

/// Two series with a sample each 10 s, for ten minutes.
async fn filled() -> Memory {
    let rows = (0..=60).flat_map(|place| {
        ["a", "b"].map(|name| Row {
            labels: Labels::from_pairs([("__name__", "m"), ("n", name)]),
            sample: Sample {
                at_ms: place * 10_000,
                value: place as f64,
            },
        })
    });
    let store = Memory::new(Bounds::default());
    let delivery = Delivery {
        origin: None,
        arrival: Arrival {
            wall_ms: 0,
            steady_ms: 0,
            sent_ms: None,
        },
        rows: rows.collect(),
        metadata: vec![],
        exemplars: vec![],
    };
    store.append(vec![delivery]).await.unwrap();
    store
}

async fn cost(store: &Memory, query: &str, when: When, detail: Detail) -> Cost {
    let options = Options {
        detail,
        ..Options::default()
    };
    let answer = evaluate(store, query, when, &options).await;
    answer
        .unwrap_or_else(|error| panic!("{query}: {error}"))
        .cost
}

#[tokio::test]
async fn samples_count_at_each_step_that_looks_at_them() {
    let store = filled().await;
    let range = When::Range {
        start_ms: 300_000,
        end_ms: 420_000,
        step: Duration::from_secs(60),
    };
    let check = async |query: &str, when: When, expected: &[u64]| {
        let found = cost(&store, query, when, Detail::Steps).await.looked;
        assert_eq!(found.by_step, expected, "{query} {when:?}");
        assert_eq!(found.samples, expected.iter().sum::<u64>(), "{query}");
        let total = cost(&store, query, when, Detail::Total).await.looked;
        assert_eq!((total.samples, total.by_step), (found.samples, vec![]));
    };
    check("m", range, &[2, 2, 2]).await;
    check("m or m", range, &[4, 4, 4]).await;
    // Open to the left, as Prometheus 3 has it.
    check("rate(m[1m])", range, &[12, 12, 12]).await;
    check("rate(m[1m] @ 300)", range, &[12, 12, 12]).await;
    check("m @ 300 + m", range, &[4, 4, 4]).await;
    check("predict_linear(m{n='a'}[1m] @ 300, 60)", range, &[6, 6, 6]).await;
    check("max_over_time(m[1m:20s])", range, &[6, 6, 6]).await;
    check("max_over_time(rate(m[1m])[2m:1m])", range, &[4, 4, 4]).await;
    check("max_over_time((m @ 300)[2m:1m])", range, &[4, 4, 4]).await;
    check("nothing", range, &[0, 0, 0]).await;
    check("time()", range, &[0, 0, 0]).await;
    check("m offset 310s", range, &[0, 2, 2]).await;
    let at = When::At(300_000);
    check("m[1m]", at, &[12]).await;
    // At the root, it is what the subquery looks at.
    check("m[1m:20s]", at, &[6]).await;
    check("rate(m[1m])[2m:1m]", at, &[24]).await;
    check("(m @ 300)[2m:1m]", at, &[4]).await;
    check("'text'", at, &[0]).await;
}

#[tokio::test]
async fn what_is_read_and_held_is_always_known() {
    let store = filled().await;
    let cost = cost(&store, "m", When::At(600_000), Detail::None).await;
    // The newest of two series; and a value of each.
    assert_eq!((cost.read, cost.peak), (2, 4));
    assert_eq!((cost.looked.samples, cost.looked.by_step), (0, vec![]));
}
