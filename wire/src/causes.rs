//! An error with all that caused it, on one line.

use std::error::Error;

/// What an error says, and what caused it, from the outermost inwards. Many say what caused them
/// already; nothing is told twice.
#[must_use]
pub fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = error.source();
    }
    text.replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Layer(&'static str, #[source] Option<Box<Layer>>);

    #[test]
    fn every_cause_is_told_once() {
        let check = |layers: &[&'static str], expected: &str| {
            let wrap = |inner, text: &&'static str| Some(Box::new(Layer(text, inner)));
            let error = layers.iter().rev().fold(None, wrap).unwrap();
            assert_eq!(with_causes(&error), expected);
        };
        check(&["cannot read"], "cannot read");
        check(
            &["cannot read", "no such file"],
            "cannot read: no such file",
        );
        check(&["cannot read: eof", "eof"], "cannot read: eof");
    }
}
