//! What one incident becomes: by an alert that fires in it, and by what a person does.

use super::{AlertEvent, Deed, entry};
use crate::incident::{Acknowledged, Escalation, Incident, Member, Resolved, Severity};
use crate::scope::Scope;
use crate::timeline::{AlertChange, Entry, What};

impl Incident {
    /// Takes an alert that fires in, or notes that one of its own fires again.
    pub(super) fn take_in(&mut self, event: &AlertEvent, scope: &Scope, told: &mut Vec<Entry>) {
        self.keys.extend(scope.own.iter().cloned());
        self.touch(event.at_ms);
        self.held = false;
        self.escalation.quiet_ms = None;
        let mut known = self.alerts.iter();
        let place = known.position(|member| member.labels == event.labels);
        let place = place.unwrap_or_else(|| {
            self.alerts.push(Member {
                labels: event.labels.clone(),
                annotations: Vec::new(),
                group: event.group.clone(),
                rule: event.rule.clone(),
                severity: Severity::of(&event.labels),
                active_at_ms: event.active_at_ms,
                spans: Vec::new(),
                earlier: 0,
            });
            self.alerts.len() - 1
        });
        let member = &mut self.alerts[place];
        member.annotations.clone_from(&event.annotations);
        member.fire(event.at_ms);
        told.push(entry(event.at_ms, event.change(member)));
    }

    /// Its severity is that of its worst alert. One that rises ends an acknowledgement, for it was of
    /// something lesser, and begins another escalation.
    pub(super) fn weigh(&mut self, rises_at_ms: Option<i64>, told: &mut Vec<Entry>) {
        let to = self.worst().map_or(self.severity, |worst| worst.severity);
        let from = std::mem::replace(&mut self.severity, to);
        let (true, Some(at_ms)) = (to > from, rises_at_ms) else {
            return;
        };
        told.push(entry(at_ms, What::Raised { from, to }));
        self.end_acknowledgement(at_ms, format!("severity rose to {to}"), told);
        self.escalate_anew(at_ms);
    }

    fn end_acknowledgement(&mut self, at_ms: i64, why: String, told: &mut Vec<Entry>) {
        if let Some(Acknowledged { by, .. }) = self.acknowledged.take() {
            told.push(entry(at_ms, What::AcknowledgementEnded { by, why }));
        }
    }

    /// From the first step on. Who was called already is still to hear of the end.
    fn escalate_anew(&mut self, at_ms: i64) {
        self.escalation = Escalation {
            since_ms: at_ms,
            called: std::mem::take(&mut self.escalation.called),
            quiet_ms: self.over_at_ms().map(|_| at_ms),
            ..Escalation::default()
        };
    }

    pub(super) fn begin_anew(&mut self, at_ms: i64) {
        self.resolved = None;
        self.acknowledged = None;
        self.reopened = self.reopened.saturating_add(1);
        self.escalate_anew(at_ms);
        self.touch(at_ms);
    }

    pub(super) fn carry_out(&mut self, by: &str, deed: &Deed, at_ms: i64, told: &mut Vec<Entry>) {
        let owned = |owner: Option<String>| What::Owned {
            by: by.to_owned(),
            owner,
        };
        let by = by.to_owned();
        match deed {
            Deed::Acknowledge => {
                if self.acknowledged.is_none() {
                    let by = by.clone();
                    self.acknowledged = Some(Acknowledged { at_ms, by });
                }
                self.first_acknowledged_at_ms.get_or_insert(at_ms);
                self.owner.get_or_insert_with(|| by.clone());
                told.push(entry(at_ms, What::Acknowledged { by }));
            }
            Deed::Note(text) => {
                let text = text.clone();
                told.push(entry(at_ms, What::Note { by, text }));
            }
            Deed::Resolve => {
                let by = Some(by);
                self.resolved = Some(Resolved {
                    at_ms,
                    by: by.clone(),
                });
                self.held = false;
                told.push(entry(at_ms, What::Resolved { by }));
            }
            Deed::Reopen => {
                self.begin_anew(at_ms);
                self.held = self.over_at_ms().is_some();
                told.push(entry(at_ms, What::Reopened { by: Some(by) }));
            }
            Deed::Own(owner) => {
                self.owner.clone_from(owner);
                told.push(entry(at_ms, owned(owner.clone())));
            }
        }
        // What people write about one that is over is no reason for it to go on.
        if self.resolved.is_none() {
            self.touch(at_ms);
        }
    }

    pub(super) fn touch(&mut self, at_ms: i64) {
        self.active_at_ms = self.active_at_ms.max(at_ms);
    }
}

impl AlertEvent {
    pub(super) fn change(&self, member: &Member) -> What {
        What::Alert(AlertChange {
            became: self.became,
            labels: self.labels.clone(),
            summary: member.summary(),
            value: self.value.clone(),
            active_at_ms: self.active_at_ms,
            evidence: self.evidence.clone(),
        })
    }
}
