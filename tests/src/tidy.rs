//! What a machine can see of the house style, of the architecture's invariants and of the
//! configuration's documentation.
//!
//! Each module holds one group of rules as a function from a [`tree::Tree`] to the places that break
//! them; `tests/tests/tidy.rs` runs them over the repository. A rule that must make an exception
//! carries it as data, with the reason beside it.

pub mod code;
pub mod crates;
pub mod reference;
pub mod settings;
pub mod shape;
pub mod text;
pub mod tree;

use std::fmt;

/// A place that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The file, from the top of the repository.
    pub file: String,
    /// The line, from 1; 0 for the file as a whole.
    pub line: usize,
    /// What is wrong and what to do.
    pub message: String,
}

impl Problem {
    /// A problem with a line of a file.
    pub fn at(file: &str, line: usize, message: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            line,
            message: message.into(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            file,
            line,
            message,
        } = self;
        match line {
            0 => write!(f, "{file}: {message}"),
            line => write!(f, "{file}:{line}: {message}"),
        }
    }
}
