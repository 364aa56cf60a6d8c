//! The store in memory behind a journal on disk: what is acknowledged has been fsynced.
//!
//! Requests that wait at the same time share one fsync. On start the journal is read back into
//! memory; the ledger comes back with it, so deliveries stay exactly-once across crashes. Segments of
//! which nothing is kept in memory any more are deleted. FORMAT.md says what lies on disk.
//!
//! It leaves to others: to lock the folder (one process at a time), to read the clocks, and to call
//! [`Journal::release`] once something is durable elsewhere.

mod codec;
mod commit;
mod dictionary;
mod frames;
mod numbering;
mod record;
mod replay;
mod segment;
mod stats;
mod tail;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use wire::batch::AgentId;

use crate::append::{Append, AppendError, Delivery, Outcome};
use crate::labels::Labels;
use crate::ledger::Agent;
use crate::matcher::Matcher;
use crate::memory::{Bounds, Memory, Ripe, Stats};
use crate::read::{
    Aspect, Listing, Metadata, Read, ReadError, Selector, Series, SeriesExemplars, TimeRange,
};

use commit::{Job, Pending, Prepared, Writer};
use stats::SharedStats;

pub use replay::{Damage, Recovery};
pub use stats::{Durations, FSYNC_BOUNDS, JournalStats};

/// Requests that may wait for the disk. Each waits for one fsync with all others, so a queue this
/// long only builds up while the disk hangs.
const QUEUE: usize = 1024;

/// How a journal is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// How much is kept.
    pub bounds: Bounds,
    /// After how many bytes a new file is begun.
    pub segment_bytes: u64,
    /// How long an append may wait for the disk.
    pub commit_timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            bounds: Bounds::default(),
            segment_bytes: 64 << 20,
            // Longer than any healthy disk needs, shorter than the patience of who waits.
            commit_timeout: Duration::from_secs(10),
        }
    }
}

/// Why a journal could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The system refused.
    #[error("cannot {operation} {path}")]
    Io {
        /// `read`, `create`.
        operation: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A newer version wrote the journal.
    #[error("{path} was written in format {version}, which this version does not know")]
    Version {
        /// The file.
        path: PathBuf,
        /// The format's number.
        version: u8,
    },
}

impl OpenError {
    fn new(operation: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io {
            operation,
            path: path.to_owned(),
            source,
        }
    }
}

/// The store.
#[derive(Debug)]
pub struct Journal {
    folder: PathBuf,
    memory: Arc<Memory>,
    stats: SharedStats,
    commit_timeout: Duration,
    /// What followers remember.
    known: tail::Known,
    /// None once closed.
    open: Mutex<Option<Open>>,
}

#[derive(Debug)]
struct Open {
    jobs: mpsc::Sender<Job>,
    writer: JoinHandle<()>,
}

impl Journal {
    /// Opens the journal in `folder`, which is created if it is not there, and reads back what lies
    /// behind `mark`: the segments up to that number are not needed any more.
    ///
    /// This blocks for as long as reading takes. Damage is no error: it is in the report.
    pub fn open(
        folder: &Path,
        options: Options,
        mark: u64,
        now_steady_ms: i64,
    ) -> Result<(Self, Recovery), OpenError> {
        std::fs::create_dir_all(folder).map_err(|error| OpenError::new("create", folder, error))?;
        let memory = Arc::new(Memory::new(options.bounds));
        let (segments, recovery) = replay::replay(folder, &memory, mark, now_steady_ms)?;
        let stats = SharedStats::default();
        let writer = Writer {
            folder: folder.to_owned(),
            memory: Arc::clone(&memory),
            stats: stats.clone(),
            segment_bytes: options.segment_bytes,
            // Above the mark even where the files are gone: what is written from now on is in no
            // block, and must not be taken for what is.
            next_number: segments.last().map_or(0, |last| last.number).max(mark) + 1,
            sealed: segments,
            tail: None,
        };
        writer.publish(&stats);
        let (jobs, queue) = mpsc::channel(QUEUE);
        let writer = std::thread::Builder::new()
            .name("journal".into())
            .spawn(move || writer.run(queue))
            .map_err(|error| OpenError::new("start the writer of", folder, error))?;
        let journal = Self {
            folder: folder.to_owned(),
            memory,
            stats,
            commit_timeout: options.commit_timeout,
            known: tail::Known::default(),
            open: Mutex::new(Some(Open { jobs, writer })),
        };
        Ok((journal, recovery))
    }

    /// The number of the last segment that holds nothing but what is ripe, as no segment before it
    /// does; 0 where there is none, or the disk hangs.
    pub async fn mark(&self, ripe: Ripe) -> u64 {
        let (done, wait) = oneshot::channel();
        let job = Job::Mark { ripe, done };
        match self.ask(job) {
            true => wait.await.unwrap_or_default(),
            false => 0,
        }
    }

