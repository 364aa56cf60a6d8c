//! Digests: what of a storm is told in one message, and when that is over.
//!
//! Where more groups are to be told to an integration than its rate allows, those that wait are folded
//! into one digest. From then on a group of it is told with it: the digest is told again when something
//! in it is new or is to be repeated, and once more when all of it is over. A group that is over has
//! left; when it fires again it is told alone. So whoever keeps an incident open for as long as it is
//! not told otherwise gets one for the storm, which ends with it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use store::labels::Labels;

use crate::alert::{Alert, Fingerprint};
use crate::config::IntegrationId;
use crate::notification::{Notification, Reason};

use super::flush::MOST_ALERTS;
use super::{Telling, ToldAlert};

/// How keys of digests begin, which no key of a group does.
const PREFIX: &str = "digest:";

/// Groups that are told together, because they came together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digest {
    /// What it is known by, as a group is by its key.
    pub key: String,
    /// Whom it is told.
    pub integration: IntegrationId,
    /// When it was last told, in milliseconds since 1970.
    pub told_at_ms: i64,
    /// By their keys, the groups of which something fires.
    groups: BTreeMap<String, Vec<Entry>>,
    /// What was in groups that are over.
    over: Vec<Entry>,
}

/// An alert in a digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    told: ToldAlert,
    alert: Alert,
}

/// Whether a key is that of a digest.
#[must_use]
pub fn is_digest(group_key: &str) -> bool {
    group_key.starts_with(PREFIX)
}

impl Digest {
    /// An empty one. `number` is given once among those of the integration.
    #[must_use]
    pub fn new(integration: IntegrationId, number: i64) -> Self {
        Self {
            key: format!("{PREFIX}{integration}:{number}"),
            integration,
            told_at_ms: i64::MIN,
            groups: BTreeMap::new(),
            over: Vec::new(),
        }
    }

    /// The groups of which something fires.
    pub fn groups(&self) -> impl Iterator<Item = &str> {
        self.groups.keys().map(String::as_str)
    }

    /// Whether nothing in it fires.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.groups.is_empty()
    }

    /// Takes in what was to be told of groups, in the order in which it came, and gives what is to be
    /// told of all of them, if anything is.
    pub fn fold(&mut self, tellings: Vec<Telling>, now_ms: i64) -> Option<Telling> {
        let external_url = tellings.last()?.notification.external_url.clone();
        let receiver = tellings.last()?.notification.receiver.clone();
        let mut is_news = false;
        for telling in tellings {
            is_news |= self.add(telling);
        }
        if !is_news && !self.is_over() {
            return None;
        }
        self.told_at_ms = now_ms;
        let (entries, truncated) = self.entries();
        let notification = Notification {
            receiver,
            group_key: self.key.clone(),
            group_labels: Labels::from_pairs([]),
            alerts: entries.iter().map(|entry| entry.alert.clone()).collect(),
            truncated,
            at_ms: now_ms,
            external_url,
            reason: Reason::Digest,
        };
        Some(Telling {
            integration: self.integration.clone(),
            notification,
            alerts: entries.iter().map(|entry| entry.told).collect(),
        })
    }

    /// Says whether somebody should know of it before everything is over.
    fn add(&mut self, telling: Telling) -> bool {
        let Notification {
            group_key,
            alerts,
            reason,
            ..
        } = telling.notification;
        let pairs = telling.alerts.into_iter().zip(alerts);
        let entries: Vec<Entry> = pairs.map(|(told, alert)| Entry { told, alert }).collect();
        let before = self.groups.remove(&group_key).unwrap_or_default();
        let fires = |entries: &[Entry]| -> BTreeSet<Fingerprint> {
            let firing = entries.iter().filter(|entry| entry.told.is_firing);
            firing.map(|entry| entry.told.fingerprint).collect()
        };
        let (fired, firing) = (fires(&before), fires(&entries));
        if firing.is_empty() {
            self.over.extend(entries);
            return false;
        }
        // What was over before and is not told of again must not be lost from the last message.
        let is_told = |one: &Entry| {
            entries
                .iter()
                .any(|entry| entry.told.fingerprint == one.told.fingerprint)
        };
        let over = before
            .into_iter()
            .filter(|one| !one.told.is_firing && !is_told(one));
        self.over.extend(over);
        self.groups.insert(group_key, entries);
        let is_again = !matches!(reason, Reason::More | Reason::Resolved);
        is_again || !firing.is_subset(&fired)
    }

    /// Every alert once, those that fire first; and how many there are beyond what one message holds.
    fn entries(&self) -> (Vec<&Entry>, u64) {
        let members = self.groups.values().flatten();
        let (firing, over): (Vec<&Entry>, Vec<&Entry>) =
            members.partition(|entry| entry.told.is_firing);
        // Of what is over the newest counts.
        let over = over.into_iter().chain(self.over.iter().rev());
        let mut seen = BTreeSet::new();
        let mut entries: Vec<&Entry> = firing
            .into_iter()
            .chain(over)
            .filter(|entry| seen.insert(entry.told.fingerprint))
            .collect();
        let truncated = entries.len().saturating_sub(MOST_ALERTS) as u64;
        entries.truncate(MOST_ALERTS);
        (entries, truncated)
    }
}

#[cfg(test)]
mod tests;
