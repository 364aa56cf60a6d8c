//! What is wrong with a configuration, all of it at once.

use std::fmt;
use std::path::Path;

use wire::secret::Secret;

/// One thing that is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The key as the file has it: `postgres[0].interval`.
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

impl Problems {
    /// Notes a problem with the key of that name.
    pub fn add(&mut self, key: &str, message: impl Into<String>, hint: impl Into<String>) {
        let key = match (self.prefix.is_empty(), key.is_empty()) {
            (true, _) => key.to_owned(),
            (false, true) => self.prefix.clone(),
            (false, false) => format!("{}.{key}", self.prefix),
        };
        self.found.push(Problem {
            key,
            message: message.into(),
            hint: hint.into(),
        });
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

    /// Reads a secret from a file or an environment variable, whichever of the two is named.
    ///
    /// `key` is the name of the setting that holds the secret: `password` for `password_file` and
    /// `password_env`.
    pub fn secret(&mut self, key: &str, file: Option<&Path>, env: Option<&str>) -> Option<Secret> {
        match (file, env) {
            (None, None) => None,
            (Some(_), Some(_)) => {
                let both = format!("both {key}_file and {key}_env are set");
                self.add(&format!("{key}_file"), both, "keep one of the two");
                None
            }
            (Some(path), None) => match std::fs::read_to_string(path) {
                Ok(text) => Some(Secret::new(&text)),
                Err(error) => {
                    let message = format!("cannot read {}: {error}", path.display());
                    self.add(
                        &format!("{key}_file"),
                        message,
                        "name a file that the agent may read",
                    );
                    None
                }
            },
            (None, Some(name)) => match std::env::var(name) {
                Ok(text) => Some(Secret::new(&text)),
                Err(_) => {
                    let message = format!("the environment variable {name} is not set");
                    self.add(
                        &format!("{key}_env"),
                        message,
                        "set it in the service's environment",
                    );
                    None
                }
            },
        }
    }

    /// All problems found.
    #[must_use]
    pub fn into_inner(self) -> Vec<Problem> {
        self.found
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.message)?;
        if !self.hint.is_empty() {
            write!(f, "\n  hint: {}", self.hint)?;
        }
        Ok(())
    }
}
