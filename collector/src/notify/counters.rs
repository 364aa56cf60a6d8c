//! What is counted of notifications, under Alertmanager's names where it has them.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use notify::config::Kind;
use wire::text::{Exposition, Number};

use crate::state::OutboxCounts;

/// Bounds of the latency's buckets in seconds: Alertmanager's, and some below, where receivers answer.
const BOUNDS: [f64; 7] = [0.1, 0.5, 1.0, 5.0, 10.0, 15.0, 20.0];

/// Why an attempt failed, as Alertmanager calls it where it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Failure {
    /// The receiver could not be reached, or not now.
    Server,
    /// It refused.
    Client,
    /// It was not taken for too long.
    Expired,
}

/// Counters that only grow, and what was last seen of the rest.
#[derive(Debug, Default)]
pub struct Counters {
    kinds: Mutex<BTreeMap<Kind, OfKind>>,
    seen: Mutex<Seen>,
}

#[derive(Clone, Debug, Default)]
struct OfKind {
    attempts: u64,
    failures: BTreeMap<Failure, u64>,
    folded: u64,
    latency: [u64; BOUNDS.len() + 1],
    latency_sum: f64,
}

/// What there is now.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) active: usize,
    pub(crate) suppressed: usize,
    /// Of silences: active, pending, expired.
    pub(crate) silences: [usize; 3],
    pub(crate) groups: usize,
    pub(crate) outbox: Option<OutboxCounts>,
    /// Problems of the configuration file when it was last read.
    pub(crate) problems: usize,
}

impl Counters {
    pub(crate) fn attempt(&self, kind: Kind, took: Duration) {
        let seconds = took.as_secs_f64();
        let place = BOUNDS.iter().position(|bound| seconds <= *bound);
        self.count(kind, |one| {
            one.attempts += 1;
            one.latency[place.unwrap_or(BOUNDS.len())] += 1;
            one.latency_sum += seconds;
        });
    }

    pub(crate) fn failure(&self, kind: Kind, failure: Failure) {
        self.count(kind, |one| *one.failures.entry(failure).or_default() += 1);
    }

    pub(crate) fn folded(&self, kind: Kind, rows: usize) {
        self.count(kind, |one| one.folded += rows as u64);
    }

    pub(crate) fn see(&self, change: impl FnOnce(&mut Seen)) {
        change(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn count(&self, kind: Kind, change: impl FnOnce(&mut OfKind)) {
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        change(kinds.entry(kind).or_default());
    }

    /// Writes the metrics.
    pub fn write(&self, now_ms: i64, out: &mut Exposition) {
        let kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        let kinds = kinds.clone();
        let of = |kind: Kind| kinds.get(&kind).cloned().unwrap_or_default();
        let name = "alertmanager_notifications_total";
        out.family(name, "counter", "Attempts to send a notification.");
        for kind in Kind::ALL {
            let labels = [("integration", kind.name())];
            out.sample(name, labels, of(kind).attempts as f64, None);
        }
        let name = "alertmanager_notifications_failed_total";
        out.family(name, "counter", "Attempts that failed, and rows given up.");
        for kind in Kind::ALL {
            for failure in [Failure::Server, Failure::Client, Failure::Expired] {
                let labels = [("integration", kind.name()), ("reason", failure.reason())];
                let count = of(kind).failures.get(&failure).copied().unwrap_or_default();
                out.sample(name, labels, count as f64, None);
            }
        }
        let name = "nightshift_notifications_folded_total";
        out.family(
            name,
            "counter",
            "Notifications that became part of a digest.",
        );
        for kind in Kind::ALL {
            let labels = [("integration", kind.name())];
            out.sample(name, labels, of(kind).folded as f64, None);
        }
        write_latency(&kinds, out);
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        write_seen(&seen.clone(), now_ms, out);
    }
}

impl Failure {
    fn reason(self) -> &'static str {
        match self {
            Self::Server => "serverError",
            Self::Client => "clientError",
            Self::Expired => "expired",
        }
    }
}

fn write_latency(kinds: &BTreeMap<Kind, OfKind>, out: &mut Exposition) {
    let name = "alertmanager_notification_latency_seconds";
    out.family(name, "histogram", "How long an attempt took.");
    let bucket = format!("{name}_bucket");
    for (kind, counts) in kinds {
        let mut so_far = 0;
        for (place, count) in counts.latency.iter().enumerate() {
            so_far += count;
            let bound = BOUNDS.get(place).copied().unwrap_or(f64::INFINITY);
            let bound = Number(bound).to_string();
            let labels = [("integration", kind.name()), ("le", bound.as_str())];
            out.sample(&bucket, labels, so_far as f64, None);
        }
        let labels = [("integration", kind.name())];
        out.sample(&format!("{name}_sum"), labels, counts.latency_sum, None);
        out.sample(&format!("{name}_count"), labels, so_far as f64, None);
    }
}

fn write_seen(seen: &Seen, now_ms: i64, out: &mut Exposition) {
    let name = "alertmanager_alerts";
    out.family(name, "gauge", "How many alerts there are, by state.");
    for (state, count) in [("active", seen.active), ("suppressed", seen.suppressed)] {
        out.sample(name, [("state", state)], count as f64, None);
    }
    let name = "alertmanager_silences";
    out.family(name, "gauge", "How many silences there are, by state.");
    for (state, count) in ["active", "pending", "expired"]
        .into_iter()
        .zip(seen.silences)
    {
        out.sample(name, [("state", state)], count as f64, None);
    }
    let name = "alertmanager_dispatcher_aggregation_groups";
    out.single(name, "gauge", "Groups of alerts.", seen.groups as f64);
    let name = "nightshift_notify_problems";
    let help = "Problems of the Alertmanager file when it was last read.";
    out.single(name, "gauge", help, seen.problems as f64);
    let Some(outbox) = &seen.outbox else {
        return;
    };
    let name = "nightshift_outbox_rows";
    out.family(
        name,
        "gauge",
        "Notifications in the outbox, by what became of them.",
    );
    for state in ["waiting", "delivered", "refused", "expired", "folded"] {
        let count = outbox.rows.get(state).copied().unwrap_or_default();
        out.sample(name, [("state", state)], count as f64, None);
    }
    let name = "nightshift_outbox_oldest_seconds";
    let age_ms = outbox.oldest_at_ms.map_or(0, |at_ms| now_ms - at_ms);
    let help = "How long the oldest notification that waits has waited.";
    out.single(name, "gauge", help, age_ms.max(0) as f64 / 1_000.0);
}
