//! The store of one machine: what arrived lately in memory behind a journal, what arrived before in
//! blocks.
//!
//! What is appended is journaled and in memory before it is acknowledged. Every two hours, or earlier
//! where memory fills up, [`Embedded::maintain`] writes the oldest of it into a block, and lets it go
//! from memory and journal once the block is durable.
//!
//! Invariants: what was acknowledged is in the journal or in a block at every moment, also after a
//! crash between any two steps; what is in both for a while is read once, for of two samples of one
//! series and moment the later one is read: memory's over a block's, a newer block's over an older
//! one's. It goes by arrival alone, so that no host's clock costs data.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::Notify;
use wire::batch::AgentId;

use crate::append::{self, Append, AppendError, Delivery, Outcome, TimeLimits, millis};
use crate::blocks::{
    self, Blocks, BlocksStats, Objects, Opening, Provenance, Report, Wanted, WriteError,
};
use crate::journal::{self, Journal, JournalStats, Recovery};
use crate::labels::Labels;
use crate::ledger::Agent;
use crate::matcher::Matcher;
use crate::memory::{Bounds, Cardinality, Ripe, Stats};
use crate::read::{
    Aspect, Listing, Metadata, Read, ReadError, Selector, Series, SeriesExemplars, TimeRange,
};
use crate::tail::{Position, Stretch, Tail, TailError};

/// What a block holds at the least, unless memory is short: shorter blocks pack worse, longer ones
/// keep more in memory and in the journal, which a start reads back.
const BLOCK_SPAN: Duration = Duration::from_secs(2 * 3600);
/// What arrives within this time stays or goes together. 120 samples at the usual 15 seconds: enough
/// to pack well.
const GENERATION: Duration = Duration::from_secs(30 * 60);

/// How the store is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// How many samples memory holds before some are written to a block early. Twice as many are
    /// never held: appends are refused.
    pub max_samples: u64,
    /// How many series, likewise.
    pub max_series: u64,
    /// After how many bytes a new file of the journal is begun.
    pub segment_bytes: u64,
    /// How long an append may wait for the disk.
    pub commit_timeout: Duration,
    /// How far the times of samples may be from where they belong.
    pub limits: TimeLimits,
    /// How blocks are kept.
    pub blocks: blocks::Options,
}

impl Default for Options {
    fn default() -> Self {
        let journal = journal::Options::default();
        Self {
            // About two bytes each.
            max_samples: 400_000_000,
            // Around 1 kB each with their index and samples.
            max_series: 1_000_000,
            segment_bytes: journal.segment_bytes,
            commit_timeout: journal.commit_timeout,
            limits: TimeLimits::default(),
            blocks: blocks::Options::default(),
        }
    }
}

/// Where the store lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folders {
    /// The journal.
    pub journal: PathBuf,
    /// The blocks.
    pub blocks: PathBuf,
}

impl Folders {
    /// Both below one folder.
    #[must_use]
    pub fn below(folder: &Path) -> Self {
        Self {
            journal: folder.join("journal"),
            blocks: folder.join("blocks"),
        }
    }
}

