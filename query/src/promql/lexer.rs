//! Cuts PromQL text into tokens.
//!
//! It owns what a number, a duration, a text in quotes and a keyword look like; what they mean
//! together is the parser's. Any text is accepted or refused with a message, never a panic.

mod number;
mod quoted;
mod words;

pub use quoted::unquote;
pub(crate) use words::Keyword;

use super::ast::{AggregateOp, BinaryOp, MatchOp, Span};
use super::error::ParseError;
use number::{duration_length, number_length};
use words::kind_of_word;

/// A piece of the text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) span: Span,
}

/// What a piece is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    End,
    Identifier,
    MetricIdentifier,
    Number,
    Duration,
    Text,
    LeftParen,
    RightParen,
    LeftBrace,
    RightBrace,
    LeftBracket,
    RightBracket,
    Comma,
    Colon,
    At,
    Operator(BinaryOp),
    Match(MatchOp),
    Aggregate(AggregateOp),
    Keyword(Keyword),
}

/// All tokens of a text, the last of them [`Kind::End`].
pub(crate) fn tokens(text: &str) -> Result<Vec<Token>, ParseError> {
    let mut lexer = Lexer {
        text,
        place: 0,
        in_braces: false,
        in_brackets: false,
        parens: 0,
        tokens: Vec::new(),
    };
    while lexer.advance()? {}
    Ok(lexer.tokens)
}

struct Lexer<'a> {
    text: &'a str,
    place: usize,
    in_braces: bool,
    in_brackets: bool,
    parens: usize,
    tokens: Vec<Token>,
}

