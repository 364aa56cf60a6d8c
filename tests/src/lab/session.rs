//! A connection to a server of the lab.

use std::ops::Deref;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::time::timeout;
use tokio_postgres::{Client, Config, NoTls, SimpleQueryMessage};
use tokio_util::task::AbortOnDropHandle;

/// A login that takes longer meets a server that hangs.
const LOGIN: Duration = Duration::from_secs(10);
/// A statement of a test that takes longer waits for something that will not happen.
const STATEMENT: Duration = Duration::from_secs(120);

/// Rows as text, as `psql` would show them; NULL is nothing.
pub type Rows = Vec<Vec<Option<String>>>;

/// An open connection, closed when dropped. Everything that the client can do can be called on it.
pub struct Session {
    client: Client,
    _connection: AbortOnDropHandle<()>,
}

impl Session {
    /// Connects to where the libpq connection string `dsn` points.
    pub async fn open(dsn: &str) -> Result<Self> {
        let config: Config = dsn.parse().context("parse a connection string")?;
        let connecting = timeout(LOGIN, config.connect(NoTls));
        let (client, connection) = connecting
            .await
            .context("connect: no answer")?
            .context("connect")?;
        let connection = tokio::spawn(async move {
            // The error of a connection that breaks is met by the statement that needs it.
            drop(connection.await);
        });
        Ok(Self {
            client,
            _connection: AbortOnDropHandle::new(connection),
        })
    }

    /// Runs one or more statements and returns the rows of all.
    pub async fn sql(&self, text: &str) -> Result<Rows> {
        let running = timeout(STATEMENT, self.client.simple_query(text));
        let messages = running
            .await
            .with_context(|| format!("no answer to: {text}"))?;
        let messages = messages.with_context(|| format!("run: {text}"))?;
        let rows = messages.iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        });
        let column = |row: &tokio_postgres::SimpleQueryRow, at| row.get(at).map(str::to_owned);
        Ok(rows
            .map(|row| (0..row.len()).map(|at| column(row, at)).collect())
            .collect())
    }

    /// Runs a statement and returns the first column of its first row, which must not be NULL.
    pub async fn value(&self, text: &str) -> Result<String> {
        let first = self
            .sql(text)
            .await?
            .into_iter()
            .next()
            .and_then(|row| row.into_iter().next());
        first
            .flatten()
            .with_context(|| format!("no value from: {text}"))
    }
}

impl Deref for Session {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}
