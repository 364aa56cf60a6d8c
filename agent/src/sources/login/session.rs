//! A session by the simple protocol, and the task that moves a connection's bytes.

use std::fmt;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinSet;
use tokio_postgres::{Client, Connection, SimpleQueryMessage, SimpleQueryRow};

use super::target::Target;
use super::{hint, reason};
use crate::collect::SourceError;

/// The task of one connection, which ends with it.
#[derive(Default)]
pub struct Driver(JoinSet<()>);

/// One connection, with the target that it leads to.
pub struct Session {
    client: Client,
    target: Target,
    driver: Driver,
}

impl Driver {
    /// Begins to move the bytes of `connection`.
    pub(super) fn drive<S, T>(&mut self, connection: Connection<S, T>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        self.0.spawn(async move {
            if let Err(error) = connection.await {
                // The query that was under way says so to the operator.
                tracing::debug!(%error, "connection ended");
            }
        });
    }
}

impl Session {
    /// Logs in to the target's own database. Puts no bound on time itself: the caller does.
    pub async fn open(target: &Target) -> Result<Self, SourceError> {
        let connected = target.connect(&target.dbname).await;
        let (client, driver) = connected.map_err(|error| {
            SourceError::new(format!("cannot log in at {target}"))
                .detail(reason(&error))
                .hint(hint(&error))
        })?;
        Ok(Self {
            client,
            target: target.clone(),
            driver,
        })
    }

    /// Runs `query` by the simple protocol; gives all rows as text.
    pub async fn rows(&self, query: &str) -> Result<Vec<SimpleQueryRow>, tokio_postgres::Error> {
        let messages = self.client.simple_query(query).await?;
        let rows = messages.into_iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        });
        Ok(rows.collect())
    }

    /// The client, for what the simple protocol does not give.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Asks the server to give up what it does for this session.
    pub async fn cancel(&self) {
        // A server that cannot be reached has nothing to give up; the protocol has no answer.
        self.target.cancel(self.client.cancel_token()).await.ok();
    }

    /// Takes leave of the server, which otherwise logs a connection that was lost.
    pub async fn close(self) {
        let Self {
            client, mut driver, ..
        } = self;
        drop(client);
        while driver.0.join_next().await.is_some() {}
    }

    /// Whether the server or the network has ended it.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.client.is_closed() || self.driver.0.is_empty()
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}
