//! The grouping machine: which alerts there are, in which groups they are told, and when.
//!
//! It holds no clock and reads no file: alerts, routes, what is muted and the time go in, what is to be
//! told comes out. Whoever runs it keeps what it marks as changed safe, together with what it gave to
//! be told, and gives both back after a restart. What it gave counts as told.
//!
//! Alertmanager's meaning is kept:
//! - A group is told for the first time `group_wait` after it began, or at once if an alert in it is
//!   older than that; from then on it is looked at each `group_interval`.
//! - At each look alerts that are inhibited or silenced are left out, and all of them outside of the
//!   active intervals of the route, or inside of its mute intervals.
//! - An integration is told if it was never told that anything fires, if something fires that it was
//!   not told of, if all is over, if something is over and it wants to know, or if `repeat_interval`
//!   passed since it was told last.
//!
//! In three places it does better:
//! - An alert that somebody was told of, and that is over while it is muted, is kept until its end can be
//!   told. So nothing that pages for as long as it is not told otherwise is left open.
//! - A reload goes on with the groups that are still there, with the times of their next looks.
//! - What was told is forgotten with its group, so an alert that comes back is told at once.

mod changes;
mod decide;
mod flush;
pub mod fold;
mod known;
mod way;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use store::labels::Labels;

use crate::alert::Fingerprint;
use crate::config::IntegrationId;

pub use changes::Changes;
pub use flush::{Telling, ToldAlert, View};
pub use known::{Ending, Known, Source};
pub use way::{Channel, GroupId, Way, Ways};

/// To whom the alerts with certain labels go.
pub type Router<'a> = &'a dyn Fn(&Labels) -> Vec<Arc<Way>>;

/// All alerts and groups.
#[derive(Clone, Debug, Default)]
pub struct Dispatch {
    alerts: BTreeMap<Fingerprint, Member>,
    groups: BTreeMap<GroupId, Group>,
    /// When groups are looked at next; those that no route is known for are not in it.
    due: BTreeSet<(i64, GroupId)>,
    changes: Changes,
}

/// An alert and where it is told.
#[derive(Clone, Debug)]
struct Member {
    known: Known,
    groups: BTreeSet<GroupId>,
}

/// Alerts that are told together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// How it is told; nothing while no configuration says so.
    pub way: Option<Arc<Way>>,
    /// The labels that it groups by.
    pub labels: Labels,
    /// Its alerts.
    pub members: BTreeSet<Fingerprint>,
    /// When it is looked at next, in milliseconds since 1970.
    pub next_flush_ms: i64,
    /// Whether it was looked at before.
    pub phase: GroupPhase,
    /// What was told, by integration.
    pub told: BTreeMap<IntegrationId, Told>,
}

/// How far a group has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupPhase {
    /// It waits for others that belong to it, and was never looked at.
    Gathering,
    /// It was looked at.
    Flushed,
}

/// What an integration was told last of a group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// What fired.
    pub firing: BTreeSet<Fingerprint>,
    /// What was over.
    pub resolved: BTreeSet<Fingerprint>,
    /// What it was told of at any time, and not that it is over.
    pub open: BTreeSet<Fingerprint>,
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
}

impl Dispatch {
    /// What was kept. No group is looked at before [`Dispatch::reroute`] says how it is told.
    #[must_use]
    pub fn restore(
        alerts: impl IntoIterator<Item = Known>,
        groups: impl IntoIterator<Item = (GroupId, Group)>,
    ) -> Self {
        let alone = |known: Known| {
            let groups = BTreeSet::new();
            (known.alert.fingerprint(), Member { known, groups })
        };
        let mut restored = Self {
            alerts: alerts.into_iter().map(alone).collect(),
            ..Self::default()
        };
        for (id, mut group) in groups {
            group.way = None;
            group
                .members
                .retain(|member| restored.alerts.contains_key(member));
            for member in &group.members {
                if let Some(alert) = restored.alerts.get_mut(member) {
                    alert.groups.insert(id.clone());
                }
            }
            restored.groups.insert(id, group);
        }
        restored
    }

