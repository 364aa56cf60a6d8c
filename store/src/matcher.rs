//! What a selector asks of one label, as Prometheus means it: a label that a series does not have
//! has the empty value, and patterns match the whole value, line ends included.

use std::fmt;

use regex::Regex;

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
    Matches(Regex),
    NotMatches(Regex),
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
        let test = Test::Matches(whole_value(&label, pattern)?);
        Ok(Self { label, test })
    }

    /// `label!~"pattern"`.
    pub fn not_matches(label: impl Into<String>, pattern: &str) -> Result<Self, PatternError> {
        let label = label.into();
        let test = Test::NotMatches(whole_value(&label, pattern)?);
        Ok(Self { label, test })
    }

    /// Which label it looks at.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.label
    }

    /// The one value that it lets pass, where it is an equality.
    #[must_use]
    pub fn only_value(&self) -> Option<&str> {
        match &self.test {
            Test::Equal(value) => Some(value),
            Test::NotEqual(_) | Test::Matches(_) | Test::NotMatches(_) => None,
        }
    }

    /// Whether a value passes; a missing label has the empty value.
    #[must_use]
    pub fn accepts(&self, value: &str) -> bool {
        match &self.test {
            Test::Equal(wanted) => value == wanted,
            Test::NotEqual(unwanted) => value != unwanted,
            Test::Matches(pattern) => pattern.is_match(value),
            Test::NotMatches(pattern) => !pattern.is_match(value),
        }
    }
}

impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let label = &self.label;
        match &self.test {
            Test::Equal(value) => write!(f, "{label}={value:?}"),
            Test::NotEqual(value) => write!(f, "{label}!={value:?}"),
            Test::Matches(pattern) => write!(f, "{label}=~{:?}", pattern.as_str()),
            Test::NotMatches(pattern) => write!(f, "{label}!~{:?}", pattern.as_str()),
        }
    }
}

/// Prometheus anchors patterns and lets the dot match line ends.
fn whole_value(label: &str, pattern: &str) -> Result<Regex, PatternError> {
    // Alone first: `)|(` would otherwise pass for a pattern once it stands in the group.
    Regex::new(pattern)
        .and_then(|_| Regex::new(&format!("^(?s:{pattern})$")))
        .map_err(|source| PatternError {
            label: label.to_owned(),
            pattern: pattern.to_owned(),
            source,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

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
