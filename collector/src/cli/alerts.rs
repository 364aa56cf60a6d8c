//! `nightshift alerts`: what pends and fires now, and what came to pass.

mod standing;
mod table;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use http::Method;
use serde_json::Value;

use super::query::{Collector, Failure, Moment, Shown};

/// How long to wait for an answer: it is not computed, only looked up.
const PATIENCE: Duration = Duration::from_secs(30);

/// The options of `alerts`.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes:
  0  it was answered, with or without alerts
  1  the collector cannot be reached, or not now
  2  the command line is wrong

Examples:
  nightshift alerts
  nightshift alerts history --from -1d
  nightshift alerts -o json | jq '.alerts[].labels'")]
pub struct Alerts {
    /// What else than what pends and fires now.
    #[command(subcommand)]
    pub command: Option<History>,
    /// How it is shown
    #[arg(
        short,
        long,
        value_name = "FORMAT",
        default_value = "table",
        global = true
    )]
    pub output: Output,
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

/// What else there is to show.
#[derive(Debug, Subcommand)]
pub enum History {
    /// Every transition, newest last.
    History {
        /// Where it begins: an age such as -1d, seconds since 1970, or RFC 3339
        #[arg(
            long,
            value_name = "TIME",
            allow_hyphen_values = true,
            default_value = "-1d"
        )]
        from: Moment,
        /// Where it ends
        #[arg(
            long,
            value_name = "TIME",
            allow_hyphen_values = true,
            default_value = "now"
        )]
        to: Moment,
        /// Only of alerts with such labels
        #[arg(long = "match", value_name = "SELECTOR")]
        selectors: Vec<String>,
        /// The newest so many
        #[arg(long, value_name = "COUNT", default_value_t = 1_000)]
        limit: u32,
    },
}

/// How an answer is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// Aligned for people.
    Table,
    /// The API's data as it came.
    Json,
}

impl Alerts {
    /// Asks and shows; `now_ms` is what `now` means.
    pub fn run(&self, now_ms: i64) -> Result<Shown, Failure> {
        let collector = Collector::parse(&self.collector, self.ca_file.as_deref())?;
        let mut data = collector.get(&self.path(now_ms), PATIENCE)?;
        if self.command.is_none() {
            let standing = collector.v2(Method::GET, "alerts", None, PATIENCE)?;
            data = standing::joined(data, &standing);
        }
        let out = match (self.output, &self.command) {
            (Output::Json, _) => format!("{data:#}\n"),
            (Output::Table, None) => table::alerts(&data, now_ms),
            (Output::Table, Some(_)) => table::history(&data),
        };
        let is_cut = data["truncated"] == Value::Bool(true);
        let notes = if is_cut {
            "there are more; ask for a shorter time or a larger --limit\n"
        } else {
            ""
        };
        Ok(Shown {
            out,
            notes: notes.to_owned(),
        })
    }

    fn path(&self, now_ms: i64) -> String {
        let Some(History::History {
            from,
            to,
            selectors,
            limit,
        }) = &self.command
        else {
            return "/api/v1/alerts".to_owned();
        };
        let at = |moment: &Moment| moment.at(now_ms) as f64 / 1_000.0;
        let mut path = format!(
            "/api/alerts/history?from={}&to={}&limit={limit}",
            at(from),
            at(to)
        );
        for selector in selectors {
            path += &format!("&match[]={}", super::query::encoded(selector));
        }
        path
    }
}
