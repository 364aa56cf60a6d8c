//! `nightshift incident`: which incidents there are, what came to pass of one, what people do with it,
//! and its post-mortem.

mod table;

use std::time::Duration;

use clap::{Args, Subcommand};
use incidents::incident::IncidentId;
use incidents::report::Format;

use super::asking::{Asked, Output};
use super::query::{Collector, Failure, Moment, Shown, encoded};

/// How long to wait for an answer; a post-mortem asks for some charts.
const PATIENCE: Duration = Duration::from_secs(120);

/// The options of `incident`.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes:
  0  it was answered, or done
  1  the collector cannot be reached, or not now
  2  the command line is wrong
  3  there is no such incident, or it is over and that cannot be done

Examples:
  nightshift incident list
  nightshift incident ack 12
  nightshift incident note 12 'set work_mem back and reloaded'
  nightshift incident export 12 -o html > incident-12.html")]
pub struct Incidents {
    /// What to do.
    #[command(subcommand)]
    pub command: Incident,
    /// Where the collector is.
    #[command(flatten)]
    pub asked: Asked,
}

/// What can be done with incidents.
#[derive(Debug, Subcommand)]
pub enum Incident {
    /// Those that are not over, the newest first.
    List {
        /// Those that are over, too
        #[arg(short, long)]
        all: bool,
        /// Only those that began since then: an age such as -7d, seconds since 1970, or RFC 3339
        #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
        from: Option<Moment>,
        /// The newest so many
        #[arg(long, value_name = "COUNT", default_value_t = 100)]
        limit: u32,
        /// How it is shown
        #[arg(short, long, value_name = "FORMAT", default_value = "table")]
        output: Output,
    },
    /// One incident with its alerts and everything that came to pass.
    Show {
        /// Its number.
        id: IncidentId,
        /// How it is shown
        #[arg(short, long, value_name = "FORMAT", default_value = "table")]
        output: Output,
    },
    /// Says that you look after it: nobody is told again or called while it does not get worse.
    Ack {
        /// Which, and who does it.
        #[command(flatten)]
        deed: Deed,
    },
    /// Writes something into its timeline.
    Note {
        /// Which, and who does it.
        #[command(flatten)]
        deed: Deed,
        /// What is written.
        #[arg(required = true)]
        text: Vec<String>,
    },
    /// Says that it is over. Its alerts are not ended by that.
    Resolve {
        /// Which, and who does it.
        #[command(flatten)]
        deed: Deed,
    },
    /// Says that it is not over after all.
    Reopen {
        /// Which, and who does it.
        #[command(flatten)]
        deed: Deed,
    },
    /// Says who has it.
    Assign {
        /// Which, and who does it.
        #[command(flatten)]
        deed: Deed,
        /// Who has it; nobody where nothing is given.
        person: Option<String>,
    },
    /// Writes the post-mortem to standard output.
    Export {
        /// Its number.
        id: IncidentId,
        /// md to be edited, html to be read, json with everything in it
        #[arg(short, long, value_name = "md|html|json", default_value_t = Format::Markdown)]
        output: Format,
    },
}

/// Something that a person does with an incident.
#[derive(Debug, Args)]
pub struct Deed {
    /// Its number.
    pub id: IncidentId,
    /// Who does it
    #[arg(long = "as", value_name = "NAME", env = "USER")]
    pub by: String,
    /// How what became of it is shown
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    pub output: Output,
}

impl Incidents {
    /// Asks or does, and shows; `now_ms` is what `now` means.
    pub fn run(&self, now_ms: i64) -> Result<Shown, Failure> {
        let collector = self.asked.collector()?;
        match &self.command {
            Incident::List {
                all,
                from,
                limit,
                output,
            } => {
                let state = if *all { "all" } else { "open" };
                let mut path = format!("/api/incidents?state={state}&limit={limit}");
                if let Some(from) = from {
                    path += &format!("&from={}", from.at(now_ms) as f64 / 1_000.0);
                }
                let data = collector.get(&path, PATIENCE)?;
                Ok(output.show(&data, table::list))
            }
            Incident::Show { id, output } => {
                let data = collector.get(&format!("/api/incidents/{id}"), PATIENCE)?;
                Ok(output.show(&data, table::one))
            }
            Incident::Ack { deed } => deed.carry_out(&collector, "ack", &[]),
            Incident::Note { deed, text } => {
                let text = text.join(" ");
                deed.carry_out(&collector, "note", &[("text", &text)])
            }
            Incident::Resolve { deed } => deed.carry_out(&collector, "resolve", &[]),
            Incident::Reopen { deed } => deed.carry_out(&collector, "reopen", &[]),
            Incident::Assign { deed, person } => {
                let person = person.as_deref().unwrap_or_default();
                deed.carry_out(&collector, "owner", &[("owner", person)])
            }
            Incident::Export { id, output } => {
                let format = encoded(&output.to_string());
                let path = format!("/api/incidents/{id}/export?format={format}");
                let body = collector.fetch(&path, PATIENCE)?;
                Ok(Shown {
                    out: String::from_utf8_lossy(&body).into_owned(),
                    notes: String::new(),
                })
            }
        }
    }
}

impl Deed {
    fn carry_out(
        &self,
        collector: &Collector,
        deed: &str,
        more: &[(&str, &str)],
    ) -> Result<Shown, Failure> {
        let path = format!("/api/incidents/{}/{deed}", self.id);
        let form = [&[("by", self.by.as_str())], more].concat();
        let data = collector.post(&path, &form, PATIENCE)?;
        Ok(self.output.show(&data, table::line))
    }
}
