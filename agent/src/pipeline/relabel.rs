//! Relabel rules: Prometheus' own, so that rules people have keep their meaning.
//!
//! A rule looks at a series' name (as the label `__name__`) and labels, and changes, keeps or drops
//! the series. Regular expressions match the whole of a value, line ends included. The pipeline and
//! the prometheus source apply the same [`Rules`]; what they apply them to is theirs to say.
//!
//! Invariant: a label set to the empty text is a label removed, and a series whose name is removed
//! is dropped, for neither means anything further on.

use std::borrow::Cow;

use md5::{Digest, Md5};
use regex::Regex;
use serde::Deserialize;
use wire::metric::{Family, Label, Text};

use crate::config::Problems;

mod regroup;
mod validate;

use regroup::{Regrouped, full_name, renamed_family};
pub use validate::is_label_name;

/// The label under which rules see a series' name.
pub const NAME: &str = "__name__";

/// What a rule does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Writes `replacement` to `target_label` where `regex` matches the source.
    #[default]
    Replace,
    /// Drops series whose source `regex` does not match.
    Keep,
    /// Drops series whose source `regex` matches.
    Drop,
    /// Copies each label whose name `regex` matches to the name that `replacement` gives.
    LabelMap,
    /// Removes labels whose name `regex` matches.
    LabelDrop,
    /// Removes labels whose name `regex` does not match.
    LabelKeep,
    /// Writes the source's hash modulo `modulus` to `target_label`.
    HashMod,
    /// Writes the source in lower case to `target_label`.
    Lowercase,
    /// Writes the source in upper case to `target_label`.
    Uppercase,
    /// Drops series whose source differs from `target_label`.
    KeepEqual,
    /// Drops series whose source equals `target_label`.
    DropEqual,
}

/// A rule as the configuration file has it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawRule {
    /// Labels whose values, joined by `separator`, are the source. Default: none.
    #[serde(default)]
    pub source_labels: Vec<String>,
    /// What stands between the values of the source. Default: `;`.
    pub separator: Option<String>,
    /// What the whole source (or label name) is matched against. Default: `(.*)`.
    pub regex: Option<String>,
    /// Which label is written or compared; may hold `$1` with `replace`. Default: none.
    pub target_label: Option<String>,
    /// What is written; `$1` and `${name}` stand for groups of `regex`. Default: `$1`.
    pub replacement: Option<String>,
    /// What the hash is divided by, with `hashmod`. Default: none.
    pub modulus: Option<u64>,
    /// What the rule does. Default: `replace`.
    #[serde(default)]
    pub action: Action,
}

/// Rules that are applied one after the other.
#[derive(Clone, Debug, Default)]
pub struct Rules(Vec<Rule>);

/// Whether a series goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It does.
    Keep,
    /// It does not.
    Drop,
}

/// A series' name and labels, as rules change them.
#[derive(Clone, Debug, PartialEq)]
pub struct Subject<'a> {
    /// The name, suffix included.
    pub name: Text,
    /// The series' own labels.
    pub labels: Vec<Label>,
    /// Labels that rules see but cannot remove: those of the target. Own labels stand before them.
    pub target: &'a [Label],
}

#[derive(Clone, Debug)]
struct Source {
    labels: Vec<String>,
    separator: String,
}

#[derive(Clone, Copy, Debug)]
enum Case {
    Lower,
    Upper,
}

#[derive(Clone, Debug)]
enum Rule {
    Replace {
        source: Source,
        regex: Regex,
        target: String,
        replacement: String,
    },
    Recase {
        source: Source,
        target: String,
        case: Case,
    },
    Filter {
        source: Source,
        regex: Regex,
        on_match: Verdict,
    },
    Compare {
        source: Source,
        target: String,
        on_equal: Verdict,
    },
    HashMod {
        source: Source,
        target: String,
        modulus: u64,
    },
    MapNames {
        regex: Regex,
        replacement: String,
    },
    FilterNames {
        regex: Regex,
        on_match: Verdict,
    },
}

impl Rules {
    /// Checks rules, naming each as `key[0]`, `key[1]` and so on.
    pub fn validate(key: &str, raw: Vec<RawRule>, problems: &mut Problems) -> Option<Self> {
        let count = raw.len();
        let rules: Vec<Rule> = raw
            .into_iter()
            .enumerate()
            .filter_map(|(place, rule)| {
                problems.under(&format!("{key}[{place}]"), |problems| {
                    validate::rule(rule, problems)
                })
            })
            .collect();
        (rules.len() == count).then_some(Self(rules))
    }

    /// Whether there is no rule.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Applies the rules to one series.
    pub fn apply(&self, subject: &mut Subject<'_>) -> Verdict {
        for rule in &self.0 {
            if rule.apply(subject) == Verdict::Drop {
                return Verdict::Drop;
            }
        }
        if subject.name.is_empty() {
            Verdict::Drop
        } else {
            Verdict::Keep
        }
    }