impl Lexer<'_> {
    /// Reads one token; `false` after the last.
    fn advance(&mut self) -> Result<bool, ParseError> {
        self.skip_blanks();
        let start = self.place;
        let Some(first) = self.rest().chars().next() else {
            self.finish()?;
            self.push(Kind::End, start);
            return Ok(false);
        };
        match first {
            '"' | '\'' | '`' => self.text_in_quotes(first)?,
            'a'..='z' | 'A'..='Z' | '_' => self.word(),
            ':' if !self.in_braces && !self.in_brackets => self.word(),
            '0'..='9' if !self.in_braces => self.number()?,
            '.' if !self.in_braces && self.digit_at(1) => self.number()?,
            _ => self.sign(first)?,
        }
        Ok(true)
    }

    fn rest(&self) -> &str {
        self.text.get(self.place..).unwrap_or_default()
    }

    fn byte_at(&self, ahead: usize) -> Option<u8> {
        self.text.as_bytes().get(self.place + ahead).copied()
    }

    fn digit_at(&self, ahead: usize) -> bool {
        self.byte_at(ahead)
            .is_some_and(|byte| byte.is_ascii_digit())
    }

    fn push(&mut self, kind: Kind, start: usize) {
        let span = Span {
            start,
            end: self.place,
        };
        self.tokens.push(Token { kind, span });
    }

    fn error(&self, start: usize, message: impl Into<String>) -> ParseError {
        let span = Span {
            start,
            end: self.place.max(start),
        };
        ParseError::new(span, message)
    }

    fn skip_blanks(&mut self) {
        loop {
            let rest = self.rest();
            let blank = rest.len() - rest.trim_start_matches([' ', '\t', '\n', '\r']).len();
            self.place += blank;
            if self.byte_at(0) != Some(b'#') {
                return;
            }
            self.place += self.rest().find(['\n', '\r']).unwrap_or(self.rest().len());
        }
    }

    fn finish(&self) -> Result<(), ParseError> {
        if self.in_braces {
            Err(self.error(self.place, "unexpected end of input inside braces"))
        } else if self.in_brackets {
            Err(self.error(self.place, "unexpected end of input inside brackets"))
        } else if self.parens > 0 {
            Err(self.error(self.place, "unclosed left parenthesis"))
        } else {
            Ok(())
        }
    }

    fn text_in_quotes(&mut self, quote: char) -> Result<(), ParseError> {
        let start = self.place;
        self.place += 1;
        loop {
            match self.byte_at(0) {
                None => {
                    let what = if quote == '`' {
                        "unterminated raw string"
                    } else {
                        "unterminated quoted string"
                    };
                    return Err(self.error(start, what));
                }
                Some(b'\n') if quote != '`' => {
                    return Err(self.error(start, "unterminated quoted string"));
                }
                Some(b'\\') if quote != '`' => self.place += 2,
                Some(byte) => {
                    self.place += 1;
                    if char::from(byte) == quote {
                        break;
                    }
                }
            }
            self.place = self.place.min(self.text.len());
        }
        self.push(Kind::Text, start);
        Ok(())
    }

    fn word(&mut self) {
        let start = self.place;
        let braces = self.in_braces;
        let brackets = self.in_brackets;
        let length = self
            .rest()
            .bytes()
            .take_while(|byte| {
                byte.is_ascii_alphanumeric()
                    || *byte == b'_'
                    || (*byte == b':' && !braces && !brackets)
            })
            .count();
        self.place += length;
        let word = self.text.get(start..self.place).unwrap_or_default();
        let kind = if self.in_braces {
            Kind::Identifier
        } else if word.contains(':') {
            Kind::MetricIdentifier
        } else {
            kind_of_word(word)
        };
        self.push(kind, start);
    }

    /// A number, or a duration such as `1h30m`.
    fn number(&mut self) -> Result<(), ParseError> {
        let start = self.place;
        let rest = self.rest();
        if let Some(length) = duration_length(rest) {
            self.place += length;
            self.push(Kind::Duration, start);
        } else {
            self.place += number_length(rest);
            self.push(Kind::Number, start);
        }
        let follows_word = self
            .byte_at(0)
            .is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'.');
        if follows_word {
            let rest = self.rest();
            let tail = rest.len()
                - rest
                    .trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.')
                    .len();
            self.place += tail;
            let text = self.text.get(start..self.place).unwrap_or_default();
            return Err(self.error(start, format!("bad number or duration syntax: {text:?}")));
        }
        Ok(())
    }

    fn sign(&mut self, first: char) -> Result<(), ParseError> {
        let start = self.place;
        let second = self.byte_at(1);
        let (kind, length) = match (first, second) {
            ('=', Some(b'~')) => (Kind::Match(MatchOp::Matches), 2),
            ('!', Some(b'~')) => (Kind::Match(MatchOp::NotMatches), 2),
            ('!', Some(b'=')) if self.in_braces => (Kind::Match(MatchOp::NotEqual), 2),
            ('=', Some(b'=')) if !self.in_braces => (Kind::Operator(BinaryOp::Equal), 2),
            ('=', _) => (Kind::Match(MatchOp::Equal), 1),
            ('!', Some(b'=')) => (Kind::Operator(BinaryOp::NotEqual), 2),
            ('<', Some(b'=')) => (Kind::Operator(BinaryOp::LessOrEqual), 2),
            ('>', Some(b'=')) => (Kind::Operator(BinaryOp::GreaterOrEqual), 2),
            ('<', _) => (Kind::Operator(BinaryOp::Less), 1),
            ('>', _) => (Kind::Operator(BinaryOp::Greater), 1),
            ('+', _) => (Kind::Operator(BinaryOp::Add), 1),
            ('-', _) => (Kind::Operator(BinaryOp::Sub), 1),
            ('*', _) => (Kind::Operator(BinaryOp::Mul), 1),
            ('/', _) => (Kind::Operator(BinaryOp::Div), 1),
            ('%', _) => (Kind::Operator(BinaryOp::Mod), 1),
            ('^', _) => (Kind::Operator(BinaryOp::Pow), 1),
            ('@', _) => (Kind::At, 1),
            (',', _) => (Kind::Comma, 1),
            (':', _) if self.in_brackets => (Kind::Colon, 1),
            _ => (self.bracket(first)?, 1),
        };
        self.place += length;
        self.push(kind, start);
        Ok(())
    }

    /// Brackets of all kinds, which change what other characters mean.
    fn bracket(&mut self, sign: char) -> Result<Kind, ParseError> {
        let here = self.place;
        let kind = match sign {
            '{' if !self.in_braces => {
                self.in_braces = true;
                Kind::LeftBrace
            }
            '}' if self.in_braces => {
                self.in_braces = false;
                Kind::RightBrace
            }
            '}' => return Err(self.error(here, format!("unexpected right brace {sign:?}"))),
            '(' if !self.in_braces => {
                self.parens += 1;
                Kind::LeftParen
            }
            ')' if !self.in_braces => {
                let Some(open) = self.parens.checked_sub(1) else {
                    return Err(self.error(here, format!("unexpected right parenthesis {sign:?}")));
                };
                self.parens = open;
                Kind::RightParen
            }
            '[' if !self.in_braces && !self.in_brackets => {
                self.in_brackets = true;
                Kind::LeftBracket
            }
            '[' => return Err(self.error(here, format!("unexpected left bracket {sign:?}"))),
            ']' if self.in_brackets => {
                self.in_brackets = false;
                Kind::RightBracket
            }
            ']' => return Err(self.error(here, format!("unexpected right bracket {sign:?}"))),
            _ if self.in_braces => {
                return Err(self.error(
                    here,
                    format!("unexpected character inside braces: {sign:?}"),
                ));
            }
            _ => return Err(self.error(here, format!("unexpected character: {sign:?}"))),
        };
        Ok(kind)
    }
}
