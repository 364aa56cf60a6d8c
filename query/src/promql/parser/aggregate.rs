//! Aggregations and lists of labels.

use super::{Parser, check};
use crate::promql::ast::{Aggregate, AggregateOp, Expr, Grouping};
use crate::promql::error::ParseError;
use crate::promql::lexer::{self, Keyword, Kind};

impl Parser<'_> {
    pub(super) fn aggregate(&mut self, op: AggregateOp) -> Result<Expr, ParseError> {
        let start = self.next().span.start;
        let mut grouping = self.grouping()?;
        if self.peek() != Kind::LeftParen {
            return Err(self.unexpected("aggregation", ""));
        }
        let args = self.arguments()?;
        if grouping == Grouping::None {
            grouping = self.grouping()?;
        }
        let span = self.span_from(start);
        let (parameter, expr) = check::aggregate_arguments(op, args, span)?;
        Ok(Expr::Aggregate(Box::new(Aggregate {
            op,
            parameter,
            expr,
            grouping,
            span,
        })))
    }

    fn grouping(&mut self) -> Result<Grouping, ParseError> {
        match self.peek() {
            Kind::Keyword(Keyword::By) => {
                self.next();
                Ok(Grouping::By(self.grouping_labels()?))
            }
            Kind::Keyword(Keyword::Without) => {
                self.next();
                Ok(Grouping::Without(self.grouping_labels()?))
            }
            _ => Ok(Grouping::None),
        }
    }

    /// Labels in parentheses; a comma may follow the last.
    pub(super) fn grouping_labels(&mut self) -> Result<Vec<String>, ParseError> {
        self.expect(Kind::LeftParen, "grouping opts", "\"(\"")?;
        let mut labels = Vec::new();
        while self.accept(Kind::RightParen).is_none() {
            labels.push(self.grouping_label()?);
            if self.peek() != Kind::RightParen {
                self.expect(Kind::Comma, "grouping opts", "\",\" or \")\"")?;
            }
        }
        Ok(labels)
    }

    fn grouping_label(&mut self) -> Result<String, ParseError> {
        let token = self.token();
        let text = self.text_of(token.span);
        let label = if token.kind == Kind::Text {
            lexer::unquote(text).ok().filter(|label| !label.is_empty())
        } else {
            // Every word may be a label; those with colons are metric names only.
            let word = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
            (word && !text.contains(':')).then(|| text.to_owned())
        };
        let label = label.ok_or_else(|| self.unexpected("grouping opts", "label"))?;
        self.next();
        Ok(label)
    }
}
