//! What a selector asks of one label, as Prometheus means it: a label that a series does not have
//! has the empty value, and patterns match the whole value, line ends included.

mod shape;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use regex::Regex;

use crate::labels::Labels;

use shape::{Shape, shape_of};

/// A condition on one label.
#[derive(Clone, Debug)]
pub struct Matcher {
    label: String,
    test: Test,
}

#[derive(Clone, Debug)]
enum Test {
    Equal(String),
    NotEqual(String),
    Matches(Arc<Pattern>),
    NotMatches(Arc<Pattern>),
}

/// A pattern for whole values; shared by clones of its matcher, for a regular expression that is cloned
/// forgets what it learnt.
#[derive(Debug)]
struct Pattern {
    text: String,
    shape: Shape,
    regex: Regex,
}

/// The text is not a regular expression.
#[derive(Debug, thiserror::Error)]
#[error("the pattern {pattern:?} for label {label:?} is not a regular expression")]
pub struct PatternError {
    label: String,
    pattern: String,
    #[source]
    source: regex::Error,
}

impl Matcher {
    /// `label="value"`.
    pub fn equal(label: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            label: label.into(),
            test: Test::Equal(value.into()),
        }
    }

    /// `label!="value"`.
    pub fn not_equal(label: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            label: label.into(),
            test: Test::NotEqual(value.into()),
        }
    }

    /// `label=~"pattern"`.
    pub fn matches(label: impl Into<String>, pattern: &str) -> Result<Self, PatternError> {
        let label = label.into();
        let test = Test::Matches(whole_value(&label, pattern)?.into());
        Ok(Self { label, test })
    }

    /// `label!~"pattern"`.
    pub fn not_matches(label: impl Into<String>, pattern: &str) -> Result<Self, PatternError> {
        let label = label.into();
        let test = Test::NotMatches(whole_value(&label, pattern)?.into());
        Ok(Self { label, test })
    }

    /// Which label it looks at.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.label
    }

    /// The values that it lets pass, each once, where they can be told.
    pub(crate) fn only_values(&self) -> Option<&[String]> {
        match &self.test {
            Test::Equal(value) => Some(std::slice::from_ref(value)),
            Test::Matches(pattern) => match &pattern.shape {
                Shape::Words(words) => Some(words),
                _ => None,
            },
            Test::NotEqual(_) | Test::NotMatches(_) => None,
        }
    }

    /// What all values begin with that it lets pass; often nothing.
    pub(crate) fn prefix(&self) -> &str {
        match &self.test {
            Test::Equal(value) => value,
            Test::Matches(pattern) => match &pattern.shape {
                Shape::Beginning(prefix) | Shape::Other(prefix) => prefix,
                Shape::Anything | Shape::Something | Shape::Words(_) => "",
            },
            Test::NotEqual(_) | Test::NotMatches(_) => "",
        }
    }

    /// Whether only its pattern can tell which values pass.
    fn is_slow(&self) -> bool {
        match &self.test {
            Test::Matches(pattern) | Test::NotMatches(pattern) => {
                matches!(pattern.shape, Shape::Other(_))
            }
            Test::Equal(_) | Test::NotEqual(_) => false,
        }
    }

    /// Whether a value passes; a missing label has the empty value.
    #[must_use]
    pub fn accepts(&self, value: &str) -> bool {
        match &self.test {
            Test::Equal(wanted) => value == wanted,
            Test::NotEqual(unwanted) => value != unwanted,
            Test::Matches(pattern) => pattern.accepts(value),
            Test::NotMatches(pattern) => !pattern.accepts(value),
        }
    }
}

impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let label = &self.label;
        match &self.test {
            Test::Equal(value) => write!(f, "{label}={value:?}"),
            Test::NotEqual(value) => write!(f, "{label}!={value:?}"),
            Test::Matches(pattern) => write!(f, "{label}=~{:?}", pattern.text),
            Test::NotMatches(pattern) => write!(f, "{label}!~{:?}", pattern.text),
        }
    }
}

