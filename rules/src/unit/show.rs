//! What was expected and what came, as a failure shows it.

use std::time::Duration;

use query::promql::{self, go_float, quote};
use store::labels::{Labels, METRIC_NAME};

use super::{ExpectedAlert, Pairs};

/// Continues a list below `exp: `.
const NEXT: &str = "\n             ";

/// A time after the beginning.
pub(super) fn duration(duration: Duration) -> String {
    promql::duration(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX))
}

pub(super) fn alerts(alerts: &[ExpectedAlert]) -> String {
    let lines = alerts.iter().map(|alert| {
        let (labels, annotations) = (braced(&alert.labels), braced(&alert.annotations));
        format!("labels {labels}{NEXT}annotations {annotations}")
    });
    listed(lines.collect())
}

pub(super) fn samples(samples: &[(Labels, f64)]) -> String {
    let lines = samples.iter().map(|(labels, value)| {
        let own = labels.iter().filter(|(name, _)| *name != METRIC_NAME);
        let own: Pairs = own
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let name = labels.metric_name();
        format!("{name}{} {}", braced(&own), go_float(*value))
    });
    listed(lines.collect())
}

fn listed(lines: Vec<String>) -> String {
    if lines.is_empty() {
        return "nothing".to_owned();
    }
    lines.join(NEXT)
}

fn braced(pairs: &Pairs) -> String {
    let pairs = pairs
        .iter()
        .map(|(name, value)| format!("{name}={}", quote(value)));
    format!("{{{}}}", pairs.collect::<Vec<_>>().join(", "))
}
