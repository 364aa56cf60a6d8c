//! Nested values whose texts are templates: what a webhook or PagerDuty gets beside the fixed fields.

use rules::Problems;
use rules::yaml::Cursor;
use serde_json::Value as Json;

use super::letter::Letter;

/// How deep values may lie in each other.
const MAX_DEPTH: usize = 32;

/// A value of templates.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Shape {
    Null,
    Text(String),
    List(Vec<Self>),
    Map(Vec<(String, Self)>),
}

impl Shape {
    pub(super) fn read(at: &Cursor<'_>, problems: &mut Problems) -> Self {
        Self::read_within(at, problems, 0)
    }

    fn read_within(at: &Cursor<'_>, problems: &mut Problems, depth: usize) -> Self {
        if depth > MAX_DEPTH {
            at.problem(problems, "values lie too deep in each other", "");
            return Self::Null;
        }
        if at.is_null() {
            return Self::Null;
        }
        // Which of the three it is shows in which of them has nothing to complain about.
        let mut unused = Problems::default();
        let items = at.items(&mut unused);
        if unused.is_empty() {
            let items = items.iter();
            return Self::List(
                items
                    .map(|item| Self::read_within(item, problems, depth + 1))
                    .collect(),
            );
        }
        let mut unused = Problems::default();
        let entries = at.entries(&mut unused);
        if unused.is_empty() {
            let entries = entries.iter().map(|(name, value)| {
                let value = Self::read_within(value, problems, depth + 1);
                ((*name).to_owned(), value)
            });
            return Self::Map(entries.collect());
        }
        Self::Text(at.as_text(problems).unwrap_or_default().to_owned())
    }

    /// Written out. What a template writes that is JSON other than a text becomes that, so that
    /// templates can make numbers and lists.
    pub(super) fn write(&self, field: &str, letter: &mut Letter<'_>) -> Json {
        match self {
            Self::Null => Json::Null,
            Self::Text(template) => typed(letter.message(field, template)),
            Self::List(items) => {
                let items = items.iter();
                Json::Array(items.map(|item| item.write(field, letter)).collect())
            }
            Self::Map(entries) => {
                let entries = entries.iter().map(|(name, value)| {
                    let name = letter.text(field, name);
                    (name, value.write(field, letter))
                });
                Json::Object(entries.collect())
            }
        }
    }

    pub(super) fn templates<'a>(
        &'a self,
        key: &'static str,
        into: &mut Vec<(&'static str, &'a str)>,
    ) {
        match self {
            Self::Null => {}
            Self::Text(template) => into.push((key, template)),
            Self::List(items) => items.iter().for_each(|item| item.templates(key, into)),
            Self::Map(entries) => {
                for (name, value) in entries {
                    into.push((key, name));
                    value.templates(key, into);
                }
            }
        }
    }
}

/// A number only where nothing of the text is lost by it.
fn typed(text: String) -> Json {
    match serde_json::from_str::<Json>(&text) {
        Ok(Json::String(_)) | Err(_) => Json::String(text),
        Ok(Json::Number(number)) if number.to_string() != text.trim() => Json::String(text),
        Ok(json) => json,
    }
}