    /// Goes on under other routes: groups that are still there go on as they were, what fires and
    /// belongs to others now begins there. Without routes everything waits.
    pub fn reroute(&mut self, router: Option<Router<'_>>, now_ms: i64) {
        self.due.clear();
        let Some(router) = router else {
            self.groups.values_mut().for_each(|group| group.way = None);
            return;
        };
        let mut before = std::mem::take(&mut self.groups);
        let fingerprints: Vec<Fingerprint> = self.alerts.keys().copied().collect();
        for fingerprint in fingerprints {
            let Some(member) = self.alerts.get_mut(&fingerprint) else {
                continue;
            };
            let was_in = std::mem::take(&mut member.groups);
            let is_over = member.known.alert.is_resolved(now_ms);
            let alert = member.known.alert.clone();
            for way in router(&alert.labels) {
                let (id, labels) = way.group(&alert.labels);
                if is_over && !was_in.contains(&id) {
                    continue;
                }
                if let Some(mut group) = before.remove(&id) {
                    group.members.clear();
                    group.resume(&way, now_ms);
                    self.groups.insert(id.clone(), group);
                }
                self.join(fingerprint, (id, labels), &way, now_ms);
            }
        }
        self.changes.groups.extend(before.into_keys());
        for (id, group) in &self.groups {
            self.due.insert((group.next_flush_ms, id.clone()));
            self.changes.groups.insert(id.clone());
        }
        self.forget_over(now_ms);
    }

    /// Something was heard of an alert.
    pub fn hear(&mut self, heard: Known, router: Option<Router<'_>>, now_ms: i64) {
        let fingerprint = heard.alert.fingerprint();
        let known = match self.alerts.get(&fingerprint) {
            // That something is over which nobody was ever told of is no news.
            None if heard.alert.is_resolved(now_ms) => return,
            None => heard,
            Some(member) => match member.known.merged(heard, now_ms) {
                Some(known) => known,
                None => return,
            },
        };
        let is_over = known.alert.is_resolved(now_ms);
        let labels = known.alert.labels.clone();
        self.changes.alerts.insert(fingerprint);
        match self.alerts.get_mut(&fingerprint) {
            Some(member) => member.known = known,
            None => {
                let groups = BTreeSet::new();
                self.alerts.insert(fingerprint, Member { known, groups });
            }
        }
        if let Some(router) = router
            && !is_over
        {
            for way in router(&labels) {
                self.join(fingerprint, way.group(&labels), &way, now_ms);
            }
        }
        self.forget_if_over(fingerprint, now_ms);
    }

    /// What an alert tells people is another now; its state is what it was.
    pub fn refresh(&mut self, fingerprint: Fingerprint, annotations: &[(String, String)]) {
        if let Some(member) = self.alerts.get_mut(&fingerprint)
            && member.known.alert.annotations != annotations
        {
            member.known.alert.annotations = annotations.to_vec();
            self.changes.alerts.insert(fingerprint);
        }
    }

    /// The wall clock was set: what was measured by it before is as long ago as it was.
    pub fn shift(&mut self, by_ms: i64) {
        for (fingerprint, member) in &mut self.alerts {
            member.known.shift(by_ms);
            self.changes.alerts.insert(*fingerprint);
        }
        let due = std::mem::take(&mut self.due).into_iter();
        self.due = due
            .map(|(at_ms, id)| (at_ms.saturating_add(by_ms), id))
            .collect();
        for (id, group) in &mut self.groups {
            group.next_flush_ms = group.next_flush_ms.saturating_add(by_ms);
            for told in group.told.values_mut() {
                told.at_ms = told.at_ms.saturating_add(by_ms);
            }
            self.changes.groups.insert(id.clone());
        }
    }

    /// When something is to be looked at next.
    #[must_use]
    pub fn next_due_ms(&self) -> Option<i64> {
        self.due.first().map(|(at_ms, _)| *at_ms)
    }

