//! A short round of the campaign of alerts; `make soak` runs the long one.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use tests::campaign::alerts::{Plan, run};

#[tokio::test]
async fn everybody_is_told_and_nobody_of_what_was_not() {
    let outcome = run(Plan {
        rounds: 16,
        seed: 1,
    })
    .await
    .unwrap();
    assert!(outcome.heard >= outcome.flips, "{outcome}");
}
