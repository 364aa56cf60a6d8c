//! The book of incidents: what alerts make of it, what people do with it, and what time does.
//!
//! Whoever keeps it gives the incidents that are not over, those that ended by themselves not long ago,
//! and those with an alert that still fires; steps are made; and what comes out ([`Outcome`]) is to be
//! kept in one piece, with the number of the event that was seen last. A step depends on nothing else,
//! so after a crash the same steps come to the same.
//!
//! - An alert that fires belongs to the incident that has it already, else to one of the same cluster or
//!   host in which something came to pass within the window, else it begins one. An incident that ended
//!   by itself within the window goes on; what a person resolved stays resolved.
//! - An acknowledgement ends when the incident becomes worse than it was, or is opened again.
//! - An incident whose alerts are all over for long enough ends by itself.

mod change;
mod escalate;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;
use store::labels::Labels;

use crate::incident::{Escalation, Incident, IncidentId, Member, Resolved, Severity, Status};
use crate::oncall::OnCall;
use crate::scope::{Key, Scope};
use crate::timeline::{Became, Entry, What};

/// How the book is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// How long after something last came to pass of it an incident takes in further alerts.
    pub window: Duration,
    /// How long all alerts must be over before an incident ends by itself.
    pub resolve_after: Duration,
}

/// An alert that changed.
#[derive(Clone, Debug, PartialEq)]
pub struct AlertEvent {
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
    /// What became of it.
    pub became: Became,
    /// The group of its rule; empty where it is from elsewhere.
    pub group: String,
    /// Its rule, or its name where it is from elsewhere.
    pub rule: String,
    /// What it is known by.
    pub labels: Labels,
    /// What it tells people.
    pub annotations: Vec<(String, String)>,
    /// The value, as PromQL writes it; empty where nobody said it.
    pub value: String,
    /// Since when its condition holds.
    pub active_at_ms: i64,
    /// The samples that decided it.
    pub evidence: Value,
}

/// What a person does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Looks after it.
    Acknowledge,
    /// Writes something down.
    Note(String),
    /// Says that it is over.
    Resolve,
    /// Says that it is not.
    Reopen,
    /// Says who has it.
    Own(Option<String>),
}

/// Why something cannot be done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// There is none.
    #[error("there is no incident {0}")]
    Unknown(IncidentId),
    /// It is over.
    #[error("incident {0} is resolved")]
    Resolved(IncidentId),
    /// It is not over.
    #[error("incident {0} is not resolved")]
    NotResolved(IncidentId),
}

/// Somebody is to be told.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    /// Of which incident.
    pub incident: IncidentId,
    /// Which telling of this incident it is: the same after a crash, and of no other.
    pub key: String,
    /// Why.
    pub reason: Reason,
    /// By which receivers.
    pub receivers: Vec<String>,
    /// Its alerts: those that fire, or all of them where it is over.
    pub alerts: Vec<Member>,
}

/// Why somebody is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It is their turn.
    Escalation,
    /// What they were called for is over.
    Over,
}

/// What became of a book.
#[derive(Debug, Default, PartialEq)]
pub struct Outcome {
    /// Incidents that are new, or not what they were.
    pub changed: Vec<Incident>,
    /// What came to pass, in its order.
    pub entries: Vec<(IncidentId, Entry)>,
    /// Who is to be told.
    pub pages: Vec<Page>,
    /// The number of the last incident.
    pub last: i64,
}

/// The book.
#[derive(Debug)]
pub struct Book {
    rules: Rules,
    incidents: BTreeMap<IncidentId, Incident>,
    changed: BTreeSet<IncidentId>,
    outcome: Outcome,
}

impl Book {
    /// One with these incidents; `last` is the number of the last one that there ever was.
    #[must_use]
    pub fn new(rules: Rules, incidents: Vec<Incident>, last: i64) -> Self {
        let incidents = incidents.into_iter();
        Self {
            rules,
            incidents: incidents.map(|one| (one.id, one)).collect(),
            changed: BTreeSet::new(),
            outcome: Outcome {
                last,
                ..Outcome::default()
            },
        }
    }

    /// What became of it.
    #[must_use]
    pub fn into_outcome(mut self) -> Outcome {
        let changed = self.changed.into_iter();
        self.outcome.changed = changed
            .filter_map(|id| self.incidents.remove(&id))
            .collect();
        self.outcome
    }

