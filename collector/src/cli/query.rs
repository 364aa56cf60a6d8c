//! `nightshift query`: asks a running collector and shows the answer in a terminal or to a script.
//!
//! The expression is read here first, so that a mistake is shown at its place without a collector.

mod answer;
mod canvas;
mod client;
mod csv;
mod failure;
mod graph;
mod moment;
mod table;

use std::io::IsTerminal;
use std::time::Duration;

use clap::{Args, ValueEnum};
use query::promql;
use wire::quantity::Period;

use answer::Answer;
use graph::Paint;

use super::asking::Asked;

pub use client::Collector;
pub(super) use client::encoded;
pub use failure::Failure;
pub use moment::Moment;
pub(super) use table::columns;

/// How many points a series has where nobody names a step and nothing is drawn.
const POINTS: u64 = 60;

/// The width of what is not a terminal.
const WIDTH: usize = 100;

/// The options of `query`.
#[derive(Debug, Args)]
#[command(after_help = "\
Times are `now`, an age such as -1h or -2d, seconds since 1970, or RFC 3339; shown times are UTC.

Exit codes:
  0  it was answered, with or without series
  1  the collector cannot be reached, or not now: it starts, or has too many queries
  2  the command line or the expression is wrong
  3  the query met a limit, took too long, or has no answer

Examples:
  nightshift query 'up == 0'
  nightshift query 'rate(pg_stat_database_xact_commit[5m])' --from -6h -o graph
  nightshift query pg_up --from -1d --to now --step 5m -o csv > up.csv")]
pub struct Query {
    /// What is asked, in PromQL.
    pub expr: String,
    /// Asks for one moment [default: now]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, conflicts_with_all = ["from", "to", "step"])]
    pub at: Option<Moment>,
    /// Asks for a range of time that begins here
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub from: Option<Moment>,
    /// Where the range ends [default: now]
    #[arg(
        long,
        value_name = "TIME",
        allow_hyphen_values = true,
        requires = "from"
    )]
    pub to: Option<Moment>,
    /// From one point of the range to the next [default: what fits the output]
    #[arg(long, value_name = "DURATION", requires = "from")]
    pub step: Option<Period>,
    /// How the answer is shown; a graph without --from is of the last hour
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    pub output: Output,
    /// Where the collector is.
    #[command(flatten)]
    pub asked: Asked,
    /// How long to wait for the answer
    #[arg(long, value_name = "DURATION", default_value = "2m")]
    pub timeout: Period,
}

/// How an answer is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// Aligned for people.
    Table,
    /// The API's data as it came.
    Json,
    /// A line for each value, for spreadsheets.
    Csv,
    /// Drawn in the terminal.
    Graph,
}

/// What is written where.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Shown {
    /// The answer.
    pub out: String,
    /// What is to be said about it.
    pub notes: String,
}

/// Which times are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Span {
    At(i64),
    Range {
        from_ms: i64,
        to_ms: i64,
        step: Duration,
    },
}

impl Query {
    /// Asks and shows; `now_ms` is what `now` means.
    pub fn run(&self, now_ms: i64) -> Result<Shown, Failure> {
        promql::parse(&self.expr).map_err(|wrong| Failure::expression(&self.expr, &wrong))?;
        let paint = self.paint();
        let span = self.span(now_ms, paint.width)?;
        let collector = self.asked.collector()?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::unreachable(format!("cannot start: {error}")))?;
        let body = runtime.block_on(collector.ask(&self.expr, span, self.timeout.0))?;
        let answer = Answer::parse(&body)?;
        Ok(Shown {
            out: match self.output {
                Output::Json => answer.json(),
                Output::Csv => csv::write(&answer.result),
                Output::Table => table::write(&answer.result),
                Output::Graph => graph::draw(&answer.result, span, paint),
            },
            notes: answer.notes(),
        })
    }

    fn span(&self, now_ms: i64, width: usize) -> Result<Span, Failure> {
        let hour_ago = Moment::Ago(Duration::from_secs(3600));
        let from = match (self.from, self.output) {
            (Some(from), _) => from,
            (None, Output::Graph) => hour_ago,
            (None, _) => return Ok(Span::At(self.at.unwrap_or(Moment::NOW).at(now_ms))),
        };
        let to = self.to.or(self.at).unwrap_or(Moment::NOW);
        let (from_ms, to_ms) = match (self.from, self.at) {
            // A graph of the hour before a moment.
            (None, Some(at)) => (from.at(at.at(now_ms)), at.at(now_ms)),
            _ => (from.at(now_ms), to.at(now_ms)),
        };
        if to_ms < from_ms {
            return Err(Failure::usage("--to is before --from"));
        }
        let points = match self.output {
            Output::Graph => width as u64,
            _ => POINTS,
        };
        let step = match self.step {
            Some(Period(Duration::ZERO)) => return Err(Failure::usage("--step is nothing")),
            Some(Period(step)) => step,
            None => moment::step_for(to_ms.abs_diff(from_ms), points),
        };
        Ok(Span::Range {
            from_ms,
            to_ms,
            step,
        })
    }

    fn paint(&self) -> Paint {
        let out = std::io::stdout();
        let size = terminal_size::terminal_size_of(&out);
        let is_plain = std::env::var_os("NO_COLOR").is_some_and(|said| !said.is_empty());
        Paint {
            width: size.map_or(WIDTH, |(width, _)| usize::from(width.0)),
            height: size
                .map_or(20, |(_, height)| usize::from(height.0) / 2)
                .clamp(8, 24),
            colour: out.is_terminal() && !is_plain,
        }
    }
}
