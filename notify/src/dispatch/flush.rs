//! Looking at the groups that are due: what is muted, who is told, what is over.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use store::labels::Labels;

use crate::alert::{Alert, Fingerprint};
use crate::config::IntegrationId;
use crate::notification::{Notification, Reason};

use super::decide::{Repeat, Standing, decide, told};
use super::{Channel, Dispatch, Group, GroupId, GroupPhase, Known, Source, Way, way};

/// How many alerts one notification holds at the most. Messages show some dozens; who counts them by a
/// program still gets the largest storms whole, and the memory for one is bounded.
pub(super) const MOST_ALERTS: usize = 5_000;

/// What a look at groups needs to know beside them; all of it at the time of the look.
pub struct View<'a> {
    /// Whether another alert that fires makes this one needless.
    pub is_inhibited: &'a dyn Fn(Fingerprint, &Labels) -> bool,
    /// Whether a silence is in force for it.
    pub is_silenced: &'a dyn Fn(&Labels) -> bool,
    /// Whether it is now within the time interval of this name.
    pub is_within: &'a dyn Fn(&str) -> bool,
    /// Whether somebody has taken all of these on, so that they need not be told again.
    pub is_acknowledged: &'a dyn Fn(&BTreeSet<Fingerprint>) -> bool,
    /// Where people reach the collector.
    pub external_url: &'a str,
}

/// What an integration is to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Telling {
    /// Which.
    pub integration: IntegrationId,
    /// What.
    pub notification: Notification,
    /// Of which alerts.
    pub alerts: Vec<ToldAlert>,
}

/// An alert in a telling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToldAlert {
    /// Which.
    pub fingerprint: Fingerprint,
    /// For one of our own, the newest event that is known of it.
    pub event: Option<i64>,
    /// Whether it fires.
    pub is_firing: bool,
}

impl Dispatch {
    /// Looks at the groups that are due, each once, and gives what is to be told.
    pub fn flush(&mut self, view: &View<'_>, now_ms: i64) -> Vec<Telling> {
        let mut tellings = Vec::new();
        let mut later = self.due.split_off(&(now_ms.saturating_add(1), first_id()));
        std::mem::swap(&mut self.due, &mut later);
        for (_, id) in later {
            tellings.extend(self.look(&id, view, now_ms));
        }
        tellings
    }

    fn look(&mut self, id: &GroupId, view: &View<'_>, now_ms: i64) -> Vec<Telling> {
        let Some(mut group) = self.groups.remove(id) else {
            return Vec::new();
        };
        let Some(way) = group.way.clone() else {
            self.groups.insert(id.clone(), group);
            return Vec::new();
        };
        self.changes.groups.insert(id.clone());
        let standing = self.standing(&group, &way, view, now_ms);
        let tellings = way
            .channels
            .iter()
            .filter_map(|channel| {
                let reason = tell(&mut group, channel, (&standing, view), now_ms)?;
                let subject = (id, &group.labels);
                self.telling(subject, channel, (&standing, reason), (view, now_ms))
            })
            .collect();
        self.leave(&mut group, (id, &way), &standing, now_ms);
        if !group.members.is_empty() {
            group.phase = GroupPhase::Flushed;
            group.next_flush_ms =
                now_ms.saturating_add(way::milliseconds(way.route.group_interval));
            self.due.insert((group.next_flush_ms, id.clone()));
            self.groups.insert(id.clone(), group);
        }
        tellings
    }

    /// What may be told: in Alertmanager's order what is inhibited, all of it by the time of day, and what
    /// is silenced is left out.
    fn standing(&self, group: &Group, way: &Way, view: &View<'_>, now_ms: i64) -> Standing {
        let mut standing = Standing::default();
        if !is_time(way, view) {
            return standing;
        }
        for member in &group.members {
            let Some(Known { alert, .. }) = self.alert(*member) else {
                continue;
            };
            if (view.is_inhibited)(*member, &alert.labels) || (view.is_silenced)(&alert.labels) {
                continue;
            }
            let side = match alert.is_resolved(now_ms) {
                true => &mut standing.resolved,
                false => &mut standing.firing,
            };
            side.insert(*member);
        }
        standing
    }

