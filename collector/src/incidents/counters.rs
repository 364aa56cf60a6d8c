//! What is counted of incidents: those that are not over, what became of them, and how long that took.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use incidents::book::Outcome;
use incidents::incident::{Incident, Severity, Status};
use incidents::measure::Impact;
use incidents::timeline::What;
use wire::text::{Exposition, Number};

use crate::state::incidents::Unresolved;

/// Bounds of the buckets in seconds: from a minute, in which nobody gets to a keyboard, to a day.
const BOUNDS: [f64; 7] = [60.0, 300.0, 900.0, 1_800.0, 3_600.0, 14_400.0, 86_400.0];

const SEVERITIES: [Severity; 3] = [Severity::High, Severity::Medium, Severity::Low];

/// Counters that only grow, and what was last seen of the rest.
#[derive(Debug, Default)]
pub struct Counters {
    counts: Mutex<BTreeMap<Severity, Counts>>,
    unresolved: Mutex<Option<Unresolved>>,
}

#[derive(Clone, Debug, Default)]
struct Counts {
    opened: u64,
    reopened: u64,
    resolved: u64,
    to_acknowledge: Times,
    to_resolve: Times,
}

/// How long something took.
#[derive(Clone, Debug, Default)]
struct Times {
    buckets: [u64; BOUNDS.len() + 1],
    sum: f64,
}

impl Counters {
    /// Incidents changed, and that is written.
    pub(super) fn count(&self, outcome: &Outcome) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        for (id, entry) in &outcome.entries {
            let Some(incident) = outcome.changed.iter().find(|one| one.id == *id) else {
                continue;
            };
            let of_severity = counts.entry(incident.severity).or_default();
            of_severity.count(&entry.what, incident, entry.at_ms);
        }
    }

    /// How many are not over.
    pub(super) fn see(&self, unresolved: Unresolved) {
        let mut seen = self
            .unresolved
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *seen = Some(unresolved);
    }

    /// Writes the metrics.
    pub fn write(&self, out: &mut Exposition) {
        self.write_unresolved(out);
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = counts.clone();
        let of = |severity| counts.get(&severity).cloned().unwrap_or_default();
        type Count = fn(&Counts) -> u64;
        let families: [(&str, &str, Count); 3] = [
            (
                "nightshift_incidents_opened_total",
                "Incidents that began, by the severity that they had after it.",
                |counts| counts.opened,
            ),
            (
                "nightshift_incidents_reopened_total",
                "Incidents that went on after they were resolved.",
                |counts| counts.reopened,
            ),
            (
                "nightshift_incidents_resolved_total",
                "Incidents that were resolved, by themselves or by somebody.",
                |counts| counts.resolved,
            ),
        ];
        for (name, help, count) in families {
            out.family(name, "counter", help);
            for severity in SEVERITIES {
                let labels = [("severity", severity.word())];
                out.sample(name, labels, count(&of(severity)) as f64, None);
            }
        }
        let name = "nightshift_incident_acknowledge_seconds";
        let help = "How long it took from the beginning of an incident until somebody acknowledged it first.";
        out.family(name, "histogram", help);
        for severity in SEVERITIES {
            of(severity).to_acknowledge.write(name, severity, out);
        }
        let name = "nightshift_incident_resolve_seconds";
        let help = "How long incidents lasted that were resolved.";
        out.family(name, "histogram", help);
        for severity in SEVERITIES {
            of(severity).to_resolve.write(name, severity, out);
        }
    }

    /// Nothing before they are read.
    fn write_unresolved(&self, out: &mut Exposition) {
        let seen = self.unresolved.lock();
        let seen = seen.unwrap_or_else(PoisonError::into_inner).clone();
        let Some(seen) = seen else {
            return;
        };
        let name = "nightshift_incidents";
        let help =
            "Incidents that are not resolved, by severity and whether somebody acknowledged them.";
        out.family(name, "gauge", help);
        for severity in SEVERITIES {
            for status in [Status::Open, Status::Acknowledged] {
                let labels = [("severity", severity.word()), ("state", status.word())];
                let count = seen.get(&(severity, status)).copied();
                out.sample(name, labels, count.unwrap_or_default() as f64, None);
            }
        }
    }
}

impl Counts {
    fn count(&mut self, what: &What, incident: &Incident, at_ms: i64) {
        match what {
            What::Opened { .. } => self.opened += 1,
            What::Reopened { .. } => self.reopened += 1,
            What::Acknowledged { .. } if incident.first_acknowledged_at_ms == Some(at_ms) => {
                self.to_acknowledge
                    .add(Impact::of(incident, at_ms).to_acknowledge_ms);
            }
            What::Resolved { .. } => {
                self.resolved += 1;
                self.to_resolve
                    .add(Impact::of(incident, at_ms).to_resolve_ms);
            }
            _ => {}
        }
    }
}

impl Times {
    fn add(&mut self, took_ms: Option<i64>) {
        let Some(took_ms) = took_ms else {
            return;
        };
        let seconds = took_ms.max(0) as f64 / 1_000.0;
        let place = BOUNDS.iter().position(|bound| seconds <= *bound);
        self.buckets[place.unwrap_or(BOUNDS.len())] += 1;
        self.sum += seconds;
    }

    fn write(&self, name: &str, severity: Severity, out: &mut Exposition) {
        let bucket = format!("{name}_bucket");
        let mut so_far = 0;
        for (place, count) in self.buckets.iter().enumerate() {
            so_far += count;
            let bound = BOUNDS.get(place).copied().unwrap_or(f64::INFINITY);
            let bound = Number(bound).to_string();
            let labels = [("severity", severity.word()), ("le", bound.as_str())];
            out.sample(&bucket, labels, so_far as f64, None);
        }
        let labels = [("severity", severity.word())];
        out.sample(&format!("{name}_sum"), labels, self.sum, None);
        out.sample(&format!("{name}_count"), labels, so_far as f64, None);
    }
}

#[cfg(test)]
mod tests;
