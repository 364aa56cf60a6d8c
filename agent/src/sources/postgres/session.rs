//! One connection to one database of one instance.
//!
//! Queries go by the simple protocol: every value comes as text, and nothing is prepared, so that a
//! connection behaves the same on each major and holds no state on the server but its settings.
//!
//! Invariants: each wait has a bound, a stopped server gives an error and never a hang; the task
//! that drives the connection is owned by the [`Session`] and ends with it; no error carries the
//! password.

use std::pin::pin;
use std::time::Duration;

use futures::TryStreamExt;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, SimpleQueryMessage, SimpleQueryRow};
use wire::causes::with_causes;

use super::refusal;
use crate::collect::SourceError;
use crate::sources::login::{Driver, Target};

/// From the first packet to a session that can be queried. A server that forks and authenticates
/// takes milliseconds; one that needs seconds is as good as down for the applications, too.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The server gives up a statement after `statement_timeout`; this much longer, and it is not the
/// statement that hangs but the server or the way to it.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(12);
/// How long the server has to confirm that it cancelled a statement.
const CANCEL_TIMEOUT: Duration = Duration::from_millis(400);
/// No view gives more rows than this; anything beyond is a mistake that must not fill the memory.
const MAX_ROWS: usize = 50_000;

/// Settings of every session, in the order of their weight: never wait behind an exclusive lock,
/// never run long, never hold a snapshot, resolve names in the catalog only (a schema in the search
/// path could plant functions of its own), spend no time on compiling queries that take a millisecond.
const SETTINGS: &str = "SET lock_timeout = '2s'; SET statement_timeout = '10s'; \
    SET idle_in_transaction_session_timeout = '10s'; SET search_path = pg_catalog; \
    SET DateStyle = 'ISO'; SET extra_float_digits = 1; SET jit = off";

/// What the rest of a collection needs to know of the server.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Facts {
    /// `version()`.
    pub(crate) version: String,
    /// `server_version_num`: 150018.
    pub(crate) version_number: u32,
    /// The major: 15.
    pub(crate) major: u32,
    /// Whether it is a standby, or recovering from a backup.
    pub(crate) in_recovery: bool,
    /// Who the agent is there.
    pub(crate) user: String,
    /// Where it is connected to.
    pub(crate) database: String,
    /// Whether its role sees what `pg_read_all_stats` sees.
    pub(crate) all_stats: bool,
    /// Whether its role is a member of `pg_monitor`.
    pub(crate) monitor: bool,
    /// Whether its role may read `pg_file_settings`.
    pub(crate) file_settings: bool,
    /// Since when the server runs, in seconds since 1970.
    pub(crate) started: f64,
    /// How many connections of this agent's name and role the instance has.
    pub(crate) connections: f64,
}

const FACTS: &str = "SELECT version(), current_setting('server_version_num'), pg_is_in_recovery(), \
    current_user, current_database(), \
    pg_has_role('pg_read_all_stats', 'USAGE'), pg_has_role('pg_monitor', 'USAGE'), \
    has_table_privilege('pg_file_settings', 'SELECT') \
      AND has_function_privilege('pg_show_all_file_settings()', 'EXECUTE'), \
    extract(epoch FROM pg_postmaster_start_time()), \
    (SELECT count(*) FROM pg_stat_activity \
      WHERE application_name = 'nightshift-agent' AND usename = current_user)";

/// Why a query gave nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum QueryError {
    /// The server refused this one; the session goes on.
    #[error("the server refused: {message}")]
    Refused {
        /// Its reason, as a class.
        code: SqlState,
        /// Its reason, in its words.
        message: String,
    },
    /// It was still running at the deadline, and was cancelled; the session goes on.
    #[error("it was still running when the collection's time was over")]
    Late,
    /// It gave more rows than any view should.
    #[error("the query gave more than {MAX_ROWS} rows")]
    TooMuch,
    /// The session is gone.
    #[error("the connection was lost: {0}")]
    Lost(String),
    /// Nothing came back in time; the session cannot be used again.
    #[error("the server did not answer in time")]
    Silent,
}

impl QueryError {
    /// Whether the session can still be used.
    pub(crate) fn session_lives(&self) -> bool {
        matches!(self, Self::Refused { .. } | Self::TooMuch | Self::Late)
    }
}

/// One connection.
pub(crate) struct Session {
    client: Client,
    target: Target,
    // Dropping it closes the socket.
    _driver: Driver,
}

