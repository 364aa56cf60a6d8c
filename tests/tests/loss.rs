//! A short round of the loss campaign; `make soak` runs the long one.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use tests::campaign::loss::{Plan, run};

#[tokio::test]
async fn nothing_is_lost_and_nothing_stored_twice() {
    let plan = Plan {
        rounds: 12,
        seed: 1,
        away: 60,
    };
    let outcome = run(plan).await.unwrap();
    assert!(outcome.produced > 200, "{outcome}");
}
