//! Cuts a template into text and the tokens of its actions.

use super::parser::Wrong;
use super::tree::Span;

/// A piece of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) span: Span,
    /// Whether a blank stands before it; that is what parts arguments.
    pub(super) spaced: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenKind {
    /// Text outside of actions, trimmed as its neighbours say.
    Text,
    /// `{{`
    Open,
    /// `}}`
    Close,
    /// `.`
    Dot,
    /// `.name`
    Field,
    /// `$name`, or `$` alone
    Variable,
    /// A name or a keyword.
    Word,
    Number,
    Char,
    /// In double quotes or backquotes.
    Quoted,
    Pipe,
    LeftParen,
    RightParen,
    Comma,
    Declare,
    Assign,
    End,
}

const OPEN: &str = "{{";
const CLOSE: &str = "}}";

/// All tokens of a template. An action of nothing but a comment leaves none.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, Wrong> {
    let mut lexer = Lexer {
        text,
        at: 0,
        tokens: Vec::new(),
        depth: 0,
    };
    let mut trim = false;
    while let Some(offset) = text[lexer.at..].find(OPEN) {
        let open = lexer.at + offset;
        let inside = open + OPEN.len();
        let trims_before = has_left_trim(&text[inside..]);
        lexer.text_until(open, trim, trims_before);
        let start = inside + if trims_before { 2 } else { 0 };
        trim = match comment(text, start, open)? {
            Some((end, trims_after)) => {
                lexer.at = end;
                trims_after
            }
            None => lexer.action(open, start)?,
        };
    }
    lexer.text_until(text.len(), trim, false);
    let end = Span {
        start: text.len(),
        end: text.len(),
    };
    lexer.push(TokenKind::End, end, false);
    Ok(lexer.tokens)
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    tokens: Vec<Token>,
    depth: usize,
}

/// `{{- `
fn has_left_trim(inside: &str) -> bool {
    let mut chars = inside.chars();
    chars.next() == Some('-') && chars.next().is_some_and(is_space)
}

