//! What is kept of a rule from one evaluation to the next: its alerts, what of them `state.db` has, and
//! the series that were written.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use query::promql::LabelledValue;
use ring::digest;
use rules::state::{Alert, Event, Judgement, Phase, State, Timing, Transition};
use store::append::Row;
use store::labels::Labels;
use store::read::{STALE, Sample};

use crate::state::{EventRecord, Origin, Remembered, RuleChanges};

/// How far the wall clock may move against the steady one before it counts as set.
pub(super) const CLOCK_STEP: Duration = Duration::from_secs(5);

/// How many events of a rule wait at the most while they cannot be saved. The oldest go first; what is
/// is always saved whole.
const MOST_UNSAVED: usize = 1_000;

/// What is kept of a rule.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub(super) origin: Origin,
    pub(super) state: Arc<State>,
    /// The alerts as `state.db` has them.
    saved: Arc<State>,
    /// What came to pass and is not saved yet.
    unsaved: Vec<EventRecord>,
    /// The series of the last evaluation that was written.
    written: BTreeSet<Labels>,
}

/// What a rule is found by again. The file is not part of it, nor is the expression: a rule that moves
/// or whose threshold changes is still about the same alerts. `number` tells rules apart that have all
/// else in common.
pub(super) fn key(group: &str, identity: &str, number: usize) -> String {
    let text = format!("{group}\n{identity}\n{number}");
    let digest = digest::digest(&digest::SHA256, text.as_bytes());
    let half = digest.as_ref().iter().take(16);
    half.map(|byte| format!("{byte:02x}")).collect()
}

impl Kept {
    pub(super) fn new(origin: Origin) -> Self {
        Self {
            origin,
            state: Arc::default(),
            saved: Arc::default(),
            unsaved: Vec::new(),
            written: BTreeSet::new(),
        }
    }

    pub(super) fn remembered(remembered: Remembered) -> Self {
        let Remembered { origin, state } = remembered;
        let state = Arc::new(state);
        let written = labels(&state.series());
        Self {
            origin,
            saved: Arc::clone(&state),
            state,
            unsaved: Vec::new(),
            written,
        }
    }

    /// Goes on with the state after an evaluation.
    pub(super) fn step(&mut self, next: State, events: Vec<Event>, evidence: &[String]) {
        self.state = Arc::new(next);
        let none = String::from("[]");
        for (place, event) in events.into_iter().enumerate() {
            let Event {
                at_ms,
                transition,
                alert,
            } = event;
            self.unsaved.push(EventRecord {
                origin: self.origin.clone(),
                at_ms,
                transition,
                labels: alert.labels,
                annotations: alert.annotations,
                value: alert.value,
                active_at_ms: alert.active_at_ms,
                evidence: evidence.get(place).unwrap_or(&none).clone(),
            });
        }
        let too_many = self
            .unsaved
            .len()
            .saturating_sub(MOST_UNSAVED.max(self.state.alerts.len() * 2));
        self.unsaved.drain(..too_many);
    }

    /// The rule is no more: what pends or fires ends.
    pub(super) fn end(&mut self, at_ms: i64) {
        let (_, events) = self
            .state
            .next(&Timing::default(), Judgement::default(), at_ms);
        let ends =
            |event: &Event| matches!(event.transition, Transition::Resolved | Transition::Dropped);
        let events = events.into_iter().filter(ends).collect();
        self.step(State::default(), events, &[]);
    }

    /// What `state.db` does not have yet. The value and the annotations may differ at every
    /// evaluation, and the next one finds them anew, so they alone are no change.
    pub(super) fn changes(&self) -> (Option<RuleChanges>, &[EventRecord]) {
        let (saved, state) = (&self.saved, &self.state);
        if Arc::ptr_eq(saved, state) {
            return (None, &self.unsaved);
        }
        let alerts = state.alerts.iter().filter(|(labels, alert)| {
            let known = saved.alerts.get(*labels);
            known.is_none_or(|known| durable(known) != durable(alert))
        });
        let removed = saved.alerts.keys();
        let removed = removed.filter(|labels| !state.alerts.contains_key(*labels));
        let changes = RuleChanges {
            origin: self.origin.clone(),
            alerts: alerts.map(|(_, alert)| alert.clone()).collect(),
            removed: removed.cloned().collect(),
            seen: state.seen.difference(&saved.seen).cloned().collect(),
            unseen: saved.seen.difference(&state.seen).cloned().collect(),
        };
        let is_none = changes.alerts.is_empty()
            && changes.removed.is_empty()
            && changes.seen.is_empty()
            && changes.unseen.is_empty();
        ((!is_none).then_some(changes), &self.unsaved)
    }

    /// Everything is in `state.db`.
    pub(super) fn saved(&mut self) {
        self.saved = Arc::clone(&self.state);
        self.unsaved.clear();
    }

    /// The rows for what was given, and markers for what was given before and is no more.
    pub(super) fn rows(&mut self, given: &[LabelledValue], at_ms: i64) -> Vec<Row> {
        let row = |labels: &Labels, value: f64| Row {
            labels: labels.clone(),
            sample: Sample { at_ms, value },
        };
        let now = labels(given);
        let ended = self.written.difference(&now);
        let mut rows: Vec<Row> = ended.map(|labels| row(labels, STALE)).collect();
        rows.extend(given.iter().map(|one| row(&one.labels, one.value)));
        self.written = now;
        rows
    }

    /// The wall clock was set: what was measured by it before is as long ago as it was.
    pub(super) fn shift(&mut self, by_ms: i64) {
        if self.state.alerts.is_empty() {
            return;
        }
        let alerts: BTreeMap<Labels, Alert> = self
            .state
            .alerts
            .iter()
            .map(|(labels, alert)| (labels.clone(), shifted(alert, by_ms)))
            .collect();
        let seen = self.state.seen.clone();
        self.state = Arc::new(State { alerts, seen });
    }
}

/// How long ago something was, by the steady clock, does not change by setting the wall clock.
fn shifted(alert: &Alert, by_ms: i64) -> Alert {
    let shift = |at_ms: i64| at_ms.saturating_add(by_ms);
    let phase = match alert.phase {
        Phase::Pending => Phase::Pending,
        Phase::Firing {
            fired_at_ms,
            gone_since_ms,
        } => Phase::Firing {
            fired_at_ms: shift(fired_at_ms),
            gone_since_ms: gone_since_ms.map(shift),
        },
        Phase::Resolved {
            fired_at_ms,
            resolved_at_ms,
        } => Phase::Resolved {
            fired_at_ms: shift(fired_at_ms),
            resolved_at_ms: shift(resolved_at_ms),
        },
    };
    Alert {
        active_at_ms: shift(alert.active_at_ms),
        missing_since_ms: alert.missing_since_ms.map(shift),
        phase,
        ..alert.clone()
    }
}

fn durable(alert: &Alert) -> (&Labels, i64, Phase, Option<i64>, u32) {
    let Alert {
        series,
        active_at_ms,
        phase,
        missing_since_ms,
        returns,
        ..
    } = alert;
    (series, *active_at_ms, *phase, *missing_since_ms, *returns)
}

fn labels(series: &[LabelledValue]) -> BTreeSet<Labels> {
    series.iter().map(|one| one.labels.clone()).collect()
}
