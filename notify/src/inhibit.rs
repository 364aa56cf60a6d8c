//! Which alerts keep others from being told.
//!
//! A rule says which alerts do (the source), which they keep quiet (the target), and in which labels
//! both must be equal, where missing and empty are the same. An alert that is on both sides of a rule
//! is never kept quiet by one that is on both sides too, and so never by itself.

use std::collections::{BTreeSet, HashMap};

use store::labels::Labels;

use crate::alert::Fingerprint;
use crate::matcher::Matchers;

/// What keeps what quiet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InhibitRule {
    /// What people call it; may be empty.
    pub name: String,
    /// Which alerts keep others quiet.
    pub source: Matchers,
    /// Which are kept quiet.
    pub target: Matchers,
    /// In which labels both must be equal.
    pub equal: Vec<String>,
}

/// What follows from rules for a set of firing alerts. Made once for all questions about the set.
#[derive(Debug)]
pub struct Inhibitions<'a> {
    rules: Vec<Sources<'a>>,
}

/// The alerts that are on the source side of one rule, by the values in which targets must be equal.
#[derive(Debug)]
struct Sources<'a> {
    rule: &'a InhibitRule,
    by_values: HashMap<Vec<&'a str>, Vec<Source>>,
}

#[derive(Debug)]
struct Source {
    fingerprint: Fingerprint,
    /// Whether it is on the target side as well.
    is_target: bool,
}

impl<'a> Inhibitions<'a> {
    /// Takes in the rules and the labels of all alerts that fire.
    #[must_use]
    pub fn new(
        rules: &'a [InhibitRule],
        firing: impl IntoIterator<Item = &'a Labels> + Clone,
    ) -> Self {
        let rules = rules.iter().map(|rule| {
            let mut by_values: HashMap<_, Vec<Source>> = HashMap::new();
            for labels in firing.clone() {
                if rule.source.match_labels(labels) {
                    let source = Source {
                        fingerprint: Fingerprint::of(labels),
                        is_target: rule.target.match_labels(labels),
                    };
                    let values = rule.values(labels);
                    by_values.entry(values).or_default().push(source);
                }
            }
            Sources { rule, by_values }
        });
        Self {
            rules: rules.collect(),
        }
    }

    /// Which alerts keep the one with these labels quiet, sorted.
    #[must_use]
    pub fn of(&self, labels: &Labels) -> Vec<Fingerprint> {
        let mut found = BTreeSet::new();
        for Sources { rule, by_values } in &self.rules {
            if by_values.is_empty() || !rule.target.match_labels(labels) {
                continue;
            }
            let Some(sources) = by_values.get(&rule.values(labels)) else {
                continue;
            };
            let is_source = rule.source.match_labels(labels);
            let counts = sources
                .iter()
                .filter(|source| !(is_source && source.is_target));
            found.extend(counts.map(|source| source.fingerprint));
        }
        found.into_iter().collect()
    }
}

impl InhibitRule {
    /// The values in which both must be equal.
    fn values<'a>(&self, labels: &'a Labels) -> Vec<&'a str> {
        let value = |name: &String| labels.get(name).unwrap_or_default();
        self.equal.iter().map(value).collect()
    }
}

#[cfg(test)]
mod tests;
