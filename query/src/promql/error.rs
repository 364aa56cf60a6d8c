//! Why a query has no answer.

use super::ast::Span;
use super::limit::Limit;

/// The text is not PromQL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    span: Span,
    message: String,
}

impl ParseError {
    pub(crate) fn new(span: Span, message: impl Into<String>) -> Self {
        Self {
            span,
            message: message.into(),
        }
    }

    /// Where in the text it is wrong.
    #[must_use]
    pub fn span(&self) -> Span {
        self.span
    }

    /// What is wrong, without the place.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// As Prometheus prints it: line, column and what is wrong.
    #[must_use]
    pub fn describe(&self, text: &str) -> String {
        format!(
            "{}: parse error: {}",
            position(text, self.span.start),
            self.message
        )
    }
}

/// The line and column of a byte, both counted from 1.
#[must_use]
pub(crate) fn position(text: &str, byte: usize) -> String {
    let before = text.as_bytes().get(..byte).unwrap_or(text.as_bytes());
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let line_start = before
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |place| place + 1);
    format!("{line}:{}", before.len() - line_start + 1)
}

/// Why a query has no answer.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The text is not PromQL.
    #[error("{0}")]
    Parse(String),
    /// The text is PromQL but cannot be asked like this.
    #[error("{0}")]
    Invalid(String),
    /// Evaluation met something that has no answer.
    #[error("{0}")]
    Execution(String),
    /// The query would take more than it is allowed.
    #[error("{0}")]
    Limit(Limit),
    /// Time is up.
    #[error("query timed out in expression evaluation")]
    TimedOut,
    /// Nobody waits for the answer any more.
    #[error("query was canceled in expression evaluation")]
    Cancelled,
    /// The store could not be read.
    #[error("the store could not be read")]
    Read(#[from] store::read::ReadError),
}
