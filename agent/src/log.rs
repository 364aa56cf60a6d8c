//! The agent's own log: to standard error, every line passed through the redactor.
//!
//! Redacting the finished line is a second fence: secrets are kept in a type that does not print,
//! and what another server says in an error (a connection string, a statement) is caught here.

use std::io::{self, Write};

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::pipeline::redact::Redactor;

/// How a log line looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For a person.
    #[default]
    Text,
    /// For a machine: one JSON object a line.
    Json,
}

/// Starts logging. `filter` is a level (`info`) or directives (`nightshift_agent=debug,info`).
pub fn start(format: Format, filter: &str) -> Result<(), String> {
    let filter = EnvFilter::builder()
        .parse(filter)
        .map_err(|error| format!("the log level {filter:?} is not valid: {error}"))?;
    let writer = Redacting {
        redactor: Redactor::built_in(),
    };
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer);
    let started = match format {
        Format::Text => builder.with_ansi(false).try_init(),
        Format::Json => builder.json().flatten_event(true).try_init(),
    };
    started.map_err(|error| format!("logging could not start: {error}"))
}

struct Redacting {
    redactor: Redactor,
}

/// Collects one event's text and writes it out redacted, in one write, when the event is done.
struct Line<'a> {
    redactor: &'a Redactor,
    text: Vec<u8>,
}

impl<'a> MakeWriter<'a> for Redacting {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line {
            redactor: &self.redactor,
            text: Vec::new(),
        }
    }
}

impl Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        let text = String::from_utf8_lossy(&self.text);
        // Where standard error is closed there is nobody to tell.
        io::stderr()
            .write_all(self.redactor.clean(&text).as_bytes())
            .ok();
    }
}
