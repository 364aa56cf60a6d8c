//! `nightshift notify`: checks Alertmanager's configuration files and says to whom an alert goes,
//! without a collector.

use std::path::{Path, PathBuf};

use clap::{Subcommand, ValueEnum};
use notify::config::Config;
use notify::matcher::{Matcher, Op};
use notify::route::{GroupBy, Route};
use store::labels::Labels;
use wire::quantity::Period;

use super::query::columns;
use super::rules::Done;
use crate::alertmanager::Loaded;

/// What can be done with configuration files of notifications.
#[derive(Debug, Subcommand)]
pub enum Notify {
    /// Says everything that is wrong with configuration files, and what is in those that are right.
    ///
    /// Exit codes: 0 all are right, 1 one is wrong or cannot be read.
    Check {
        /// The files.
        #[arg(value_name = "FILE", required = true)]
        files: Vec<PathBuf>,
    },
    /// Says to whom an alert with these labels goes, and how.
    ///
    /// Exit codes: 0 it goes where it should, 1 it does not, or the file is wrong, 2 a label is none.
    #[command(after_help = "\
Examples:
  nightshift notify route alertmanager.yml severity=page team=db
  nightshift notify route alertmanager.yml severity=page --verify db-pager,log")]
    Route {
        /// The file.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// The alert's labels.
        #[arg(value_name = "LABEL=VALUE")]
        labels: Vec<String>,
        /// The receivers that it should go to, all of them, in the order of the file
        #[arg(long, value_name = "RECEIVERS", value_delimiter = ',')]
        verify: Vec<String>,
        /// How to say it
        #[arg(short, long, value_name = "FORMAT", default_value = "table")]
        output: RouteFormat,
    },
}

/// How routes are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RouteFormat {
    /// For people.
    Table,
    /// The names of receivers, parted by commas, as amtool writes them.
    Names,
}

/// A file is wrong, or an alert does not go where it should.
const WRONG: u8 = 1;
/// The command line is wrong.
const USAGE: u8 = 2;

impl Notify {
    /// Does what the command line says.
    #[must_use]
    pub fn run(&self, now_ms: i64) -> Done {
        match self {
            Self::Check { files } => {
                let mut done = Done::default();
                for file in files {
                    let (text, code) = check(file);
                    done.text.push_str(&text);
                    done.code = done.code.max(code);
                }
                done
            }
            Self::Route {
                file,
                labels,
                verify,
                output,
            } => {
                let (text, code) = match read(file, labels) {
                    Ok((config, labels)) => {
                        let routes = config.route.matches(&labels);
                        show(&config, &routes, (*output, now_ms), verify)
                    }
                    Err(wrong) => wrong,
                };
                Done { text, code }
            }
        }
    }
}

fn check(file: &Path) -> (String, u8) {
    let head = format!("Checking {}\n", file.display());
    match Loaded::read(file) {
        Ok(loaded) => {
            let notes = list("WARNING", &loaded.notes);
            (format!("{head}{notes}{}\n", found(&loaded)), 0)
        }
        Err(problems) => (format!("{head}{}\n", list("FAILED", &problems)), WRONG),
    }
}

fn list(head: &str, texts: &[String]) -> String {
    if texts.is_empty() {
        return String::new();
    }
    let texts = texts.iter().map(|text| text.replace('\n', "\n  ") + "\n");
    format!("  {head}:\n{}", texts.collect::<String>())
}

/// What is in a file that is right.
fn found(loaded: &Loaded) -> String {
    let config = &loaded.config;
    let routes = config.route.all();
    let count = |count: usize, what: &str| {
        let plural = if count == 1 { "" } else { "s" };
        format!("{count} {what}{plural}")
    };
    let counts = [
        count(routes.len(), "route"),
        count(config.receivers.len(), "receiver"),
        count(config.inhibit.len(), "inhibit rule"),
        count(config.intervals.len(), "time interval"),
        count(loaded.files.len(), "template file"),
    ];
    let mut rows = vec![
        ["RECEIVER", "TOLD BY", "ROUTES"]
            .map(str::to_owned)
            .to_vec(),
    ];
    for receiver in &config.receivers {
        let ways = receiver.integrations.iter();
        let ways: Vec<_> = ways.map(|way| way.id.kind.name()).collect();
        let leading = routes
            .iter()
            .filter(|route| route.receiver == receiver.name);
        rows.push(vec![
            receiver.name.clone(),
            if ways.is_empty() {
                "nothing".to_owned()
            } else {
                ways.join(", ")
            },
            leading.count().to_string(),
        ]);
    }
    let table = columns(&rows).replace('\n', "\n  ");
    format!(
        "  SUCCESS: {}\n\n  {}",
        counts.join(", "),
        table.trim_end_matches(' ')
    )
}

/// The file and the alert's labels.
fn read(file: &Path, labels: &[String]) -> Result<(Config, Labels), (String, u8)> {
    let mut pairs = Vec::with_capacity(labels.len());
    for label in labels {
        let matcher = Matcher::parse(label).map(|(matcher, _)| matcher);
        match matcher {
            Ok(matcher) if matcher.op() == Op::Equal => pairs.push(matcher),
            Ok(_) => return Err((format!("{label}: expected LABEL=VALUE\n"), USAGE)),
            Err(wrong) => return Err((format!("{label}: {wrong}\n"), USAGE)),
        }
    }
    let labels = Labels::from_pairs(pairs.iter().map(|pair| (pair.name(), pair.value())));
    let loaded = Loaded::read(file);
    let loaded = loaded.map_err(|problems| (list("FAILED", &problems), WRONG))?;
    Ok((loaded.config, labels))
}

fn show(
    config: &Config,
    routes: &[&Route],
    (output, now_ms): (RouteFormat, i64),
    verify: &[String],
) -> (String, u8) {
    let receivers: Vec<_> = routes.iter().map(|route| route.receiver.as_str()).collect();
    let names = receivers.join(",");
    let mut text = match output {
        RouteFormat::Names => format!("{names}\n"),
        RouteFormat::Table => table(config, routes, now_ms),
    };
    if verify.is_empty() || receivers == verify {
        return (text, 0);
    }
    let expected = verify.join(",");
    text.push_str(&format!("\nexpected {expected}, got {names}\n"));
    (text, WRONG)
}

fn table(config: &Config, routes: &[&Route], now_ms: i64) -> String {
    const HEAD: [&str; 7] = [
        "RECEIVER",
        "GROUPED BY",
        "WAIT",
        "INTERVAL",
        "REPEAT",
        "MUTED NOW BY",
        "ROUTE",
    ];
    let mut rows = vec![HEAD.map(str::to_owned).to_vec()];
    for route in routes {
        let group_by = match &route.group_by {
            GroupBy::All => "each alone".to_owned(),
            GroupBy::Labels(names) if names.is_empty() => "all together".to_owned(),
            GroupBy::Labels(names) => names.join(", "),
        };
        let muted = route.muted_by(&config.intervals, now_ms);
        rows.push(vec![
            route.receiver.clone(),
            group_by,
            Period(route.group_wait).to_string(),
            Period(route.group_interval).to_string(),
            Period(route.repeat_interval).to_string(),
            if muted.is_empty() {
                "-".to_owned()
            } else {
                muted.join(", ")
            },
            route.key().to_owned(),
        ]);
    }
    columns(&rows)
}

#[cfg(test)]
mod tests;