impl Session {
    /// Connects to `database` of the target's instance.
    pub(crate) async fn open(
        target: &Target,
        database: &str,
        deadline: Instant,
    ) -> Result<Self, SourceError> {
        let until = deadline.min(Instant::now() + CONNECT_TIMEOUT);
        let refused = || {
            SourceError::new(format!(
                "PostgreSQL at {target} did not accept a connection in time"
            ))
            .hint("it is stopped or overloaded, or a firewall drops the packets: try psql from this host")
        };
        let connected = timeout_at(until, Self::connect(target, database)).await;
        connected.unwrap_or_else(|_elapsed| Err(refused()))
    }

    async fn connect(target: &Target, database: &str) -> Result<Self, SourceError> {
        let connected = target.connect(database).await;
        let (client, driver) =
            connected.map_err(|error| refusal::of_connecting(target, database, &error))?;
        let session = Self {
            client,
            target: target.clone(),
            _driver: driver,
        };
        match session.client.batch_execute(SETTINGS).await {
            Ok(()) => Ok(session),
            Err(error) => Err(refusal::of_connecting(target, database, &error)),
        }
    }

    /// Asks what the rest of a collection needs to know.
    pub(crate) async fn facts(&self, deadline: Instant) -> Result<Facts, QueryError> {
        let rows = match self.query(FACTS, deadline).await {
            // This query waits for nothing: if it does not come back, the server hangs.
            Err(QueryError::Late) => return Err(QueryError::Silent),
            answer => answer?,
        };
        rows.first()
            .and_then(read_facts)
            .ok_or_else(|| QueryError::Lost("the server gave no facts about itself".to_owned()))
    }

    /// Runs one statement and gives its rows. At the deadline the statement is cancelled.
    pub(crate) async fn query(
        &self,
        sql: &str,
        deadline: Instant,
    ) -> Result<Vec<SimpleQueryRow>, QueryError> {
        let until = deadline.min(Instant::now() + ANSWER_TIMEOUT);
        let answer = async {
            let stream = self.client.simple_query_raw(sql).await?;
            let mut stream = pin!(stream);
            let mut rows = Vec::new();
            while let Some(message) = stream.try_next().await? {
                if let SimpleQueryMessage::Row(row) = message {
                    rows.push(row);
                }
                if rows.len() > MAX_ROWS {
                    return Ok(Err(QueryError::TooMuch));
                }
            }
            Ok(Ok(rows))
        };
        let mut answer = pin!(answer);
        let answered = match timeout_at(until, answer.as_mut()).await {
            Ok(answered) => answered,
            Err(_elapsed) => {
                // A server that is merely slow confirms at once; one that hangs never does.
                let token = self.client.cancel_token();
                let cancelled = timeout(CANCEL_TIMEOUT, async {
                    self.target.cancel(token).await.is_ok() && answer.await.is_err()
                });
                return match cancelled.await {
                    Ok(_) => Err(QueryError::Late),
                    Err(_elapsed) => Err(QueryError::Silent),
                };
            }
        };
        answered.unwrap_or_else(|error| Err(query_error(&error)))
    }

    /// Whether the connection is known to be gone.
    pub(crate) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }
}

fn query_error(error: &tokio_postgres::Error) -> QueryError {
    match error.as_db_error() {
        // A FATAL is the last word of a session: an administrator ended it, or the server goes down.
        Some(refusal) if refusal.severity() == "FATAL" || refusal.severity() == "PANIC" => {
            QueryError::Lost(refusal.message().to_owned())
        }
        Some(refusal) => QueryError::Refused {
            code: refusal.code().clone(),
            message: refusal.message().to_owned(),
        },
        None => QueryError::Lost(with_causes(error)),
    }
}

fn read_facts(row: &SimpleQueryRow) -> Option<Facts> {
    let version_number: u32 = row.get(1)?.parse().ok()?;
    let yes = |at| row.get(at) == Some("t");
    Some(Facts {
        version: row.get(0)?.to_owned(),
        version_number,
        major: version_number / 10_000,
        in_recovery: yes(2),
        user: row.get(3)?.to_owned(),
        database: row.get(4)?.to_owned(),
        all_stats: yes(5),
        monitor: yes(6),
        file_settings: yes(7),
        started: row.get(8)?.parse().ok()?,
        connections: row.get(9)?.parse().ok()?,
    })
}
