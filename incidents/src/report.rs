//! The post-mortem: what is known of an incident, written down for people who were not there, with
//! blanks for what only people know.
//!
//! [`Report`] is everything that it is written from. What stands in it, and in which order, is
//! [`document`]'s; [`markdown`] and [`html`] write that down, [`json`] writes everything. Labels,
//! annotations, notes and names come from outside: each writer escapes every text, and [`escape`] takes
//! out what would show another text than there is.

mod chart;
mod document;
mod escape;
mod html;
pub mod json;
mod markdown;
mod question;

use std::fmt;
use std::str::FromStr;

use crate::incident::Incident;
use crate::timeline::Entry;

pub use chart::{Chart, Line};
pub use question::{Bound, Question, Side};

/// Everything that a post-mortem is written from.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// The incident.
    pub incident: Incident,
    /// What came to pass, oldest first.
    pub entries: Vec<Entry>,
    /// What was measured.
    pub charts: Vec<Chart>,
    /// What could not be read, each with the reason.
    pub missing: Vec<String>,
    /// When it was written, in milliseconds since 1970.
    pub made_at_ms: i64,
}

/// How a post-mortem is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Markdown, to be edited.
    Markdown,
    /// One page that needs nothing else.
    Html,
    /// Everything, for programs.
    Json,
}

impl Report {
    /// Writes it.
    #[must_use]
    pub fn write(&self, format: Format) -> String {
        match format {
            Format::Markdown => markdown::write(&document::of(self)),
            Format::Html => html::write(&document::of(self)),
            Format::Json => format!("{:#}\n", json::report(self)),
        }
    }
}

impl Format {
    /// Its type, as HTTP names it.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Markdown => "text/markdown; charset=utf-8",
            Self::Html => "text/html; charset=utf-8",
            Self::Json => "application/json",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Markdown => "md",
            Self::Html => "html",
            Self::Json => "json",
        })
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let all = [Self::Markdown, Self::Html, Self::Json];
        let found = all.into_iter().find(|format| format.to_string() == text);
        found.ok_or_else(|| format!("{text:?} is no format: write md, html or json"))
    }
}

#[cfg(test)]
mod tests;
