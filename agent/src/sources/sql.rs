//! The sql source: an operator's own queries, from files in postgres_exporter's format.
//!
//! This is how an audit table becomes a freshness alert. Owns the settings, one session a database
//! and the results that are given again for a while; the files are [`file`]'s, the meaning of rows
//! [`result`]'s. Each query runs in a read-only transaction of its own with a bound on its time
//! and on its wait for locks, set with `SET LOCAL`, which a pooler keeps apart from others. A
//! query that fails is a gap, and the others go on; a database that cannot be reached is one too,
//! unless all of them are.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use futures::{StreamExt, TryStreamExt};
use serde::Deserialize;
use tokio_postgres::{SimpleQueryMessage, SimpleQueryRow};
use wire::metric::Family;
use wire::quantity::Period;

use crate::collect::{Gather, Source, SourceError};
use crate::config::Problems;

use super::hidden::Hidden;
use super::http::RawTls;
use super::login::{RawLogin, Session, Target, Usual, reason};
use super::pace::Pace;
use file::{Query, Scope};
use version::Version;

mod file;
mod result;
mod statement;
mod value;
mod version;

/// The `job` label where the file names none.
pub const JOB: &str = "sql-exporter";

/// Queries of one's own look at slow things, and a file has many of them.
const USUAL: Pace = Pace {
    interval: Duration::from_secs(60),
    timeout: Duration::from_secs(45),
};

/// How long one query may take on the server.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long it may wait for a lock, queueing others behind it.
const LOCK_TIMEOUT: Duration = Duration::from_secs(2);
/// What a network needs on top, before a server that says nothing is given up.
const NETWORK: Duration = Duration::from_secs(1);
/// A query that gives more rows was not meant to; each row is a series or several.
const MAX_ROWS: usize = 5_000;

/// Queries as the configuration file has them.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawSettings {
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
    /// Databases to run queries in beside the DSN's own. Default: none.
    #[serde(default)]
    pub databases: Vec<String>,
    /// Files with queries. No default.
    pub files: Vec<PathBuf>,
    /// The `job` label of its series. Default: `sql-exporter`.
    pub job: Option<String>,
    /// The `instance` label of its series. Default: host and port of the DSN, with this host's name
    /// for a server that runs on it.
    pub instance: Option<String>,
    /// From one collection to the next. Default: `60s`.
    pub interval: Option<Period>,
    /// How long a collection may take. Default: `45s`, or four fifths of a shorter interval.
    pub timeout: Option<Period>,
    /// The most rows taken from one query. Default: 5000.
    pub max_rows: Option<usize>,
}

/// Queries that can be run.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How often, and for how long.
    pub pace: Pace,
    /// The `job` label.
    pub job: String,
    instance: Option<String>,
    target: Target,
    /// The DSN's own first.
    databases: Vec<String>,
    queries: Vec<Query>,
    max_rows: usize,
}

/// Runs an operator's queries.
#[derive(Debug)]
pub struct Sql {
    settings: Settings,
    sessions: HashMap<String, Open>,
    /// Results by database and namespace.
    kept: HashMap<(String, String), Kept>,
}

#[derive(Debug)]
struct Open {
    session: Session,
    version: Version,
}

#[derive(Debug)]
struct Kept {
    since: Instant,
    families: Vec<Family>,
}

impl RawSettings {
    /// Checks the settings, and reads the password and the files.
    pub fn validate(self, problems: &mut Problems) -> Option<Settings> {
        let pace = Pace::validate(self.interval, self.timeout, USUAL, problems);
        let raw = RawLogin {
            dsn: Some(self.dsn),
            password_file: self.password_file,
            password_env: self.password_env,
            tls: self.tls,
            ..RawLogin::default()
        };
        let target = raw.validate(Usual::POSTGRES, problems);
        let queries = queries(&self.files, problems);
        let target = target?;
        let mut databases = vec![target.dbname.clone()];
        for database in self.databases {
            if !databases.contains(&database) {
                databases.push(database);
            }
        }
        Some(Settings {
            pace: pace?,
            job: self.job.unwrap_or_else(|| JOB.to_owned()),
            instance: self.instance,
            target,
            databases,
            queries: queries?,
            max_rows: self.max_rows.unwrap_or(MAX_ROWS),
        })
    }
}