/// ` -}}`; the blank was seen before.
fn has_right_trim(rest: &str) -> bool {
    rest.starts_with("-}}")
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

/// Where an action ends that is a comment, and whether the text after it is trimmed.
fn comment(text: &str, start: usize, open: usize) -> Result<Option<(usize, bool)>, Wrong> {
    // Blanks before a comment are allowed only where they belong to a trim marker.
    let Some(inside) = text[start..].strip_prefix("/*") else {
        return Ok(None);
    };
    let Some(end) = inside.find("*/") else {
        return Err(Wrong::new(open, "unclosed comment"));
    };
    let after = &inside[end + 2..];
    let at = text.len() - after.len();
    if after.starts_with(CLOSE) {
        return Ok(Some((at + CLOSE.len(), false)));
    }
    if after.starts_with(is_space) && has_right_trim(&after[1..]) {
        return Ok(Some((at + 1 + 1 + CLOSE.len(), true)));
    }
    Err(Wrong::new(at, "comment ends before closing delimiter"))
}

impl Lexer<'_> {
    fn push(&mut self, kind: TokenKind, span: Span, spaced: bool) {
        self.tokens.push(Token { kind, span, spaced });
    }

    fn text_until(&mut self, end: usize, trim_start: bool, trim_end: bool) {
        let whole = &self.text[self.at..end];
        let mut start = self.at;
        let mut shown = whole;
        if trim_start {
            shown = shown.trim_start_matches(is_space);
            start = end - shown.len();
        }
        if trim_end {
            shown = shown.trim_end_matches(is_space);
        }
        if !shown.is_empty() {
            let span = Span {
                start,
                end: start + shown.len(),
            };
            self.push(TokenKind::Text, span, false);
        }
        self.at = end;
    }

    /// Reads an action; says whether the text after it is trimmed.
    fn action(&mut self, open: usize, start: usize) -> Result<bool, Wrong> {
        self.push(
            TokenKind::Open,
            Span {
                start: open,
                end: start,
            },
            false,
        );
        self.at = start;
        self.depth = 0;
        loop {
            let before = self.at;
            let rest = self.text[self.at..].trim_start_matches(is_space);
            self.at = self.text.len() - rest.len();
            let spaced = self.at > before;
            let trims = spaced && has_right_trim(rest);
            if trims || rest.starts_with(CLOSE) {
                if self.depth > 0 {
                    return Err(Wrong::new(self.at, "unclosed left paren"));
                }
                let end = self.at + CLOSE.len() + usize::from(trims);
                let span = Span {
                    start: self.at,
                    end,
                };
                self.push(TokenKind::Close, span, spaced);
                self.at = end;
                return Ok(trims);
            }
            let Some(first) = rest.chars().next() else {
                return Err(Wrong::new(open, "unclosed action"));
            };
            let (kind, length) = self.token(first, rest)?;
            let span = Span {
                start: self.at,
                end: self.at + length,
            };
            self.push(kind, span, spaced);
            self.at = span.end;
        }
    }

    fn token(&mut self, first: char, rest: &str) -> Result<(TokenKind, usize), Wrong> {
        let second = rest[first.len_utf8()..].chars().next();
        Ok(match first {
            '|' => (TokenKind::Pipe, 1),
            ',' => (TokenKind::Comma, 1),
            '=' => (TokenKind::Assign, 1),
            ':' if second == Some('=') => (TokenKind::Declare, 2),
            ':' => return Err(Wrong::new(self.at, "expected :=")),
            '(' => {
                self.depth += 1;
                (TokenKind::LeftParen, 1)
            }
            ')' => {
                let left = self.depth.checked_sub(1);
                self.depth = left.ok_or_else(|| Wrong::new(self.at, "unexpected right paren"))?;
                (TokenKind::RightParen, 1)
            }
            '"' | '\'' | '`' => return self.quoted(first, rest),
            '$' => (TokenKind::Variable, 1 + name_length(&rest[1..])),
            '.' if !second.is_some_and(|c| c.is_ascii_digit()) => match name_length(&rest[1..]) {
                0 => (TokenKind::Dot, 1),
                length => (TokenKind::Field, 1 + length),
            },
            '+' | '-' | '.' | '0'..='9' => (TokenKind::Number, number_length(rest)),
            c if is_name(c) => (TokenKind::Word, name_length(rest)),
            c => {
                let message = format!("unexpected {c:?} in command");
                return Err(Wrong::new(self.at, message));
            }
        })
    }

    fn quoted(&self, quote: char, rest: &str) -> Result<(TokenKind, usize), Wrong> {
        let kind = if quote == '\'' {
            TokenKind::Char
        } else {
            TokenKind::Quoted
        };
        let mut escaped = false;
        for (place, c) in rest.char_indices().skip(1) {
            if escaped {
                escaped = false;
            } else if c == '\\' && quote != '`' {
                escaped = true;
            } else if c == quote {
                return Ok((kind, place + 1));
            } else if c == '\n' && quote != '`' {
                break;
            }
        }
        let what = match quote {
            '"' => "unterminated quoted string",
            '`' => "unterminated raw quoted string",
            _ => "unterminated character constant",
        };
        Err(Wrong::new(self.at, what))
    }
}

fn is_name(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

fn name_length(text: &str) -> usize {
    text.find(|c| !is_name(c)).unwrap_or(text.len())
}

/// A number goes on to what cannot be part of one; whether it is one is seen later.
fn number_length(text: &str) -> usize {
    let mut previous = ' ';
    for (place, c) in text.char_indices() {
        let sign = matches!(c, '+' | '-');
        let fits =
            is_name(c) || c == '.' || (sign && (place == 0 || matches!(previous, 'e' | 'E')));
        if !fits {
            return place;
        }
        previous = c;
    }
    text.len()
}
