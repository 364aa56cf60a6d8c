//! Warnings and remarks that go with an answer, in Prometheus' own words.

use std::collections::BTreeMap;

use crate::promql::ast::Span;
use crate::promql::error::position;
use crate::promql::functions::dates::rfc3339;
use crate::promql::functions::histogram::Repair;
use crate::promql::print::{go_float, quote};

/// What an evaluation has to say beside its answer. Each is said once.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    notes: BTreeMap<(Level, usize, String), ()>,
    repairs: BTreeMap<(usize, String), Repairs>,
}

/// How much it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    Warning,
    Info,
}

#[derive(Debug)]
struct Repairs {
    sum: Repair,
    count: usize,
    first_ms: i64,
    last_ms: i64,
}

impl Notes {
    pub(crate) fn warn(&mut self, span: Span, message: impl Into<String>) {
        self.notes
            .insert((Level::Warning, span.start, message.into()), ());
    }

    pub(crate) fn inform(&mut self, span: Span, message: impl Into<String>) {
        self.notes
            .insert((Level::Info, span.start, message.into()), ());
    }

    pub(crate) fn invalid_quantile(&mut self, span: Span, share: f64) {
        let got = go_float(share);
        self.warn(
            span,
            format!("quantile value should be between 0 and 1, got {got}"),
        );
    }

    pub(crate) fn possible_non_counter(&mut self, span: Span, metric: &str) {
        let metric = quote(metric);
        self.inform(
            span,
            format!(
                "metric might not be a counter, name does not end in _total/_sum/_count/_bucket: {metric}"
            ),
        );
    }

    pub(crate) fn bad_bucket_label(&mut self, span: Span, metric: &str, value: &str) {
        let value = quote(value);
        let message = format!("bucket label \"le\" is missing or has a malformed value of {value}");
        self.warn(span, message + &for_metric(metric));
    }

    /// Buckets put right; of one metric all are told of at once.
    pub(crate) fn repaired(&mut self, span: Span, metric: &str, repair: Repair, at_ms: i64) {
        let known = self.repairs.entry((span.start, metric.to_owned()));
        let known = known.or_insert(Repairs {
            sum: repair,
            count: 0,
            first_ms: at_ms,
            last_ms: at_ms,
        });
        known.count += 1;
        known.first_ms = known.first_ms.min(at_ms);
        known.last_ms = known.last_ms.max(at_ms);
        known.sum.lowest_bound = known.sum.lowest_bound.min(repair.lowest_bound);
        known.sum.highest_bound = known.sum.highest_bound.max(repair.highest_bound);
        known.sum.largest_fall = known.sum.largest_fall.max(repair.largest_fall);
    }

    /// All of one level, each with its place in the query.
    pub(crate) fn texts(&self, level: Level, query: &str) -> Vec<String> {
        let prefix = match level {
            Level::Warning => "PromQL warning",
            Level::Info => "PromQL info",
        };
        let mut texts: Vec<String> = self
            .notes
            .keys()
            .filter(|(known, ..)| *known == level)
            .map(|(_, start, message)| format!("{prefix}: {message} ({})", position(query, *start)))
            .collect();
        if level == Level::Info {
            texts.extend(self.repairs.iter().map(|((start, metric), repairs)| {
                let place = position(query, *start);
                format!("{prefix}: {} ({place})", repairs.describe(metric))
            }));
        }
        texts
    }
}

impl Repairs {
    fn describe(&self, metric: &str) -> String {
        format!(
            "input to histogram_quantile needed to be fixed for monotonicity (see https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile){}, from buckets {} to {}, with a max diff of {}, over {} samples from {} to {}",
            for_metric(metric),
            go_float(self.sum.lowest_bound),
            go_float(self.sum.highest_bound),
            go_float(self.sum.largest_fall),
            self.count,
            rfc3339(self.first_ms),
            rfc3339(self.last_ms)
        )
    }
}

fn for_metric(metric: &str) -> String {
    if metric.is_empty() {
        String::new()
    } else {
        format!(" for metric name {}", quote(metric))
    }
}
