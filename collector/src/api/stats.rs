//! What a query cost, in the shape in which Prometheus says it: `stats` beside the result.
//!
//! Counted is as Prometheus counts: `totalQueryableSamples` are the samples that steps looked at.
//! `samplesRead` are those that the store gave, and `peakSamples` those and the values that the
//! evaluation held beside them; both depend on how it is evaluated, and it is evaluated otherwise here.

use std::time::Duration;

use query::promql::{Cost, Detail, When};

use super::json::Json;
use super::params::Params;

/// How long the parts of answering took. All but the first are counted from the end of the first.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timings {
    /// Waiting for a place.
    pub(super) queued: Duration,
    /// Until the series were loaded.
    pub(super) prepared: Duration,
    /// Until the values were there.
    pub(super) evaluated: Duration,
    /// Until they were sorted.
    pub(super) sorted: Duration,
}

/// What the request wants to know: anything in `stats` means the sums, `all` the steps as well.
pub(super) fn detail(params: &Params) -> Detail {
    match params.first("stats") {
        None => Detail::None,
        Some("all") => Detail::Steps,
        Some(_) => Detail::Total,
    }
}

/// Adds it to the data of an answer.
pub(super) fn write(text: &mut Json, cost: &Cost, timings: Timings, when: When) {
    let Timings {
        queued,
        prepared,
        evaluated,
        sorted,
    } = timings;
    text.key("stats");
    text.raw(r#"{"timings":{"#);
    for (key, time) in [
        ("evalTotalTime", sorted),
        ("resultSortTime", sorted.saturating_sub(evaluated)),
        ("queryPreparationTime", prepared),
        ("innerEvalTime", evaluated.saturating_sub(prepared)),
        ("execQueueTime", queued),
        ("execTotalTime", queued + sorted),
    ] {
        text.key(key);
        text.raw(&time.as_secs_f64().to_string());
    }
    text.raw(r#"},"samples":{"#);
    if !cost.looked.by_step.is_empty() {
        text.key("totalQueryableSamplesPerStep");
        steps(text, &cost.looked.by_step, when);
    }
    for (key, count) in [
        ("totalQueryableSamples", cost.looked.samples),
        ("samplesRead", cost.read as u64),
        ("peakSamples", cost.peak as u64),
    ] {
        text.key(key);
        text.raw(&count.to_string());
    }
    text.raw("}}");
}

/// A time and a count for each step.
fn steps(text: &mut Json, counts: &[u64], when: When) {
    let (mut at_ms, step_ms) = match when {
        When::At(at_ms) => (at_ms, 0),
        When::Range { start_ms, step, .. } => (
            start_ms,
            i64::try_from(step.as_millis()).unwrap_or(i64::MAX),
        ),
    };
    text.list(counts, |text, count| {
        text.raw("[");
        text.time(at_ms);
        text.raw(&format!(",{count}]"));
        at_ms = at_ms.saturating_add(step_ms);
    });
}

#[cfg(test)]
mod tests {
    use query::promql::Looked;

    use super::*;

    #[test]
    fn what_it_cost_looks_as_prometheus_has_it() {
        let check = |by_step: &[u64], when: When, expected: &str| {
            let cost = Cost {
                read: 7,
                peak: 11,
                looked: Looked {
                    samples: 9,
                    by_step: by_step.to_vec(),
                },
            };
            let timings = Timings {
                queued: Duration::from_millis(1),
                prepared: Duration::from_millis(250),
                evaluated: Duration::from_millis(750),
                sorted: Duration::from_secs(1),
            };
            let mut text = Json::default();
            text.raw("{");
            write(&mut text, &cost, timings, when);
            text.end_object();
            let times = r#"{"evalTotalTime":1,"resultSortTime":0.25,"queryPreparationTime":0.25,"innerEvalTime":0.5,"execQueueTime":0.001,"execTotalTime":1.001}"#;
            let counts = r#""totalQueryableSamples":9,"samplesRead":7,"peakSamples":11"#;
            let whole =
                format!(r#"{{"stats":{{"timings":{times},"samples":{{{expected}{counts}}}}}}}"#);
            assert_eq!(String::from_utf8(text.into_bytes()).unwrap(), whole);
        };
        check(&[], When::At(1_500), "");
        check(
            &[9],
            When::At(1_500),
            r#""totalQueryableSamplesPerStep":[[1.500,9]],"#,
        );
        let range = When::Range {
            start_ms: 1_000,
            end_ms: 2_000,
            step: Duration::from_millis(500),
        };
        check(
            &[4, 0, 5],
            range,
            r#""totalQueryableSamplesPerStep":[[1,4],[1.500,0],[2,5]],"#,
        );
    }
}
