//! Conditions on labels, as routes, inhibition rules and silences have them.
//!
//! There are two ways to write them. The classic one knows names of ASCII only and takes nearly
//! anything for a value; the one of UTF-8 knows any name, in quotes, and wants quotes around what is
//! not plain. [`Matchers::parse`] goes by Alertmanager's rule: what both take and understand alike is
//! that; where they differ the classic one counts, and a note says so.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use query::promql::{quote, translate_pattern};
use regex::Regex;
use store::labels::Labels;

mod classic;
mod utf8;

/// A condition on one label.
#[derive(Clone, Debug)]
pub struct Matcher {
    name: String,
    value: String,
    op: Op,
    /// Stands here where the operator asks for one.
    pattern: Option<Regex>,
}

/// How a label is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Op {
    Equal,
    NotEqual,
    Matches,
    NotMatches,
}

/// Conditions that must all hold. No conditions hold for everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matchers(Vec<Matcher>);

/// The text is no matcher.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MatcherError {
    #[error("bad matcher format: {0}")]
    Format(String),
    #[error("matcher value contains an unescaped double quote: {0}")]
    Quote(String),
    #[error("{text:?}, column {column}: {what}")]
    Syntax {
        text: String,
        column: usize,
        what: &'static str,
    },
    #[error("not a regular expression: {pattern:?}")]
    Pattern { pattern: String },
    #[error("expected one matcher, found {0}")]
    Count(usize),
    #[error("a brace at the beginning or the end: {0}")]
    Brace(String),
}

/// What people should know of matchers that were read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// Only the classic way of writing knows this; `suggestion` is understood both ways.
    Classic { suggestion: String },
    /// It means something else when read as UTF-8.
    Ambiguous,
}

impl Op {
    /// As it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Matches => "=~",
            Self::NotMatches => "!~",
        }
    }

    /// That of the API's two flags.
    #[must_use]
    pub fn of(is_equal: bool, is_regex: bool) -> Self {
        match (is_equal, is_regex) {
            (true, false) => Self::Equal,
            (false, false) => Self::NotEqual,
            (true, true) => Self::Matches,
            (false, true) => Self::NotMatches,
        }
    }

    /// Whether a value passes that is as described.
    #[must_use]
    pub fn is_equal(self) -> bool {
        matches!(self, Self::Equal | Self::Matches)
    }

    /// Whether the value is a pattern.
    #[must_use]
    pub fn is_regex(self) -> bool {
        matches!(self, Self::Matches | Self::NotMatches)
    }
}

impl Matcher {
    /// A condition. A pattern must match the whole value, in which a dot is no line end.
    pub fn new(
        name: impl Into<String>,
        op: Op,
        value: impl Into<String>,
    ) -> Result<Self, MatcherError> {
        let value = value.into();
        let pattern = match op {
            Op::Equal | Op::NotEqual => None,
            Op::Matches | Op::NotMatches => {
                let regex = Regex::new(&format!("^(?:{})$", translate_pattern(&value)));
                let pattern = value.clone();
                Some(regex.map_err(|_| MatcherError::Pattern { pattern })?)
            }
        };
        let name = name.into();
        Ok(Self {
            name,
            value,
            op,
            pattern,
        })
    }

    /// Reads exactly one.
    pub fn parse(text: &str) -> Result<(Self, Option<Note>), MatcherError> {
        if text.starts_with('{') || text.ends_with('}') {
            return Err(MatcherError::Brace(text.to_owned()));
        }
        let modern = utf8::parse(text).and_then(|matchers| match <[Self; 1]>::try_from(matchers) {
            Ok([one]) => Ok(Matchers(vec![one])),
            Err(other) => Err(MatcherError::Count(other.len())),
        });
        let classic = classic::parse_one(text).map(|one| Matchers(vec![one]));
        let (mut matchers, note) = choose(modern, classic)?;
        let found = matchers.0.len();
        let one = matchers.0.pop().ok_or(MatcherError::Count(found))?;
        Ok((one, note))
    }

