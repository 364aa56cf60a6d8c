//! What follows an expression or an operator: ranges, `offset`, `@`, and how series are matched.

use super::{Parser, check};
use crate::promql::ast::{
    At, BinaryOp, Cardinality, Expr, Extension, Matching, Matrix, Offset, Shift, Subquery,
    ValueType,
};
use crate::promql::error::ParseError;
use crate::promql::lexer::{Keyword, Kind};

impl Parser<'_> {
    /// A range or a subquery after an expression.
    pub(super) fn range(&mut self, expr: Expr) -> Result<Expr, ParseError> {
        let bracket = self.next().span;
        let range = self.positive_duration()?;
        let start = expr.span().start;
        if self.accept(Kind::RightBracket).is_some() {
            let range_span = self.span_from(bracket.start);
            let selector = check::ranged(expr, range_span)?;
            let span = self.span_from(start);
            return Ok(Expr::Matrix(Box::new(Matrix {
                selector,
                range,
                span,
            })));
        }
        self.expect(Kind::Colon, "subquery or range", "\":\" or \"]\"")?;
        let step = if self.peek() == Kind::RightBracket {
            None
        } else {
            Some(self.positive_duration()?)
        };
        self.expect(Kind::RightBracket, "subquery selector", "\"]\"")?;
        let got = expr.value_type();
        if got != ValueType::Vector {
            let name = got.documented();
            let message = format!("subquery is only allowed on instant vector, got {name} instead");
            return Err(ParseError::new(expr.span(), message));
        }
        let span = self.span_from(start);
        Ok(Expr::Subquery(Box::new(Subquery {
            expr,
            range,
            step,
            shift: Shift::default(),
            span,
        })))
    }

    pub(super) fn offset(&mut self, mut expr: Expr) -> Result<Expr, ParseError> {
        let keyword = self.next().span;
        let duration = self.offset_duration()?;
        let end = self.last_end();
        let at = expr.span();
        let Some((shift, span)) = check::shift_of(&mut expr) else {
            let message = "offset modifier must be preceded by an instant vector selector or range vector selector or a subquery";
            return Err(ParseError::new(at.to(keyword), message));
        };
        if shift.offset.is_some() {
            return Err(ParseError::new(at, "offset may not be set multiple times"));
        }
        let (duration, negative) = duration;
        shift.offset = Some(Offset { duration, negative });
        span.end = end;
        Ok(expr)
    }

    pub(super) fn at(&mut self, mut expr: Expr) -> Result<Expr, ParseError> {
        let sign = self.next().span;
        let at = self.at_time()?;
        let end = self.last_end();
        let place = expr.span();
        let Some((shift, span)) = check::shift_of(&mut expr) else {
            let message = "@ modifier must be preceded by an instant vector selector or range vector selector or a subquery";
            return Err(ParseError::new(place.to(sign), message));
        };
        if shift.at.is_some() {
            return Err(ParseError::new(
                place,
                "@ <timestamp> may not be set multiple times",
            ));
        }
        shift.at = Some(at);
        span.end = end;
        Ok(expr)
    }

    fn at_time(&mut self) -> Result<At, ParseError> {
        let named = match self.peek() {
            Kind::Keyword(Keyword::Start) => Some(At::Start),
            Kind::Keyword(Keyword::End) => Some(At::End),
            _ => None,
        };
        if let Some(at) = named {
            self.next();
            self.expect(Kind::LeftParen, "@", "\"(\"")?;
            self.expect(Kind::RightParen, "@", "\")\"")?;
            return Ok(at);
        }
        let start = self.token().span.start;
        let negative = self.sign();
        if !matches!(self.peek(), Kind::Number | Kind::Duration) {
            return Err(self.unexpected("@", "timestamp"));
        }
        let number = self.number()?.value;
        let seconds = if negative { -number } else { number };
        // A tenth of what the milliseconds could hold, so that sums of times cannot overflow.
        if !seconds.is_finite() || seconds.abs() > 9e14 {
            let message = format!("timestamp out of bounds for @ modifier: {seconds:.6}");
            return Err(ParseError::new(self.span_from(start), message));
        }
        #[allow(clippy::cast_possible_truncation)]
        Ok(At::Time((seconds * 1000.0).round() as i64))
    }

    /// Whether a minus was there.
    pub(super) fn sign(&mut self) -> bool {
        if self.accept(Kind::Operator(BinaryOp::Add)).is_some() {
            return false;
        }
        self.accept(Kind::Operator(BinaryOp::Sub)).is_some()
    }

    pub(super) fn extension(
        &mut self,
        mut expr: Expr,
        extension: Extension,
    ) -> Result<Expr, ParseError> {
        let word = self.next().span;
        let place = expr.span();
        let (selector, span) = match &mut expr {
            Expr::Selector(selector) => (&mut **selector, None),
            Expr::Matrix(matrix) => (&mut matrix.selector, Some(&mut matrix.span)),
            _ => {
                let name = self.text_of(word);
                let message = format!("{name} modifier not implemented for this expression");
                return Err(ParseError::new(place.to(word), message));
            }
        };
        if selector.extension != Extension::None {
            let message = "anchored and smoothed modifiers cannot be used together";
            return Err(ParseError::new(place.to(word), message));
        }
        selector.extension = extension;
        span.unwrap_or(&mut selector.span).end = word.end;
        Ok(expr)
    }

    /// What may stand between an operator and its right side.
    pub(super) fn binary_modifiers(&mut self) -> Result<(Matching, bool), ParseError> {
        let return_bool = self.accept(Kind::Keyword(Keyword::Bool)).is_some();
        let mut matching = Matching::default();
        if let Kind::Keyword(word @ (Keyword::On | Keyword::Ignoring)) = self.peek() {
            self.next();
            matching.explicit = true;
            matching.on = word == Keyword::On;
            matching.labels = self.grouping_labels()?;
            if let Kind::Keyword(side @ (Keyword::GroupLeft | Keyword::GroupRight)) = self.peek() {
                self.next();
                matching.cardinality = if side == Keyword::GroupLeft {
                    Cardinality::ManyToOne
                } else {
                    Cardinality::OneToMany
                };
                if self.peek() == Kind::LeftParen {
                    matching.include = self.grouping_labels()?;
                }
            }
        }
        while let Kind::Keyword(word @ (Keyword::Fill | Keyword::FillLeft | Keyword::FillRight)) =
            self.peek()
        {
            if self.peek_after() != Kind::LeftParen {
                break;
            }
            self.next();
            let value = Some(self.fill_value()?);
            if word != Keyword::FillRight {
                matching.fill_left = value;
            }
            if word != Keyword::FillLeft {
                matching.fill_right = value;
            }
        }
        Ok((matching, return_bool))
    }

    fn fill_value(&mut self) -> Result<f64, ParseError> {
        self.expect(Kind::LeftParen, "fill modifier", "\"(\"")?;
        let negative = self.sign();
        if !matches!(self.peek(), Kind::Number | Kind::Duration) {
            return Err(self.unexpected("fill modifier", "number"));
        }
        let number = self.number()?.value;
        self.expect(Kind::RightParen, "fill modifier", "\")\"")?;
        Ok(if negative { -number } else { number })
    }
}
