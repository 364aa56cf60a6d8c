//! `inhibit_rules`.

use rules::Problems;
use rules::yaml::Cursor;

use super::{matchers, value};
use crate::inhibit::InhibitRule;

const KEYS: [&str; 8] = [
    "name",
    "source_match",
    "source_match_re",
    "source_matchers",
    "target_match",
    "target_match_re",
    "target_matchers",
    "equal",
];

pub(super) fn read(
    root: &Cursor<'_>,
    problems: &mut Problems,
    notes: &mut Problems,
) -> Vec<InhibitRule> {
    let mut rules = Vec::new();
    for at in root.list("inhibit_rules", problems) {
        at.fields(&KEYS, problems);
        let source = ("source_match", "source_match_re", "source_matchers");
        let target = ("target_match", "target_match_re", "target_matchers");
        let equal = value::texts(&at, "equal", problems);
        if equal.iter().any(String::is_empty) {
            at.problem(problems, "an empty label name in equal", "");
        }
        let rule = InhibitRule {
            name: value::text(&at, "name", problems).unwrap_or_default(),
            source: matchers::read(&at, source, problems, notes),
            target: matchers::read(&at, target, problems, notes),
            equal,
        };
        for (matchers, side) in [(&rule.source, "source"), (&rule.target, "target")] {
            if matchers.is_empty() {
                let message = format!("no {side} matchers: every alert is a {side}");
                at.problem(notes, message, "");
            }
        }
        rules.push(rule);
    }
    rules
}
