//! The PostgreSQL check: a login as an application makes it and, where asked for, a write that is
//! committed as an application's would be.
//!
//! The write is one upsert of one row, so that the table never grows and standbys see it pass. A
//! probe that is late cancels what it asked for: a commit that waits for a synchronous standby
//! which is gone is bounded by no setting of the server, and must not leave a session behind with
//! every probe. The wait for a lock is bounded by `SET LOCAL`, which a pooler in transaction mode
//! keeps apart from other clients.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde::Deserialize;
use tokio_postgres::error::SqlState;
use wire::quantity::Period;

use crate::collect::Gather;
use crate::config::Problems;

use super::super::hidden::Hidden;
use super::super::http::RawTls;
use super::super::login::{RawLogin, Session, Target, Usual, reason};
use super::{Failure, late};

const TABLE: &str = "nightshift_probe";

/// A PostgreSQL probe as the configuration file has it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawPostgres {
    /// Where and as whom to log in, as a URL or as `key=value` words; without a password, which has
    /// its own settings below. No default.
    pub dsn: Hidden,
    /// File with the password, read again at each login. Default: none.
    pub password_file: Option<PathBuf>,
    /// Environment variable with the password. Default: none.
    pub password_env: Option<String>,
    /// How to speak TLS.
    #[serde(default)]
    pub tls: RawTls,
    /// The `instance` label of its series. Default: host, port and database.
    pub instance: Option<String>,
    /// From one probe to the next. Default: `15s`.
    pub interval: Option<Period>,
    /// How long a probe may take. Default: `8s`, or four fifths of a shorter interval.
    pub timeout: Option<Period>,
    /// Also write a row and commit it. Default: `false`.
    #[serde(default)]
    pub write: bool,
    /// The table to write to, with or without schema; made if it is not there and the user may.
    /// Default: `nightshift_probe`.
    pub table: Option<String>,
    /// The key of the row to write, which no other probe of that table may share. Default: this
    /// host's name.
    pub row: Option<String>,
}

/// A PostgreSQL probe that can be made.
#[derive(Clone, Debug)]
pub(super) struct Postgres {
    target: Target,
    write: Option<Write>,
}

/// The statements of a write.
#[derive(Clone, Debug)]
struct Write {
    create: String,
    upsert: String,
}

impl RawPostgres {
    pub(super) fn validate(self, problems: &mut Problems) -> Option<Postgres> {
        let raw = RawLogin {
            dsn: Some(self.dsn),
            password_file: self.password_file,
            password_env: self.password_env,
            tls: self.tls,
            ..RawLogin::default()
        };
        let target = raw.validate(Usual::POSTGRES, problems)?;
        if !self.write && (self.table.is_some() || self.row.is_some()) {
            let message = "table or row is set, but nothing is written";
            problems.add(
                "write",
                message,
                "set write = true, or remove table and row",
            );
            return None;
        }
        let table = quoted_table(self.table.as_deref().unwrap_or(TABLE), problems)?;
        let write = self.write.then(|| Write::new(&table, self.row));
        Some(Postgres { target, write })
    }
}

/// `schema.table`, each part quoted, so that the name can be nothing but a name.
fn quoted_table(table: &str, problems: &mut Problems) -> Option<String> {
    let parts: Vec<&str> = table.split('.').collect();
    let is_name = |part: &&str| !part.is_empty() && !part.contains('\0');
    if parts.len() > 2 || !parts.iter().all(is_name) {
        let message = format!("{table:?} is not a table's name");
        problems.add("table", message, "write table or schema.table");
        return None;
    }
    let quoted: Vec<String> = parts
        .iter()
        .map(|part| format!("\"{}\"", part.replace('"', "\"\"")))
        .collect();
    Some(quoted.join("."))
}