    /// Which label it looks at.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it compares with.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }

    /// How it compares.
    #[must_use]
    pub fn op(&self) -> Op {
        self.op
    }

    /// Whether a value passes; a missing label has the empty value.
    #[must_use]
    pub fn accepts(&self, value: &str) -> bool {
        let matches = match &self.pattern {
            Some(pattern) => pattern.is_match(value),
            None => value == self.value,
        };
        matches == self.op.is_equal()
    }
}

impl PartialEq for Matcher {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Matcher {}

impl PartialOrd for Matcher {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// By name, then by value, then by operator: the order in which group keys have them.
impl Ord for Matcher {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_name = self.name.cmp(&other.name);
        let by_value = by_name.then_with(|| self.value.cmp(&other.value));
        by_value.then_with(|| self.op.cmp(&other.op))
    }
}

/// As Alertmanager writes it, in which form every way of writing reads it back.
impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let op = self.op.as_str();
        if self.name.is_empty() || self.name.contains(utf8::is_reserved) {
            return write!(f, "{}{op}{}", quote(&self.name), quote(&self.value));
        }
        let value = self.value.replace('\\', "\\\\");
        let value = value.replace('\n', "\\n").replace('"', "\\\"");
        write!(f, "{}{op}\"{value}\"", self.name)
    }
}

impl Matchers {
    /// Conditions in the order given.
    #[must_use]
    pub fn new(matchers: Vec<Matcher>) -> Self {
        Self(matchers)
    }

    /// Reads a list parted by commas, with braces around it or not.
    pub fn parse(text: &str) -> Result<(Self, Option<Note>), MatcherError> {
        choose(utf8::parse(text).map(Self), classic::parse(text).map(Self))
    }

    /// The same ones, sorted.
    #[must_use]
    pub fn sorted(mut self) -> Self {
        self.0.sort();
        self
    }

    /// Whether all of them hold.
    #[must_use]
    pub fn match_labels(&self, labels: &Labels) -> bool {
        let holds = |it: &Matcher| it.accepts(labels.get(it.name()).unwrap_or_default());
        self.0.iter().all(holds)
    }

    /// One by one.
    pub fn iter(&self) -> std::slice::Iter<'_, Matcher> {
        self.0.iter()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Extend<Matcher> for Matchers {
    fn extend<T: IntoIterator<Item = Matcher>>(&mut self, more: T) {
        self.0.extend(more);
    }
}

impl IntoIterator for Matchers {
    type Item = Matcher;
    type IntoIter = std::vec::IntoIter<Matcher>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl FromStr for Matchers {
    type Err = MatcherError;

    fn from_str(text: &str) -> Result<Self, MatcherError> {
        Self::parse(text).map(|(matchers, _)| matchers)
    }
}

impl fmt::Display for Matchers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (place, matcher) in self.0.iter().enumerate() {
            if place > 0 {
                f.write_str(",")?;
            }
            matcher.fmt(f)?;
        }
        f.write_str("}")
    }
}

/// Alertmanager's rule for what was read both ways.
fn choose(
    modern: Result<Matchers, MatcherError>,
    classic: Result<Matchers, MatcherError>,
) -> Result<(Matchers, Option<Note>), MatcherError> {
    match (modern, classic) {
        (Ok(modern), Ok(classic)) if modern != classic => Ok((classic, Some(Note::Ambiguous))),
        (Ok(modern), _) => Ok((modern, None)),
        (Err(_), Ok(classic)) => {
            let suggestions: Vec<_> = classic.iter().map(Matcher::to_string).collect();
            let suggestion = suggestions.join(",");
            Ok((classic, Some(Note::Classic { suggestion })))
        }
        (Err(_), Err(wrong)) => Err(wrong),
    }
}

#[cfg(test)]
mod tests;