/// Why the store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder of the blocks cannot be used.
    #[error("cannot use {path}")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The blocks could not be opened.
    #[error(transparent)]
    Blocks(#[from] blocks::OpenError),
    /// The journal could not be opened.
    #[error(transparent)]
    Journal(#[from] journal::OpenError),
}

/// What a start found.
#[derive(Debug, Default)]
pub struct Found {
    /// In the journal.
    pub journal: Recovery,
    /// Blocks that are damaged; moved aside.
    pub blocks: Vec<blocks::Damage>,
}

/// What one round of upkeep came to.
#[derive(Debug, Default)]
pub struct Upkeep {
    /// Blocks that were written.
    pub written: usize,
    /// What became of the blocks there were.
    pub blocks: Report,
}

/// The store.
pub struct Embedded {
    journal: Journal,
    blocks: Blocks,
    options: Options,
    /// Held by whoever writes a block: two would write the same one.
    upkeep: tokio::sync::Mutex<()>,
    /// Told when memory holds more than it should.
    overfull: Notify,
}

impl fmt::Debug for Embedded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Embedded")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl Embedded {
    /// Opens a store that lies in folders of this machine; see [`Embedded::open_at`].
    pub async fn open(
        folders: Folders,
        options: Options,
        now_steady_ms: i64,
    ) -> Result<(Self, Found), OpenError> {
        let Folders { journal, blocks } = folders;
        match Objects::in_folder(&blocks) {
            Ok(objects) => Self::open_at(journal, objects, options, now_steady_ms).await,
            Err(source) => Err(OpenError::Folder {
                path: blocks,
                source,
            }),
        }
    }

    /// Opens the store, reading the journal back. Damage is no error: it is in what was found. Blocks
    /// are opened first; if that fails the journal is as it was.
    pub async fn open_at(
        journal: PathBuf,
        objects: Objects,
        options: Options,
        now_steady_ms: i64,
    ) -> Result<(Self, Found), OpenError> {
        let (blocks, damages) =
            Blocks::open(objects, options.blocks.clone(), Opening::ToServe).await?;
        let mark = blocks.mark();
        let keeping = journal::Options {
            // Memory lets nothing go by itself: what it holds is nowhere else but in the journal.
            bounds: Bounds {
                retention: Duration::MAX,
                generation: Some(GENERATION),
                max_samples: u64::MAX,
                max_series: u64::MAX,
            },
            segment_bytes: options.segment_bytes,
            commit_timeout: options.commit_timeout,
        };
        let opening = tokio::task::spawn_blocking(move || {
            Journal::open(&journal, keeping, mark, now_steady_ms)
        });
        let (journal, recovery) = match opening.await {
            Ok(opened) => opened?,
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        };
        let found = Found {
            journal: recovery,
            blocks: damages,
        };
        let store = Self {
            journal,
            blocks,
            options,
            upkeep: tokio::sync::Mutex::default(),
            overfull: Notify::new(),
        };
        Ok((store, found))
    }

    /// Writes what is due to a block, and merges and lets go of blocks. To be called every minute or
    /// so; it may take minutes where there is much to do.
    ///
    /// After an error memory and journal still hold what could not be written; the next call tries
    /// again.
    pub async fn maintain(&self, now_steady_ms: i64) -> Result<Upkeep, WriteError> {
        let _alone = self.upkeep.lock().await;
        let mut upkeep = Upkeep::default();
        while let Some(ripe) = self.due(now_steady_ms) {
            self.write_block(ripe, now_steady_ms).await?;
            upkeep.written += 1;
        }
        let blocks = self.blocks.clone();
        upkeep.blocks = in_background(move || blocks.maintain(now_steady_ms)).await?;
        Ok(upkeep)
    }

    /// Returns once memory holds more than it should, and [`Embedded::maintain`] is wanted before its
    /// time: a burst of data would otherwise be turned away until then.
    pub async fn overfull(&self) {
        self.overfull.notified().await;
    }

    /// Writes everything that memory holds to blocks, and merges what may be merged, whatever its age:
    /// for a store that takes nothing in meanwhile.
    pub async fn compact(&self, now_steady_ms: i64) -> Result<Upkeep, WriteError> {
        let _alone = self.upkeep.lock().await;
        let mut upkeep = Upkeep::default();
        self.journal.memory().end_generation();
        if let Some(ripe) = self.journal.memory().ripe(i64::MAX) {
            self.write_block(ripe, now_steady_ms).await?;
            upkeep.written += 1;
        }
        let blocks = self.blocks.clone();
        upkeep.blocks = in_background(move || blocks.merge_all()).await?;
        Ok(upkeep)
    }

    /// Finishes what waits and stops. Appends fail from here on; reads go on.
    pub async fn close(&self) {
        self.journal.close().await;
    }

    /// What memory holds.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.journal.stats()
    }

    /// What fills memory, with so many entries of each kind at the most.
    #[must_use]
    pub fn cardinality(&self, most: usize) -> Cardinality {
        self.journal.memory().cardinality(most)
    }

    /// What the journal did.
    #[must_use]
    pub fn journal_stats(&self) -> JournalStats {
        self.journal.journal_stats()
    }

    /// What all blocks come to.
    #[must_use]
    pub fn blocks_stats(&self) -> BlocksStats {
        self.blocks.stats()
    }

    /// All agents, sorted by id.
    #[must_use]
    pub fn agents(&self) -> Vec<(AgentId, Agent)> {
        self.journal.agents()
    }

    /// What is to be written to a block now.
    fn due(&self, now_steady_ms: i64) -> Option<Ripe> {
        let memory = self.journal.memory();
        let (samples, series) = memory.size();
        if samples > self.options.max_samples || series > self.options.max_series {
            memory.end_generation();
            return memory.ripe(i64::MAX);
        }
        // One generation stays: what is asked for most often is what came last.
        let ripe = memory.ripe(now_steady_ms.saturating_sub(millis(GENERATION)))?;
        let span_ms = ripe.arrived_to_ms.saturating_sub(ripe.arrived_from_ms);
        let age_ms = now_steady_ms.saturating_sub(ripe.arrived_from_ms);
        let is_full = span_ms.saturating_add(millis(GENERATION)) > millis(BLOCK_SPAN);
        // What came from those who fell silent since is due all the same.
        let is_old = age_ms > millis(BLOCK_SPAN + 2 * GENERATION);
        (is_full || is_old).then_some(ripe)
    }

    async fn write_block(&self, ripe: Ripe, now_steady_ms: i64) -> Result<(), WriteError> {
        let provenance = Provenance {
            arrived_from_ms: ripe.arrived_from_ms,
            arrived_to_ms: ripe.arrived_to_ms,
            mark: self.journal.mark(ripe).await,
        };
        let (blocks, memory) = (self.blocks.clone(), self.journal.shared_memory());
        in_background(move || blocks.add(memory.series_through(ripe.through), provenance)).await?;
        self.journal.release(ripe, now_steady_ms).await;
        Ok(())
    }
}

