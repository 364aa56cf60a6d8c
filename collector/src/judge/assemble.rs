//! From rule files to groups that can run: every rule finds what was kept of it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use rules::file::Rule;

use crate::config::rules::RulesConfig;
use crate::state::Origin;

use super::board::{Report, Tally};
use super::files::Found;
use super::group::{FAILING, Group, Slot};
use super::kept::{Kept, key};
use super::reads::Reads;

/// What was kept of the rules and groups before.
#[derive(Debug, Default)]
pub(super) struct Before {
    /// Of rules, by key.
    pub(super) rules: BTreeMap<String, (Kept, Report)>,
    /// Of groups, by file and name.
    pub(super) tallies: HashMap<(String, String), Tally>,
    /// When something came to pass last.
    pub(super) last_ms: i64,
}

impl Before {
    /// Takes groups apart.
    pub(super) fn add(&mut self, group: Group) {
        for Slot { kept, report, .. } in group.slots {
            self.rules.insert(kept.origin.key.clone(), (kept, report));
        }
        let failing = group.failing;
        let key = failing.origin.key.clone();
        self.rules.insert(key, (failing, Report::default()));
        self.tallies.insert((group.file, group.name), group.tally);
    }

    /// Makes groups of what files say. What is left here afterwards belongs to no rule any more.
    pub(super) fn groups(&mut self, found: Vec<Found>, config: &RulesConfig) -> Vec<Group> {
        let mut numbers: HashMap<(String, String), usize> = HashMap::new();
        let mut next = |group: &str, identity: String| {
            let number = numbers.entry((group.to_owned(), identity.clone()));
            let number = number.or_default();
            *number += 1;
            key(group, &identity, *number)
        };
        let mut groups = Vec::with_capacity(found.len());
        for Found { file, group } in found {
            let mut slots = Vec::with_capacity(group.rules.len());
            for rule in group.rules {
                let key = next(&group.name, rule.identity());
                slots.push(self.slot(key, rule, &group.name, &file));
            }
            let origin = Origin {
                key: next(&group.name, format!("own {FAILING}")),
                group: group.name.clone(),
                rule: FAILING.to_owned(),
                file: file.clone(),
            };
            let (failing, _) = self.take(origin);
            let tally = self.tallies.remove(&(file.clone(), group.name.clone()));
            groups.push(Group {
                file,
                name: group.name,
                interval: group.interval.unwrap_or(config.evaluation_interval),
                query_offset: group.query_offset.unwrap_or_default(),
                limit: group.limit,
                slots,
                failing,
                tally: tally.unwrap_or_default(),
                is_unsaved: false,
                is_unwritten: false,
            });
        }
        groups
    }

    fn slot(&mut self, key: String, rule: Rule, group: &str, file: &str) -> Slot {
        let (kept, report) = self.take(Origin {
            key,
            group: group.to_owned(),
            rule: rule.name().to_owned(),
            file: file.to_owned(),
        });
        Slot {
            reads: Arc::new(Reads::of(&rule)),
            rule: Arc::new(rule),
            kept,
            report,
        }
    }

    fn take(&mut self, origin: Origin) -> (Kept, Report) {
        match self.rules.remove(&origin.key) {
            Some((mut kept, report)) => {
                kept.origin = origin;
                (kept, report)
            }
            None => (Kept::new(origin), Report::default()),
        }
    }
}
