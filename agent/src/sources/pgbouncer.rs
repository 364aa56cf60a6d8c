//! The pgbouncer source: one PgBouncer, by its admin console.
//!
//! The console is a database called `pgbouncer` that knows `SHOW` and the simple protocol, and
//! refuses startup options, so that none are sent. One session is kept between collections.
//! Names and labels are pgbouncer_exporter's.

use std::path::PathBuf;

use serde::Deserialize;
use tokio_postgres::SimpleQueryRow;
use wire::metric::Label;
use wire::quantity::Period;

use crate::collect::{Gather, Source, SourceError};
use crate::config::Problems;

use super::hidden::Hidden;
use super::http::RawTls;
use super::login::{RawLogin, Session, Target, Usual, reason};
use super::pace::Pace;
use columns::{CONFIG, Column, LISTS, TABLES, Table};
pub use discovery::{Candidate, discover};

mod columns;
mod discovery;

/// The `job` label that users of pgbouncer_exporter set.
pub const JOB: &str = "pgbouncer-exporter";

const USUAL: Pace = Pace::usual(10);
const PORT: u16 = 6432;
const CONSOLE: &str = "pgbouncer";

/// A PgBouncer as the configuration file has it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawSettings {
    /// Where and as whom to log in: `host=127.0.0.1 port=6432 user=stats`, or the same as a URL;
    /// without a password, which has its own settings below. The user must be in `stats_users` or `admin_users`. No default.
    pub dsn: Hidden,
    /// File with the password, read again at each login. Default: none.
    pub password_file: Option<PathBuf>,
    /// Environment variable with the password. Default: none.
    pub password_env: Option<String>,
    /// How to speak TLS.
    #[serde(default)]
    pub tls: RawTls,
    /// From one collection to the next. Default: `10s`.
    pub interval: Option<Period>,
    /// How long a collection may take. Default: `8s`, or four fifths of a shorter interval.
    pub timeout: Option<Period>,
}

/// A PgBouncer that can be read.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How often, and for how long.
    pub pace: Pace,
    target: Target,
}

/// Reads one PgBouncer.
#[derive(Debug)]
pub struct Pgbouncer {
    settings: Settings,
    session: Option<Session>,
}

impl RawSettings {
    /// Checks the settings and reads the password.
    pub fn validate(self, problems: &mut Problems) -> Option<Settings> {
        let pace = Pace::validate(self.interval, self.timeout, USUAL, problems);
        let raw = RawLogin {
            dsn: Some(self.dsn),
            password_file: self.password_file,
            password_env: self.password_env,
            tls: self.tls,
            ..RawLogin::default()
        };
        let usual = Usual {
            port: PORT,
            dbname: CONSOLE,
        };
        let target = raw.validate(usual, problems)?;
        if target.options.is_some() {
            let message = "the DSN has options, which PgBouncer refuses";
            problems.add("dsn", message, "remove options from the DSN");
            return None;
        }
        if target.dbname != CONSOLE {
            let message = "the DSN names another database than the admin console";
            problems.add("dsn", message, "remove the database, or write pgbouncer");
            return None;
        }
        Some(Settings {
            pace: pace?,
            target,
        })
    }
}

impl Settings {
    /// The `instance` label: where it listens.
    #[must_use]
    pub fn instance(&self) -> String {
        self.target.to_string()
    }
}

impl Pgbouncer {
    /// A source for those settings.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            session: None,
        }
    }

    /// The `instance` label of its series.
    #[must_use]
    pub fn instance(&self) -> String {
        self.settings.instance()
    }

    /// Logs in if need be, reads all, and keeps the session if it still lives. A session is taken
    /// out while it is used, so that a collection that was dropped half-way leaves none behind.
    async fn read(&mut self, out: &mut Gather) -> Result<(), SourceError> {
        let kept = self.session.take().filter(|session| !session.has_ended());
        let session = match kept {
            Some(session) => session,
            None => Session::open(&self.settings.target).await?,
        };
        let reader = Reader {
            session: &session,
            address: self.settings.target.to_string(),
        };
        reader.version(out).await?;
        for table in TABLES {
            reader.table(table, out).await?;
        }
        reader.list("LISTS", LISTS, out).await?;
        reader.list("CONFIG", CONFIG, out).await?;
        self.session = Some(session);
        Ok(())
    }
}

