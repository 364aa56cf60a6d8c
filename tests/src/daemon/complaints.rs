//! Which lines of a daemon's log a test must know of.

use std::sync::{Mutex, PoisonError};

/// What a daemon may warn of. A panic is never expected.
#[derive(Debug, Default)]
pub struct Complaints {
    verdict: Mutex<Verdict>,
}

#[derive(Debug)]
enum Verdict {
    /// Every warning or error has to contain one of these texts.
    Strict(Vec<String>),
    /// Nothing is judged: a person reads the log.
    Unjudged,
}

impl Default for Verdict {
    fn default() -> Self {
        Self::Strict(Vec::new())
    }
}

impl Complaints {
    /// Expects warnings and errors that contain `text`, any number of them, none too.
    pub fn expect(&self, text: &str) {
        let mut verdict = self.verdict.lock().unwrap_or_else(PoisonError::into_inner);
        if let Verdict::Strict(expected) = &mut *verdict {
            expected.push(text.to_owned());
        }
    }

    /// Judges nothing from now on: for the demo, where people break things.
    pub fn ignore(&self) {
        *self.verdict.lock().unwrap_or_else(PoisonError::into_inner) = Verdict::Unjudged;
    }

    /// The lines of `log` that were not expected.
    #[must_use]
    pub fn unexpected<'a>(&self, log: &'a str) -> Vec<&'a str> {
        let verdict = self.verdict.lock().unwrap_or_else(PoisonError::into_inner);
        let Verdict::Strict(expected) = &*verdict else {
            return Vec::new();
        };
        let known = |line: &str| expected.iter().any(|text| line.contains(text));
        let unknown = |line: &&str| is_panic(line) || (is_complaint(line) && !known(line));
        log.lines().filter(unknown).collect()
    }
}

/// A line as `tracing` writes it for people has the level after the time; for machines it has a field.
fn is_complaint(line: &str) -> bool {
    let level = line.split_whitespace().nth(1);
    matches!(level, Some("WARN" | "ERROR"))
        || line.contains("\"level\":\"WARN\"")
        || line.contains("\"level\":\"ERROR\"")
}

fn is_panic(line: &str) -> bool {
    line.starts_with("thread '") && line.contains("panicked at")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(expected: &[&str], line: &str, complains: bool) {
        let complaints = Complaints::default();
        expected.iter().for_each(|text| complaints.expect(text));
        assert_eq!(complaints.unexpected(line) == [line], complains, "{line}");
    }

    #[test]
    fn finds_the_lines_that_a_test_must_know_of() {
        check(&[], "2026-01-01T00:00:00Z  INFO agent: started", false);
        check(
            &[],
            "2026-01-01T00:00:00Z  INFO agent: the level WARN is used",
            false,
        );
        check(&[], "2026-01-01T00:00:00Z  WARN agent: spool is full", true);
        check(
            &["spool is full"],
            "2026-01-01T00:00:00Z  WARN agent: spool is full",
            false,
        );
        check(
            &["disk is full"],
            "2026-01-01T00:00:00Z ERROR agent: spool is full",
            true,
        );
        check(
            &[],
            r#"{"timestamp":"x","level":"ERROR","message":"broken"}"#,
            true,
        );
        check(
            &["broken"],
            r#"{"timestamp":"x","level":"ERROR","message":"broken"}"#,
            false,
        );
        check(
            &["main"],
            "thread 'main' panicked at src/main.rs:1:1:",
            true,
        );
        check(
            &["main"],
            "thread 'main' (7) panicked at src/main.rs:1:1:",
            true,
        );
        check(&[], "", false);
    }

    #[test]
    fn judges_nothing_when_told_to() {
        let complaints = Complaints::default();
        complaints.ignore();
        assert!(
            complaints
                .unexpected("2026-01-01T00:00:00Z ERROR agent: broken")
                .is_empty()
        );
    }
}
