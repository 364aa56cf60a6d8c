//! Reads the keys of a rule file.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use super::{AlertRule, Group, MAX_BYTES, OnMissing, RecordingRule, Rule, RuleFile, Text};
use super::{presence, validate};
use crate::problem::{Problem, Problems};
use crate::yaml::{self, Cursor};
use query::promql::Query;

const GROUP_KEYS: [&str; 6] = [
    "name",
    "interval",
    "query_offset",
    "limit",
    "labels",
    "rules",
];

const RULE_KEYS: [&str; 11] = [
    "record",
    "alert",
    "expr",
    "for",
    "keep_firing_for",
    "labels",
    "annotations",
    "runbook",
    "on_missing",
    "clear",
    "flap",
];

pub(super) fn file(bytes: &[u8]) -> Result<RuleFile, Vec<Problem>> {
    let text = text(bytes)?;
    let document = yaml::document(text)?;
    let mut problems = Problems::default();
    let mut warnings = Problems::default();
    let root = Cursor::root(&document.root);
    if document.is_followed {
        let message = "a second document follows, which is not read";
        root.problem(&mut warnings, message, "put all groups under one `groups:`");
    }
    root.fields(&["groups"], &mut problems);
    let mut groups = Vec::new();
    let mut names = HashSet::new();
    for at in root.list("groups", &mut problems) {
        let group = group(&at, &mut problems);
        problems.in_group(None);
        if !group.name.is_empty() && !names.insert(group.name.clone()) {
            let message = format!("the group name {:?} is repeated in the file", group.name);
            let at = at.get("name").unwrap_or(at);
            at.problem(&mut problems, message, "give each group a name of its own");
        }
        groups.push(group);
    }
    if !problems.is_empty() {
        return Err(problems.locate(text));
    }
    validate::duplicates(&groups, &root, &mut warnings);
    Ok(RuleFile {
        groups,
        warnings: warnings.locate(text),
    })
}

/// The text of a file that is not too large.
pub(crate) fn text(bytes: &[u8]) -> Result<&str, Vec<Problem>> {
    if bytes.len() > MAX_BYTES {
        let message = format!("the file has {} bytes, more than {MAX_BYTES}", bytes.len());
        return Err(vec![Problem::new(message, "part it into several files")]);
    }
    std::str::from_utf8(bytes).map_err(|wrong| {
        let message = format!("not UTF-8 at byte {}", wrong.valid_up_to());
        vec![Problem::new(message, "save the file as UTF-8")]
    })
}

fn group(at: &Cursor<'_>, problems: &mut Problems) -> Group {
    let name = at.text("name", problems).unwrap_or_default();
    problems.in_group(Some(name).filter(|name| !name.is_empty()));
    at.fields(&GROUP_KEYS, problems);
    if name.is_empty() {
        at.problem(problems, "the group has no name", "add `name:`");
    }
    let interval = at.duration("interval", problems);
    let query_offset = at.duration("query_offset", problems);
    let limit = at.parsed(
        "limit",
        "a whole number",
        |text| text.parse::<i64>().ok(),
        problems,
    );
    let labels = validate::labels(at, "labels", problems);
    let mut rules = Vec::new();
    for (place, rule_at) in at.list("rules", problems).iter().enumerate() {
        rules.extend(rule(rule_at, place + 1, &labels, problems));
    }
    Group {
        name: name.to_owned(),
        interval: interval.filter(|interval| !interval.is_zero()),
        query_offset,
        limit: limit
            .and_then(|limit| usize::try_from(limit).ok())
            .filter(|limit| *limit > 0),
        rules,
    }
}

/// Labels or annotations, sorted by name.
type Pairs = BTreeMap<String, String>;

