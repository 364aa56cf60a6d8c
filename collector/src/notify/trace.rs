//! What posted alerts leave in the history: their beginning, their end and their return, each once, as
//! alerts of our own rules do.
//!
//! It only compares what is known of an alert with what the history has of it already, so a sender may
//! repeat itself. An alert of our own with the same labels has its transitions from its rule: once that is
//! heard of, what was noted of the posted one counts no more.

use std::collections::{BTreeMap, BTreeSet};

use notify::alert::{Alert, Fingerprint};
use notify::dispatch::{Dispatch, Known, Source, Telling};
use rules::state::Transition;

use crate::state::{EventRecord, Noted, NotedPhase, Origin, PostedChanges};

/// An end that is so long ago is noted, unless nobody ran: a dispatcher that runs looks each second.
const AWAY_MS: i64 = 10_000;

/// What a sender gets at the most to be heard again after a start. A Prometheus repeats an alert each
/// minute.
const MOST_EXCUSED_MS: i64 = 300_000;

/// What the history has of posted alerts, and what it is still to get.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    noted: BTreeMap<Fingerprint, Noted>,
    events: Vec<EventRecord>,
    gone: BTreeSet<Fingerprint>,
}

impl Trace {
    /// As it was written last.
    pub(super) fn restore(noted: BTreeMap<Fingerprint, Noted>) -> Self {
        Self {
            noted,
            ..Self::default()
        }
    }

    /// Something was heard of an alert, of which `known` is known since then; before, it began at
    /// `began_ms`.
    pub(super) fn heard(
        &mut self,
        heard: &Known,
        (began_ms, known): (Option<i64>, Option<&Known>),
        now_ms: i64,
    ) {
        let fingerprint = heard.alert.fingerprint();
        let source = known.map_or(heard.source, |known| known.source);
        if matches!(source, Source::Own { .. }) {
            self.leave_to_rule(fingerprint);
            return;
        }
        // What is over and waits for nobody is not known any more.
        let alert = known.map_or(&heard.alert, |known| &known.alert);
        let phase = self.noted.get(&fingerprint).map(|noted| noted.phase);
        match (phase, alert.is_resolved(now_ms)) {
            (Some(NotedPhase::Firing), true) => self.note(alert, Transition::Resolved, now_ms),
            (None, false) => self.note(alert, Transition::Fired, now_ms),
            (Some(NotedPhase::Over), false) => {
                let is_same = began_ms.is_some_and(|began_ms| alert.starts_at_ms <= began_ms);
                let transition = match is_same {
                    true => Transition::Returned,
                    false => Transition::Fired,
                };
                self.note(alert, transition, now_ms);
            }
            (Some(NotedPhase::Firing), false) | (None | Some(NotedPhase::Over), true) => {}
        }
        if known.is_none() {
            self.forget(fingerprint);
        }
    }

    /// Time passed: what fired may be over, and what is over may be known no more. To be called before
    /// anything lets go of alerts that are over.
    pub(super) fn follow_time(&mut self, dispatch: &Dispatch, now_ms: i64) {
        let all: Vec<(Fingerprint, NotedPhase)> = self
            .noted
            .iter()
            .map(|(fingerprint, noted)| (*fingerprint, noted.phase))
            .collect();
        for (fingerprint, phase) in all {
            match dispatch.alert(fingerprint) {
                Some(known) if matches!(known.source, Source::Posted(_)) => {
                    if phase == NotedPhase::Firing && known.alert.is_resolved(now_ms) {
                        self.note(&known.alert, Transition::Resolved, now_ms);
                    }
                }
                _ => self.forget(fingerprint),
            }
        }
    }

    /// Says of which transitions a notification tells, as far as they are written. Those that are not get
    /// their numbers in the same transaction as the notification.
    pub(super) fn name_events(&self, telling: &mut Telling) {
        for alert in &mut telling.alerts {
            let noted = self.noted.get(&alert.fingerprint);
            alert.event = alert.event.or_else(|| noted?.event);
        }
    }

    /// What is to be written, and was not before.
    pub(super) fn take_changes(&mut self) -> PostedChanges {
        PostedChanges {
            events: std::mem::take(&mut self.events),
            gone: std::mem::take(&mut self.gone).into_iter().collect(),
        }
    }

    /// It could not be written.
    pub(super) fn put_back(&mut self, changes: PostedChanges) {
        self.events.splice(0..0, changes.events);
        let gone = changes.gone.into_iter();
        self.gone
            .extend(gone.filter(|one| !self.noted.contains_key(one)));
    }

    /// It was written, the last transition under this number.
    pub(super) fn written(&mut self, changes: &PostedChanges, last: i64) {
        for (id, event) in changes.numbered(last) {
            if let Some(noted) = self.noted.get_mut(&Fingerprint::of(&event.labels)) {
                noted.event = Some(id);
            }
        }
    }

    fn note(&mut self, alert: &Alert, transition: Transition, at_ms: i64) {
        let fingerprint = alert.fingerprint();
        let noted = Noted {
            event: None,
            phase: NotedPhase::after(transition),
        };
        self.noted.insert(fingerprint, noted);
        self.gone.remove(&fingerprint);
        self.events.push(EventRecord {
            origin: Origin::posted(alert.name()),
            at_ms,
            transition,
            labels: alert.labels.clone(),
            annotations: alert.annotations.clone(),
            // Nobody said.
            value: f64::NAN,
            active_at_ms: alert.starts_at_ms,
            evidence: "[]".to_owned(),
        });
    }

    fn forget(&mut self, fingerprint: Fingerprint) {
        if self.noted.remove(&fingerprint).is_some() {
            self.gone.insert(fingerprint);
        }
    }

    /// What is not written yet need not be: the rule has said it.
    fn leave_to_rule(&mut self, fingerprint: Fingerprint) {
        if self.noted.contains_key(&fingerprint) {
            self.forget(fingerprint);
            self.events
                .retain(|event| Fingerprint::of(&event.labels) != fingerprint);
        }
    }
}

/// Whoever repeats an alert could not be heard while nobody ran, so silence in that time is no end: it
/// would tell of one, and of the alert anew a minute later. From the start on it has as long as its sender
/// had given it.
pub(super) fn excuse(known: &mut Known, noted: Option<&Noted>, now_ms: i64) {
    let alert = &mut known.alert;
    let (Source::Posted(_), Some(ends_at_ms)) = (known.source, alert.ends_at_ms) else {
        return;
    };
    let fires = noted.is_some_and(|noted| noted.phase == NotedPhase::Firing);
    let left_ms = ends_at_ms.saturating_sub(alert.updated_at_ms);
    let was_away = now_ms.saturating_sub(ends_at_ms) > AWAY_MS;
    if fires && was_away && left_ms > 0 {
        alert.ends_at_ms = Some(now_ms.saturating_add(left_ms.min(MOST_EXCUSED_MS)));
    }
}

#[cfg(test)]
mod tests;
