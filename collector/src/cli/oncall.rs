//! `nightshift oncall`: who is on call, who will be, and what is wrong with a file that says it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};
use incidents::oncall::OnCall;
use serde_json::Value;

use super::asking::{Asking, items, moment, row, text};
use super::query::{Failure, Shown, columns};
use super::rules::Done;
use crate::alertmanager::Loaded;
use crate::api::oncall_told;

/// How long to wait for an answer: it is not computed, only looked up.
const PATIENCE: Duration = Duration::from_secs(30);

/// Days that `oncall` and `oncall check` look ahead for.
const A_WEEK: u32 = 7;

/// The options of `oncall`.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes:
  0  it was answered; of `check`, the file is right
  1  the collector cannot be reached; of `check`, the file is wrong
  2  the command line is wrong

Examples:
  nightshift oncall
  nightshift oncall show --days 30
  nightshift oncall check oncall.yml --notify alertmanager.yml")]
pub struct Oncall {
    /// What else than who is on call now.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Where it is asked, and how the answer is shown.
    #[command(flatten)]
    pub asking: Asking,
}

/// What else can be asked.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Who is on call on the next days.
    Show {
        /// How many days
        #[arg(long, value_name = "COUNT", default_value_t = A_WEEK)]
        days: u32,
    },
    /// Says everything that is wrong with a file, without a collector; of one that is right, who is on
    /// call on the next days.
    Check {
        /// The file.
        file: PathBuf,
        /// An Alertmanager configuration, whose receivers people must have
        #[arg(long, value_name = "FILE")]
        notify: Option<PathBuf>,
    },
}

/// What `oncall` gives: an answer, or a verdict.
#[derive(Debug)]
pub enum Told {
    /// An answer of the collector.
    Answer(Result<Shown, Failure>),
    /// What was found of a file.
    Verdict(Done),
}

impl Oncall {
    /// Does what the command line says.
    #[must_use]
    pub fn run(&self, now_ms: i64) -> Told {
        match &self.command {
            None => Told::Answer(self.ask(A_WEEK, now)),
            Some(Command::Show { days }) => Told::Answer(self.ask(*days, days_ahead)),
            Some(Command::Check { file, notify }) => {
                Told::Verdict(self.check(file, notify.as_deref(), now_ms))
            }
        }
    }

    fn ask(&self, days: u32, table: impl FnOnce(&Value) -> String) -> Result<Shown, Failure> {
        let collector = self.asking.asked.collector()?;
        let data = collector.get(&format!("/api/oncall?days={days}"), PATIENCE)?;
        Ok(Shown {
            out: self.asking.output.write(&data, table),
            notes: String::new(),
        })
    }

    fn check(&self, file: &Path, notify: Option<&Path>, now_ms: i64) -> Done {
        let wrong = |text: String| Done { text, code: 1 };
        let receivers = match notify.map(Loaded::read) {
            None => None,
            Some(Ok(loaded)) => {
                let receivers = loaded.config.receivers.into_iter();
                Some(receivers.map(|receiver| receiver.name).collect())
            }
            Some(Err(problems)) => return wrong(format!("{}\n", problems.join("\n"))),
        };
        let name = file.display().to_string();
        let bytes = match std::fs::read(file) {
            Ok(bytes) => bytes,
            Err(error) => return wrong(format!("{name}: cannot be read: {error}\n")),
        };
        match OnCall::parse(&bytes, receivers.as_ref()) {
            Ok(on_call) => {
                let told = oncall_told(&on_call, now_ms, i64::from(A_WEEK));
                let (people, policies) = (on_call.people.len(), on_call.policies.len());
                let text = self.asking.output.write(&told, |told| {
                    let days = days_ahead(told);
                    format!("{name}: ok, {people} people, {policies} policies\n\n{days}")
                });
                Done { text, code: 0 }
            }
            Err(problems) => {
                let told: Vec<String> = problems.iter().map(|one| one.in_file(&name)).collect();
                wrong(format!("{}\n", told.join("\n")))
            }
        }
    }
}

/// Who is on call.
fn now(data: &Value) -> String {
    let schedules = items(&data["schedules"]);
    if schedules.is_empty() {
        return "no schedules\n".to_owned();
    }
    let mut rows = vec![row(["SCHEDULE", "ON CALL", "UNTIL", "BY", "REACHED BY"])];
    for schedule in schedules {
        let receivers = items(&schedule["receivers"]);
        let receivers: Vec<&str> = receivers.into_iter().filter_map(Value::as_str).collect();
        rows.push(row([
            text(schedule, "schedule"),
            person(schedule),
            &moment(text(schedule, "until")),
            text(schedule, "by"),
            &receivers.join(", "),
        ]));
    }
    columns(&rows)
}

/// Who is on call on the next days.
fn days_ahead(data: &Value) -> String {
    let mut rows = vec![row(["SCHEDULE", "ON CALL", "FROM", "TO", "BY"])];
    for schedule in items(&data["schedules"]) {
        for shift in items(&schedule["shifts"]) {
            rows.push(row([
                text(schedule, "schedule"),
                person(shift),
                &moment(text(shift, "from")),
                &moment(text(shift, "to")),
                text(shift, "by"),
            ]));
        }
    }
    if rows.len() == 1 {
        return "no schedules\n".to_owned();
    }
    columns(&rows)
}

fn person(value: &Value) -> &str {
    match text(value, "person") {
        "" => "nobody",
        person => person,
    }
}

#[cfg(test)]
mod tests;
