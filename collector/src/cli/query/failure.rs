//! Why there is no answer, for a person: what, in detail, and what to do; for a script: the exit code.

use std::fmt;

use query::promql::ParseError;

/// No answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    code: u8,
    message: String,
    /// The expression with a mark below the place that is wrong.
    place: Option<String>,
    detail: Option<String>,
    hint: Option<String>,
}

const UNREACHABLE: u8 = 1;
const USAGE: u8 = 2;
const REFUSED: u8 = 3;

impl Failure {
    fn new(code: u8, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            place: None,
            detail: None,
            hint: None,
        }
    }

    pub(in crate::cli) fn usage(message: impl Into<String>) -> Self {
        Self::new(USAGE, message)
    }

    pub(super) fn unreachable(message: impl Into<String>) -> Self {
        Self::new(UNREACHABLE, message)
    }

    pub(in crate::cli) fn refused(message: impl Into<String>) -> Self {
        Self::new(REFUSED, message)
    }

    pub(super) fn expression(text: &str, wrong: &ParseError) -> Self {
        let span = wrong.span();
        Self {
            place: Some(marked(text, span.start, span.end)),
            ..Self::new(
                USAGE,
                format!("the expression is wrong: {}", wrong.message()),
            )
        }
    }

    pub(super) fn with_detail(mut self, detail: Option<String>) -> Self {
        self.detail = detail;
        self
    }

    pub(in crate::cli) fn with_hint(mut self, hint: Option<String>) -> Self {
        self.hint = hint;
        self
    }

    /// What the program exits with.
    #[must_use]
    pub fn code(&self) -> u8 {
        self.code
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let Some(place) = &self.place {
            write!(f, "\n{place}")?;
        }
        if let Some(detail) = &self.detail {
            write!(f, "\n  detail: {detail}")?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "\n  hint: {hint}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}

/// The line of the text in which a place lies, with a mark below it.
fn marked(text: &str, start: usize, end: usize) -> String {
    let floor = |mut at: usize| {
        at = at.min(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let (start, end) = (floor(start), floor(end));
    let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
    let line_end = text[start..].find('\n').map_or(text.len(), |at| start + at);
    let before = text[line_start..start].chars().count();
    let wide = text[start..end.clamp(start, line_end)]
        .chars()
        .count()
        .max(1);
    // A tab would move the mark.
    let line = text[line_start..line_end].replace('\t', " ");
    format!("  {line}\n  {}{}", " ".repeat(before), "^".repeat(wide))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_is_marked() {
        let check = |expr: &str, expected: &str| {
            let wrong = query::promql::parse(expr).unwrap_err();
            let shown = Failure::expression(expr, &wrong).to_string();
            let (_, place) = shown.split_once('\n').unwrap();
            assert_eq!(place, expected);
        };
        check("sum(up", "  sum(up\n        ^");
        check("up +\n  rat(up)", "    rat(up)\n    ^^^");
        check("'é' + bogus(1)", "  'é' + bogus(1)\n        ^^^^^");
    }

    #[test]
    fn places_beyond_the_text_are_at_its_end() {
        assert_eq!(marked("é", 1, 99), "  é\n  ^");
        assert_eq!(marked("", 5, 9), "  \n  ^");
    }
}
