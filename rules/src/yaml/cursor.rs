//! A value of a document with the way to it, and reading it as what it should be.

use std::time::Duration;

use query::promql::duration_ms;

use super::{Node, Part, Step};
use crate::problem::Problems;

/// A value with the way to it.
#[derive(Clone, Debug)]
pub struct Cursor<'a> {
    node: &'a Node,
    path: Vec<Step>,
}

impl<'a> Cursor<'a> {
    pub fn root(node: &'a Node) -> Self {
        Self {
            node,
            path: Vec::new(),
        }
    }

    fn step(&self, node: &'a Node, step: Step) -> Self {
        let mut path = self.path.clone();
        path.push(step);
        Self { node, path }
    }

    /// Notes a problem with this value.
    pub fn problem(&self, problems: &mut Problems, message: impl Into<String>, hint: &str) {
        problems.add((&self.path, Part::Value), message, hint);
    }

    /// Notes a problem with the key that leads here.
    pub fn key_problem(&self, problems: &mut Problems, message: impl Into<String>, hint: &str) {
        problems.add((&self.path, Part::Key), message, hint);
    }

    fn mismatch(&self, problems: &mut Problems, wanted: &str) {
        let got = self.node.kind();
        self.problem(problems, format!("expected {wanted}, got {got}"), "");
    }

    /// The values of a map, of which only these keys are known.
    pub fn fields(&self, known: &[&str], problems: &mut Problems) {
        match self.node {
            Node::Null => {}
            Node::Map(entries) => {
                for (key, value) in entries {
                    if !known.contains(&key.as_str()) {
                        let at = self.step(value, Step::Key(key.clone()));
                        let hint = format!("known keys are: {}", known.join(", "));
                        at.key_problem(problems, format!("unknown key {key:?}"), &hint);
                    }
                }
            }
            _ => self.mismatch(problems, "a map"),
        }
    }

    /// The value of a key; nothing where the key is missing or has no value.
    pub fn get(&self, key: &str) -> Option<Self> {
        let Node::Map(entries) = self.node else {
            return None;
        };
        let (_, value) = entries.iter().find(|(known, _)| known == key)?;
        (*value != Node::Null).then(|| self.step(value, Step::Key(key.to_owned())))
    }

    /// The items of the list that a key has; none where the key is missing.
    pub fn list(&self, key: &str, problems: &mut Problems) -> Vec<Self> {
        let Some(list) = self.get(key) else {
            return Vec::new();
        };
        list.items(problems)
    }

    /// Whether nothing stands there.
    pub fn is_null(&self) -> bool {
        *self.node == Node::Null
    }

    /// The items of this list; none where nothing stands there.
    pub fn items(&self, problems: &mut Problems) -> Vec<Self> {
        let items = match self.node {
            Node::List(items) => items.as_slice(),
            Node::Null => &[],
            _ => {
                self.mismatch(problems, "a list");
                &[]
            }
        };
        let items = items.iter().enumerate();
        items
            .map(|(place, item)| self.step(item, Step::Item(place)))
            .collect()
    }

    /// What this map has, in the order of the file; nothing where nothing stands there.
    pub fn entries(&self, problems: &mut Problems) -> Vec<(&'a str, Self)> {
        let entries = match self.node {
            Node::Map(entries) => entries.as_slice(),
            Node::Null => &[],
            _ => {
                self.mismatch(problems, "a map");
                &[]
            }
        };
        let entries = entries.iter();
        entries
            .map(|(key, value)| (key.as_str(), self.step(value, Step::Key(key.clone()))))
            .collect()
    }

    /// Whether a key says yes, in any of the words that YAML 1.1 has for it. In quotes they are texts,
    /// which [`Problems::find_quotes`] finds.
    pub fn flag(&self, key: &str, problems: &mut Problems) -> Option<bool> {
        let flag = self.parsed(key, "true or false", parse_flag, problems)?;
        let at = self.get(key)?;
        let word = at.as_text(problems)?;
        let message = format!("{key}: expected true or false, got the text {word:?}");
        problems.add_if_quoted((&at.path, word), message, "leave the quotes away");
        Some(flag)
    }

    /// This value as a text.
    pub fn as_text(&self, problems: &mut Problems) -> Option<&'a str> {
        match self.node {
            Node::Scalar(text) => Some(text),
            Node::Null => Some(""),
            _ => {
                self.mismatch(problems, "a text");
                None
            }
        }
    }

    /// The text that a key has.
    pub fn text(&self, key: &str, problems: &mut Problems) -> Option<&'a str> {
        self.get(key)?.as_text(problems)
    }

    /// The texts by name that a key has, each with its place.
    pub fn texts(&self, key: &str, problems: &mut Problems) -> Vec<(&'a str, &'a str, Self)> {
        let Some(map) = self.get(key) else {
            return Vec::new();
        };
        let Node::Map(entries) = map.node else {
            map.mismatch(problems, "a map of texts");
            return Vec::new();
        };
        let mut texts = Vec::with_capacity(entries.len());
        for (name, value) in entries {
            let at = map.step(value, Step::Key(name.clone()));
            if let Some(text) = at.as_text(problems) {
                texts.push((name.as_str(), text, at));
            }
        }
        texts
    }

    /// The duration that a key has.
    pub fn duration(&self, key: &str, problems: &mut Problems) -> Option<Duration> {
        let at = self.get(key)?;
        let text = at.as_text(problems)?;
        let ms = match text {
            "0" => Some(0),
            _ if are_ordered(text) => duration_ms(text),
            _ => None,
        };
        let parsed = ms.and_then(|ms| u64::try_from(ms).ok());
        if parsed.is_none() {
            let message = format!("{key}: not a duration: {text:?}");
            at.problem(problems, message, "write it as 30s, 5m, 1h30m or 7d");
        }
        parsed.map(Duration::from_millis)
    }

    /// The value that a key has, read by `parse`.
    pub fn parsed<T>(
        &self,
        key: &str,
        wanted: &str,
        parse: impl FnOnce(&str) -> Option<T>,
        problems: &mut Problems,
    ) -> Option<T> {
        let at = self.get(key)?;
        let text = at.as_text(problems)?;
        let parsed = parse(text);
        if parsed.is_none() {
            at.problem(
                problems,
                format!("{key}: expected {wanted}, got {text:?}"),
                "",
            );
        }
        parsed
    }
}

fn parse_flag(text: &str) -> Option<bool> {
    const YES: [&str; 11] = [
        "y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON",
    ];
    const NO: [&str; 11] = [
        "n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF",
    ];
    match text {
        _ if YES.contains(&text) => Some(true),
        _ if NO.contains(&text) => Some(false),
        _ => None,
    }
}

/// Whether each unit stands once and larger ones come first, as Prometheus wants it in files.
fn are_ordered(text: &str) -> bool {
    const UNITS: [&str; 7] = ["y", "w", "d", "h", "m", "s", "ms"];
    let units = text.split(|c: char| c.is_ascii_digit());
    let places = units
        .filter(|unit| !unit.is_empty())
        .map(|unit| UNITS.iter().position(|known| *known == unit));
    places.is_sorted_by(|one, other| one < other)
}
