//! Reads PromQL.
//!
//! A hand-written parser (operators by their binding strength, everything else by descent), so that
//! messages, places and the newest syntax are as Prometheus has them. Types are checked on the way:
//! a tree that comes out of here is well typed. Depth and size are bounded, for everything that walks
//! a tree recurses.

mod aggregate;
mod check;
mod duration;
mod modifiers;
mod number;
mod selector;

use super::ast::{
    BinaryOp, Call, Expr, Extension, NumberLiteral, Paren, Sign, Span, StringLiteral, Unary,
};
use super::error::ParseError;
use super::functions;
use super::lexer::{self, Keyword, Kind, Token};

pub use number::duration_ms;

/// How deep parentheses, calls and signs may nest; deeper ones would exhaust the stack of a thread.
const MAX_DEPTH: usize = 100;

/// How deep a tree may be: chains of operators are deeper than what is nested.
const MAX_TREE_DEPTH: usize = 400;

/// How many operators a text may have in all, for they nest to the left.
const MAX_OPERATORS: usize = 2_000;

/// Reads an expression.
pub fn parse(text: &str) -> Result<Expr, ParseError> {
    let mut parser = Parser::new(text)?;
    if parser.peek() == Kind::End {
        return Err(ParseError::new(
            Span::default(),
            "no expression found in input",
        ));
    }
    let expr = parser.expression(0)?;
    parser.expect(Kind::End, "", "")?;
    check::tree(&expr, MAX_TREE_DEPTH)?;
    Ok(expr)
}

/// Reads a series selector without range or modifiers.
pub fn parse_selector(text: &str) -> Result<super::ast::Selector, ParseError> {
    let mut parser = Parser::new(text)?;
    let selector = parser.selector()?;
    parser.expect(Kind::End, "", "")?;
    selector::check_not_empty(&selector)?;
    Ok(selector)
}

