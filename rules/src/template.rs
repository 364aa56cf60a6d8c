//! Go's `text/template`, as Prometheus and Alertmanager use it.
//!
//! A text is parsed once ([`Template::parse`]) against a table of functions and the names of the
//! variables that it will be given, and rendered as often as needed ([`Template::render`]). What the
//! functions are is the caller's: [`prometheus`] has those of alerting rules. Values are [`Value`];
//! what has fields or methods of its own implements [`Object`].
//!
//! Whoever writes a template is trusted to mean well, not to count well: rendering is bounded in steps,
//! in depth and in what it writes and builds. It reads no clock and waits for nothing; a function that
//! needs to ask somebody, as `query` does, blocks.

mod builtin;
mod compare;
mod error;
mod escape;
mod format;
mod lexer;
mod literal;
mod parser;
pub mod prometheus;
mod render;
mod set;
mod time;
mod tree;
mod value;

use std::sync::Arc;

use set::{Definitions, Source};
use tree::Nodes;

pub use error::TemplateError;
pub use format::{float, print, printf};
pub use set::Set;
pub use time::{rfc3339_ms, utc};
pub use value::{Content, List, Map, Object, Value, html};

/// The longest text that a template may write, and that a function within may make.
pub const MAX_TEXT: usize = 1 << 20;

/// How many nodes may be visited in one rendering.
const MAX_STEPS: usize = 1_000_000;

/// What a function takes in one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Anything.
    Any,
    /// A text.
    Text,
    /// A whole number.
    Int,
    /// A list.
    List,
    /// An object of this type.
    Object(&'static str),
}

/// A function that templates may call; `E` is what it may look at besides its arguments.
pub struct Function<E: ?Sized> {
    /// Under which name.
    pub name: &'static str,
    /// What it takes.
    pub takes: &'static [Kind],
    /// What it takes after that, any number of times.
    pub rest: Option<Kind>,
    /// What it does. An error is in words that fit behind "error calling NAME: ".
    pub body: fn(&E, &[Value]) -> Result<Value, String>,
}

/// Which functions a template may call, and what those look at.
pub struct Surroundings<'a, E: ?Sized> {
    /// The functions.
    pub functions: &'a [Function<E>],
    /// What they look at.
    pub environment: &'a E,
}

impl<E: ?Sized> Clone for Surroundings<'_, E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E: ?Sized> Copy for Surroundings<'_, E> {}

/// A template that was parsed.
#[derive(Clone, Debug)]
pub struct Template {
    source: Arc<Source>,
    root: Arc<Nodes>,
    defined: Definitions,
}

/// What happens to the text of an action before it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Escape {
    /// Nothing.
    No,
    /// It is written so that it says the same within HTML, and nothing else.
    Html,
}

impl Template {
    /// Parses a text. `variables` are the names, with their `$`, of what [`Template::render`] will be
    /// given beside `$` itself.
    pub fn parse<E: ?Sized>(
        name: &str,
        text: &str,
        functions: &[Function<E>],
        variables: &[&str],
    ) -> Result<Self, TemplateError> {
        Set::default().parse(name, text, functions, variables)
    }

    /// Writes the template out. `variables` have the values in the order of their names.
    pub fn render<E: ?Sized>(
        &self,
        data: &Value,
        variables: &[(&str, Value)],
        surroundings: Surroundings<'_, E>,
    ) -> Result<String, TemplateError> {
        render::render(self, (data, variables), Escape::No, surroundings)
    }

    /// Writes out a template that makes HTML: what actions write is escaped, unless it is an [`html`].
    pub fn render_html<E: ?Sized>(
        &self,
        data: &Value,
        surroundings: Surroundings<'_, E>,
    ) -> Result<String, TemplateError> {
        render::render(self, (data, &[]), Escape::Html, surroundings)
    }

    /// Writes out a template that this one defines.
    pub fn render_defined<E: ?Sized>(
        &self,
        defined: &str,
        data: &Value,
        surroundings: Surroundings<'_, E>,
    ) -> Result<String, TemplateError> {
        render::render_defined(self, defined, data, surroundings)
    }

    /// Whether it is nothing but text, and so renders to itself.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        !self.source.text.contains("{{")
    }
}

#[cfg(test)]
mod tests;