fn queries(files: &[PathBuf], problems: &mut Problems) -> Option<Vec<Query>> {
    let mut queries: Vec<Query> = Vec::new();
    let mut is_whole = true;
    for (place, path) in files.iter().enumerate() {
        let key = format!("files[{place}]");
        let Some(read) = file::read(path, &key, problems) else {
            is_whole = false;
            continue;
        };
        for query in read {
            if queries
                .iter()
                .any(|other| other.namespace == query.namespace)
            {
                let (path, namespace) = (path.display(), &query.namespace);
                let message = format!("{path}: {namespace}: another file has it too");
                problems.add(&key, message, "rename one of the two");
                is_whole = false;
            }
            queries.push(query);
        }
    }
    if files.is_empty() {
        problems.add("files", "no file is named", "name a file with queries");
        is_whole = false;
    }
    is_whole.then_some(queries)
}

impl Settings {
    /// The `instance` label: as that of the postgres source for the same server, where the file
    /// names none.
    #[must_use]
    pub fn instance(&self, host_name: &str) -> String {
        let named = self.instance.clone();
        named.unwrap_or_else(|| self.target.instance(host_name))
    }
}

impl Sql {
    /// A source for those settings.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            sessions: HashMap::new(),
            kept: HashMap::new(),
        }
    }

    /// Runs what is to run in one database. The session is taken out while it is used, so that a
    /// collection that was dropped half-way leaves none behind that is out of step.
    async fn database(&mut self, place: usize, out: &mut Gather) -> Result<(), SourceError> {
        let database = self.settings.databases[place].clone();
        let is_own = place == 0;
        let open = match self.sessions.remove(&database) {
            Some(open) if !open.session.has_ended() => open,
            _ => self.open(&database).await?,
        };
        let named = (self.settings.databases.len() > 1).then_some(database.as_str());
        for number in 0..self.settings.queries.len() {
            let query = &self.settings.queries[number];
            let is_here = is_own || query.scope == Scope::EveryDatabase;
            let is_for_version = query.versions.as_ref();
            if !is_here || !is_for_version.is_none_or(|range| range.holds(open.version)) {
                continue;
            }
            let key = (database.clone(), query.namespace.clone());
            if let Some(kept) = self
                .kept
                .get(&key)
                .filter(|kept| kept.since.elapsed() < query.keep)
            {
                give(kept.families.clone(), out);
                continue;
            }
            let rows = match run(&open.session, query, self.settings.max_rows).await {
                Ok(rows) => rows,
                Err(Broken::Query(why)) => {
                    out.gap(label(&query.namespace, named), why, "run the query in psql");
                    continue;
                }
                Err(Broken::Session(why)) => {
                    let message = format!("lost the session during {}", query.namespace);
                    return Err(SourceError::new(message).detail(why));
                }
            };
            let label = named.filter(|_| query.scope == Scope::EveryDatabase);
            let mut gathered = Gather::default();
            result::gather(query, &rows, label, &mut gathered);
            let (families, gaps) = gathered.finish();
            for gap in gaps {
                out.gap(gap.what, gap.why, gap.fix);
            }
            if !query.keep.is_zero() {
                let families = families.clone();
                let since = Instant::now();
                self.kept.insert(key, Kept { since, families });
            }
            give(families, out);
        }
        self.sessions.insert(database, open);
        Ok(())
    }

    async fn open(&self, database: &str) -> Result<Open, SourceError> {
        let target = Target {
            dbname: database.to_owned(),
            ..self.settings.target.clone()
        };
        let opened = tokio::time::timeout(STATEMENT_TIMEOUT, async {
            let session = Session::open(&target).await?;
            let rows = session.rows("SHOW server_version_num").await;
            let number = rows
                .ok()
                .and_then(|rows| rows.first()?.get(0)?.parse().ok());
            let unknown = || SourceError::new("the server does not tell its version");
            let version = Version::from_number(number.ok_or_else(unknown)?);
            Ok(Open { session, version })
        });
        opened.await.unwrap_or_else(|_| {
            let waited = Period(STATEMENT_TIMEOUT);
            Err(SourceError::new(format!(
                "no session at {target} within {waited}"
            )))
        })
    }
}

