//! The state machine of an alerting rule: what was, what an evaluation found and when go in; what is,
//! and what came to pass, come out.
//!
//! It is the same for production and for rule unit tests. It holds no clock and no store: whoever
//! evaluates keeps [`State`] safe, together with the [`Event`]s that it came with, and gives it back
//! after a restart. An evaluation that failed is not a step, so it changes nothing.
//!
//! ```text
//!            found              found for `for`                gone for `keep_firing_for`, and clear
//!   nothing ------> pending ---------------------> firing ------------------------------> resolved
//!                      | gone                         ^  found again within `flap`           |
//!                      v                              +--------------------------------------+
//!                   nothing                                          after 15 minutes: nothing
//! ```
//!
//! - An alert that is gone because its series is missing, where `on_missing` is `keep`, stays as it is:
//!   it neither resolves nor begins to fire. A pending one is let go once it was missing for as long
//!   as `for` and at least an hour, so that what went away for good leaves nothing behind.
//! - An alert that comes back within `flap` after it resolved goes on with its episode: with the same
//!   start, without waiting for `for` again, and with [`Transition::Returned`], of which nobody needs
//!   to be paged a second time.

mod step;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use query::promql::LabelledValue;
use store::labels::{Labels, METRIC_NAME};

use crate::file::AlertRule;

use step::Step;

/// The series that say which alerts pend and fire.
pub const ALERTS: &str = "ALERTS";

/// The series that say since when.
pub const ALERTS_FOR_STATE: &str = "ALERTS_FOR_STATE";

/// The alerts of a rule.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    /// By their labels: those that pend, fire, or resolved not long ago.
    pub alerts: BTreeMap<Labels, Alert>,
    /// Where a missing series means that the alert fires: the series that were there.
    pub seen: BTreeSet<Labels>,
}

/// One alert.
#[derive(Clone, Debug, PartialEq)]
pub struct Alert {
    /// The labels of the series that it is about, without the metric's name.
    pub series: Labels,
    /// Its own labels.
    pub labels: Labels,
    /// What it tells people, sorted by name.
    pub annotations: Vec<(String, String)>,
    /// The value last found; not a number where the series is missing.
    pub value: f64,
    /// When it was first found, in milliseconds since 1970.
    pub active_at_ms: i64,
    /// How far it has come.
    pub phase: Phase,
    /// Since when its series is missing, where that keeps it as it is.
    pub missing_since_ms: Option<i64>,
    /// How often it came back within `flap` in this episode.
    pub returns: u32,
}

/// How far an alert has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Found, but not for long enough.
    Pending,
    /// Somebody is to be told.
    Firing {
        /// Since when.
        fired_at_ms: i64,
        /// Since when nothing is found of it any more, while it goes on firing.
        gone_since_ms: Option<i64>,
    },
    /// It fired and is over.
    Resolved {
        /// When it fired.
        fired_at_ms: i64,
        /// When it was over.
        resolved_at_ms: i64,
    },
}

/// What an evaluation found.
#[derive(Clone, Debug, Default)]
pub struct Judgement {
    /// The alerts whose condition holds, or counts as holding.
    pub found: Vec<Found>,
    /// The series that are there, where missing ones keep their alerts as they are.
    pub present: Option<BTreeSet<Labels>>,
    /// The series that were there once, where missing ones count as found.
    pub seen: BTreeSet<Labels>,
    /// Which alerts may resolve; nothing where all may.
    pub clear: Option<Vec<Labels>>,
}

/// An alert whose condition holds.
#[derive(Clone, Debug)]
pub struct Found {
    /// The labels of the series, without the metric's name.
    pub series: Labels,
    /// The labels of the alert.
    pub labels: Labels,
    /// What it tells people, sorted by name.
    pub annotations: Vec<(String, String)>,
    /// The value.
    pub value: f64,
}

/// Something came to pass.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
    /// What.
    pub transition: Transition,
    /// The alert, as it is after it.
    pub alert: Alert,
}

/// What may come to pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transition {
    /// It was found for the first time, and waits for `for`.
    Pended,
    /// It fires.
    Fired,
    /// It fires again, within `flap` after it resolved: the episode goes on.
    Returned,
    /// It fires no more.
    Resolved,
    /// It was gone before it fired.
    Dropped,
}

/// The durations of a rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timing {
    /// How long an alert must be found before it fires.
    pub hold: Duration,
    /// How long it goes on firing after it is gone.
    pub keep_firing_for: Duration,
    /// Within which time after it resolved it goes on with the same episode.
    pub flap: Option<Duration>,
}

impl From<&AlertRule> for Timing {
    fn from(rule: &AlertRule) -> Self {
        Self {
            hold: rule.hold,
            keep_firing_for: rule.keep_firing_for,
            flap: rule.flap,
        }
    }
}

impl State {
    /// What is after an evaluation, and what came to pass by it, sorted by labels.
    #[must_use]
    pub fn next(&self, timing: &Timing, judgement: Judgement, at_ms: i64) -> (Self, Vec<Event>) {
        let step = Step {
            timing,
            clear: judgement.clear.as_deref(),
            present: judgement.present.as_ref(),
            at_ms,
        };
        let mut found: BTreeMap<Labels, Found> = BTreeMap::new();
        for one in judgement.found {
            found.entry(one.labels.clone()).or_insert(one);
        }
        let mut next = Self {
            alerts: BTreeMap::new(),
            seen: judgement.seen,
        };
        let mut events = Vec::new();
        let mut keep = |alert: Option<Alert>, event: Option<Event>| {
            events.extend(event);
            if let Some(alert) = alert {
                next.alerts.insert(alert.labels.clone(), alert);
            }
        };
        for (labels, alert) in &self.alerts {
            let (alert, event) = match found.remove(labels) {
                Some(found) => step.found(Some(alert), found),
                None => step.gone(alert),
            };
            keep(alert, event);
        }
        for found in found.into_values() {
            let (alert, event) = step.found(None, found);
            keep(alert, event);
        }
        events.sort_by(|one, other| one.alert.labels.cmp(&other.alert.labels));
        (next, events)
    }

    /// The alerts that pend or fire, sorted by labels.
    pub fn active(&self) -> impl Iterator<Item = &Alert> + Clone {
        self.alerts.values().filter(|alert| alert.is_active())
    }

    /// The series that say which alerts pend and fire: `ALERTS`, and `ALERTS_FOR_STATE` with their
    /// start.
    #[must_use]
    #[allow(clippy::cast_precision_loss)]
    pub fn series(&self) -> Vec<LabelledValue> {
        let mut series = Vec::new();
        for alert in self.active() {
            let state = match alert.phase {
                Phase::Pending => "pending",
                _ => "firing",
            };
            let own = |extra: &[(&str, &str)]| {
                Labels::from_pairs(alert.labels.iter().chain(extra.iter().copied()))
            };
            series.push(LabelledValue {
                labels: own(&[(METRIC_NAME, ALERTS), ("alertstate", state)]),
                value: 1.0,
            });
            series.push(LabelledValue {
                labels: own(&[(METRIC_NAME, ALERTS_FOR_STATE)]),
                value: alert.active_at_ms.div_euclid(1_000) as f64,
            });
        }
        series
    }
}

impl Alert {
    /// Whether it pends or fires.
    #[must_use]
    pub fn is_active(&self) -> bool {
        !matches!(self.phase, Phase::Resolved { .. })
    }

    /// Whether it fires.
    #[must_use]
    pub fn is_firing(&self) -> bool {
        matches!(self.phase, Phase::Firing { .. })
    }
}

#[cfg(test)]
mod tests;
