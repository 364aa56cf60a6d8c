//! What is wrong with a configuration, all of it at once.

use std::fmt;

/// One thing that is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The key as the file has it: `postgres[0].interval`; empty for the file as a whole.
    pub key: String,
    /// What is wrong with it.
    pub message: String,
    /// What to write instead.
    pub hint: String,
}

/// Gathers problems, so that an operator sees all of them in one go.
///
/// Validation passes a `Problems` down; each level names its own key with [`Problems::under`].
#[derive(Debug, Default)]
pub struct Problems {
    prefix: String,
    found: Vec<Problem>,
}

impl Problem {
    /// A problem with the key of that name.
    pub fn new(key: &str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            key: key.to_owned(),
            message: message.into(),
            hint: hint.into(),
        }
    }
}

impl Problems {
    /// Notes a problem with the key of that name.
    pub fn add(&mut self, key: &str, message: impl Into<String>, hint: impl Into<String>) {
        let key = match (self.prefix.is_empty(), key.is_empty()) {
            (true, _) => key.to_owned(),
            (false, true) => self.prefix.clone(),
            (false, false) => format!("{}.{key}", self.prefix),
        };
        self.found.push(Problem::new(&key, message, hint));
    }

    /// Runs `validate` with every key it names standing below `key`.
    pub fn under<T>(&mut self, key: &str, validate: impl FnOnce(&mut Self) -> T) -> T {
        let outer = self.prefix.len();
        if !self.prefix.is_empty() {
            self.prefix.push('.');
        }
        self.prefix.push_str(key);
        let validated = validate(self);
        self.prefix.truncate(outer);
        validated
    }

    /// All problems found.
    #[must_use]
    pub fn into_inner(self) -> Vec<Problem> {
        self.found
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.message)?;
        if !self.hint.is_empty() {
            write!(f, "\n  hint: {}", self.hint)?;
        }
        Ok(())
    }
}