    /// Applies the rules to every point of `families`, moving a point whose name changed to the
    /// family of its new name. Says how many points were dropped.
    pub fn apply_to(&self, families: Vec<Family>, target: &[Label]) -> (Vec<Family>, usize) {
        if self.is_empty() {
            return (families, 0);
        }
        let mut out = Regrouped::default();
        let mut dropped = 0;
        for family in families {
            for mut point in family.points {
                let mut subject = Subject {
                    name: full_name(&family.name, point.suffix),
                    labels: std::mem::take(&mut point.labels),
                    target,
                };
                if self.apply(&mut subject) == Verdict::Drop {
                    dropped += 1;
                    continue;
                }
                point.labels = subject.labels;
                let renamed = subject.name != full_name(&family.name, point.suffix);
                let (name, kind) = if renamed {
                    renamed_family(&subject.name, &mut point.suffix, family.kind)
                } else {
                    (family.name.clone(), family.kind)
                };
                out.family(name, &family.help, kind).points.push(point);
            }
        }
        (out.families, dropped)
    }
}

impl Subject<'_> {
    fn get(&self, name: &str) -> &str {
        if name == NAME {
            return &self.name;
        }
        let own = self.labels.iter().find(|label| label.name == name);
        let found = own.or_else(|| self.target.iter().find(|label| label.name == name));
        found.map_or("", |label| &label.value)
    }

    fn set(&mut self, name: &str, value: String) {
        if name == NAME {
            self.name = Cow::Owned(value);
            return;
        }
        let place = self.labels.iter().position(|label| label.name == name);
        match (place, value.is_empty()) {
            (Some(place), true) => {
                self.labels.remove(place);
            }
            (Some(place), false) => self.labels[place].value = Cow::Owned(value),
            (None, true) => {}
            (None, false) => self.labels.push(Label::new(name.to_owned(), value)),
        }
    }
}

impl Source {
    /// The values joined; borrowed in the usual case of one label.
    fn read<'a>(&self, subject: &'a Subject<'_>) -> Cow<'a, str> {
        if let [only] = self.labels.as_slice() {
            return Cow::Borrowed(subject.get(only));
        }
        let values: Vec<&str> = self.labels.iter().map(|name| subject.get(name)).collect();
        Cow::Owned(values.join(&self.separator))
    }
}

impl Rule {
    fn apply(&self, subject: &mut Subject<'_>) -> Verdict {
        match self {
            Self::Filter {
                source,
                regex,
                on_match,
            } => return decide(regex.is_match(&source.read(subject)), *on_match),
            Self::Compare {
                source,
                target,
                on_equal,
            } => {
                let equal = source.read(subject) == subject.get(target);
                return decide(equal, *on_equal);
            }
            Self::Replace {
                source,
                regex,
                target,
                replacement,
            } => {
                let written = replaced(&source.read(subject), regex, target, replacement);
                if let Some((target, value)) = written {
                    subject.set(&target, value);
                }
            }
            Self::Recase {
                source,
                target,
                case,
            } => {
                let value = source.read(subject);
                let value = match case {
                    Case::Lower => value.to_lowercase(),
                    Case::Upper => value.to_uppercase(),
                };
                subject.set(target, value);
            }
            Self::HashMod {
                source,
                target,
                modulus,
            } => {
                let value = hash(&source.read(subject)) % modulus;
                subject.set(target, value.to_string());
            }
            Self::MapNames { regex, replacement } => map_names(subject, regex, replacement),
            Self::FilterNames { regex, on_match } => subject
                .labels
                .retain(|label| decide(regex.is_match(&label.name), *on_match) == Verdict::Keep),
        }
        Verdict::Keep
    }
}

/// The verdict where `on_match` is what a match means, and its opposite what none means.
fn decide(matches: bool, on_match: Verdict) -> Verdict {
    match (matches, on_match) {
        (true, Verdict::Keep) | (false, Verdict::Drop) => Verdict::Keep,
        (true, Verdict::Drop) | (false, Verdict::Keep) => Verdict::Drop,
    }
}

fn replaced(
    value: &str,
    regex: &Regex,
    target: &str,
    replacement: &str,
) -> Option<(String, String)> {
    let groups = regex.captures(value)?;
    let mut name = String::new();
    groups.expand(target, &mut name);
    // The target may be made of groups, so that only now its name is known.
    if !validate::is_label_name(&name) {
        return None;
    }
    let mut written = String::new();
    groups.expand(replacement, &mut written);
    Some((name, written))
}

fn map_names(subject: &mut Subject<'_>, regex: &Regex, replacement: &str) {
    let mut copies = Vec::new();
    for label in &subject.labels {
        if let Some(groups) = regex.captures(&label.name) {
            let mut name = String::new();
            groups.expand(replacement, &mut name);
            copies.push((name, label.value.to_string()));
        }
    }
    for (name, value) in copies {
        if validate::is_label_name(&name) {
            subject.set(&name, value);
        }
    }
}

/// The low eight bytes of the MD5 sum: what Prometheus divides, so that shards agree with its own.
fn hash(value: &str) -> u64 {
    let sum = Md5::digest(value.as_bytes());
    sum.iter()
        .skip(8)
        .fold(0, |number, byte| (number << 8) | u64::from(*byte))
}

#[cfg(test)]
mod tests;
