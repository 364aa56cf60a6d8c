//! What is wrong with a template, and where, in words like Go's.

use super::parser::Wrong;
use super::tree::Span;

/// A template cannot be parsed or rendered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("template: {name}:{line}: {message}")]
pub struct TemplateError {
    /// The template.
    pub name: String,
    /// The line, counted from 1.
    pub line: usize,
    /// The column, in bytes, counted from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
}

/// Why rendering stopped.
#[derive(Clone, Debug)]
pub(super) struct Fault {
    pub(super) span: Span,
    pub(super) message: String,
}

impl Fault {
    pub(super) fn new(span: Span, message: impl Into<String>) -> Self {
        Self {
            span,
            message: message.into(),
        }
    }
}

/// A place in a text, counted from 1.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    line: usize,
    column: usize,
}

impl Place {
    pub(super) fn of(text: &str, byte: usize) -> Self {
        let before = text.as_bytes().get(..byte).unwrap_or(text.as_bytes());
        let line_start = before.iter().rposition(|byte| *byte == b'\n');
        Self {
            line: before.iter().filter(|byte| **byte == b'\n').count() + 1,
            column: before.len() - line_start.map_or(0, |at| at + 1) + 1,
        }
    }
}

/// How much of an expression a message repeats, as in Go.
const SHOWN: usize = 20;

impl TemplateError {
    pub(super) fn parse(name: &str, text: &str, wrong: &Wrong) -> Self {
        let place = Place::of(text, wrong.at);
        Self {
            name: name.to_owned(),
            line: place.line,
            column: place.column,
            message: wrong.message.clone(),
        }
    }

    pub(super) fn execute(name: &str, text: &str, place: Place, fault: &Fault) -> Self {
        let source = text
            .get(fault.span.start..fault.span.end)
            .unwrap_or_default();
        let mut shown: String = source.chars().take(SHOWN).collect();
        if shown.len() < source.len() {
            shown.push_str("...");
        }
        let message = &fault.message;
        Self {
            name: name.to_owned(),
            line: place.line,
            column: place.column,
            message: format!("executing {name:?} at <{shown}>: {message}"),
        }
    }
}
