//! What is wrong with a file, all of it at once, each with its place.

use std::fmt;

use crate::yaml::{self, Part, Step};

/// How many problems are looked up in the file at the most: each costs reading it once more.
const MAX_LOCATED: usize = 100;

/// How much is read for that, where more than one is looked up: a tenth of a second's reading. Of a
/// large file in which each rule is warned of, the first tell enough.
const MAX_READ: usize = 2 << 20;

/// A line and a column, both counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where, if that can be said.
    pub place: Option<Place>,
    /// In which group.
    pub group: Option<String>,
    /// In which rule of the group, counted from 1, and its name.
    pub rule: Option<(usize, String)>,
    /// What is wrong.
    pub message: String,
    /// What to do about it; may be empty.
    pub hint: String,
}

impl Problem {
    /// A problem without a place.
    #[must_use]
    pub fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            place: None,
            group: None,
            rule: None,
            message: message.into(),
            hint: hint.into(),
        }
    }

    /// As one line, and one more for the hint, with the name of the file before it.
    #[must_use]
    pub fn in_file(&self, file: &str) -> String {
        match self.place {
            Some(place) => format!("{file}:{}:{}: {self}", place.line, place.column),
            None => format!("{file}: {self}"),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.group, &self.rule) {
            (Some(group), Some((number, name))) => {
                write!(f, "group {group:?}, rule {number}, {name:?}: ")?;
            }
            (Some(group), None) => write!(f, "group {group:?}: ")?,
            // A group without a name is known by its place.
            (None, Some((number, name))) => write!(f, "rule {number}, {name:?}: ")?,
            (None, None) => {}
        }
        f.write_str(&self.message)?;
        if !self.hint.is_empty() {
            write!(f, "\n  hint: {}", self.hint)?;
        }
        Ok(())
    }
}

/// Gathers problems while a document is read.
#[derive(Debug, Default)]
pub struct Problems {
    group: Option<String>,
    rule: Option<(usize, String)>,
    found: Vec<(Vec<Step>, Part, Problem)>,
    /// What is wrong if it stands in quotes, with the text.
    quotable: Vec<(Vec<Step>, String, Problem)>,
}

impl Problems {
    pub fn in_group(&mut self, name: Option<&str>) {
        self.group = name.map(str::to_owned);
        self.rule = None;
    }

    pub fn in_rule(&mut self, number: usize, name: &str) {
        self.rule = Some((number, name.to_owned()));
    }

    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    pub fn add(&mut self, (path, part): (&[Step], Part), message: impl Into<String>, hint: &str) {
        let problem = self.problem(message, hint);
        self.found.push((path.to_vec(), part, problem));
    }

    fn problem(&self, message: impl Into<String>, hint: &str) -> Problem {
        Problem {
            group: self.group.clone(),
            rule: self.rule.clone(),
            ..Problem::new(message, hint)
        }
    }

    /// Notes what is wrong with a scalar of this text if it stands in quotes.
    pub fn add_if_quoted(&mut self, (path, scalar): (&[Step], &str), message: String, hint: &str) {
        let problem = self.problem(message, hint);
        self.quotable
            .push((path.to_vec(), scalar.to_owned(), problem));
    }

    /// Looks for quotes, which only the text itself tells, where they would be wrong. It costs another
    /// reading for each scalar that stands in quotes anywhere, so only so many are looked for.
    pub fn find_quotes(&mut self, text: &str) {
        let is_quoted = |scalar: &str| {
            let quoted = ['"', '\''].map(|quote| format!("{quote}{scalar}{quote}"));
            quoted.iter().any(|quoted| text.contains(quoted))
        };
        let suspects = std::mem::take(&mut self.quotable).into_iter();
        let suspects = suspects.filter(|(_, scalar, _)| is_quoted(scalar));
        for (path, _, problem) in suspects.take(MAX_LOCATED) {
            let place = yaml::locate(text, &path, Part::Value);
            let first = place.and_then(|place| {
                let line = text.lines().nth(place.line.checked_sub(1)?)?;
                line.chars().nth(place.column.checked_sub(1)?)
            });
            if matches!(first, Some('"' | '\'')) {
                self.found.push((path, Part::Value, problem));
            }
        }
    }

    /// All of them, with their places in the text.
    pub fn locate(self, text: &str) -> Vec<Problem> {
        let mut problems = Vec::with_capacity(self.found.len());
        let most = MAX_READ.checked_div(text.len()).unwrap_or(MAX_LOCATED);
        let most = most.clamp(1, MAX_LOCATED);
        for (place, (path, part, problem)) in self.found.into_iter().enumerate() {
            let place = (place < most)
                .then(|| yaml::locate(text, &path, part))
                .flatten();
            problems.push(Problem { place, ..problem });
        }
        problems
    }
}
