//! What the collector must still know after a crash: `state.db` in the data folder.
//!
//! It owns the file, its schema and the bytes in it; what they mean is its callers'. SQLite is asked
//! for durability at every commit, so what was acknowledged survives a power cut. The schema and the
//! statements keep to what PostgreSQL understands as well, where the state of several collectors will
//! lie. There is one writer, so that transactions never wait for each other inside the file.
//!
//! A file that is damaged is moved aside, never read in part and never overwritten.

mod alerts;
mod history;
mod open;
mod outbox;
mod text;

use std::path::PathBuf;

use sqlx::SqlitePool;

pub use alerts::{Changes, EventRecord, Origin, Remembered, RuleChanges};
pub use history::{Asked, Told};
pub use open::Damaged;

/// Name of the file.
pub const FILE: &str = "state.db";

/// The open file.
#[derive(Clone, Debug)]
pub struct StateDb {
    writer: SqlitePool,
    readers: SqlitePool,
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

impl StateDb {
    /// Ends what is under way and closes the file.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

#[cfg(test)]
mod tests;
