//! Appending to a store.

use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use wire::batch::BatchId;

use crate::labels::Labels;
use crate::read::{Exemplar, Metadata, Sample};

/// When a delivery arrived, by the collector.
///
/// Both are kept because each lies in its own way: the wall clock is what people and other hosts
/// compare with but may be set back and forth, the steady one never jumps but drifts from it. What a
/// store keeps and for how long goes by the steady one alone, so that no step of any clock drops data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Milliseconds since 1970, by the collector's wall clock.
    pub wall_ms: i64,
    /// Milliseconds since 1970 as the wall clock had it when the collector started, and since then by
    /// a clock that only goes forward.
    pub steady_ms: i64,
    /// Milliseconds since 1970, by the sender's clock at the moment of sending; only some say it.
    pub sent_ms: Option<i64>,
}

/// From whom a delivery comes, and under which identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The identity under which it is stored once.
    pub id: BatchId,
    /// The agent's host name, for people.
    pub host: String,
    /// The source that gathered it: `postgres`.
    pub source: String,
    /// What the source looked at: `db1:5432`.
    pub instance: String,
}

/// One number of one series.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Which series.
    pub labels: Labels,
    /// The number and its time.
    pub sample: Sample,
}

/// What is stored or refused as one: what one source gathered at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivery {
    /// Its identity; what comes from other senders has none and is stored each time it comes.
    pub origin: Option<Origin>,
    /// When it arrived.
    pub arrival: Arrival,
    /// The numbers.
    pub rows: Vec<Row>,
    /// What it says of metric families, by name.
    pub metadata: Vec<(String, Metadata)>,
    /// Exemplars, each with the series that it belongs to. Of one series they are taken in the order
    /// of their time; one that is not newer than the newest kept is passed over.
    pub exemplars: Vec<(Labels, Exemplar)>,
}

/// What became of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is in the store.
    Stored,
    /// It was in the store already.
    Duplicate,
}

/// Why nothing was acknowledged.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AppendError {
    /// There is no room to write.
    #[error("no room to write {path}")]
    Full {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: Arc<io::Error>,
    },
    /// Writing failed.
    #[error("cannot {operation} {path}")]
    Failed {
        /// `write`, `sync`, `create`.
        operation: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: Arc<io::Error>,
    },
    /// Too many requests wait already.
    #[error("too many requests wait to be written")]
    Busy,
    /// The disk did not answer in time. What was given may yet be stored.
    #[error("the disk did not take the data in time")]
    Stalled,
    /// One delivery exceeds what a record may hold.
    #[error("a delivery of {bytes} bytes exceeds the {limit} that a record may hold")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The bound.
        limit: usize,
    },
    /// The store is closing.
    #[error("the store is closing")]
    Closed,
}

/// Takes deliveries in.
pub trait Append {
    /// Stores each delivery unless one with its identity is in the store already, and says which.
    ///
    /// After success every delivery is in the store exactly once and readers see it; a durable store
    /// has it on disk. After an error none is acknowledged: some may be in the store, and giving all
    /// of them again is safe for those that bear an identity. After a crash a durable store has every
    /// delivery that was acknowledged, and of the others each whole or not at all.
    ///
    /// Deliveries of one run are to be given in the order of their sequence; one that comes with a
    /// number at or below the highest stored of its run counts as stored already. Calls may run
    /// concurrently, also with the same deliveries.
    fn append(
        &self,
        deliveries: Vec<Delivery>,
    ) -> impl Future<Output = Result<Vec<Outcome>, AppendError>> + Send;
}
