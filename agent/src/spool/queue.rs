//! The spool, shared between the tasks that fill it, empty it and tend it.
//!
//! Each call runs on a thread for blocking work, one at a time: the calls are short writes and reads
//! of the system's cache, but a disk in trouble can hold any of them for as long as it likes, and the
//! tasks that watch the host must go on looking. Hence also: no caller waits longer than [`PATIENCE`]
//! (a batch that finds no way in by then is counted as dropped), and data is synced without holding
//! the spool, for that is what takes longest on a busy host.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, watch};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use wire::batch::Batch;

use super::{Bundle, Outcome, Receipt, Spool, Stats, Tally, Wanted};
use crate::collect::Gather;

/// How long a caller waits for the spool. A source's channel to the pipeline holds about as much as
/// is gathered in this time; waiting longer would stop the collecting itself.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often data is synced: what a loss of power may cost.
const TEND: Duration = Duration::from_secs(1);

/// The disk keeps the spool waiting.
#[derive(Debug, thiserror::Error)]
#[error(
    "the disk of the spool has not answered for {}",
    wire::quantity::Period(PATIENCE)
)]
pub struct Stalled;

/// A handle on the shared spool; clones are the same spool.
#[derive(Clone)]
pub struct Queue {
    shared: Arc<Shared>,
}

struct Shared {
    spool: Arc<tokio::sync::Mutex<Spool>>,
    host: Arc<str>,
    stats: watch::Sender<Stats>,
    arrived: Notify,
    stalled: Mutex<Tally>,
}

impl Queue {
    /// Shares `spool`; `host` is the host's name as people know it.
    #[must_use]
    pub fn new(spool: Spool, host: &str) -> Self {
        let stats = watch::Sender::new(spool.stats());
        Self {
            shared: Arc::new(Shared {
                spool: Arc::new(tokio::sync::Mutex::new(spool)),
                host: host.into(),
                stats,
                arrived: Notify::new(),
                stalled: Mutex::default(),
            }),
        }
    }

    /// Puts a batch at the end of the queue. After an error the batch may still arrive there, or is
    /// counted as dropped.
    ///
    /// # Errors
    /// When the disk keeps the spool waiting.
    pub async fn append(&self, batch: Batch) -> Result<(), Stalled> {
        let mut lost = Tally::default();
        lost.add(u32::try_from(batch.series()).unwrap_or(u32::MAX));
        let host = Arc::clone(&self.shared.host);
        let Ok(spool) = self.lock().await else {
            self.shared.count_stalled(lost);
            return Err(Stalled);
        };
        let append = move |spool: &mut Spool| spool.append(batch, &host, Instant::now());
        self.run(spool, append).await?;
        self.shared.arrived.notify_one();
        Ok(())
    }

    /// The oldest batches; see [`Spool::next`].
    ///
    /// # Errors
    /// When the disk keeps the spool waiting.
    pub async fn next(&self, wanted: Wanted) -> Result<Option<Bundle>, Stalled> {
        let spool = self.lock().await?;
        self.run(spool, move |spool| spool.next(wanted)).await
    }

    /// Takes a bundle out of the queue; see [`Spool::settle`].
    ///
    /// # Errors
    /// When the disk keeps the spool waiting; the bundle may then be given out again.
    pub async fn settle(&self, receipt: Receipt, outcome: Outcome) -> Result<(), Stalled> {
        let spool = self.lock().await?;
        self.run(spool, move |spool| spool.settle(receipt, outcome))
            .await
    }

    /// Waits until something was appended since the last time anybody waited.
    pub async fn arrived(&self) {
        self.shared.arrived.notified().await;
    }

    /// Tends the spool until `stop`: syncs what was written, and tries a disk that failed again.
    pub async fn tend(&self, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(TEND);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut stalled = false;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = ticks.tick() => {}
            }
            // A sync that hangs is left behind at the end; it holds nothing.
            let tended = tokio::select! {
                () = stop.cancelled() => return,
                tended = self.tend_once() => tended,
            };
            match (tended, stalled) {
                (Err(error), false) => {
                    let hint = "look for a disk that hangs; telemetry is dropped meanwhile";
                    tracing::warn!(%error, hint, "spool is stalled");
                    stalled = true;
                }
                (Ok(()), true) => {
                    tracing::info!("spool's disk answers again");
                    stalled = false;
                }
                _ => {}
            }
        }
    }

    /// Brings everything to disk, as far as the disk takes it. To be called last.
    ///
    /// # Errors
    /// When the disk keeps the spool waiting.
    pub async fn close(&self) -> Result<(), Stalled> {
        let spool = self.lock().await?;
        self.run(spool, |spool| spool.close(Instant::now())).await
    }

    /// The numbers as they stood after the last call.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let mut stats = self.shared.stats.borrow().clone();
        stats.add_stalled(*self.shared.stalled());
        stats
    }

    /// Writes the numbers as metrics. Never waits, so that a stalled disk is seen.
    pub fn describe(&self, now_ms: i64, out: &mut Gather) {
        self.stats().describe(now_ms, out);
    }

    /// The numbers after each call, for tests to wait on.
    #[cfg(test)]
    pub(crate) fn watch(&self) -> watch::Receiver<Stats> {
        self.shared.stats.subscribe()
    }

    async fn tend_once(&self) -> Result<(), Stalled> {
        let spool = self.lock().await?;
        let tend = |spool: &mut Spool| {
            spool.tend(Instant::now());
            spool.take_unsynced()
        };
        let Some(unsynced) = self.run(spool, tend).await? else {
            return Ok(());
        };
        // However long this takes, nobody waits for it but the next sync.
        let synced = finished(tokio::task::spawn_blocking(move || unsynced.sync()).await)?;
        let spool = self.lock().await?;
        self.run(spool, |spool| spool.synced(synced, Instant::now()))
            .await
    }

    async fn lock(&self) -> Result<tokio::sync::OwnedMutexGuard<Spool>, Stalled> {
        let lock = Arc::clone(&self.shared.spool).lock_owned();
        tokio::time::timeout(PATIENCE, lock)
            .await
            .map_err(|_elapsed| Stalled)
    }

    /// Runs `work` where it may block. A caller that gives up waiting leaves the work behind; it
    /// holds the spool until it is done, so there is never more than one.
    async fn run<T: Send + 'static>(
        &self,
        mut spool: tokio::sync::OwnedMutexGuard<Spool>,
        work: impl FnOnce(&mut Spool) -> T + Send + 'static,
    ) -> Result<T, Stalled> {
        let shared = Arc::clone(&self.shared);
        let work = tokio::task::spawn_blocking(move || {
            let worked = work(&mut spool);
            shared.stats.send_replace(spool.stats());
            worked
        });
        match tokio::time::timeout(PATIENCE, work).await {
            Ok(joined) => finished(joined),
            Err(_elapsed) => Err(Stalled),
        }
    }
}

impl Shared {
    fn stalled(&self) -> std::sync::MutexGuard<'_, Tally> {
        // Two numbers are added to it; there is no state in between to fear.
        self.stalled.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count_stalled(&self, lost: Tally) {
        self.stalled().merge(lost);
    }
}

/// The work's result. A panic goes on in the caller; work that a runtime in the middle of its own
/// shutdown refused counts as not answered.
fn finished<T>(joined: Result<T, tokio::task::JoinError>) -> Result<T, Stalled> {
    match joined.map_err(tokio::task::JoinError::try_into_panic) {
        Ok(result) => Ok(result),
        Err(Ok(panic)) => std::panic::resume_unwind(panic),
        Err(Err(_refused)) => Err(Stalled),
    }
}

#[cfg(test)]
mod tests;
