//! What all commands that ask a collector have in common: where it is, how its answer is shown, and the
//! cells of tables.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::Value;

use super::query::{Collector, Failure, Shown};

/// Where the collector is, and how what it answers is shown.
#[derive(Debug, Args)]
pub struct Asking {
    /// How it is shown
    #[arg(
        short,
        long,
        value_name = "FORMAT",
        default_value = "table",
        global = true
    )]
    pub output: Output,
    /// Where the collector is.
    #[command(flatten)]
    pub asked: Asked,
}

/// Where the collector is.
#[derive(Debug, Args)]
pub struct Asked {
    /// Where the collector is
    #[arg(
        long,
        value_name = "URL",
        env = "NIGHTSHIFT_COLLECTOR",
        default_value = "http://127.0.0.1:7700",
        global = true
    )]
    pub collector: String,
    /// For an https collector, the certificate that its own descends from: tls/ca.crt in its data folder
    #[arg(long, value_name = "FILE", env = "NIGHTSHIFT_CA_FILE", global = true)]
    pub ca_file: Option<PathBuf>,
}

/// How an answer is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// Aligned for people.
    Table,
    /// The API's data as it came.
    Json,
}

impl Asked {
    pub(super) fn collector(&self) -> Result<Collector, Failure> {
        Collector::parse(&self.collector, self.ca_file.as_deref())
    }
}

impl Output {
    pub(super) fn write(self, data: &Value, table: impl FnOnce(&Value) -> String) -> String {
        match self {
            Self::Json => format!("{data:#}\n"),
            Self::Table => table(data),
        }
    }

    /// An answer that may be cut, with a note if it is.
    pub(super) fn show(self, data: &Value, table: impl FnOnce(&Value) -> String) -> Shown {
        let is_cut = data["truncated"] == Value::Bool(true);
        let notes = if is_cut {
            "there are more; ask for a shorter time or a larger --limit\n"
        } else {
            ""
        };
        Shown {
            out: self.write(data, table),
            notes: notes.to_owned(),
        }
    }
}

/// The cells of a line.
pub(super) fn row<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.iter().map(|cell| plain(cell)).collect()
}

/// A text from outside, without what a terminal would obey.
pub(super) fn plain(text: &str) -> String {
    let shown = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    shown.collect()
}

/// A moment of the API, to the second; empty where there is none.
pub(super) fn moment(text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    let whole = text.split_once('.').map_or(text, |(whole, _)| whole);
    format!("{}Z", whole.trim_end_matches('Z').replace('T', " "))
}

/// The items of a list; none where it is no list.
pub(super) fn items(value: &Value) -> Vec<&Value> {
    value
        .as_array()
        .map(|items| items.iter().collect())
        .unwrap_or_default()
}

/// A text of an object; empty where there is none.
pub(super) fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}
