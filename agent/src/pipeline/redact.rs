//! Hides secrets in text that leaves the process: label values, and the agent's own log lines.
//!
//! The built-in patterns know how a password stands in a connection string (URL, key=value, query
//! parameter) and in SQL. They hide the value and keep the rest, so that the text stays useful.

use std::borrow::Cow;

use regex::Regex;
use wire::metric::Text;

use crate::config::Problems;

/// What stands in a secret's place.
const HIDDEN: &str = "***";

/// A secret and what names it take more than this.
const SHORTEST: usize = 8;

/// Finds and hides secrets.
#[derive(Clone, Debug)]
pub struct Redactor {
    /// Finds text in which one of the built-in patterns may match, in one pass: nearly none does.
    suspicion: Regex,
    built_in: Vec<(Regex, &'static str)>,
    own: Vec<Regex>,
}

/// What every one of [`PATTERNS`] needs to be in a text.
const SUSPICION: &str = "(?i)://|passw|pwd|secret|token|api_?key|identified|bearer|basic";

/// How secrets stand in text. Each pattern keeps what names the secret and replaces what it is.
const PATTERNS: [(&str, &str); 4] = [
    // scheme://user:secret@host
    (r"(?i)([a-z][a-z0-9+.-]*://[^\s:/?#@]*):[^\s@]*@", "$1:***@"),
    // password=secret, also quoted, also as a query parameter, also PGPASSWORD=
    (
        r#"(?i)((?:password|passwd|pwd|secret|token|api_?key)\s*[=:]\s*)('(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.)*"|[^\s&;,'"}\]]+)"#,
        "$1***",
    ),
    // CREATE ROLE ... PASSWORD 'secret', IDENTIFIED BY 'secret'
    (
        r"(?i)\b(password|identified\s+by)(\s+)(?:e?'(?:[^'\\]|\\.|'')*'?)",
        "$1$2'***'",
    ),
    // Authorization: Bearer secret
    (r"(?i)\b(bearer|basic)\s+[a-z0-9._~+/=-]{8,}", "$1 ***"),
];

impl Redactor {
    /// The built-in patterns and the operator's own.
    pub fn new(own: &[String], problems: &mut Problems) -> Option<Self> {
        let mut compiled = Vec::new();
        for (place, pattern) in own.iter().enumerate() {
            match Regex::new(pattern) {
                Ok(regex) => compiled.push(regex),
                Err(error) => {
                    problems.add(&format!("redact[{place}]"), error.to_string(), "");
                }
            }
        }
        (compiled.len() == own.len()).then(|| Self {
            own: compiled,
            ..Self::built_in()
        })
    }

    /// Only the built-in patterns.
    #[must_use]
    pub fn built_in() -> Self {
        let compile = |(pattern, replacement)| {
            let regex =
                Regex::new(pattern).expect("the built-in patterns are valid: a test compiles them");
            (regex, replacement)
        };
        let suspicion = Regex::new(SUSPICION).expect("the pattern is valid: a test compiles it");
        Self {
            suspicion,
            built_in: PATTERNS.map(compile).into(),
            own: Vec::new(),
        }
    }

    /// Hides what is secret in `value`. Text that cannot hold a secret is passed over cheaply, for
    /// this runs over every label of every series.
    pub fn redact(&self, value: &mut Text) {
        if let Cow::Owned(text) = value
            && let Cow::Owned(clean) = self.clean(text)
        {
            *value = Text::from(clean);
        }
    }

    /// The text without its secrets.
    #[must_use]
    pub fn clean<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut clean = Cow::Borrowed(text);
        if text.len() >= SHORTEST && self.suspicion.is_match(text) {
            for (regex, replacement) in &self.built_in {
                if let Cow::Owned(replaced) = regex.replace_all(&clean, *replacement) {
                    clean = Cow::Owned(replaced);
                }
            }
        }
        for regex in &self.own {
            if let Cow::Owned(replaced) = regex.replace_all(&clean, HIDDEN) {
                clean = Cow::Owned(replaced);
            }
        }
        clean
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        assert_eq!(Redactor::built_in().clean(text), expected);
    }

    #[test]
    fn secrets_are_hidden_in_every_form() {
        check(
            "postgres://app:hunter2@db1:5432/loans",
            "postgres://app:***@db1:5432/loans",
        );
        check("redis://:hunter2@cache:6379/0", "redis://:***@cache:6379/0");
        check("postgres://app:hun/ter?2@db1/x", "postgres://app:***@db1/x");
        check(
            "host=db1 password=hunter2 user=app",
            "host=db1 password=*** user=app",
        );
        check(
            "host=db1 password = 'hun ter\\'2' user=app",
            "host=db1 password = *** user=app",
        );
        check(
            "http://h/p?password=hunter2&x=1",
            "http://h/p?password=***&x=1",
        );
        check(
            "CREATE ROLE a PASSWORD 'hunter2' LOGIN",
            "CREATE ROLE a PASSWORD '***' LOGIN",
        );
        check(
            "ALTER USER a password E'hun''ter2'",
            "ALTER USER a password '***'",
        );
        check(
            "ALTER USER a PASSWORD 'cut sho",
            "ALTER USER a PASSWORD '***'",
        );
        check(
            "Authorization: Bearer abcdef012345",
            "Authorization: Bearer ***",
        );
        check("PGPASSWORD=hunter2 psql", "PGPASSWORD=*** psql");
    }

    #[test]
    fn ordinary_text_is_left_alone() {
        for text in [
            "/dev/sda1",
            "db1:5432",
            "SELECT * FROM password_resets",
            "a b c d e f",
            "",
        ] {
            check(text, text);
        }
    }

    #[test]
    fn an_operators_pattern_joins_in() {
        let mut problems = Problems::default();
        let redactor = Redactor::new(&[r"\d{16}".to_owned()], &mut problems).unwrap();
        assert_eq!(redactor.clean("card 4111111111111111"), "card ***");
        assert!(Redactor::new(&["(".to_owned()], &mut problems).is_none());
        assert_eq!(problems.into_inner().len(), 1);
    }
}
