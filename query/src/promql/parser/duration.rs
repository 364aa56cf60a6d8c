//! Durations in brackets and after `offset`: literals, or expressions of them.

use super::Parser;
use crate::promql::ast::{AggregateOp, BinaryOp, Duration, Span};
use crate::promql::error::ParseError;
use crate::promql::lexer::{Keyword, Kind};

impl Parser<'_> {
    /// A duration in brackets. Of a literal it is known here that it must be positive; of an
    /// expression only when it is asked.
    pub(super) fn positive_duration(&mut self) -> Result<Duration, ParseError> {
        let duration = self.duration(0)?;
        match &duration {
            Duration::Literal(literal) if literal.value <= 0.0 => Err(ParseError::new(
                literal.span,
                "duration must be greater than 0",
            )),
            _ => Ok(duration),
        }
    }

    /// What follows `offset`, and whether a minus stood before it. Only expressions in parentheses
    /// may have operators, or `x offset 5m + y` would be ambiguous.
    pub(super) fn offset_duration(&mut self) -> Result<(Duration, bool), ParseError> {
        let negative = self.sign();
        Ok((self.duration_operand("offset")?, negative))
    }

    fn duration(&mut self, least: u8) -> Result<Duration, ParseError> {
        self.depth += 1;
        if self.depth > super::MAX_DEPTH {
            return Err(super::too_deep(self.token().span));
        }
        let mut left = self.duration_unary()?;
        while let Kind::Operator(op) = self.peek() {
            let arithmetic = !op.is_comparison() && !op.is_set() && op != BinaryOp::Atan2;
            if !arithmetic || op.precedence() < least {
                break;
            }
            self.next();
            self.count_operator()?;
            let right = self.duration(op.precedence() + u8::from(op != BinaryOp::Pow))?;
            left = Duration::Binary(op, Box::new((left, right)));
        }
        self.depth -= 1;
        Ok(left)
    }

    fn duration_unary(&mut self) -> Result<Duration, ParseError> {
        let start = self.token().span.start;
        if self.accept(Kind::Operator(BinaryOp::Add)).is_some() {
            return self.duration(BinaryOp::Pow.precedence());
        }
        if self.accept(Kind::Operator(BinaryOp::Sub)).is_none() {
            return self.duration_operand("subquery or range selector");
        }
        let inner = self.duration(BinaryOp::Pow.precedence())?;
        let span = self.span_from(start);
        Ok(match inner {
            Duration::Literal(mut literal) => {
                literal.value = -literal.value;
                literal.span = span;
                Duration::Literal(literal)
            }
            inner => Duration::Negate(Box::new(inner), span),
        })
    }

    fn duration_operand(&mut self, context: &str) -> Result<Duration, ParseError> {
        let start = self.token().span.start;
        match self.peek() {
            Kind::Number | Kind::Duration => {
                let literal = self.number()?;
                // Longer ones could not be added to a time.
                if !literal.value.is_finite() || literal.value.abs() > 9e9 {
                    return Err(ParseError::new(literal.span, "duration out of range"));
                }
                Ok(Duration::Literal(literal))
            }
            Kind::LeftParen => {
                self.next();
                let inner = self.duration(0)?;
                self.expect(Kind::RightParen, context, "\")\"")?;
                Ok(Duration::Paren(Box::new(inner), self.span_from(start)))
            }
            Kind::Keyword(word @ (Keyword::Step | Keyword::Range)) => {
                self.next();
                self.expect(Kind::LeftParen, context, "\"(\"")?;
                self.expect(Kind::RightParen, context, "\")\"")?;
                let span = self.span_from(start);
                Ok(if word == Keyword::Step {
                    Duration::Step(span)
                } else {
                    Duration::Range(span)
                })
            }
            Kind::Aggregate(AggregateOp::Min) => self.duration_of_two(Duration::Least),
            Kind::Aggregate(AggregateOp::Max) => self.duration_of_two(Duration::Greatest),
            Kind::Identifier => match self.text_of(self.token().span) {
                "min_of" => self.duration_of_two(Duration::Least),
                "max_of" => self.duration_of_two(Duration::Greatest),
                _ => Err(self.unexpected(context, "number, duration, step(), or range()")),
            },
            _ => Err(self.unexpected(context, "number, duration, step(), or range()")),
        }
    }

    fn duration_of_two(
        &mut self,
        make: fn(Box<(Duration, Duration)>, Span) -> Duration,
    ) -> Result<Duration, ParseError> {
        let start = self.next().span.start;
        self.expect(Kind::LeftParen, "duration expression", "\"(\"")?;
        let first = self.duration(0)?;
        self.expect(Kind::Comma, "duration expression", "\",\"")?;
        let second = self.duration(0)?;
        self.expect(Kind::RightParen, "duration expression", "\")\"")?;
        Ok(make(Box::new((first, second)), self.span_from(start)))
    }
}
