//! Appending to a store.

use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

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

/// How far the time of a sample may be from where it belongs. Only what comes without an identity is
/// held to it: an agent's spool may hold hours, and what a host with a wrong clock has to say must not
/// be lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TimeLimits {
    /// How far ahead of the moment of its arrival; any time if nothing.
    pub future: Option<Duration>,
    /// How far behind both the moment of its arrival and the newest sample of its series in memory; any
    /// time if nothing. A series that is not in memory takes any.
    pub late: Option<Duration>,
}

/// How many samples and exemplars of a delivery were refused for their time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Refused {
    /// Too far in the future.
    pub future: u64,
    /// Too late.
    pub late: u64,
    /// Exemplars too far in the future.
    pub exemplars: u64,
}

impl Refused {
    /// Whether all was taken.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

impl TimeLimits {
    /// Takes out of a delivery what must not be stored; `newest` says the time of the newest sample
    /// of a series.
    pub(crate) fn sift(
        &self,
        delivery: &mut Delivery,
        newest: impl Fn(&Labels) -> Option<i64>,
    ) -> Refused {
        let mut refused = Refused::default();
        if delivery.origin.is_some() {
            return refused;
        }
        let now_ms = delivery.arrival.wall_ms;
        let ahead_ms = self.future.map(millis);
        let latest_ms = ahead_ms.map_or(i64::MAX, |ahead_ms| now_ms.saturating_add(ahead_ms));
        let behind_ms = self.late.map(millis);
        let in_time_ms = behind_ms.map_or(i64::MIN, |behind_ms| now_ms.saturating_sub(behind_ms));
        delivery.rows.retain(|row| {
            let at_ms = row.sample.at_ms;
            if at_ms > latest_ms {
                refused.future += 1;
                return false;
            }
            // Nearly all is in time, and needs no look at its series.
            if at_ms >= in_time_ms {
                return true;
            }
            // One sample from a clock that runs ahead must not make all others late.
            let newest_ms = newest(&row.labels).map(|newest_ms| newest_ms.min(latest_ms));
            let is_late = newest_ms
                .zip(behind_ms)
                .is_some_and(|(newest_ms, behind_ms)| at_ms < newest_ms.saturating_sub(behind_ms));
            refused.late += u64::from(is_late);
            !is_late
        });
        delivery.exemplars.retain(|(_, exemplar)| {
            let is_ahead = exemplar.sample.at_ms > latest_ms;
            refused.exemplars += u64::from(is_ahead);
            !is_ahead
        });
        refused
    }
}

/// Whole milliseconds, or as many as there can be.
pub(crate) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// What became of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is in the store.
    Stored,
    /// It is in the store, but for what its time forbids.
    StoredInPart(Refused),
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
    /// Stores each delivery unless one with its identity is in the store already, and says which. A
    /// store may hold those without an identity to [`TimeLimits`].
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

/// What became of deliveries of which something was refused beforehand.
pub(crate) fn in_part(mut outcomes: Vec<Outcome>, refused: &[Refused]) -> Vec<Outcome> {
    for (outcome, refused) in outcomes.iter_mut().zip(refused) {
        if *outcome == Outcome::Stored && !refused.is_none() {
            *outcome = Outcome::StoredInPart(*refused);
        }
    }
    outcomes
}