impl Source for Sql {
    async fn collect(&mut self, out: &mut Gather) -> Result<(), SourceError> {
        let bound = self.settings.pace.own_bound();
        let deadline = tokio::time::Instant::now() + bound;
        let count = self.settings.databases.len();
        let mut failures = Vec::new();
        for place in 0..count {
            let work = tokio::time::timeout_at(deadline, self.database(place, out));
            let outcome = work.await.unwrap_or_else(|_| {
                let waited = Period(bound);
                let message = format!("the queries did not finish within {waited}");
                Err(SourceError::new(message).hint("lengthen timeout, or spread the queries"))
            });
            if let Err(error) = outcome {
                failures.push((place, error));
            }
        }
        if failures.len() == count
            && let Some((_, error)) = failures.pop()
        {
            return Err(error);
        }
        for (
            place,
            SourceError {
                message,
                detail,
                hint,
            },
        ) in failures
        {
            let why = match detail.is_empty() {
                true => message,
                false => format!("{message}: {detail}"),
            };
            let database = &self.settings.databases[place];
            out.gap(format!("database {database}"), why, hint);
        }
        Ok(())
    }
}

enum Broken {
    Query(String),
    Session(String),
}

/// Runs one query in a read-only transaction of its own.
async fn run(
    session: &Session,
    query: &Query,
    max_rows: usize,
) -> Result<Vec<SimpleQueryRow>, Broken> {
    let (statement, lock) = (STATEMENT_TIMEOUT.as_millis(), LOCK_TIMEOUT.as_millis());
    let begin = format!(
        "BEGIN READ ONLY; SET LOCAL statement_timeout = {statement}; SET LOCAL lock_timeout = \
         {lock}; SET LOCAL timezone = 'UTC'; SET LOCAL datestyle = 'ISO'"
    );
    let work = async {
        session.rows(&begin).await?;
        let rows = rows(session, &query.sql, max_rows).await;
        session.rows("ROLLBACK").await?;
        rows
    };
    match tokio::time::timeout(STATEMENT_TIMEOUT + NETWORK, work).await {
        Err(_) => Err(Broken::Session("the server does not answer".to_owned())),
        Ok(Err(error)) if error.as_db_error().is_some() && !session.has_ended() => {
            Err(Broken::Query(reason(&error)))
        }
        Ok(Err(error)) => Err(Broken::Session(reason(&error))),
        Ok(Ok(None)) => Err(Broken::Query(format!("gives more than {max_rows} rows"))),
        Ok(Ok(Some(rows))) => Ok(rows),
    }
}

/// The rows of a query, or nothing where there are more than `most`. Those beyond are read and
/// forgotten, so that the session stays in step.
async fn rows(
    session: &Session,
    sql: &str,
    most: usize,
) -> Result<Option<Vec<SimpleQueryRow>>, tokio_postgres::Error> {
    let stream = session.client().simple_query_raw(sql).await?;
    let mut stream = std::pin::pin!(stream.into_stream());
    let mut rows = Vec::new();
    let mut is_over = false;
    while let Some(message) = stream.next().await {
        match message? {
            SimpleQueryMessage::Row(row) if rows.len() < most => rows.push(row),
            SimpleQueryMessage::Row(_) => is_over = true,
            _ => {}
        }
    }
    Ok((!is_over).then_some(rows))
}

fn give(families: Vec<Family>, out: &mut Gather) {
    for family in families {
        let mut series = out.family(family.name, family.help, family.kind);
        for point in family.points {
            series.exact(point);
        }
    }
}

fn label(namespace: &str, database: Option<&str>) -> String {
    match database {
        Some(database) => format!("{namespace} in {database}"),
        None => namespace.to_owned(),
    }
}

#[cfg(test)]
mod tests;