impl Write {
    fn new(table: &str, row: Option<String>) -> Self {
        let row = row.unwrap_or_else(host_name);
        // Quotes and backslashes both, for a server may have standard_conforming_strings off.
        let row = row
            .replace('\0', "")
            .replace('\\', "\\\\")
            .replace('\'', "''");
        Self {
            create: format!(
                "CREATE TABLE IF NOT EXISTS {table} \
                 (probe text PRIMARY KEY, written_at timestamptz NOT NULL, writes bigint NOT NULL)"
            ),
            upsert: format!(
                "INSERT INTO {table} AS t (probe, written_at, writes) VALUES (E'{row}', now(), 1) \
                 ON CONFLICT (probe) DO UPDATE \
                 SET written_at = excluded.written_at, writes = t.writes + 1; COMMIT"
            ),
        }
    }
}

/// This host's name, as the kernel has it.
fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim().to_owned()
}

impl Postgres {
    pub(super) fn target(&self) -> String {
        format!("{}/{}", self.target, self.target.dbname)
    }

    pub(super) async fn run(&self, bound: Duration, out: &mut Gather) -> Result<(), Failure> {
        // What is left of the bound is for cancelling.
        let work = bound.mul_f64(0.8);
        let began = Instant::now();
        let session = match tokio::time::timeout(work, Session::open(&self.target)).await {
            Err(_) => return Err(late(work)),
            Ok(session) => session.map_err(|error| {
                Failure::new(format!("{}: {}", error.message, error.detail)).fix(error.hint)
            })?,
        };
        let login = began.elapsed();
        let help = "How long it took until a session was ready.";
        out.gauge("probe_postgres_login_seconds", help)
            .value(login.as_secs_f64());
        let outcome = match &self.write {
            None => Ok(()),
            Some(write) => {
                let rest = work.saturating_sub(login);
                match tokio::time::timeout(rest, write.run(&session, rest)).await {
                    Ok(written) => written.map(|took| report(took, out)),
                    Err(_) => {
                        tokio::time::timeout(bound - work, session.cancel())
                            .await
                            .ok();
                        return Err(late(work));
                    }
                }
            }
        };
        // Taking leave keeps a line out of the server's log for every probe.
        tokio::time::timeout(bound - work, session.close())
            .await
            .ok();
        outcome
    }
}

fn report(took: Duration, out: &mut Gather) {
    let help = "How long writing a row and committing it took.";
    out.gauge("probe_postgres_write_seconds", help)
        .value(took.as_secs_f64());
}

impl Write {
    async fn run(&self, session: &Session, bound: Duration) -> Result<Duration, Failure> {
        match self.once(session, bound).await {
            Err(error) if error.code() == Some(&SqlState::UNDEFINED_TABLE) => {
                let made = session.rows(&format!("ROLLBACK; {}", self.create)).await;
                made.map_err(|error| self.failure(&error))?;
                let again = self.once(session, bound).await;
                again.map_err(|error| self.failure(&error))
            }
            outcome => outcome.map_err(|error| self.failure(&error)),
        }
    }

    async fn once(
        &self,
        session: &Session,
        bound: Duration,
    ) -> Result<Duration, tokio_postgres::Error> {
        let limit = bound.as_millis().max(1);
        let bounds = format!("BEGIN; SET LOCAL statement_timeout = {limit}");
        session.rows(&bounds).await?;
        let began = Instant::now();
        session.rows(&self.upsert).await?;
        Ok(began.elapsed())
    }

    fn failure(&self, error: &tokio_postgres::Error) -> Failure {
        let fix = match error.code() {
            Some(code) if *code == SqlState::READ_ONLY_SQL_TRANSACTION => {
                "the server is a standby, or read-only: probe its primary".to_owned()
            }
            Some(code)
                if *code == SqlState::UNDEFINED_TABLE
                    || *code == SqlState::INSUFFICIENT_PRIVILEGE =>
            {
                let create = &self.create;
                format!("as an owner: {create}; then GRANT SELECT, INSERT, UPDATE to the user")
            }
            _ => String::new(),
        };
        Failure::new(format!("cannot write: {}", reason(error))).fix(fix)
    }
}