    /// Nothing where what would be told is what the integration does not want to hear.
    fn telling(
        &self,
        (id, group_labels): (&GroupId, &Labels),
        channel: &Channel,
        (standing, reason): (&Standing, Reason),
        (view, now_ms): (&View<'_>, i64),
    ) -> Option<Telling> {
        let over = standing.resolved.iter();
        let over = over.filter(|_| channel.send_resolved);
        let told = standing.firing.iter().chain(over);
        let mut known: Vec<(ToldAlert, &Alert)> = told
            .filter_map(|fingerprint| {
                let Known { alert, source } = self.alert(*fingerprint)?;
                let told = ToldAlert {
                    fingerprint: *fingerprint,
                    event: match source {
                        Source::Own { event } => Some(*event),
                        Source::Posted(_) => None,
                    },
                    is_firing: standing.firing.contains(fingerprint),
                };
                Some((told, alert))
            })
            .collect();
        if known.is_empty() {
            return None;
        }
        known.sort_by(|(_, one), (_, other)| order(one).cmp(&order(other)));
        let truncated = known.len().saturating_sub(MOST_ALERTS);
        if truncated > 0 {
            // Stable: what fires goes before what is over, in the same order otherwise.
            known.sort_by_key(|(told, _)| !told.is_firing);
            known.truncate(MOST_ALERTS);
        }
        let alerts = known.iter().map(|(told, alert)| Alert {
            // An end that somebody only foresees is none yet.
            ends_at_ms: alert.ends_at_ms.filter(|_| !told.is_firing),
            ..(*alert).clone()
        });
        let notification = Notification {
            receiver: id.receiver.to_string(),
            group_key: id.key.to_string(),
            group_labels: group_labels.clone(),
            alerts: alerts.collect(),
            truncated: truncated as u64,
            at_ms: now_ms,
            external_url: view.external_url.to_owned(),
            reason,
        };
        Some(Telling {
            integration: channel.id.clone(),
            notification,
            alerts: known.iter().map(|(told, _)| *told).collect(),
        })
    }

    /// What is over leaves the group, unless its end is still to be told to somebody.
    fn leave(
        &mut self,
        group: &mut Group,
        (id, way): (&GroupId, &Arc<Way>),
        standing: &Standing,
        now_ms: i64,
    ) {
        let told = |channel: &Channel| channel.send_resolved.then(|| group.told.get(&channel.id));
        let open: BTreeSet<Fingerprint> = way
            .channels
            .iter()
            .filter_map(told)
            .flatten()
            .flat_map(|told| told.open.iter().copied())
            .collect();
        let stays = |member: &Fingerprint| {
            let alert = self.alert(*member).map(|known| &known.alert);
            let is_over = alert.is_none_or(|alert| alert.is_resolved(now_ms));
            !is_over || (open.contains(member) && !standing.resolved.contains(member))
        };
        let (staying, gone) = group.members.iter().partition(|member| stays(member));
        group.members = staying;
        let gone: BTreeSet<Fingerprint> = gone;
        for member in gone {
            if let Some(alert) = self.alerts.get_mut(&member) {
                alert.groups.remove(id);
            }
            self.forget_if_over(member, now_ms);
        }
    }
}

/// Why an integration is told; what it was told is noted.
fn tell(
    group: &mut Group,
    channel: &Channel,
    (standing, view): (&Standing, &View<'_>),
    now_ms: i64,
) -> Option<Reason> {
    let way = group.way.as_ref()?;
    let before = group.told.get(&channel.id);
    let since_ms = before.map_or(now_ms, |told| told.at_ms);
    let is_due = since_ms.saturating_add(way::milliseconds(way.route.repeat_interval)) <= now_ms;
    let repeat = if is_due { Repeat::Due } else { Repeat::NotYet };
    let reason = decide(before, standing, channel, repeat)?;
    if reason == Reason::Repeat && (view.is_acknowledged)(&standing.firing) {
        return None;
    }
    let now = told(before, standing, now_ms);
    group.told.insert(channel.id.clone(), now);
    Some(reason)
}

fn is_time(way: &Way, view: &View<'_>) -> bool {
    let within = |name: &String| (view.is_within)(name);
    let (active, mute) = (&way.route.active_intervals, &way.route.mute_intervals);
    let is_active = active.is_empty() || active.iter().any(within);
    is_active && !mute.iter().any(within)
}

/// As Alertmanager has alerts within a notification.
fn order(alert: &Alert) -> (&str, &str, &Labels) {
    let label = |name: &str| alert.labels.get(name).unwrap_or_default();
    (label("job"), label("instance"), &alert.labels)
}

/// Before every other.
fn first_id() -> GroupId {
    GroupId {
        key: "".into(),
        receiver: "".into(),
    }
}
