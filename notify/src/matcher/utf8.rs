//! The way to write matchers that knows all of UTF-8: names and values are plain or in quotes, and
//! braces come in pairs.

use query::promql::unquote;

use super::{Matcher, MatcherError, Op};

/// What must stand in quotes.
pub(super) fn is_reserved(c: char) -> bool {
    c.is_whitespace() || "{}!=~,\\\"'`".contains(c)
}

/// A list parted by commas; one may stand at the end.
pub(super) fn parse(text: &str) -> Result<Vec<Matcher>, MatcherError> {
    let mut parser = Parser { text, at: 0 };
    let is_braced = parser.take('{');
    let mut matchers = Vec::new();
    while !parser.is_done() && parser.peek() != Some('}') {
        matchers.push(parser.matcher()?);
        if !parser.take(',') {
            break;
        }
    }
    match (is_braced, parser.take('}')) {
        (true, false) => return Err(parser.error("expected a comma or a closing brace")),
        (false, true) => return Err(parser.error("a closing brace without an opening one")),
        _ => {}
    }
    if parser.is_done() {
        return Ok(matchers);
    }
    Err(parser.error("expected a comma or the end"))
}

struct Parser<'a> {
    text: &'a str,
    /// How far it has been read, in bytes.
    at: usize,
}

impl Parser<'_> {
    fn error(&self, what: &'static str) -> MatcherError {
        MatcherError::Syntax {
            text: self.text.to_owned(),
            column: self.text[..self.at].chars().count() + 1,
            what,
        }
    }

    /// The next character that is no space, without taking it.
    fn peek(&mut self) -> Option<char> {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start().len();
        self.text[self.at..].chars().next()
    }

    fn is_done(&mut self) -> bool {
        self.peek().is_none()
    }

    fn take(&mut self, wanted: char) -> bool {
        let is_there = self.peek() == Some(wanted);
        if is_there {
            self.at += wanted.len_utf8();
        }
        is_there
    }

    fn matcher(&mut self) -> Result<Matcher, MatcherError> {
        let name = self.word("expected a label name")?;
        let op = self.operator()?;
        let value = self.word("expected a label value")?;
        Matcher::new(name, op, value)
    }

    fn operator(&mut self) -> Result<Op, MatcherError> {
        let is_equal = match self.peek() {
            Some('=') => true,
            Some('!') => false,
            _ => return Err(self.error("expected one of = != =~ !~")),
        };
        self.at += 1;
        // No space may stand within an operator.
        let (is_regex, length) = match (self.text[self.at..].chars().next(), is_equal) {
            (Some('~'), _) => (true, 1),
            (Some('='), false) => (false, 1),
            (_, true) => (false, 0),
            (_, false) => return Err(self.error("expected one of = != =~ !~")),
        };
        self.at += length;
        Ok(Op::of(is_equal, is_regex))
    }

    fn word(&mut self, expected: &'static str) -> Result<String, MatcherError> {
        match self.peek() {
            Some('"') => self.quoted(),
            Some(c) if !is_reserved(c) => {
                let rest = &self.text[self.at..];
                let length = rest.find(is_reserved).unwrap_or(rest.len());
                self.at += length;
                Ok(rest[..length].to_owned())
            }
            _ => Err(self.error(expected)),
        }
    }

    fn quoted(&mut self) -> Result<String, MatcherError> {
        let rest = &self.text[self.at..];
        let mut is_escaped = false;
        for (at, c) in rest.char_indices().skip(1) {
            match c {
                // Neither is in the language that these quotes are from.
                '\n' => return Err(self.error("a line end within quotes")),
                '\'' if is_escaped => return Err(self.error("unknown escape sequence")),
                '"' if !is_escaped => {
                    let value = unquote(&rest[..=at]).map_err(|wrong| self.error(wrong))?;
                    self.at += at + 1;
                    return Ok(value);
                }
                _ => is_escaped = c == '\\' && !is_escaped,
            }
        }
        Err(self.error("the quotes are not closed"))
    }
}
