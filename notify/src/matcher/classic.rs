//! The classic way to write matchers: a name of ASCII, an operator, and whatever follows.

use super::{Matcher, MatcherError, Op};

/// A list parted by commas outside of quotes. A brace at either end is left away.
pub(super) fn parse(text: &str) -> Result<Vec<Matcher>, MatcherError> {
    let text = text.strip_prefix('{').unwrap_or(text);
    let text = text.strip_suffix('}').unwrap_or(text);
    let parts = split(text);
    parts.into_iter().map(parse_one).collect()
}

fn split(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut start = 0;
    let mut is_quoted = false;
    let mut is_escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            ',' if !is_quoted => {
                parts.push(&text[start..at]);
                start = at + 1;
                // As Alertmanager has it: a backslash before the comma still escapes what follows.
                continue;
            }
            '"' if is_escaped => is_escaped = false,
            '"' => is_quoted = !is_quoted,
            '\\' => is_escaped = !is_escaped,
            // In quotes a comma is as it stands, and leaves the state of the backslash alone.
            ',' => {}
            _ => is_escaped = false,
        }
    }
    let last = text[start..].trim();
    if !last.is_empty() {
        parts.push(last);
    }
    parts
}

/// Exactly one.
pub(super) fn parse_one(text: &str) -> Result<Matcher, MatcherError> {
    let bad = || MatcherError::Format(text.to_owned());
    let rest = text.trim_start_matches(is_space);
    let is_first = |c: char| c.is_ascii_alphabetic() || c == '_' || c == ':';
    let end = rest.find(|c: char| !is_first(c) && !c.is_ascii_digit());
    let (name, rest) = rest.split_at(end.unwrap_or(rest.len()));
    if !name.starts_with(is_first) {
        return Err(bad());
    }
    let rest = rest.trim_start_matches(is_space);
    let operators = [Op::Matches, Op::Equal, Op::NotEqual, Op::NotMatches];
    let mut read = operators.into_iter().filter_map(|op| {
        let rest = rest.strip_prefix(op.as_str())?;
        Some((op, rest))
    });
    let (op, raw) = read.next().ok_or_else(bad)?;
    let value = unescape(raw.trim_matches(is_space))?;
    Matcher::new(name, op, value)
}

/// What the expression of that program takes for a space: no line separators of Unicode.
fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\u{c}' | '\r')
}

/// The value, which may stand in quotes. Only `\"`, `\\` and `\n` are escapes; any other backslash
/// means itself.
fn unescape(raw: &str) -> Result<String, MatcherError> {
    let wrong = || MatcherError::Quote(raw.to_owned());
    let (inner, mut is_open) = match raw.strip_prefix('"') {
        Some(inner) => (inner, true),
        None => (raw, false),
    };
    let mut value = String::with_capacity(inner.len());
    let mut rest = inner.chars();
    while let Some(c) = rest.next() {
        match c {
            '\\' => match rest.next() {
                Some('n') => value.push('\n'),
                Some(escaped @ ('"' | '\\')) => value.push(escaped),
                Some(other) => value.extend(['\\', other]),
                None => value.push('\\'),
            },
            '"' if is_open && rest.as_str().is_empty() => is_open = false,
            '"' => return Err(wrong()),
            c => value.push(c),
        }
    }
    if is_open {
        return Err(wrong());
    }
    Ok(value)
}
