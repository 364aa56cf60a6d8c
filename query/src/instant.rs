//! What a selector selects at one instant: of each series its newest sample, if that is not too old.

use std::time::Duration;

use store::labels::Labels;
use store::matcher::Matcher;
use store::read::{Read, ReadError, Sample, TimeRange};

use crate::promql::is_absent;

/// How old a sample may be and still stand for its series, unless the operator says otherwise; the
/// same as Prometheus has it.
pub const LOOKBACK: Duration = Duration::from_secs(5 * 60);

/// Selects at `at_ms`, sorted by labels. A sample exactly `lookback` old no longer counts.
pub async fn select<R: Read + Sync>(
    store: &R,
    selector: &[Matcher],
    at_ms: i64,
    lookback: Duration,
    max_samples: usize,
) -> Result<Vec<(Labels, Sample)>, ReadError> {
    let lookback_ms = i64::try_from(lookback.as_millis()).unwrap_or(i64::MAX);
    let range = TimeRange {
        from_ms: at_ms.saturating_sub(lookback_ms).saturating_add(1),
        to_ms: at_ms,
    };
    let found = store.select(selector, range, max_samples).await?;
    let newest = found
        .into_iter()
        .filter_map(|series| Some((series.labels, *series.samples.last()?)))
        // A series that has ended says so by a marker, which is no value.
        .filter(|(_, sample)| !is_absent(sample.value));
    Ok(newest.collect())
}

#[cfg(test)]
mod tests {
    use store::append::{Append, Arrival, Delivery, Row};
    use store::memory::{Bounds, Memory};

    use super::*;
    use crate::selector;

    #[tokio::test]
    async fn the_newest_sample_within_the_lookback_counts() {
        let store = Memory::new(Bounds::default());
        let row = |series: &str, at_ms, value| Row {
            labels: Labels::from_pairs([("__name__", series)]),
            sample: Sample { at_ms, value },
        };
        let delivery = Delivery {
            origin: None,
            arrival: Arrival {
                wall_ms: 0,
                steady_ms: 0,
                sent_ms: None,
            },
            rows: vec![
                row("a", 1_000, 1.0),
                row("a", 2_000, 2.0),
                row("a", 9_000, 9.0),
                row("b", 0, 5.0),
            ],
            metadata: vec![],
            exemplars: vec![],
        };
        store.append(vec![delivery]).await.unwrap();
        let check = async |at_ms, expected: &[(&str, f64)]| {
            let all = selector::parse("{__name__=~'.+'}").unwrap();
            let lookback = Duration::from_secs(5);
            let found = select(&store, &all, at_ms, lookback, 100).await.unwrap();
            let found: Vec<_> = found
                .iter()
                .map(|(l, s)| (l.metric_name(), s.value))
                .collect();
            assert_eq!(found, expected, "at {at_ms}");
        };
        check(999, &[("b", 5.0)]).await;
        check(2_500, &[("a", 2.0), ("b", 5.0)]).await;
        check(5_000, &[("a", 2.0)]).await;
        check(6_999, &[("a", 2.0)]).await;
        check(7_000, &[]).await;
        check(9_000, &[("a", 9.0)]).await;
    }
}