impl Pattern {
    fn accepts(&self, value: &str) -> bool {
        match &self.shape {
            Shape::Anything => true,
            Shape::Something => !value.is_empty(),
            Shape::Words(words) => words
                .binary_search_by(|word| word.as_str().cmp(value))
                .is_ok(),
            Shape::Beginning(prefix) => value.starts_with(prefix.as_str()),
            Shape::Other(prefix) => {
                value.starts_with(prefix.as_str()) && self.regex.is_match(value)
            }
        }
    }
}

/// A selector that does not look twice at one value: labels have few values, and patterns are slow.
pub(crate) struct Remembering<'a> {
    matchers: Vec<Remembered<'a>>,
}

struct Remembered<'a> {
    matcher: &'a Matcher,
    verdicts: HashMap<Box<str>, bool>,
}

impl<'a> Remembering<'a> {
    pub(crate) fn new(selector: impl IntoIterator<Item = &'a Matcher>) -> Self {
        let remembered = |matcher| Remembered {
            matcher,
            verdicts: HashMap::new(),
        };
        Self {
            matchers: selector.into_iter().map(remembered).collect(),
        }
    }

    /// Whether all matchers let a series pass.
    pub(crate) fn accepts(&mut self, labels: &Labels) -> bool {
        self.matchers
            .iter_mut()
            .all(|it| it.accepts(labels.get(it.matcher.label()).unwrap_or_default()))
    }
}

impl Remembered<'_> {
    fn accepts(&mut self, value: &str) -> bool {
        if !self.matcher.is_slow() {
            return self.matcher.accepts(value);
        }
        if let Some(verdict) = self.verdicts.get(value) {
            return *verdict;
        }
        let verdict = self.matcher.accepts(value);
        self.verdicts.insert(value.into(), verdict);
        verdict
    }
}

/// Prometheus anchors patterns and lets the dot match line ends.
fn whole_value(label: &str, pattern: &str) -> Result<Pattern, PatternError> {
    // Alone first: `)|(` would otherwise pass for a pattern once it stands in the group.
    Regex::new(pattern)
        .and_then(|_| Regex::new(&format!("^(?s:{pattern})$")))
        .map(|regex| Pattern {
            text: pattern.to_owned(),
            shape: shape_of(pattern),
            regex,
        })
        .map_err(|source| PatternError {
            label: label.to_owned(),
            pattern: pattern.to_owned(),
            source,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        /// Whatever is known of a pattern, it accepts what the pattern alone accepts.
        #[test]
        fn short_cuts_change_nothing(
            pattern in r"(a|b|\.|\\.|\*|\+|\?|\||\(|\)|pg_|\.\*|\.\+|\(\?:|\n){0,6}",
            value in r"(a|b|\.|pg_|\n){0,4}",
        ) {
            let Ok(matcher) = Matcher::matches("l", &pattern) else {
                return Ok(());
            };
            let alone = Regex::new(&format!("^(?s:{pattern})$")).unwrap();
            let expected = alone.is_match(&value);
            proptest::prop_assert_eq!(matcher.accepts(&value), expected);
            if let Some(values) = matcher.only_values() {
                proptest::prop_assert_eq!(values.contains(&value), expected);
            }
            if expected {
                proptest::prop_assert!(value.starts_with(matcher.prefix()));
            }
        }
    }

    #[test]
    fn accept_as_prometheus_does() {
        let check = |matcher: &Matcher, value: &str, expected: bool| {
            assert_eq!(matcher.accepts(value), expected, "{matcher} on {value:?}");
        };
        let pattern = |text| Matcher::matches("a", text).unwrap();
        check(&Matcher::equal("a", "x"), "x", true);
        check(&Matcher::equal("a", ""), "", true);
        check(&Matcher::not_equal("a", "x"), "", true);
        check(&pattern("x|y"), "y", true);
        check(&pattern("x|y"), "xy", false);
        check(&pattern("x.y"), "x\ny", true);
        check(&pattern(".*"), "", true);
        check(&pattern(".+"), "", false);
        check(&pattern("(?i:PG)_.+"), "pg_up", true);
        check(&Matcher::not_matches("a", "x.*").unwrap(), "xyz", false);
        for wrong in ["(", "a)|(b", "[", "*"] {
            assert!(Matcher::matches("a", wrong).is_err(), "{wrong}");
        }
    }
}