    /// An incident.
    #[must_use]
    pub fn get(&self, id: IncidentId) -> Option<&Incident> {
        self.incidents.get(&id)
    }

    /// An alert changed.
    pub fn observe(&mut self, event: &AlertEvent, scope: &Scope) {
        match event.became {
            Became::Fired | Became::Returned => self.fire(event, scope),
            Became::Resolved => self.end(event),
        }
    }

    fn fire(&mut self, event: &AlertEvent, scope: &Scope) {
        let (id, is_new) = match self.home(event, scope) {
            Some(id) => (id, false),
            None => (self.open(event, scope), true),
        };
        self.change(id, |incident, told| {
            if incident.resolved.take().is_some() {
                incident.begin_anew(event.at_ms);
                told.push(entry(event.at_ms, What::Reopened { by: None }));
            }
            incident.take_in(event, scope, told);
            let title = incident.worst().map(Member::summary);
            incident.title = title.unwrap_or_default();
            let rises = (!is_new).then_some(event.at_ms);
            incident.weigh(rises, told);
        });
    }

    /// The incident that an alert belongs to.
    fn home(&self, event: &AlertEvent, scope: &Scope) -> Option<IncidentId> {
        let known = self.incidents.values().find(|incident| {
            let mut alerts = incident.alerts.iter();
            incident.resolved.is_none() && alerts.any(|member| member.labels == event.labels)
        });
        if let Some(known) = known {
            return Some(known.id);
        }
        let keys = scope.all();
        let takes_in = |incident: &&Incident| {
            let window_ms = ms(self.rules.window);
            let resolved = incident.resolved.as_ref();
            resolved.is_none_or(|resolved| resolved.by.is_none())
                && incident.active_at_ms.saturating_add(window_ms) >= event.at_ms
                && !incident.keys.is_disjoint(&keys)
        };
        // What shares a cluster is nearer than what shares a host, and what lasts than what is over.
        let distance = |incident: &&Incident| {
            let mut shared = incident.keys.intersection(&keys);
            let is_far = !shared.any(|key| matches!(key, Key::Cluster(_)));
            (incident.resolved.is_some(), is_far, incident.id)
        };
        let near = self
            .incidents
            .values()
            .filter(takes_in)
            .min_by_key(distance);
        near.map(|incident| incident.id)
    }

    fn open(&mut self, event: &AlertEvent, scope: &Scope) -> IncidentId {
        self.outcome.last += 1;
        let id = IncidentId(self.outcome.last);
        let severity = Severity::of(&event.labels);
        let incident = Incident {
            id,
            title: String::new(),
            severity,
            keys: scope.all(),
            opened_at_ms: event.at_ms,
            active_at_ms: event.at_ms,
            owner: None,
            acknowledged: None,
            first_acknowledged_at_ms: None,
            resolved: None,
            reopened: 0,
            held: false,
            escalation: Escalation {
                since_ms: event.at_ms,
                ..Escalation::default()
            },
            alerts: Vec::new(),
        };
        self.incidents.insert(id, incident);
        let opened = entry(event.at_ms, What::Opened { severity });
        self.outcome.entries.push((id, opened));
        id
    }

    fn end(&mut self, event: &AlertEvent) {
        let has_it = |incident: &&Incident| {
            let mut alerts = incident.alerts.iter();
            alerts.any(|member| member.is_firing() && member.labels == event.labels)
        };
        let found: Vec<IncidentId> = self
            .incidents
            .values()
            .filter(has_it)
            .map(|one| one.id)
            .collect();
        for id in found {
            self.change(id, |incident, told| {
                let mut alerts = incident.alerts.iter_mut();
                if let Some(member) = alerts.find(|member| member.labels == event.labels) {
                    member.end(event.at_ms);
                    told.push(entry(event.at_ms, event.change(member)));
                }
                incident.escalation.quiet_ms = incident.over_at_ms().map(|_| event.at_ms);
                if incident.resolved.is_none() {
                    incident.touch(event.at_ms);
                }
            });
        }
    }

    /// A person does something.
    pub fn act(
        &mut self,
        id: IncidentId,
        by: &str,
        deed: &Deed,
        at_ms: i64,
    ) -> Result<(), Refused> {
        let incident = self.incidents.get(&id).ok_or(Refused::Unknown(id))?;
        let is_over = incident.status() == Status::Resolved;
        match (deed, is_over) {
            (Deed::Acknowledge | Deed::Resolve, true) => return Err(Refused::Resolved(id)),
            (Deed::Reopen, false) => return Err(Refused::NotResolved(id)),
            _ => {}
        }
        self.change(id, |incident, told| {
            incident.carry_out(by, deed, at_ms, told);
        });
        if *deed == Deed::Resolve {
            self.call_off(id);
        }
        Ok(())
    }

