//! What is wrong with a template, and where, in words like Go's.

use std::sync::Arc;

use super::parser::Wrong;
use super::set::Source;
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
    /// The text that it is in, once that is known: templates call others from other texts.
    pub(super) source: Option<Arc<Source>>,
}

impl Fault {
    pub(super) fn new(span: Span, message: impl Into<String>) -> Self {
        Self {
            span,
            message: message.into(),
            source: None,
        }
    }

    /// Says in which text it is, unless that is known already.
    pub(super) fn within(mut self, source: &Arc<Source>) -> Self {
        self.source.get_or_insert_with(|| Arc::clone(source));
        self
    }
}

/// A place in a text, counted from 1.
#[derive(Clone, Copy, Debug)]
struct Place {
    line: usize,
    column: usize,
}

impl Place {
    fn of(text: &str, byte: usize) -> Self {
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

    /// `root` is the text that was to be rendered.
    pub(super) fn execute(root: &Source, fault: &Fault) -> Self {
        let Source { name, text } = fault.source.as_deref().unwrap_or(root);
        let place = Place::of(text, fault.span.start);
        let source = text
            .get(fault.span.start..fault.span.end)
            .unwrap_or_default();
        let mut shown: String = source.chars().take(SHOWN).collect();
        if shown.len() < source.len() {
            shown.push_str("...");
        }
        let message = &fault.message;
        Self {
            name: name.clone(),
            line: place.line,
            column: place.column,
            message: format!("executing {name:?} at <{shown}>: {message}"),
        }
    }
}
