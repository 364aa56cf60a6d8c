//! Holds a JSON object against a published form: which keys it must and may have, and what in them.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use serde_json::{Map, Value};

static MOMENT: LazyLock<regex::Regex> = LazyLock::new(|| {
    let pattern = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$";
    regex::Regex::new(pattern).expect("the pattern is one")
});

/// Whether a key must be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    Must,
    May,
}

/// An object that is being looked at.
pub(super) struct Fields<'a> {
    place: String,
    map: &'a Map<String, Value>,
    seen: BTreeSet<&'static str>,
    problems: &'a mut Vec<String>,
}

impl<'a> Fields<'a> {
    /// Looks at a value with `look`, which names all that is known; what is left is a problem.
    pub(super) fn check(
        value: &Value,
        place: &str,
        problems: &'a mut Vec<String>,
        look: impl FnOnce(&mut Fields<'_>),
    ) {
        let Some(map) = value.as_object() else {
            problems.push(format!("{place}: no object"));
            return;
        };
        let mut fields = Fields {
            place: place.to_owned(),
            map,
            seen: BTreeSet::new(),
            problems,
        };
        look(&mut fields);
        let unknown = fields
            .map
            .keys()
            .filter(|key| !fields.seen.contains(key.as_str()));
        let unknown: Vec<_> = unknown.cloned().collect();
        for key in unknown {
            fields.problem(&key, "unknown key");
        }
    }

    fn problem(&mut self, key: &str, what: &str) {
        self.problems.push(format!("{}.{key}: {what}", self.place));
    }

    fn get(&mut self, key: &'static str, need: Need) -> Option<&'a Value>
    where
        Self: 'a,
    {
        self.seen.insert(key);
        let found = self.map.get(key);
        if found.is_none() && need == Need::Must {
            self.problem(key, "missing");
        }
        found
    }

    /// A text of so many characters at most, not empty where it must be there.
    pub(super) fn text(&mut self, key: &'static str, need: Need, most: usize) {
        let Some(value) = self.get(key, need) else {
            return;
        };
        match value.as_str() {
            None => self.problem(key, "no text"),
            Some("") if need == Need::Must => self.problem(key, "empty"),
            Some(text) if text.chars().count() > most => {
                self.problem(key, &format!("longer than {most} characters"));
            }
            Some(_) => {}
        }
    }

    /// A text that is one of these.
    pub(super) fn one_of(&mut self, key: &'static str, need: Need, known: &[&str]) {
        let value = self.get(key, need).map(Value::as_str);
        if value.is_some_and(|text| !text.is_some_and(|text| known.contains(&text))) {
            self.problem(key, &format!("none of {known:?}"));
        }
    }

    /// An address that can be opened.
    pub(super) fn address(&mut self, key: &'static str, need: Need) {
        let value = self.get(key, need).map(Value::as_str);
        let is_address = |text: &str| {
            ["http://", "https://"]
                .iter()
                .any(|scheme| text.starts_with(scheme))
        };
        if value.is_some_and(|text| !text.is_some_and(is_address)) {
            self.problem(key, "no address");
        }
    }

    /// A moment as RFC 3339 writes it.
    pub(super) fn moment(&mut self, key: &'static str, need: Need) {
        let value = self.get(key, need).map(Value::as_str);
        if value.is_some_and(|text| !text.is_some_and(|text| MOMENT.is_match(text))) {
            self.problem(key, "no moment");
        }
    }

    pub(super) fn flag(&mut self, key: &'static str, need: Need) {
        if self.get(key, need).is_some_and(|value| !value.is_boolean()) {
            self.problem(key, "neither true nor false");
        }
    }

    pub(super) fn whole(&mut self, key: &'static str, need: Need) {
        if self
            .get(key, need)
            .is_some_and(|value| !value.is_i64() && !value.is_u64())
        {
            self.problem(key, "no whole number");
        }
    }

    pub(super) fn null(&mut self, key: &'static str, need: Need) {
        if self.get(key, need).is_some_and(|value| !value.is_null()) {
            self.problem(key, "not null");
        }
    }

    /// A map of texts.
    pub(super) fn texts(&mut self, key: &'static str, need: Need, most: usize) {
        let Some(value) = self.get(key, need) else {
            return;
        };
        let Some(map) = value.as_object() else {
            return self.problem(key, "no object");
        };
        if !map.values().all(Value::is_string) {
            self.problem(key, "not all of it are texts");
        }
        let length = |(name, text): (&String, &Value)| {
            name.chars().count() + text.as_str().unwrap_or_default().chars().count()
        };
        if map.iter().map(length).sum::<usize>() > most {
            self.problem(key, &format!("longer than {most} characters in all"));
        }
    }

    /// An object of any kind.
    pub(super) fn anything(&mut self, key: &'static str, need: Need) {
        if self.get(key, need).is_some_and(|value| !value.is_object()) {
            self.problem(key, "no object");
        }
    }

    /// An object of a known form.
    pub(super) fn object(
        &mut self,
        key: &'static str,
        need: Need,
        look: impl FnOnce(&mut Fields<'_>),
    ) {
        if let Some(value) = self.get(key, need).cloned() {
            let place = format!("{}.{key}", self.place);
            Fields::check(&value, &place, self.problems, look);
        }
    }

    /// A list of objects of a known form.
    pub(super) fn objects(
        &mut self,
        key: &'static str,
        (need, most): (Need, usize),
        mut look: impl FnMut(&mut Fields<'_>),
    ) {
        for (number, item) in self.items(key, need, most).into_iter().enumerate() {
            let place = format!("{}.{key}[{number}]", self.place);
            Fields::check(&item, &place, self.problems, &mut look);
        }
    }

    /// A list of texts, each of so many characters at most.
    pub(super) fn list(&mut self, key: &'static str, need: Need, (most, longest): (usize, usize)) {
        let items = self.items(key, need, most);
        let fits = |item: &Value| {
            let text = item.as_str();
            text.is_some_and(|text| !text.is_empty() && text.chars().count() <= longest)
        };
        if !items.iter().all(fits) {
            self.problem(
                key,
                &format!("not all of it are texts of up to {longest} characters"),
            );
        }
    }

    fn items(&mut self, key: &'static str, need: Need, most: usize) -> Vec<Value> {
        let Some(value) = self.get(key, need) else {
            return Vec::new();
        };
        let Some(items) = value.as_array().cloned() else {
            self.problem(key, "no list");
            return Vec::new();
        };
        if items.len() > most {
            self.problem(key, &format!("more than {most}"));
        }
        items
    }
}