    /// Time passed: incidents end by themselves, and who comes next is told. Of incidents whose alerts
    /// are all muted nobody is told.
    pub fn pass(&mut self, now_ms: i64, on_call: &OnCall, is_muted: &dyn Fn(&Labels) -> bool) {
        let ids: Vec<IncidentId> = self.incidents.keys().copied().collect();
        for id in ids {
            let ends = self.ends_at(id).is_some_and(|at_ms| at_ms <= now_ms);
            if ends {
                self.change(id, |incident, told| {
                    incident.resolved = Some(Resolved {
                        at_ms: now_ms,
                        by: None,
                    });
                    told.push(entry(now_ms, What::Resolved { by: None }));
                });
                self.call_off(id);
            }
            self.escalate(id, now_ms, on_call, is_muted);
        }
    }

    /// The clock was set by so much: that is no time that passed, so nothing is due earlier or later.
    pub fn clock_set(&mut self, by_ms: i64) {
        for (id, incident) in &mut self.incidents {
            let escalation = &mut incident.escalation;
            let times = [escalation.last_ms.as_mut(), escalation.quiet_ms.as_mut()];
            for time in times.into_iter().flatten() {
                *time = time.saturating_add(by_ms);
            }
            escalation.since_ms = escalation.since_ms.saturating_add(by_ms);
            incident.active_at_ms = incident.active_at_ms.saturating_add(by_ms);
            self.changed.insert(*id);
        }
    }

    /// When time next changes something; nothing where it does not.
    #[must_use]
    pub fn next_at(&self, on_call: &OnCall) -> Option<i64> {
        let ends = self.incidents.keys().filter_map(|id| self.ends_at(*id));
        let incidents = self.incidents.values();
        let steps = incidents.filter_map(|incident| escalate::due_at(incident, on_call));
        ends.chain(steps).min()
    }

    /// When an incident ends by itself.
    fn ends_at(&self, id: IncidentId) -> Option<i64> {
        let incident = self.incidents.get(&id)?;
        if incident.resolved.is_some() || incident.held {
            return None;
        }
        incident.over_at_ms()?;
        let quiet_ms = incident.escalation.quiet_ms?;
        Some(quiet_ms.saturating_add(ms(self.rules.resolve_after)))
    }

    fn escalate(
        &mut self,
        id: IncidentId,
        now_ms: i64,
        on_call: &OnCall,
        is_muted: &dyn Fn(&Labels) -> bool,
    ) {
        // Each step either tells somebody or is followed by the next one; rounds are bounded.
        while let Some(incident) = self.incidents.get_mut(&id) {
            let Some(step) = escalate::step(incident, now_ms, on_call, is_muted) else {
                return;
            };
            self.changed.insert(id);
            let told = What::Escalated(step.told);
            self.outcome.entries.push((id, entry(now_ms, told)));
            if !step.page.receivers.is_empty() {
                self.outcome.pages.push(step.page);
                return;
            }
        }
    }

    /// Those who were called hear that it is over.
    fn call_off(&mut self, id: IncidentId) {
        let Some(incident) = self.incidents.get_mut(&id) else {
            return;
        };
        let receivers = std::mem::take(&mut incident.escalation.called);
        let Some(resolved) = &incident.resolved else {
            return;
        };
        if !receivers.is_empty() {
            self.outcome.pages.push(Page {
                incident: id,
                key: format!("incident/{id}/over/{}", resolved.at_ms),
                reason: Reason::Over,
                receivers: receivers.into_iter().collect(),
                alerts: incident.alerts.clone(),
            });
        }
    }

    fn change(&mut self, id: IncidentId, change: impl FnOnce(&mut Incident, &mut Vec<Entry>)) {
        let Some(incident) = self.incidents.get_mut(&id) else {
            return;
        };
        let mut told = Vec::new();
        change(incident, &mut told);
        self.changed.insert(id);
        let told = told.into_iter().map(|entry| (id, entry));
        self.outcome.entries.extend(told);
    }
}

fn entry(at_ms: i64, what: What) -> Entry {
    Entry { at_ms, what }
}

fn ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
