//! No text makes the parser panic, and no query the evaluation.

use std::time::Duration;

use proptest::prelude::*;
use query::promql::{Interrupt, Options, Query, When, evaluate, parse, pretty};
use query::script::{self, notation};
use store::append::{Append, Arrival, Delivery, Row};
use store::memory::{Bounds, Memory};
use store::read::{STALE, Sample};

/// Pieces of the language, so that random texts are often nearly right.
const PIECES: &[&str] = &[
    "a",
    "b_total",
    "c_bucket",
    "{",
    "}",
    "(",
    ")",
    "[",
    "]",
    "[1m]",
    "[2m:30s]",
    "[step()]",
    ",",
    ":",
    "=",
    "!=",
    "=~",
    "!~",
    "==",
    "bool",
    "+",
    "-",
    "*",
    "/",
    "%",
    "^",
    "atan2",
    "and",
    "or",
    "unless",
    "on",
    "ignoring",
    "(job)",
    "group_left",
    "group_right",
    "fill(0)",
    "sum",
    "avg by (job)",
    "topk",
    "quantile",
    "count_values",
    "limit_ratio",
    "rate",
    "increase",
    "abs",
    "histogram_quantile",
    "label_replace",
    "absent",
    "sort_desc",
    "info",
    "time()",
    "vector",
    "scalar",
    "offset",
    "offset 1m",
    "@",
    "@ 60",
    "@ start()",
    "anchored",
    "smoothed",
    "\"x\"",
    "'le'",
    "`.*`",
    "1",
    "0.5",
    "1e300",
    "Inf",
    "NaN",
    "5m",
    "{job=\"x\"}",
    "{\"a\"}",
    "#",
    "\n",
    "\\",
    "\"",
    "é",
    "\u{0}",
];

fn texts() -> impl Strategy<Value = String> {
    let pieces = prop::collection::vec(prop::sample::select(PIECES), 0..12);
    prop_oneof![
        pieces.clone().prop_map(|pieces| pieces.concat()),
        pieces.prop_map(|pieces| pieces.join(" ")),
        any::<String>(),
    ]
}

/// What may be made of one expression.
const OF_ONE: &[&str] = &[
    "-({})",
    "abs({})",
    "sum({})",
    "sum by (job) ({})",
    "avg without (le) ({})",
    "topk(2, {})",
    "bottomk by (job) (1, {})",
    "quantile(0.5, {})",
    "count_values(\"v\", {})",
    "limitk(2, {})",
    "limit_ratio(-0.5, {})",
    "stddev({})",
    "histogram_quantile(0.9, {})",
    "histogram_fraction(0, 1, {})",
    "absent({})",
    "sort({})",
    "sort_by_label_desc({}, \"job\")",
    "timestamp({})",
    "day_of_week({})",
    "scalar({}) + vector(1)",
    "clamp({}, -1, 1)",
    "round({}, 0.1)",
    "rate(({})[2m:20s])",
    "quantile_over_time(0.3, ({})[3m:1m] @ end())",
    "predict_linear(({})[2m:15s], 60)",
    "double_exponential_smoothing(({})[2m:15s], 0.5, 0.5)",
    "absent_over_time(({})[1m:])",
    "{} > 1",
    "{} == bool 2",
    "2 ^ ({})",
    "label_replace({}, \"job\", \"$1\", \"le\", \"(.*)\")",
    "label_join({}, \"__name__\", \"-\", \"job\", \"le\")",
    "info({})",
    "deriv(({})[1m:10s] offset -1m)",
];

/// What may be made of two.
const OF_TWO: &[&str] = &[
    "({}) + ({})",
    "({}) and ({})",
    "({}) or on (job) ({})",
    "({}) unless ignoring (le) ({})",
    "({}) * on (job) group_left (le) ({})",
    "({}) < on (job, le) group_right () ({})",
    "({}) - ignoring (le) fill (0) ({})",
    "({}) == bool ({})",
];