    /// The alerts that may be told at a time.
    pub fn due_alerts(&self, now_ms: i64) -> impl Iterator<Item = (Fingerprint, &Known)> {
        let due = self
            .due
            .iter()
            .take_while(move |(at_ms, _)| *at_ms <= now_ms);
        let groups = due.filter_map(|(_, id)| self.groups.get(id));
        let members = groups.flat_map(|group| &group.members);
        members.filter_map(|member| Some((*member, &self.alerts.get(member)?.known)))
    }

    /// All alerts, sorted by fingerprint.
    pub fn alerts(&self) -> impl Iterator<Item = (Fingerprint, &Known)> {
        let alerts = self.alerts.iter();
        alerts.map(|(fingerprint, member)| (*fingerprint, &member.known))
    }

    /// An alert.
    #[must_use]
    pub fn alert(&self, fingerprint: Fingerprint) -> Option<&Known> {
        Some(&self.alerts.get(&fingerprint)?.known)
    }

    /// All groups.
    pub fn groups(&self) -> impl Iterator<Item = (&GroupId, &Group)> {
        self.groups.iter()
    }

    /// A group.
    #[must_use]
    pub fn group(&self, id: &GroupId) -> Option<&Group> {
        self.groups.get(id)
    }

    /// What is to be kept safe, and was not before.
    pub fn take_changes(&mut self) -> Changes {
        std::mem::take(&mut self.changes)
    }

    /// It could not be kept safe.
    pub fn put_back(&mut self, changes: Changes) {
        self.changes.add(changes);
    }

    /// Lets go of alerts that are over and that nobody waits for.
    pub fn forget_over(&mut self, now_ms: i64) {
        let fingerprints: Vec<Fingerprint> = self.alerts.keys().copied().collect();
        for fingerprint in fingerprints {
            self.forget_if_over(fingerprint, now_ms);
        }
    }

    fn forget_if_over(&mut self, fingerprint: Fingerprint, now_ms: i64) {
        let is_idle = self.alerts.get(&fingerprint).is_some_and(|member| {
            member.groups.is_empty() && member.known.alert.is_resolved(now_ms)
        });
        if is_idle {
            self.alerts.remove(&fingerprint);
            self.changes.alerts.insert(fingerprint);
        }
    }

    /// An alert that fires, or did while it was in the group, is told in a group.
    fn join(
        &mut self,
        fingerprint: Fingerprint,
        (id, labels): (GroupId, Labels),
        way: &Arc<Way>,
        now_ms: i64,
    ) {
        let Some(member) = self.alerts.get_mut(&fingerprint) else {
            return;
        };
        let began_ms = member.known.alert.starts_at_ms;
        member.groups.insert(id.clone());
        let group = self.groups.entry(id.clone()).or_insert_with(|| {
            let next_flush_ms = now_ms.saturating_add(way::milliseconds(way.route.group_wait));
            self.due.insert((next_flush_ms, id.clone()));
            Group {
                way: Some(Arc::clone(way)),
                labels,
                members: BTreeSet::new(),
                next_flush_ms,
                phase: GroupPhase::Gathering,
                told: BTreeMap::new(),
            }
        });
        let is_new = group.members.insert(fingerprint);
        let waits_since_ms = began_ms.saturating_add(way::milliseconds(way.route.group_wait));
        let is_late = group.phase == GroupPhase::Gathering && waits_since_ms <= now_ms;
        if is_late && group.next_flush_ms > now_ms {
            self.due.remove(&(group.next_flush_ms, id.clone()));
            group.next_flush_ms = now_ms;
            self.due.insert((now_ms, id.clone()));
        }
        if is_new || is_late {
            self.changes.groups.insert(id);
        }
    }
}

impl Group {
    /// Goes on under a route that may be another than before, at most as late as that says.
    fn resume(&mut self, way: &Arc<Way>, now_ms: i64) {
        let pause = match self.phase {
            GroupPhase::Gathering => way.route.group_wait,
            GroupPhase::Flushed => way.route.group_interval,
        };
        let latest_ms = now_ms.saturating_add(way::milliseconds(pause));
        self.next_flush_ms = self.next_flush_ms.min(latest_ms);
        self.way = Some(Arc::clone(way));
    }
}

#[cfg(test)]
mod tests;
