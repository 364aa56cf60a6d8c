//! `nightshift alerts`: what pends and fires now, and what came to pass.

mod standing;
mod table;

use std::time::Duration;

use clap::{Args, Subcommand};
use http::Method;

use super::asking::Asking;
use super::query::{Failure, Moment, Shown};

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
    /// Where it is asked, and how the answer is shown.
    #[command(flatten)]
    pub asking: Asking,
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

impl Alerts {
    /// Asks and shows; `now_ms` is what `now` means.
    pub fn run(&self, now_ms: i64) -> Result<Shown, Failure> {
        let collector = self.asking.asked.collector()?;
        let mut data = collector.get(&self.path(now_ms), PATIENCE)?;
        if self.command.is_none() {
            let standing = collector.v2(Method::GET, "alerts", None, PATIENCE)?;
            data = standing::joined(data, &standing);
        }
        Ok(self.asking.output.show(&data, |data| match &self.command {
            None => table::alerts(data, now_ms),
            Some(_) => table::history(data),
        }))
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