    /// Lets go what is somewhere else now, in memory and on disk.
    pub async fn release(&self, ripe: Ripe, now_steady_ms: i64) {
        let (done, wait) = oneshot::channel();
        let job = Job::Release {
            ripe,
            now_steady_ms,
            done,
        };
        if self.ask(job) && wait.await.is_err() {
            tracing::debug!("the journal closed before it let old data go");
        }
    }

    /// What memory holds.
    #[must_use]
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// The same, for whoever reads it on another thread.
    pub(crate) fn shared_memory(&self) -> Arc<Memory> {
        Arc::clone(&self.memory)
    }

    /// A full queue means that the disk hangs: there will be another time.
    fn ask(&self, job: Job) -> bool {
        let jobs = self.jobs();
        jobs.is_some_and(|jobs| jobs.try_send(job).is_ok())
    }

    /// Finishes what waits and stops. Appends fail from here on; reads go on.
    pub async fn close(&self) {
        let open = self
            .open
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let Some(Open { jobs, writer }) = open else {
            return;
        };
        drop(jobs);
        let joined = tokio::task::spawn_blocking(move || writer.join()).await;
        if !matches!(joined, Ok(Ok(()))) {
            tracing::error!("the journal's writer panicked");
        }
    }

    /// What memory holds.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.memory.stats()
    }

    /// What the journal did.
    #[must_use]
    pub fn journal_stats(&self) -> JournalStats {
        self.stats.get()
    }

    /// All agents, sorted by id.
    #[must_use]
    pub fn agents(&self) -> Vec<(AgentId, Agent)> {
        self.memory.agents()
    }

    fn jobs(&self) -> Option<mpsc::Sender<Job>> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.as_ref().map(|open| open.jobs.clone())
    }
}

impl Append for Journal {
    async fn append(&self, deliveries: Vec<Delivery>) -> Result<Vec<Outcome>, AppendError> {
        let jobs = self.jobs().ok_or(AppendError::Closed)?;
        // Encoding and compressing is the work; many requests do it at once, before the one writer.
        let memory = Arc::clone(&self.memory);
        let prepared = tokio::task::spawn_blocking(move || prepare_all(deliveries, &memory)).await;
        let deliveries = prepared.map_err(|_panicked| AppendError::Closed)??;
        let (answer, wait) = oneshot::channel();
        let pending = Pending { deliveries, answer };
        jobs.try_send(Job::Append(pending))
            .map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => AppendError::Busy,
                mpsc::error::TrySendError::Closed(_) => AppendError::Closed,
            })?;
        drop(jobs);
        match tokio::time::timeout(self.commit_timeout, wait).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_writer_gone)) => Err(AppendError::Closed),
            Err(_elapsed) => Err(AppendError::Stalled),
        }
    }
}

fn prepare_all(deliveries: Vec<Delivery>, memory: &Memory) -> Result<Vec<Prepared>, AppendError> {
    deliveries
        .into_iter()
        .map(|delivery| Prepared::of(delivery, memory))
        .collect()
}

impl Read for Journal {
    async fn select_aspect(
        &self,
        selector: &[Matcher],
        range: TimeRange,
        aspect: Aspect,
        max_samples: usize,
    ) -> Result<Vec<Series>, ReadError> {
        let found = self
            .memory
            .select_aspect(selector, range, aspect, max_samples);
        found.await
    }

    async fn series(
        &self,
        selectors: &[Selector],
        range: TimeRange,
        limit: Option<usize>,
    ) -> Result<Listing<Labels>, ReadError> {
        self.memory.series(selectors, range, limit).await
    }

    async fn label_names(
        &self,
        selectors: &[Selector],
        range: TimeRange,
        limit: Option<usize>,
    ) -> Result<Listing<String>, ReadError> {
        self.memory.label_names(selectors, range, limit).await
    }

    async fn label_values(
        &self,
        label: &str,
        selectors: &[Selector],
        range: TimeRange,
        limit: Option<usize>,
    ) -> Result<Listing<String>, ReadError> {
        self.memory
            .label_values(label, selectors, range, limit)
            .await
    }

    async fn metadata(&self, family: Option<&str>) -> Result<Vec<(String, Metadata)>, ReadError> {
        self.memory.metadata(family).await
    }

    async fn exemplars(
        &self,
        selectors: &[Selector],
        range: TimeRange,
    ) -> Result<Vec<SeriesExemplars>, ReadError> {
        self.memory.exemplars(selectors, range).await
    }
}

#[cfg(test)]
mod tests;