/// A rule; nothing where there is too little of it to go on with.
fn rule(at: &Cursor<'_>, number: usize, of_group: &Pairs, problems: &mut Problems) -> Option<Rule> {
    let record = at.text("record", problems).unwrap_or_default();
    let alert = at.text("alert", problems).unwrap_or_default();
    let name = if alert.is_empty() { record } else { alert };
    problems.in_rule(number, name);
    at.fields(&RULE_KEYS, problems);
    match (record.is_empty(), alert.is_empty()) {
        (false, false) => {
            let message = "only one of 'record' and 'alert' must be set";
            at.problem(problems, message, "make two rules of it");
        }
        (true, true) => {
            let message = "one of 'record' or 'alert' must be set";
            at.problem(problems, message, "");
        }
        _ => {}
    }
    if at
        .get("expr")
        .is_none_or(|expr| expr.as_text(problems) == Some(""))
    {
        let message = "field 'expr' must be set in rule";
        at.problem(problems, message, "");
    }
    let expr = validate::expression(at, "expr", problems);
    let mut labels = of_group.clone();
    labels.extend(validate::labels(at, "labels", problems));
    if alert.is_empty() {
        validate::recording(at, record, problems);
        return Some(Rule::Record(RecordingRule {
            name: record.to_owned(),
            expr: expr?,
            labels: labels.into_iter().collect(),
        }));
    }
    let rule = alert_rule(at, alert, (expr, labels), problems);
    rule.map(Rule::Alert)
}

fn alert_rule(
    at: &Cursor<'_>,
    name: &str,
    (expr, labels): (Option<Query>, Pairs),
    problems: &mut Problems,
) -> Option<AlertRule> {
    let hold = at.duration("for", problems);
    let keep_firing_for = at.duration("keep_firing_for", problems);
    let annotations = validate::annotations(at, problems);
    let labels = texts(at, "labels", &labels, problems);
    let annotations = texts(at, "annotations", &annotations, problems);
    let runbook = at.text("runbook", problems).map(str::to_owned);
    if runbook.as_ref().is_some_and(String::is_empty) {
        at.problem(
            problems,
            "'runbook' is empty",
            "name a runbook, or leave it out",
        );
    }
    let clear = validate::expression(at, "clear", problems);
    let flap = at.duration("flap", problems);
    let expr = expr?;
    Some(AlertRule {
        name: name.to_owned(),
        hold: hold.unwrap_or(Duration::ZERO),
        keep_firing_for: keep_firing_for.unwrap_or(Duration::ZERO),
        labels,
        annotations,
        runbook,
        on_missing: on_missing(at, &expr, problems),
        clear,
        flap: flap.filter(|flap| !flap.is_zero()),
        expr,
    })
}

fn on_missing(at: &Cursor<'_>, expr: &Query, problems: &mut Problems) -> OnMissing {
    let Some(value) = at.get("on_missing") else {
        return OnMissing::Resolve;
    };
    let make: fn(Box<Query>) -> OnMissing = match value.as_text(problems) {
        Some("resolve") | None => return OnMissing::Resolve,
        Some("keep") => OnMissing::Keep,
        Some("fire") => OnMissing::Fire,
        Some(other) => {
            let message = format!("on_missing: expected resolve, keep or fire, got {other:?}");
            value.problem(problems, message, "");
            return OnMissing::Resolve;
        }
    };
    match presence::of(expr) {
        Some(query) => make(Box::new(query)),
        None => {
            let message =
                "'on_missing' cannot go with an expression that asks for something absent";
            value.problem(
                problems,
                message,
                "leave it out, or ask for what should be there",
            );
            OnMissing::Resolve
        }
    }
}

fn texts(
    at: &Cursor<'_>,
    key: &str,
    pairs: &Pairs,
    problems: &mut Problems,
) -> Vec<(String, Text)> {
    let mut texts = Vec::with_capacity(pairs.len());
    for (name, source) in pairs {
        let template = validate::template(at, (key, name, source), problems);
        texts.push((
            name.clone(),
            Text {
                source: source.clone(),
                template: template.map(Box::new),
            },
        ));
    }
    texts
}
