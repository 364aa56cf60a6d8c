//! What the collector must still know after a crash: `state.db` in the data folder.
//!
//! It owns the file, its schema and the bytes in it; what they mean is its callers'. SQLite is asked
//! for durability at every commit, so what was acknowledged survives a power cut. The schema and the
//! statements keep to what PostgreSQL understands as well, where the state of several collectors will
//! lie. There is one writer, so that transactions never wait for each other inside the file.
//!
//! A file that is damaged is moved aside, never read in part and never overwritten.

mod alerts;
mod digests;
mod history;
pub mod incidents;
mod notify;
mod open;
pub mod outbox;
mod posted;
mod silences;
mod text;
mod told;

use std::path::PathBuf;

use sqlx::SqlitePool;
use tokio::sync::watch;

pub use alerts::{Changes, EventRecord, Origin, Remembered, RuleChanges};
pub use digests::{Folding, Open};
pub use history::{Asked, EventSource, Told};
pub use notify::{Firing, FiringAlert, NotifyChanges, NotifyRemembered};
pub use open::Damaged;
pub use posted::{Noted, NotedPhase, PostedChanges};
pub use told::{OutboxCounts, OutboxRow, ToldOf};

/// Name of the file.
pub const FILE: &str = "state.db";

/// The open file.
#[derive(Clone, Debug)]
pub struct StateDb {
    writer: SqlitePool,
    readers: SqlitePool,
    /// The number of the newest event, for those who wait for it.
    newest: watch::Sender<i64>,
    /// Changes when there may be something new to send.
    outbox: watch::Sender<u64>,
}

/// What could not be done with it.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// It cannot be opened, for a reason that is not damage.
    #[error("cannot open {path}")]
    Open {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        #[source]
        source: sqlx::Error,
    },
    /// Its tables cannot be brought to what this version needs.
    #[error("cannot bring {path} to this version")]
    Migrate {
        /// The file.
        path: PathBuf,
        /// What was wrong.
        #[source]
        source: sqlx::migrate::MigrateError,
    },
    /// A damaged file cannot be moved aside.
    #[error("cannot move the damaged {path} aside")]
    MoveAside {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A statement failed.
    #[error("cannot {operation}")]
    Statement {
        /// `save alerts`, `read alerts`.
        operation: &'static str,
        /// What SQLite said.
        #[source]
        source: sqlx::Error,
    },
}

impl StateError {
    /// Whether it is what lies in the file that cannot be read, rather than the file.
    #[must_use]
    pub fn is_unreadable(&self) -> bool {
        let Self::Statement { source, .. } = self else {
            return false;
        };
        matches!(source, sqlx::Error::ColumnDecode { .. })
    }
}

impl StateDb {
    /// Changes whenever events were written: to the number of the newest. What follows from an event is
    /// done by those who go through [`StateDb::events_after`] and keep how far they came, together with
    /// what they did; so the event itself is what nobody can miss.
    #[must_use]
    pub fn newest(&self) -> watch::Receiver<i64> {
        self.newest.subscribe()
    }

    /// Ends what is under way and closes the file.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

#[cfg(test)]
mod tests;
