//! What the values of a rule file may be, as promtool has it.

use std::collections::{BTreeMap, HashMap};

use query::promql::{Query, parse};
use store::labels::METRIC_NAME;

use super::{Group, VARIABLES};
use crate::problem::Problems;
use crate::template::Template;
use crate::template::prometheus::Environment;
use crate::yaml::Cursor;

/// The expression that a key has.
pub(super) fn expression(at: &Cursor<'_>, key: &str, problems: &mut Problems) -> Option<Query> {
    let value = at.get(key)?;
    let text = value.as_text(problems)?;
    if text.is_empty() {
        return None;
    }
    match Query::parse(text) {
        Ok(query) => Some(query),
        Err(_) => {
            let what = parse(text).err().map(|wrong| wrong.describe(text));
            let message = format!("could not parse expression: {}", what.unwrap_or_default());
            value.problem(problems, message, "the place is within the expression");
            None
        }
    }
}

/// Labels by name. An empty value is the same as no label.
pub(super) fn labels(
    at: &Cursor<'_>,
    key: &str,
    problems: &mut Problems,
) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    for (name, value, place) in at.texts(key, problems) {
        if name.is_empty() || name == METRIC_NAME {
            place.key_problem(problems, format!("invalid label name: {name:?}"), "");
        }
        labels.insert(name.to_owned(), value.to_owned());
    }
    labels
}

/// Annotations by name.
pub(super) fn annotations(at: &Cursor<'_>, problems: &mut Problems) -> BTreeMap<String, String> {
    let mut annotations = BTreeMap::new();
    for (name, value, place) in at.texts("annotations", problems) {
        if name.is_empty() {
            place.key_problem(problems, format!("invalid annotation name: {name:?}"), "");
        }
        annotations.insert(name.to_owned(), value.to_owned());
    }
    annotations
}

/// Keys that only alerts have.
const OF_ALERTS: [&str; 7] = [
    "for",
    "keep_firing_for",
    "annotations",
    "runbook",
    "on_missing",
    "clear",
    "flap",
];

/// What a recording rule must not have, and how its name must be.
pub(super) fn recording(at: &Cursor<'_>, name: &str, problems: &mut Problems) {
    for key in OF_ALERTS {
        let Some(value) = at.get(key) else {
            continue;
        };
        // As in Prometheus, a duration of nothing and no annotations at all pass.
        let says_nothing = match key {
            "for" | "keep_firing_for" => at.duration(key, problems).is_none_or(|d| d.is_zero()),
            "annotations" => at.texts(key, problems).is_empty(),
            _ => false,
        };
        if !says_nothing {
            let message = format!("invalid field '{key}' in recording rule");
            value.key_problem(problems, message, "only alerts have it");
        }
    }
    if name.contains(['{', '}']) {
        let message = format!("braces present in the recording rule name: {name}");
        let at = at.get("record").unwrap_or_else(|| at.clone());
        at.problem(problems, message, "should it be in expr?");
    }
}

/// The template of a label or annotation; nothing where it is plain text or wrong.
pub(super) fn template(
    at: &Cursor<'_>,
    (key, name, source): (&str, &str, &str),
    problems: &mut Problems,
) -> Option<Template> {
    if !source.contains("{{") {
        return None;
    }
    match Template::parse(name, source, Environment::FUNCTIONS, &VARIABLES) {
        Ok(template) => Some(template),
        Err(wrong) => {
            let what = key.trim_end_matches('s');
            let place = at.get(key).and_then(|map| map.get(name));
            let message = format!(
                "{what} {name:?}: line {} of the text, column {}: {}",
                wrong.line, wrong.column, wrong.message
            );
            place
                .unwrap_or_else(|| at.clone())
                .problem(problems, message, "");
            None
        }
    }
}

/// Warns of rules that have the same name and the same labels: they write the same series, or make
/// the same alerts.
pub(super) fn duplicates(groups: &[Group], root: &Cursor<'_>, warnings: &mut Problems) {
    let mut known: HashMap<String, (String, usize)> = HashMap::new();
    let places = root.list("groups", warnings);
    for (group, at) in groups.iter().zip(&places) {
        let rules = at.list("rules", warnings);
        for (place, (rule, rule_at)) in group.rules.iter().zip(&rules).enumerate() {
            let expr = rule.expr().expr().to_string();
            let identity = rule.identity();
            let Some((first, number)) = known.get(&identity) else {
                known.insert(identity, (group.name.clone(), place + 1));
                continue;
            };
            warnings.in_group(Some(&group.name));
            warnings.in_rule(place + 1, rule.name());
            let same = groups.iter().find(|group| group.name == *first);
            let same = same.and_then(|group| group.rules.get(number - 1));
            let is_same = same.is_some_and(|other| other.expr().expr().to_string() == expr);
            let what = if is_same {
                "the same rule as"
            } else {
                "the same name and labels as"
            };
            let message = format!("{what} rule {number} of group {first:?}");
            let hint = "remove one of them, or give them a label in which they differ";
            rule_at.problem(warnings, message, hint);
        }
    }
    warnings.in_group(None);
}
