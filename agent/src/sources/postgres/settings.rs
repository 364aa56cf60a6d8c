//! How the source of one PostgreSQL instance is configured.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use wire::quantity::Period;

use crate::config::Problems;
use crate::sources::hidden::Hidden;
use crate::sources::http::RawTls;
use crate::sources::login::{RawLogin, Target, Usual};

/// One `[[postgres]]` section, as the file has it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawSettings {
    /// Where the instance is, as a URL (`postgresql://nightshift@db1:5432/postgres`) or as
    /// `key=value` words; without a password, which has its own settings below. Default: none.
    pub dsn: Option<Hidden>,
    /// Name of the environment variable that holds the DSN, which may then hold a password:
    /// `DATA_SOURCE_NAME` is what `postgres_exporter` uses. Default: none.
    pub dsn_env: Option<String>,
    /// Host name, address, or folder of the Unix socket. Wins over the DSN. Default:
    /// `/var/run/postgresql`.
    pub host: Option<String>,
    /// TCP port, or the number in the socket's name. Wins over the DSN. Default: 5432.
    pub port: Option<u16>,
    /// Role to connect as; a member of `pg_monitor`. Wins over the DSN. Default: `nightshift`.
    pub user: Option<String>,
    /// Database to connect to for what concerns the whole instance. `pg_stat_statements` is looked
    /// for there. Wins over the DSN. Default: `postgres`.
    pub dbname: Option<String>,
    /// What protects a connection over TCP, as libpq has it: `disable`, `prefer`, `require`,
    /// `verify-ca` or `verify-full`. Wins over the DSN. Default: `prefer`.
    pub sslmode: Option<String>,
    /// How to speak TLS. A `ca_file` here has the certificate and its name verified, as
    /// `verify-full` does.
    pub tls: RawTls,
    /// File that holds the password, read again at each login. Default: none.
    pub password_file: Option<PathBuf>,
    /// Name of the environment variable that holds the password. Default: none.
    pub password_env: Option<String>,
    /// Password file in libpq's format, looked into where no password is given. Default:
    /// `$PGPASSFILE`, else `~/.pgpass`.
    pub passfile: Option<PathBuf>,
    /// From one collection to the next. Default: `10s`.
    pub interval: Option<Period>,
    /// How long one collection may take. Default: `9s`, or nine tenths of `interval` where that is less.
    pub timeout: Option<Period>,
    /// From one collection of what lies in each database (tables, indexes, sequences) to the next.
    /// Default: `60s`.
    pub databases_interval: Option<Period>,
    /// Databases whose tables are not looked at. Default: none.
    pub exclude_databases: Vec<String>,
    /// How many statements of `pg_stat_statements` are given, those with most total time first;
    /// 0 turns them off. Default: 100.
    pub statements: Option<u32>,
    /// How many tables, and how many indexes, are given for each database, largest and busiest
    /// first; the rest is counted. Shared out where there are more than three databases. Default: 1000.
    pub tables: Option<u32>,
    /// Give series the shape that `postgres_exporter` 0.11 gave them: with the label `server`,
    /// sessions by database and state only, and its names beside today's. Default: false.
    pub legacy_names: bool,
}

/// One instance, validated.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where it is, and as whom to connect.
    pub target: Target,
    /// From one collection to the next.
    pub interval: Duration,
    /// How long one collection may take.
    pub timeout: Duration,
    /// The same for what lies in each database.
    pub databases_interval: Duration,
    /// How long one collection of that may take.
    pub databases_timeout: Duration,
    /// Databases whose tables are not looked at.
    pub exclude_databases: Vec<String>,
    /// How many statements are given.
    pub statements: u32,
    /// How many tables and indexes are given for each database.
    pub tables: u32,
    /// Whether series get the shape of 0.11.
    pub legacy_names: bool,
}

const MOST_STATEMENTS: u32 = 5_000;
const MOST_TABLES: u32 = 20_000;

impl RawSettings {
    /// Checks all of it, noting each problem.
    pub fn validate(mut self, problems: &mut Problems) -> Option<Settings> {
        let target = self.login().validate(Usual::POSTGRES, problems);
        let interval = period(problems, "interval", self.interval, 10);
        let usual = interval.mul_f64(0.9).min(Duration::from_secs(9));
        let timeout = self.timeout.map_or(usual, |period| period.0);
        if timeout.is_zero() {
            problems.add("timeout", "it is zero", "write a duration such as 9s");
        }
        let databases_interval =
            period(problems, "databases_interval", self.databases_interval, 60);
        let statements = at_most(
            problems,
            "statements",
            self.statements.unwrap_or(100),
            MOST_STATEMENTS,
        );
        let tables = at_most(
            problems,
            "tables",
            self.tables.unwrap_or(1_000),
            MOST_TABLES,
        );
        Some(Settings {
            target: target?,
            interval,
            timeout,
            databases_interval,
            databases_timeout: databases_interval.mul_f64(0.75),
            exclude_databases: self.exclude_databases,
            statements,
            tables,
            legacy_names: self.legacy_names,
        })
    }

    fn login(&mut self) -> RawLogin {
        RawLogin {
            dsn: self.dsn.take(),
            dsn_env: self.dsn_env.take(),
            host: self.host.take(),
            port: self.port,
            user: self.user.take(),
            dbname: self.dbname.take(),
            sslmode: self.sslmode.take(),
            password_file: self.password_file.take(),
            password_env: self.password_env.take(),
            passfile: self.passfile.take(),
            tls: std::mem::take(&mut self.tls),
        }
    }
}

impl Settings {
    /// The settings of an instance that discovery found, all defaults.
    #[must_use]
    pub fn of(target: Target) -> Self {
        let interval = Duration::from_secs(10);
        Self {
            target,
            interval,
            timeout: Duration::from_secs(9),
            databases_interval: Duration::from_secs(60),
            databases_timeout: Duration::from_secs(45),
            exclude_databases: Vec::new(),
            statements: 100,
            tables: 1_000,
            legacy_names: false,
        }
    }

    /// The `instance` label of its series: `db1:5432`.
    #[must_use]
    pub fn instance(&self, hostname: &str) -> String {
        self.target.instance(hostname)
    }
}

fn period(problems: &mut Problems, key: &str, set: Option<Period>, usual: u64) -> Duration {
    let period = set.map_or(Duration::from_secs(usual), |period| period.0);
    if period < Duration::from_secs(1) {
        problems.add(
            key,
            "it is shorter than a second, which would load the database for nothing",
            "write 1s or more",
        );
    }
    period
}

fn at_most(problems: &mut Problems, key: &str, value: u32, most: u32) -> u32 {
    if value > most {
        problems.add(
            key,
            format!("{value} would make more series than any collector wants"),
            format!("write at most {most}"),
        );
    }
    value.min(most)
}
