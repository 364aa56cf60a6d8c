//! Checks one relabel rule, by the same requirements as Prometheus has for each action.

use regex::Regex;

use super::{Action, Case, RawRule, Rule, Source, Verdict};
use crate::config::Problems;

/// Whether Prometheus' data model allows that label name.
#[must_use]
pub fn is_label_name(name: &str) -> bool {
    let mut letters = name.chars();
    let starts = letters
        .next()
        .is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    starts && letters.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Checks `raw`; `None` after each problem was noted.
pub(super) fn rule(raw: RawRule, problems: &mut Problems) -> Option<Rule> {
    let fits = only_what_the_action_takes(&raw, problems);
    let regex = regex(raw.regex.as_deref().unwrap_or("(.*)"), problems);
    let replacement = raw.replacement.unwrap_or_else(|| "$1".to_owned());
    let target = target(raw.action, raw.target_label, problems);
    let modulus = modulus(raw.action, raw.modulus, problems);
    let replacement_fits = names_from(raw.action, &replacement, problems);
    let (regex, target, modulus) = (regex?, target?, modulus?);
    if !fits || !replacement_fits {
        return None;
    }
    let source = Source {
        labels: raw.source_labels,
        separator: raw.separator.unwrap_or_else(|| ";".to_owned()),
    };
    Some(match raw.action {
        Action::Replace => Rule::Replace {
            source,
            regex,
            target,
            replacement,
        },
        Action::Keep => filter(source, regex, Verdict::Keep),
        Action::Drop => filter(source, regex, Verdict::Drop),
        Action::KeepEqual => compare(source, target, Verdict::Keep),
        Action::DropEqual => compare(source, target, Verdict::Drop),
        Action::Lowercase => recase(source, target, Case::Lower),
        Action::Uppercase => recase(source, target, Case::Upper),
        Action::HashMod => Rule::HashMod {
            source,
            target,
            modulus,
        },
        Action::LabelMap => Rule::MapNames { regex, replacement },
        Action::LabelDrop => names(regex, Verdict::Drop),
        Action::LabelKeep => names(regex, Verdict::Keep),
    })
}

fn filter(source: Source, regex: Regex, on_match: Verdict) -> Rule {
    Rule::Filter {
        source,
        regex,
        on_match,
    }
}

fn compare(source: Source, target: String, on_equal: Verdict) -> Rule {
    Rule::Compare {
        source,
        target,
        on_equal,
    }
}

fn recase(source: Source, target: String, case: Case) -> Rule {
    Rule::Recase {
        source,
        target,
        case,
    }
}

fn names(regex: Regex, on_match: Verdict) -> Rule {
    Rule::FilterNames { regex, on_match }
}

/// A key that an action ignores was meant for another action: better refused than ignored.
fn only_what_the_action_takes(raw: &RawRule, problems: &mut Problems) -> bool {
    let by_name = matches!(raw.action, Action::LabelDrop | Action::LabelKeep);
    let compares = matches!(raw.action, Action::KeepEqual | Action::DropEqual);
    let given = [
        ("source_labels", !raw.source_labels.is_empty(), by_name),
        ("target_label", raw.target_label.is_some(), by_name),
        ("separator", raw.separator.is_some(), by_name || compares),
        (
            "replacement",
            raw.replacement.is_some(),
            by_name || compares,
        ),
        ("modulus", raw.modulus.is_some(), by_name || compares),
        ("regex", raw.regex.is_some(), compares),
    ];
    let mut fits = true;
    for (key, is_set, is_ignored) in given {
        if is_set && is_ignored {
            let message = format!("the action {} does not use it", word(raw.action));
            problems.add(key, message, "remove the key or change the action");
            fits = false;
        }
    }
    fits
}

fn regex(pattern: &str, problems: &mut Problems) -> Option<Regex> {
    // Checked on its own first, for `a)(b` is whole only inside the group that anchors it.
    let checked = Regex::new(pattern).and_then(|_| Regex::new(&format!("^(?s:{pattern})$")));
    match checked {
        Ok(regex) => Some(regex),
        Err(error) => {
            problems.add(
                "regex",
                format!("not a regular expression: {error}"),
                "write it in RE2 syntax; it matches the whole value",
            );
            None
        }
    }
}

fn target(action: Action, target: Option<String>, problems: &mut Problems) -> Option<String> {
    let is_template = match action {
        Action::Replace => true,
        Action::HashMod
        | Action::Lowercase
        | Action::Uppercase
        | Action::KeepEqual
        | Action::DropEqual => false,
        Action::Keep | Action::Drop => return Some(String::new()),
        Action::LabelMap | Action::LabelDrop | Action::LabelKeep => return Some(String::new()),
    };
    let Some(target) = target else {
        let message = format!("the action {} needs it", word(action));
        problems.add("target_label", message, "name the label to write");
        return None;
    };
    let valid = is_label_name(&target) || (is_template && is_name_template(&target));
    if !valid {
        problems.add(
            "target_label",
            format!("{target:?} is not a label name"),
            "use letters, digits and underscores, not beginning with a digit",
        );
    }
    valid.then_some(target)
}

fn modulus(action: Action, modulus: Option<u64>, problems: &mut Problems) -> Option<u64> {
    match (action, modulus) {
        (Action::HashMod, None | Some(0)) => {
            problems.add(
                "modulus",
                "the action hashmod needs one above 0",
                "write the number of shards",
            );
            None
        }
        (_, modulus) => Some(modulus.unwrap_or(1)),
    }
}

/// With `labelmap` the replacement makes label names, and so must look like one.
fn names_from(action: Action, replacement: &str, problems: &mut Problems) -> bool {
    if action != Action::LabelMap || is_label_name(replacement) || is_name_template(replacement) {
        return true;
    }
    problems.add(
        "replacement",
        format!("{replacement:?} does not make label names"),
        "use letters, digits, underscores and groups such as $1",
    );
    false
}

/// Whether the text is a label name once its groups are put in: `prefix_$1`, `${name}`.
fn is_name_template(text: &str) -> bool {
    let mut rest = text;
    let mut begins = true;
    while let Some(first) = rest.chars().next() {
        if first == '$' {
            let Some(after) = skip_group(&rest[1..]) else {
                return false;
            };
            rest = after;
        } else if first == '_' || first.is_ascii_alphabetic() || (!begins && first.is_ascii_digit())
        {
            rest = &rest[1..];
        } else {
            return false;
        }
        begins = false;
    }
    !text.is_empty()
}

/// What stands behind `1`, `name` or `{name}`.
fn skip_group(text: &str) -> Option<&str> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if let Some(braced) = text.strip_prefix('{') {
        let (name, after) = braced.split_once('}')?;
        return (!name.is_empty() && name.chars().all(is_word)).then_some(after);
    }
    let after = text.trim_start_matches(is_word);
    (after.len() < text.len()).then_some(after)
}

fn word(action: Action) -> String {
    format!("{action:?}").to_lowercase()
}
