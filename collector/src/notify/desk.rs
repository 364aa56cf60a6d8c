//! What notifications are decided from, in memory: alerts and groups, silences, the configuration in
//! force. Everything here takes the time as an argument and waits for nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use notify::alert::{Alert, Fingerprint};
use notify::dispatch::{Dispatch, Known, Source, Telling, View};
use notify::inhibit::Inhibitions;
use notify::silence::Silence;
use store::labels::Labels;

use crate::state::Firing;

use super::own::OwnRules;
use super::plan::Plan;
use super::trace::Trace;

/// Whether somebody has taken on all of these alerts.
pub type Acknowledged = Arc<dyn Fn(&BTreeSet<Fingerprint>) -> bool + Send + Sync>;

/// What notifications are decided from.
#[derive(Default)]
pub(crate) struct Desk {
    pub(crate) dispatch: Dispatch,
    pub(crate) trace: Trace,
    /// By id.
    pub(crate) silences: BTreeMap<String, Silence>,
    pub(crate) plan: Option<Arc<Plan>>,
    pub(crate) acknowledged: Option<Acknowledged>,
    pub(crate) external_url: String,
}

impl Desk {
    /// Something was heard of an alert.
    pub(crate) fn hear(&mut self, known: Known, now_ms: i64) {
        let fingerprint = known.alert.fingerprint();
        let before = self.dispatch.alert(fingerprint);
        let began_ms = before.map(|known| known.alert.starts_at_ms);
        let heard = known.clone();
        match &self.plan {
            Some(plan) => {
                let router = |labels: &Labels| plan.ways.matching(labels);
                self.dispatch.hear(known, Some(&router), now_ms);
            }
            None => self.dispatch.hear(known, None, now_ms),
        }
        let known = self.dispatch.alert(fingerprint);
        self.trace.heard(&heard, (began_ms, known), now_ms);
    }

    /// Time passed.
    pub(crate) fn follow_time(&mut self, now_ms: i64) {
        self.trace.follow_time(&self.dispatch, now_ms);
    }

    /// Goes on under another configuration.
    pub(crate) fn follow(&mut self, plan: Option<Arc<Plan>>, now_ms: i64) {
        self.follow_time(now_ms);
        match &plan {
            Some(plan) => {
                let router = |labels: &Labels| plan.ways.matching(labels);
                self.dispatch.reroute(Some(&router), now_ms);
            }
            None => self.dispatch.reroute(None, now_ms),
        }
        self.plan = plan;
    }

    /// Looks at the groups that are due. What alerts of our own tell people is what it is now.
    pub(crate) fn flush(&mut self, rules: &OwnRules, now_ms: i64) -> Vec<Telling> {
        let due: Vec<(Fingerprint, Labels)> = self
            .dispatch
            .due_alerts(now_ms)
            .filter(|(_, known)| matches!(known.source, Source::Own { .. }))
            .map(|(fingerprint, known)| (fingerprint, known.alert.labels.clone()))
            .collect();
        for (fingerprint, labels) in due {
            if let Some(annotations) = rules.annotations(&labels) {
                self.dispatch.refresh(fingerprint, annotations);
            }
        }
        let Some(plan) = self.plan.clone() else {
            return Vec::new();
        };
        let firing = self.firing(now_ms);
        let inhibitions = Inhibitions::new(&plan.config.inhibit, firing.iter());
        let silences: Vec<Silence> = self.silences.values().cloned().collect();
        let nobody: Acknowledged = Arc::new(|_| false);
        let acknowledged = self.acknowledged.clone().unwrap_or(nobody);
        let external_url = self.external_url.clone();
        let view = View {
            is_inhibited: &|_, labels| !inhibitions.of(labels).is_empty(),
            is_silenced: &|labels| silences.iter().any(|one| one.mutes(labels, now_ms)),
            is_within: &|name| {
                let mut intervals = plan.config.intervals.iter();
                let interval = intervals.find(|interval| interval.name == name);
                interval.is_some_and(|interval| interval.contains(now_ms))
            },
            is_acknowledged: &*acknowledged,
            external_url: &external_url,
        };
        self.dispatch.flush(&view, now_ms)
    }

    /// What is known of our own alerts is what the rules' state says, whatever became of transitions.
    pub(crate) fn compare(&mut self, found: &Firing, now_ms: i64) {
        let mut fires = BTreeSet::new();
        for firing in &found.alerts {
            fires.insert(&firing.labels);
            let known = self.dispatch.alert(Fingerprint::of(&firing.labels));
            if known.is_some_and(|known| known.alert.ends_at_ms.is_none()) {
                continue;
            }
            let alert = Alert {
                labels: firing.labels.clone(),
                annotations: firing.annotations.clone(),
                starts_at_ms: firing.fired_at_ms,
                ends_at_ms: None,
                updated_at_ms: now_ms,
                generator_url: String::new(),
            };
            let source = Source::Own {
                event: found.newest,
            };
            self.hear(Known { alert, source }, now_ms);
        }
        let is_lost = |known: &Known| {
            let is_own = matches!(known.source, Source::Own { .. });
            is_own && known.alert.ends_at_ms.is_none() && !fires.contains(&known.alert.labels)
        };
        let alerts = self.dispatch.alerts();
        let lost: Vec<Known> = alerts
            .filter(|(_, known)| is_lost(known))
            .map(|(_, known)| known.clone())
            .collect();
        for mut known in lost {
            known.alert.ends_at_ms = Some(now_ms);
            self.hear(known, now_ms);
        }
        self.dispatch.forget_over(now_ms);
    }

    /// The labels of all alerts that fire.
    pub(crate) fn firing(&self, now_ms: i64) -> Vec<Labels> {
        let alerts = self.dispatch.alerts();
        let firing = alerts.filter(|(_, known)| !known.alert.is_resolved(now_ms));
        firing
            .map(|(_, known)| known.alert.labels.clone())
            .collect()
    }
}
