//! Series selectors: a metric name, conditions on labels, or both.

use store::labels::METRIC_NAME;
use store::matcher::Matcher;

use super::Parser;
use crate::promql::ast::{Extension, LabelMatch, MatchOp, Selector, Shift, Span};
use crate::promql::error::ParseError;
use crate::promql::lexer::{self, Keyword, Kind};
use crate::promql::pattern::translate;

/// Whether a selector may begin with such a token. Most words with a meaning of their own are metric
/// names where that meaning is impossible.
pub(super) fn may_begin(kind: Kind) -> bool {
    match kind {
        Kind::LeftBrace | Kind::Identifier | Kind::MetricIdentifier | Kind::Aggregate(_) => true,
        Kind::Operator(op) => op.is_set(),
        Kind::Keyword(word) => !matches!(
            word,
            Keyword::On
                | Keyword::Ignoring
                | Keyword::GroupLeft
                | Keyword::GroupRight
                | Keyword::Bool
        ),
        _ => false,
    }
}

impl Parser<'_> {
    pub(super) fn selector(&mut self) -> Result<Selector, ParseError> {
        let first = self.token();
        if !may_begin(first.kind) {
            return Err(self.unexpected("", ""));
        }
        let mut name = String::new();
        if first.kind != Kind::LeftBrace {
            self.next();
            self.text_of(first.span).clone_into(&mut name);
        }
        let mut matches = Vec::new();
        if self.peek() == Kind::LeftBrace {
            self.conditions(&mut name, &mut matches)?;
        }
        let span = self.span_from(first.span.start);
        if !name.is_empty() {
            if let Some(twice) = matches.iter().find(|known| known.name == METRIC_NAME) {
                return Err(name_twice(&name, &twice.value, span));
            }
            matches.push(condition(METRIC_NAME, MatchOp::Equal, &name, span)?);
        }
        Ok(Selector {
            name,
            matches,
            shift: Shift::default(),
            extension: Extension::None,
            span,
        })
    }

    fn conditions(
        &mut self,
        name: &mut String,
        matches: &mut Vec<LabelMatch>,
    ) -> Result<(), ParseError> {
        self.next();
        while self.accept(Kind::RightBrace).is_none() {
            self.condition(name, matches)?;
            if self.peek() != Kind::RightBrace {
                self.expect(Kind::Comma, "label matching", "\",\" or \"}\"")?;
            }
        }
        Ok(())
    }

    fn condition(
        &mut self,
        name: &mut String,
        matches: &mut Vec<LabelMatch>,
    ) -> Result<(), ParseError> {
        let label = self.token();
        let label_name = match label.kind {
            Kind::Identifier => self.text_of(label.span).to_owned(),
            Kind::Text => self.unquoted(label.span)?,
            _ => return Err(self.unexpected("label matching", "identifier or \"}\"")),
        };
        self.next();
        let Kind::Match(op) = self.peek() else {
            let alone = matches!(self.peek(), Kind::Comma | Kind::RightBrace);
            if label.kind != Kind::Text || !alone {
                return Err(self.unexpected("label matching", "label matching operator"));
            }
            // A text alone is the metric's name, for names that are no identifiers.
            if !name.is_empty() {
                return Err(name_twice(name, &label_name, label.span));
            }
            *name = label_name;
            return Ok(());
        };
        self.next();
        let value = self.expect(Kind::Text, "label matching", "string")?.span;
        let value = self.unquoted(value)?;
        let span = self.span_from(label.span.start);
        matches.push(condition(&label_name, op, &value, span)?);
        Ok(())
    }

    fn unquoted(&self, span: Span) -> Result<String, ParseError> {
        lexer::unquote(self.text_of(span))
            .map_err(|wrong| ParseError::new(span, format!("error unquoting string: {wrong}")))
    }
}

/// A selector must not select everything by accident.
pub(super) fn check_not_empty(selector: &Selector) -> Result<(), ParseError> {
    if selector
        .matches
        .iter()
        .all(|known| known.matcher.accepts(""))
    {
        let message = "vector selector must contain at least one non-empty matcher";
        return Err(ParseError::new(selector.span, message));
    }
    Ok(())
}

fn name_twice(first: &str, second: &str, span: Span) -> ParseError {
    let message = format!("metric name must not be set twice: {first:?} or {second:?}");
    ParseError::new(span, message)
}

fn condition(name: &str, op: MatchOp, value: &str, span: Span) -> Result<LabelMatch, ParseError> {
    let matcher = match op {
        MatchOp::Equal => Ok(Matcher::equal(name, value)),
        MatchOp::NotEqual => Ok(Matcher::not_equal(name, value)),
        MatchOp::Matches => Matcher::matches(name, &translate(value)),
        MatchOp::NotMatches => Matcher::not_matches(name, &translate(value)),
    };
    Ok(LabelMatch {
        name: name.to_owned(),
        op,
        value: value.to_owned(),
        matcher: matcher.map_err(|wrong| ParseError::new(span, wrong.to_string()))?,
    })
}
