//! What is wrong with a configuration, all of it at once.

use std::fmt;

/// One thing that is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The key as the file has it: `otlp.grpc`; empty for the file as a whole.
    pub key: String,
    /// What is wrong with it.
    pub message: String,
    /// What to write instead.
    pub hint: String,
}

/// Gathers problems, so that an operator sees all of them in one go.
#[derive(Debug, Default)]
pub struct Problems {
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
        self.found.push(Problem::new(key, message, hint));
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
