//! The tree that says to whom an alert goes.
//!
//! Each node has everything that holds for it: what it does not say itself it has from the one above
//! when the tree is made.

use std::time::Duration;

use query::promql::quote;
use store::labels::Labels;

use crate::interval::TimeInterval;
use crate::matcher::Matchers;

/// A node of the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The matchers of all nodes down to this one.
    key: String,
    /// The same with the place of each among its siblings.
    id: String,
    /// Which alerts it is for.
    pub matchers: Matchers,
    /// Who is told.
    pub receiver: String,
    /// Which alerts are told together.
    pub group_by: GroupBy,
    /// How long to wait for others before the first notification of a group.
    pub group_wait: Duration,
    /// How long to wait before a group is told of again.
    pub group_interval: Duration,
    /// After how long the same is told again.
    pub repeat_interval: Duration,
    /// The names of intervals in which nobody is told.
    pub mute_intervals: Vec<String>,
    /// The names of intervals outside of which nobody is told; none for always.
    pub active_intervals: Vec<String>,
    /// What becomes of an alert that this node, or one below, took.
    pub after: After,
    /// The nodes below.
    pub routes: Vec<Self>,
}

/// Which alerts are told together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupBy {
    /// Those that are equal in these labels, sorted.
    Labels(Vec<String>),
    /// None: each is a group of its own.
    All,
}

/// What becomes of an alert that a node took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// Siblings that follow do not see it.
    Stop,
    /// Siblings that follow may take it as well.
    Continue,
}

/// What a node has that says nothing itself.
const GROUP_WAIT: Duration = Duration::from_secs(30);
const GROUP_INTERVAL: Duration = Duration::from_secs(5 * 60);
const REPEAT_INTERVAL: Duration = Duration::from_secs(4 * 60 * 60);

impl Route {
    /// The topmost node, which takes every alert.
    #[must_use]
    pub fn root() -> Self {
        Self {
            key: "{}".to_owned(),
            id: "{}".to_owned(),
            matchers: Matchers::default(),
            receiver: String::new(),
            group_by: GroupBy::Labels(Vec::new()),
            group_wait: GROUP_WAIT,
            group_interval: GROUP_INTERVAL,
            repeat_interval: REPEAT_INTERVAL,
            mute_intervals: Vec::new(),
            active_intervals: Vec::new(),
            after: After::Stop,
            routes: Vec::new(),
        }
    }

    /// A node below this one, the next behind those that are there, with all that it takes over.
    #[must_use]
    pub fn child(&self, matchers: Matchers, place: usize) -> Self {
        let matchers = matchers.sorted();
        Self {
            key: format!("{}/{matchers}", self.key),
            id: format!("{}/{matchers}/{place}", self.id),
            matchers,
            receiver: self.receiver.clone(),
            group_by: self.group_by.clone(),
            group_wait: self.group_wait,
            group_interval: self.group_interval,
            repeat_interval: self.repeat_interval,
            mute_intervals: Vec::new(),
            active_intervals: Vec::new(),
            after: After::Stop,
            routes: Vec::new(),
        }
    }

    /// The first part of its groups' keys, as Alertmanager has it: `{}/{severity="page"}`. Two nodes
    /// may have the same.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// What no other node of the tree has: `{}/{severity="page"}/0`.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The nodes that take an alert, in the order in which they stand in the file; this one if none
    /// below does.
    #[must_use]
    pub fn matches(&self, labels: &Labels) -> Vec<&Self> {
        if !self.matchers.match_labels(labels) {
            return Vec::new();
        }
        let mut found = Vec::new();
        for route in &self.routes {
            let taken = route.matches(labels);
            let is_last = !taken.is_empty() && route.after == After::Stop;
            found.extend(taken);
            if is_last {
                break;
            }
        }
        if found.is_empty() {
            found.push(self);
        }
        found
    }

    /// This node and all below, in the order of the file.
    #[must_use]
    pub fn all(&self) -> Vec<&Self> {
        let below = self.routes.iter().flat_map(Self::all);
        std::iter::once(self).chain(below).collect()
    }

    /// The labels that an alert has in common with those that it is told together with.
    #[must_use]
    pub fn group_labels(&self, labels: &Labels) -> Labels {
        match &self.group_by {
            GroupBy::All => labels.clone(),
            GroupBy::Labels(names) => {
                let pairs = labels.iter();
                Labels::from_pairs(pairs.filter(|(name, _)| {
                    let name = *name;
                    names.binary_search_by(|one| one.as_str().cmp(name)).is_ok()
                }))
            }
        }
    }

    /// The key of a group of this node, as Alertmanager writes it into notifications.
    #[must_use]
    pub fn group_key(&self, group_labels: &Labels) -> String {
        let pairs = group_labels
            .iter()
            .map(|(name, value)| format!("{name}={}", quote(value)));
        let pairs: Vec<_> = pairs.collect();
        format!("{}:{{{}}}", self.key, pairs.join(", "))
    }

    /// The names of the intervals because of which nobody is told at a time: those to mute in that it
    /// lies in, or those to be active in where it lies in none of them.
    #[must_use]
    pub fn muted_by(&self, intervals: &[TimeInterval], now_ms: i64) -> Vec<&str> {
        let contains = |name: &&String| {
            let interval = intervals.iter().find(|interval| interval.name == **name);
            interval.is_some_and(|interval| interval.contains(now_ms))
        };
        let muting = self.mute_intervals.iter().filter(contains);
        let mut names: Vec<&str> = muting.map(String::as_str).collect();
        if !self.active_intervals.iter().any(|name| contains(&name)) {
            names.extend(self.active_intervals.iter().map(String::as_str));
        }
        names
    }
}

#[cfg(test)]
mod tests;