/// Runs what blocks its thread where that delays nobody.
async fn in_background<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(panic) => std::panic::resume_unwind(panic.into_panic()),
    }
}

impl Append for Embedded {
    async fn append(&self, mut deliveries: Vec<Delivery>) -> Result<Vec<Outcome>, AppendError> {
        let memory = self.journal.memory();
        let (samples, series) = memory.size();
        let Options {
            max_samples,
            max_series,
            limits,
            ..
        } = self.options;
        if samples > max_samples || series > max_series {
            self.overfull.notify_one();
        }
        // Blocks cannot be written, or not as fast as data come in.
        if samples / 2 > max_samples || series / 2 > max_series {
            return Err(AppendError::Busy);
        }
        let refused = memory.sift(&limits, &mut deliveries);
        let outcomes = self.journal.append(deliveries).await?;
        Ok(append::in_part(outcomes, &refused))
    }
}

/// Memory is always read before the blocks: what moves from the one to the others meanwhile is then
/// seen twice, and not missed.
impl Read for Embedded {
    async fn select_aspect(
        &self,
        selector: &[Matcher],
        range: TimeRange,
        aspect: Aspect,
        max_samples: usize,
    ) -> Result<Vec<Series>, ReadError> {
        let newer = self
            .journal
            .select_aspect(selector, range, aspect, max_samples)
            .await?;
        let wanted = Wanted {
            selector: [selector.to_vec()],
            range,
            aspect,
            max_samples,
        };
        self.blocks.select_below(&wanted, newer).await
    }

    async fn series(
        &self,
        selectors: &[Selector],
        range: TimeRange,
        limit: Option<usize>,
    ) -> Result<Listing<Labels>, ReadError> {
        let newer = self.journal.series(selectors, range, limit).await?;
        let older = self.blocks.series(selectors, range, limit).await?;
        Ok(newer.and(older, limit))
    }

    async fn label_names(
        &self,
        selectors: &[Selector],
        range: TimeRange,
        limit: Option<usize>,
    ) -> Result<Listing<String>, ReadError> {
        let newer = self.journal.label_names(selectors, range, limit).await?;
        let older = self.blocks.label_names(selectors, range, limit).await?;
        Ok(newer.and(older, limit))
    }

    async fn label_values(
        &self,
        label: &str,
        selectors: &[Selector],
        range: TimeRange,
        limit: Option<usize>,
    ) -> Result<Listing<String>, ReadError> {
        let newer = self
            .journal
            .label_values(label, selectors, range, limit)
            .await?;
        let older = self
            .blocks
            .label_values(label, selectors, range, limit)
            .await?;
        Ok(newer.and(older, limit))
    }

    async fn metadata(&self, family: Option<&str>) -> Result<Vec<(String, Metadata)>, ReadError> {
        self.journal.metadata(family).await
    }

    async fn exemplars(
        &self,
        selectors: &[Selector],
        range: TimeRange,
    ) -> Result<Vec<SeriesExemplars>, ReadError> {
        self.journal.exemplars(selectors, range).await
    }
}

/// It goes as far back as the journal does: to what is in memory.
impl Tail for Embedded {
    fn end(&self) -> Position {
        self.journal.end()
    }

    fn read(&self, from: Position, to: Position, max_bytes: usize) -> Result<Stretch, TailError> {
        self.journal.read(from, to, max_bytes)
    }

    fn pending(&self, from: Position) -> u64 {
        self.journal.pending(from)
    }
}

#[cfg(test)]
mod tests;
