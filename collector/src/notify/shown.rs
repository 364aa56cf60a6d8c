//! What those see who ask: alerts with what becomes of them, groups, the configuration in force.

use std::collections::BTreeSet;

use notify::alert::{Alert, Fingerprint};
use notify::dispatch::{Known, Source, Way};
use notify::inhibit::Inhibitions;
use notify::silence::State;
use store::labels::Labels;

use super::Notifier;
use super::desk::Desk;
use super::dispatcher::lock;

/// An alert, and what becomes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownAlert {
    /// The alert.
    pub alert: Alert,
    /// What it is known by.
    pub fingerprint: Fingerprint,
    /// Where it comes from.
    pub source: Source,
    /// Who is told, in the order of the routes.
    pub receivers: Vec<String>,
    /// The ids of silences that keep it quiet.
    pub silenced_by: Vec<String>,
    /// The alerts that keep it quiet.
    pub inhibited_by: Vec<Fingerprint>,
    /// The names of time intervals that keep it quiet; of an alert by itself only where all who would be
    /// told are not told now.
    pub muted_by: Vec<String>,
}

/// Alerts that are told together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownGroup {
    /// What the group is known by.
    pub key: String,
    /// Who is told.
    pub receiver: String,
    /// The labels that it groups by.
    pub labels: Labels,
    /// Its alerts that are not over.
    pub alerts: Vec<ShownAlert>,
}

/// How much there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Alerts that are told.
    pub active: usize,
    /// Alerts that are kept quiet.
    pub suppressed: usize,
    /// Silences: active, pending, expired.
    pub silences: [usize; 3],
    /// Groups.
    pub groups: usize,
}

impl ShownAlert {
    /// Whether a silence or another alert keeps it quiet.
    #[must_use]
    pub fn is_suppressed(&self) -> bool {
        !self.silenced_by.is_empty() || !self.inhibited_by.is_empty() || !self.muted_by.is_empty()
    }
}

impl Notifier {
    /// The alerts that are not over, sorted by fingerprint.
    #[must_use]
    pub fn alerts(&self, now_ms: i64) -> Vec<ShownAlert> {
        let desk = lock(&self.desk);
        let firing = desk.firing(now_ms);
        let eye = Eye::new(&desk, &firing, now_ms);
        let alerts = desk.dispatch.alerts();
        let alerts = alerts.filter(|(_, known)| !known.alert.is_resolved(now_ms));
        alerts
            .map(|(fingerprint, known)| eye.alert(fingerprint, known))
            .collect()
    }

    /// The groups, sorted by their keys.
    #[must_use]
    pub fn groups(&self, now_ms: i64) -> Vec<ShownGroup> {
        let desk = lock(&self.desk);
        let firing = desk.firing(now_ms);
        let eye = Eye::new(&desk, &firing, now_ms);
        let groups = desk.dispatch.groups().map(|(id, group)| ShownGroup {
            key: id.key.to_string(),
            receiver: id.receiver.to_string(),
            labels: group.labels.clone(),
            alerts: group
                .members
                .iter()
                .filter_map(|member| Some((*member, desk.dispatch.alert(*member)?)))
                .filter(|(_, known)| !known.alert.is_resolved(now_ms))
                .map(|(member, known)| ShownAlert {
                    muted_by: eye.muted_by(group.way.iter().map(|way| &**way)),
                    ..eye.alert(member, known)
                })
                .collect(),
        });
        groups.filter(|group| !group.alerts.is_empty()).collect()
    }

    /// The Alertmanager file in force, without secrets; nothing where there is none.
    #[must_use]
    pub fn shown_config(&self) -> Option<String> {
        let plan = lock(&self.desk).plan.clone();
        plan.map(|plan| plan.config.shown.clone())
    }

    /// The names of all receivers, in the order of the file.
    #[must_use]
    pub fn receivers(&self) -> Vec<String> {
        let plan = lock(&self.desk).plan.clone();
        let receivers = plan.iter().flat_map(|plan| &plan.config.receivers);
        receivers.map(|receiver| receiver.name.clone()).collect()
    }

    /// After which time a posted alert ends that nobody says the end of.
    #[must_use]
    pub fn resolve_timeout(&self) -> std::time::Duration {
        let plan = lock(&self.desk).plan.clone();
        // Alertmanager's default.
        let default = std::time::Duration::from_secs(300);
        plan.map_or(default, |plan| plan.config.global.resolve_timeout)
    }

    pub(super) fn standing(&self, now_ms: i64) -> Standing {
        let alerts = self.alerts(now_ms);
        let desk = lock(&self.desk);
        let suppressed = alerts.iter().filter(|alert| alert.is_suppressed()).count();
        let mut silences = [0; 3];
        for silence in desk.silences.values() {
            silences[match silence.state(now_ms) {
                State::Active => 0,
                State::Pending => 1,
                State::Expired => 2,
            }] += 1;
        }
        Standing {
            active: alerts.len() - suppressed,
            suppressed,
            silences,
            groups: desk.dispatch.groups().count(),
        }
    }
}

/// What is looked up for each alert.
struct Eye<'a> {
    desk: &'a Desk,
    inhibitions: Inhibitions<'a>,
    now_ms: i64,
}

impl<'a> Eye<'a> {
    fn new(desk: &'a Desk, firing: &'a [Labels], now_ms: i64) -> Self {
        let rules = desk.plan.as_ref();
        let rules = rules.map_or(&[][..], |plan| &plan.config.inhibit);
        Self {
            desk,
            inhibitions: Inhibitions::new(rules, firing.iter()),
            now_ms,
        }
    }

    fn alert(&self, fingerprint: Fingerprint, known: &Known) -> ShownAlert {
        let labels = &known.alert.labels;
        let silences = self.desk.silences.values();
        let silenced = silences.filter(|silence| silence.mutes(labels, self.now_ms));
        let ways = self.desk.plan.as_ref();
        let ways = ways
            .map(|plan| plan.ways.matching(labels))
            .unwrap_or_default();
        let mut receivers: Vec<String> = Vec::new();
        for way in &ways {
            if !receivers.contains(&way.route.receiver) {
                receivers.push(way.route.receiver.clone());
            }
        }
        ShownAlert {
            alert: known.alert.clone(),
            fingerprint,
            source: known.source,
            receivers,
            silenced_by: silenced.map(|silence| silence.id.clone()).collect(),
            inhibited_by: self.inhibitions.of(labels),
            muted_by: self.muted_by(ways.iter().map(|way| &**way)),
        }
    }

    fn muted_by<'w>(&self, ways: impl Iterator<Item = &'w Way>) -> Vec<String> {
        let Some(plan) = &self.desk.plan else {
            return Vec::new();
        };
        let mut names = BTreeSet::new();
        for way in ways {
            let muted = way.route.muted_by(&plan.config.intervals, self.now_ms);
            if muted.is_empty() {
                return Vec::new();
            }
            names.extend(muted);
        }
        names.into_iter().map(str::to_owned).collect()
    }
}