/// Queries that are right, of every kind.
fn queries() -> impl Strategy<Value = String> {
    let series = prop::sample::select(vec![
        "a",
        "b_total",
        "c_bucket",
        "{job=~\".+\"}",
        "a offset 1m",
        "a @ 60",
        "vector(time())",
        "a smoothed",
        "nothing",
    ]);
    let leaf = series.prop_map(str::to_owned);
    leaf.prop_recursive(4, 24, 3, |inner| {
        let one = inner.clone();
        let unary = prop::sample::select(OF_ONE);
        let binary = prop::sample::select(OF_TWO);
        prop_oneof![
            (unary, one).prop_map(|(shape, inner)| shape.replace("{}", &inner)),
            (binary, inner.clone(), inner).prop_map(|(shape, left, right)| {
                shape
                    .replacen("{}", &left, 1)
                    .replacen("({})", &format!("({right})"), 1)
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_text_is_read_or_refused(text in texts()) {
        if let Ok(expr) = parse(&text) {
            let printed = expr.to_string();
            let again = parse(&printed).map_err(|wrong| wrong.describe(&printed));
            prop_assert_eq!(again.map(|expr| expr.to_string()), Ok(printed.clone()));
            let broken = parse(&pretty(&expr)).map(|expr| expr.to_string());
            prop_assert_eq!(broken.ok(), Some(printed));
        }
    }

    #[test]
    fn any_script_is_read_or_refused(text in texts()) {
        let _read = script::parse(&format!("load 1m\n  {text}\n\neval instant at {text}\n  {text}\n"));
        let _items = notation::items(&text);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_query_is_answered_or_refused(query in queries(), at_ms in -100_000i64..400_000, step_ms in 1u64..90_000) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let store = filled().await;
            let range = When::Range {
                start_ms: at_ms,
                end_ms: at_ms + 300_000,
                step: Duration::from_millis(step_ms.max(1_000)),
            };
            for when in [When::At(at_ms), range] {
                let _answer = evaluate(&store, &query, when, &Options::default()).await;
            }
        });
        prop_assert!(parse(&query).is_ok(), "{}", query);
    }
}

#[tokio::test]
async fn limits_and_interrupts_are_errors() {
    let store = filled().await;
    let few = Options {
        max_samples: 10,
        ..Options::default()
    };
    let message = |failed: query::promql::QueryError| failed.to_string();
    let refused = evaluate(&store, "a[10m]", When::At(300_000), &few).await;
    assert_eq!(
        refused.map_err(message).unwrap_err(),
        "query processing would load too many samples into memory in query execution"
    );
    let refused = evaluate(&store, "max_over_time(vector(1)[1d:1s])", When::At(0), &few).await;
    assert!(refused.is_err());
    let one_series = Options {
        max_series: 1,
        ..Options::default()
    };
    let refused = evaluate(&store, "a", When::At(60_000), &one_series).await;
    assert_eq!(
        refused.map_err(message).unwrap_err(),
        "the query selects more than 1 series"
    );

    let stopped = |stop: fn(&Interrupt)| {
        let query = Query::parse("sum(a)").unwrap();
        let prepared = query
            .prepare(When::At(60_000), &Options::default())
            .unwrap();
        let store = &store;
        async move {
            let interrupt = Interrupt::default();
            stop(&interrupt);
            prepared
                .load(store)
                .await
                .unwrap()
                .evaluate(&interrupt)
                .map_err(|failed| failed.to_string())
        }
    };
    let cancelled = stopped(Interrupt::cancel).await.unwrap_err();
    assert_eq!(cancelled, "query was canceled in expression evaluation");
    let timed_out = stopped(Interrupt::time_out).await.unwrap_err();
    assert_eq!(timed_out, "query timed out in expression evaluation");
}

/// Servers run queries on whichever thread is free.
#[tokio::test]
async fn queries_go_from_thread_to_thread() {
    fn sendable<T: Send>(value: T) -> T {
        value
    }
    let store = filled().await;
    let query = Query::parse("sum(rate(b_total[2m]))").unwrap();
    let prepared = sendable(
        query
            .prepare(When::At(60_000), &Options::default())
            .unwrap(),
    );
    let loaded = sendable(sendable(prepared.load(&store)).await.unwrap());
    let answer = tokio::task::spawn_blocking(move || loaded.evaluate(&Interrupt::default()));
    assert!(answer.await.unwrap().is_ok());
}

/// Evaluation recurses as deep as the parser lets expressions be.
#[tokio::test]
async fn the_deepest_queries_are_answered() {
    let store = filled().await;
    let deepest = |queries: [String; 3]| {
        let store = &store;
        async move {
            for query in queries {
                let answer = evaluate(store, &query, When::At(60_000), &Options::default()).await;
                assert!(answer.is_ok(), "{}: {:?}", &query[..40], answer.err());
            }
        }
    };
    let nested = format!("{}a{}", "abs(".repeat(95), ")".repeat(95));
    let subqueries = format!("{}a{}", "max_over_time(".repeat(45), "[1m:30s])".repeat(45));
    deepest([vec!["a"; 390].join(" or "), nested, subqueries]).await;
}

async fn filled() -> Memory {
    const SERIES: &[&str] = &[
        "a{job=\"x\"} 1 2 _ stale 5 NaN -Inf 8 9 1e300",
        "a{job=\"y\"} _ _ 3 3 3 3 _ _ _ 10",
        "b_total{job=\"x\"} 0+5x5 0+7x5",
        "c_bucket{job=\"x\", le=\"0.1\"} 0+1x10",
        "c_bucket{job=\"x\", le=\"1\"} 5-1x10",
        "c_bucket{job=\"x\", le=\"+Inf\"} 0+4x10",
        "target_info{job=\"x\", version=\"1\"} 1x10",
    ];
    let store = Memory::new(Bounds::default());
    let mut rows = Vec::new();
    for line in SERIES {
        let (labels, items) = notation::series(line).expect("the lines above are right");
        for (at_ms, item) in (0..).step_by(30_000).zip(items) {
            let value = match item {
                notation::Item::Number(value) => value,
                notation::Item::Stale => STALE,
                _ => continue,
            };
            rows.push(Row {
                labels: labels.clone(),
                sample: Sample { at_ms, value },
            });
        }
    }
    let arrival = Arrival {
        wall_ms: 0,
        steady_ms: 0,
        sent_ms: None,
    };
    let delivery = Delivery {
        origin: None,
        arrival,
        rows,
        metadata: Vec::new(),
        exemplars: Vec::new(),
    };
    store
        .append(vec![delivery])
        .await
        .expect("the store in memory takes everything");
    store
}