struct Parser<'a> {
    text: &'a str,
    tokens: Vec<Token>,
    place: usize,
    depth: usize,
    operators: usize,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str) -> Result<Self, ParseError> {
        Ok(Self {
            text,
            tokens: lexer::tokens(text)?,
            place: 0,
            depth: 0,
            operators: 0,
        })
    }

    fn token(&self) -> Token {
        // The last token is the end, and it is never passed.
        self.tokens[self.place.min(self.tokens.len() - 1)]
    }

    fn peek(&self) -> Kind {
        self.token().kind
    }

    fn peek_after(&self) -> Kind {
        self.tokens
            .get(self.place + 1)
            .map_or(Kind::End, |token| token.kind)
    }

    fn next(&mut self) -> Token {
        let token = self.token();
        self.place += 1;
        token
    }

    fn accept(&mut self, kind: Kind) -> Option<Token> {
        (self.peek() == kind).then(|| self.next())
    }

    fn expect(&mut self, kind: Kind, context: &str, expected: &str) -> Result<Token, ParseError> {
        self.accept(kind)
            .ok_or_else(|| self.unexpected(context, expected))
    }

    fn text_of(&self, span: Span) -> &'a str {
        self.text.get(span.start..span.end).unwrap_or_default()
    }

    /// Where the token ends that was read last.
    fn last_end(&self) -> usize {
        self.place
            .checked_sub(1)
            .map_or(0, |place| self.tokens[place].span.end)
    }

    fn span_from(&self, start: usize) -> Span {
        Span {
            start,
            end: self.last_end(),
        }
    }

    fn unexpected(&self, context: &str, expected: &str) -> ParseError {
        let token = self.token();
        let text = self.text_of(token.span);
        let mut message = format!("unexpected {}", describe(token.kind, text));
        if !context.is_empty() {
            message += &format!(" in {context}");
        }
        if !expected.is_empty() {
            message += &format!(", expected {expected}");
        }
        ParseError::new(token.span, message)
    }

    /// An expression of operators that bind at least so strongly.
    fn expression(&mut self, least: u8) -> Result<Expr, ParseError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(too_deep(self.token().span));
        }
        let mut left = self.unary()?;
        while let Kind::Operator(op) = self.peek() {
            if op.precedence() < least {
                break;
            }
            self.next();
            self.count_operator()?;
            let (matching, return_bool) = self.binary_modifiers()?;
            // Only the power binds to the right.
            let stronger = op.precedence() + u8::from(op != BinaryOp::Pow);
            let right = self.expression(stronger)?;
            left = check::binary(op, left, right, (matching, return_bool))?;
        }
        self.depth -= 1;
        Ok(left)
    }

    fn count_operator(&mut self) -> Result<(), ParseError> {
        self.operators += 1;
        if self.operators > MAX_OPERATORS {
            return Err(too_deep(self.token().span));
        }
        Ok(())
    }

    fn unary(&mut self) -> Result<Expr, ParseError> {
        let sign = match self.peek() {
            Kind::Operator(BinaryOp::Add) => Sign::Plus,
            Kind::Operator(BinaryOp::Sub) => Sign::Minus,
            _ => return self.with_modifiers(),
        };
        let start = self.next().span.start;
        // A sign binds as multiplication does: the power binds more strongly.
        let expr = self.expression(BinaryOp::Pow.precedence())?;
        let span = self.span_from(start);
        if let Expr::Number(number) = expr {
            let value = if sign == Sign::Minus {
                -number.value
            } else {
                number.value
            };
            return Ok(Expr::Number(NumberLiteral {
                value,
                span,
                ..number
            }));
        }
        check::unary(&expr)?;
        Ok(Expr::Unary(Box::new(Unary { sign, expr, span })))
    }

    fn with_modifiers(&mut self) -> Result<Expr, ParseError> {
        let mut expr = self.primary()?;
        loop {
            expr = match self.peek() {
                Kind::LeftBracket => self.range(expr)?,
                Kind::Keyword(Keyword::Offset) => self.offset(expr)?,
                Kind::At => self.at(expr)?,
                Kind::Keyword(Keyword::Anchored) => self.extension(expr, Extension::Anchored)?,
                Kind::Keyword(Keyword::Smoothed) => self.extension(expr, Extension::Smoothed)?,
                _ => return Ok(expr),
            };
        }
    }

    fn primary(&mut self) -> Result<Expr, ParseError> {
        let token = self.token();
        let called = self.peek_after() == Kind::LeftParen;
        match token.kind {
            Kind::Number | Kind::Duration => self.number().map(Expr::Number),
            Kind::Text => {
                self.next();
                let value = lexer::unquote(self.text_of(token.span)).map_err(|wrong| {
                    ParseError::new(token.span, format!("error unquoting string: {wrong}"))
                })?;
                let span = token.span;
                Ok(Expr::String(StringLiteral { value, span }))
            }
            Kind::LeftParen => self.parentheses(),
            Kind::Aggregate(op) if called || self.grouping_follows() => self.aggregate(op),
            Kind::Identifier
            | Kind::Keyword(Keyword::Start | Keyword::End | Keyword::Step | Keyword::Range)
                if called =>
            {
                self.call()
            }
            _ if selector::may_begin(token.kind) => Ok(Expr::Selector(Box::new(self.selector()?))),
            _ => Err(self.unexpected("", "")),
        }
    }

    fn grouping_follows(&self) -> bool {
        matches!(
            self.peek_after(),
            Kind::Keyword(Keyword::By | Keyword::Without)
        )
    }

    fn parentheses(&mut self) -> Result<Expr, ParseError> {
        let start = self.next().span.start;
        let expr = self.expression(0)?;
        self.expect(Kind::RightParen, "", "")?;
        let span = self.span_from(start);
        Ok(Expr::Paren(Box::new(Paren { expr, span })))
    }

    fn call(&mut self) -> Result<Expr, ParseError> {
        let name = self.next();
        let written = self.text_of(name.span);
        let Some(function) = functions::find(written) else {
            let message = format!("unknown function with name {written:?}");
            return Err(ParseError::new(name.span, message));
        };
        let args = self.arguments()?;
        let span = self.span_from(name.span.start);
        let call = Call {
            function,
            args,
            span,
        };
        check::call(&call)?;
        Ok(Expr::Call(Box::new(call)))
    }

    /// Arguments in parentheses.
    fn arguments(&mut self) -> Result<Vec<Expr>, ParseError> {
        self.expect(Kind::LeftParen, "", "")?;
        let mut args = Vec::new();
        if self.accept(Kind::RightParen).is_some() {
            return Ok(args);
        }
        loop {
            args.push(self.expression(0)?);
            if self.accept(Kind::RightParen).is_some() {
                return Ok(args);
            }
            let comma = self.expect(Kind::Comma, "", "")?;
            if self.peek() == Kind::RightParen {
                let message = "trailing commas not allowed in function call args";
                return Err(ParseError::new(comma.span, message));
            }
        }
    }
}

fn too_deep(span: Span) -> ParseError {
    ParseError::new(span, "the expression is nested too deeply")
}

fn describe(kind: Kind, text: &str) -> String {
    match kind {
        Kind::End => "end of input".to_owned(),
        Kind::Identifier => format!("identifier {text:?}"),
        Kind::MetricIdentifier => format!("metric identifier {text:?}"),
        Kind::Number => format!("number {text:?}"),
        Kind::Duration => format!("duration {text:?}"),
        Kind::Text => format!("string {text:?}"),
        Kind::Operator(op) => format!("<op:{}>", op.text()),
        Kind::Match(op) => format!("<op:{}>", op.text()),
        Kind::At => "<op:@>".to_owned(),
        Kind::Aggregate(op) => format!("<aggr:{}>", op.text()),
        Kind::Keyword(_) => format!("<{}>", text.to_ascii_lowercase()),
        _ => format!("{text:?}"),
    }
}

#[cfg(test)]
mod tests;