impl Source for Pgbouncer {
    async fn collect(&mut self, out: &mut Gather) -> Result<(), SourceError> {
        let bound = self.settings.pace.own_bound();
        let outcome = match tokio::time::timeout(bound, self.read(out)).await {
            Ok(outcome) => outcome,
            Err(_) => {
                let (address, waited) = (self.instance(), Period(bound));
                let message = format!("PgBouncer at {address} did not answer within {waited}");
                Err(SourceError::new(message))
            }
        };
        let up = f64::from(u8::from(outcome.is_ok()));
        out.gauge("pgbouncer_up", "Whether PgBouncer could be read.")
            .value(up);
        outcome
    }
}

struct Reader<'a> {
    session: &'a Session,
    address: String,
}

impl Reader<'_> {
    /// The rows of one `SHOW`. One that is refused leaves a gap; a broken session is an error.
    async fn show(&self, what: &str, out: &mut Gather) -> Result<Vec<SimpleQueryRow>, SourceError> {
        match self.session.rows(&format!("SHOW {what};")).await {
            Ok(rows) => Ok(rows),
            Err(error) if error.as_db_error().is_some() && !self.session.has_ended() => {
                let fix = "add the user to stats_users in pgbouncer.ini";
                out.gap(format!("SHOW {what}"), reason(&error), fix);
                Ok(Vec::new())
            }
            Err(error) => {
                let message = format!("PgBouncer at {} ended the session", self.address);
                Err(SourceError::new(message).detail(reason(&error)))
            }
        }
    }

    async fn version(&self, out: &mut Gather) -> Result<(), SourceError> {
        for row in self.show("VERSION", out).await? {
            if let Ok(Some(version)) = row.try_get(0) {
                out.gauge("pgbouncer_version_info", "The version, as a label.")
                    .with([("version", version.to_owned())], 1.0);
            }
        }
        Ok(())
    }

    async fn table(&self, table: &Table, out: &mut Gather) -> Result<(), SourceError> {
        for row in self.show(table.show, out).await? {
            let labels: Vec<Label> = table
                .labels
                .iter()
                .filter_map(|name| Some(Label::new(*name, text(&row, name)?.to_owned())))
                .collect();
            for column in table.columns {
                if let Some(value) = number(&row, table.show, column, out) {
                    out.family(column.metric, column.help, column.kind)
                        .point(labels.clone(), value);
                }
            }
            // Whole seconds in one column, the rest in another.
            if let (Some(seconds), rest) = (text(&row, "maxwait"), text(&row, "maxwait_us")) {
                let rest: f64 = rest.and_then(|rest| rest.parse().ok()).unwrap_or(0.0);
                if let Ok(seconds) = seconds.parse::<f64>() {
                    let help = "For how long the oldest waiting client has waited.";
                    out.gauge("pgbouncer_pools_client_maxwait_seconds", help)
                        .point(labels, seconds + rest * 1e-6);
                }
            }
        }
        Ok(())
    }

    /// A `SHOW` that gives a row a number: name first, value second.
    async fn list(
        &self,
        what: &str,
        wanted: &[(&str, &'static str, &'static str)],
        out: &mut Gather,
    ) -> Result<(), SourceError> {
        for row in self.show(what, out).await? {
            let (Ok(Some(name)), Ok(Some(value))) = (row.try_get(0), row.try_get(1)) else {
                continue;
            };
            let Some((_, metric, help)) = wanted.iter().find(|(list, _, _)| *list == name) else {
                continue;
            };
            match value.parse() {
                Ok(value) => {
                    out.gauge(*metric, *help).value(value);
                }
                Err(_) => out.gap(format!("{what}.{name}"), "not a number", ""),
            }
        }
        Ok(())
    }
}

/// The text of a column; nothing where the version has no such column, or it is null or empty.
fn text<'a>(row: &'a SimpleQueryRow, name: &str) -> Option<&'a str> {
    let place = row
        .columns()
        .iter()
        .position(|column| column.name() == name)?;
    row.try_get(place).ok()?.filter(|text| !text.is_empty())
}

fn number(row: &SimpleQueryRow, show: &str, column: &Column, out: &mut Gather) -> Option<f64> {
    let text = text(row, column.column)?;
    match text.parse::<f64>() {
        Ok(value) => Some(value * column.scale),
        Err(_) => {
            out.gap(format!("{show}.{}", column.column), "not a number", "");
            None
        }
    }
}

#[cfg(test)]
mod tests;
