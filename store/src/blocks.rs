//! Metrics at rest: immutable blocks of Parquet files behind a store of objects.
//!
//! A block is written once, from series that come sorted by their labels, and never changed. Old
//! blocks are merged into larger ones, thinned out and let go by [`Blocks::maintain`]. FORMAT.md says
//! what lies on disk; any program that reads Parquet can open it.
//!
//! What holds at any moment, also after a crash:
//! 1. a block is visible whole or not at all, and once [`Blocks::add`] has returned it stays;
//! 2. of two samples of one series and moment that of the newer block is read;
//! 3. blocks are deleted only after what replaces them is durable, and never while they are read;
//! 4. a damaged block is moved aside, named and counted; the others serve on.
//!
//! It leaves to others what is not in blocks yet (the head), and metadata of metrics.

mod cache;
mod catalog;
mod compact;
mod damage;
mod decimal;
mod find;
mod inspect;
mod layout;
mod lines;
mod merge;
mod meta;
mod objects;
mod owner;
mod rollup;
mod rows;
mod select;
mod sheet;
mod shelf;
mod table;
mod thinning;
mod times;
mod work;
mod write;

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;

use crate::read::{Series, TimeRange};

use cache::Cache;
use catalog::{Plan, Target};
use damage::BlockError;
use merge::{Broken, Merge};
use meta::Meta;
use shelf::Shelf;
use write::BlockWriter;

pub use damage::{Damage, ObjectsError, WriteError};
pub use inspect::Repair;
pub use meta::{BlockId, Provenance, Resolution};
pub use objects::Objects;
pub use owner::{OwnedError, Owner};
pub(crate) use select::Wanted;

/// How blocks are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// How long after its arrival a sample is kept; for ever if nothing.
    pub retention: Option<Duration>,
    /// How many bytes all blocks may have; the oldest go first.
    pub max_bytes: Option<u64>,
    /// How much memory what was read of blocks may take.
    pub cache_bytes: usize,
    /// Blocks that arrived within one of these spans are merged once it is over.
    pub levels: Vec<Duration>,
    /// What becomes of samples once they are old.
    pub thinning: Thinning,
}

/// When samples are thinned out to one line each five minutes, and those to one each hour, and how long
/// that is kept. What was thinned out answers once what it was made of is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thinning {
    /// How long after its arrival a sample is thinned out; less than the retention, or never.
    pub five_minutes_after: Duration,
    /// How long after their arrival lines of five minutes are kept; for ever if nothing.
    pub keep_five_minutes: Option<Duration>,
    /// How long after their arrival lines of five minutes are thinned out to hours.
    pub hour_after: Duration,
    /// How long after their arrival lines of an hour are kept; for ever if nothing.
    pub keep_hours: Option<Duration>,
}

impl Default for Thinning {
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(24 * 3600);
        Self {
            // Blocks of two days are merged by then.
            five_minutes_after: 4 * DAY,
            keep_five_minutes: Some(90 * DAY),
            hour_after: 30 * DAY,
            keep_hours: Some(730 * DAY),
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        const HOUR: Duration = Duration::from_secs(3600);
        Self {
            retention: Some(15 * 24 * HOUR),
            max_bytes: None,
            // The labels of about 200,000 series.
            cache_bytes: 64 << 20,
            levels: vec![12 * HOUR, 48 * HOUR, 192 * HOUR],
            thinning: Thinning::default(),
        }
    }
}

/// What blocks are opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// This process alone writes them: remains are swept, damaged blocks moved aside.
    ToServe,
    /// Another may be writing them: nothing is changed.
    ToLook,
}

/// Why blocks cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder cannot be swept.
    #[error("cannot sweep {path}")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The store of objects refused.
    #[error(transparent)]
    Objects(#[from] ObjectsError),
    /// Somebody else writes there.
    #[error(transparent)]
    Owned(#[from] OwnedError),
    /// A newer version wrote a block.
    #[error("{object} was written in format {version}, which this version does not know")]
    Version {
        /// The file.
        object: String,
        /// The format's number.
        version: u32,
    },
}

/// What one round of upkeep came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Blocks that were merged into others.
    pub merged: usize,
    /// Blocks that were thinned out to a coarser resolution.
    pub thinned: usize,
    /// Blocks that became too old, or too many.
    pub expired: usize,
    /// Blocks whose files are gone.
    pub deleted: usize,
    /// What was found damaged.
    pub damages: Vec<Damage>,
}

/// What all blocks come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BlocksStats {
    /// Blocks that queries see.
    pub blocks: u64,
    /// Their series; one that is in several blocks counts in each.
    pub series: u64,
    /// Their samples.
    pub samples: u64,
    /// Their files' bytes.
    pub bytes: u64,
    /// Blocks moved aside since the opening.
    pub quarantined: u64,
    /// Memory that holds what was read of blocks.
    pub cached_bytes: u64,
}

/// A block that queries see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockStats {
    /// Which.
    pub id: BlockId,
    /// How often its samples were merged with others.
    pub level: u8,
    /// One line for each moment, or one for each span of time.
    pub resolution: Resolution,
    /// From its first to its last sample.
    pub range: TimeRange,
    /// Its series.
    pub series: u64,
    /// Its samples.
    pub samples: u64,
    /// Its files' bytes.
    pub bytes: u64,
}

/// The blocks of one store. Clones share them.
#[derive(Clone)]
pub struct Blocks(Arc<Inner>);

struct Inner {
    shelf: Shelf,
    target: Target,
    options: Options,
    /// Held by whoever merges: two would merge the same blocks.
    upkeep: Mutex<Upkeep>,
}

/// What upkeep remembers from round to round.
#[derive(Debug, Default)]
struct Upkeep {
    /// Blocks of which nothing is left when thinned out: they have no numbers, only ends of series.
    barren: BTreeSet<BlockId>,
}

impl Blocks {
    /// Opens the blocks there are. Damage is no error: it is in the list, and the rest serves.
    ///
    /// # Errors
    /// If the store of objects cannot be listed or read, or a newer version wrote in it.
    pub async fn open(
        objects: Objects,
        options: Options,
        opening: Opening,
    ) -> Result<(Self, Vec<Damage>), OpenError> {
        let cache = Arc::new(Cache::new(options.cache_bytes));
        if opening == Opening::ToServe
            && let Some(owner) = &objects.owner
        {
            owner.claim(&*objects.store).await?;
        }
        let (shelf, damages) = Shelf::open(&objects, cache, opening).await?;
        let target = Target {
            objects: objects.store,
            runtime: Handle::current(),
            owner: objects.owner,
        };
        let inner = Inner {
            shelf,
            target,
            options,
            upkeep: Mutex::default(),
        };
        Ok((Self(Arc::new(inner)), damages))
    }

    /// Writes a block of series, which come in ascending order of their labels; those without samples
    /// are left out. On return it is durable and readers see it.
    ///
    /// It blocks its thread and must not run on one that drives tasks. Memory is bounded by about 64
    /// MB beside the largest single series.
    ///
    /// # Errors
    /// Nothing of the block is visible then, nor after a crash at any moment before the return.
    pub fn add(
        &self,
        series: impl Iterator<Item = Series>,
        provenance: Provenance,
    ) -> Result<BlockId, WriteError> {
        let id = self.0.shelf.new_id();
        let plan = Plan::of_new(id, provenance);
        let written = self.write(plan, |writer| {
            for series in series {
                writer.push(series)?;
            }
            Ok(())
        })?;
        self.0.shelf.add(written);
        Ok(id)
    }

    /// The highest mark that a block was added with.
    #[must_use]
    pub fn mark(&self) -> u64 {
        self.0.shelf.mark()
    }

    /// Merges, lets go and deletes what is due. It blocks its thread, as [`Blocks::add`] does, and may
    /// take minutes where there is much to merge.
    ///
    /// # Errors
    /// What was done before the error stays done; the next round goes on from there.
    pub fn maintain(&self, now_ms: i64) -> Result<Report, WriteError> {
        let mut upkeep = self.0.upkeep.lock().unwrap_or_else(PoisonError::into_inner);
        let mut report = Report::default();
        // Samples are thinned out before they are let go, and let go even if the disk is too full to
        // write anything.
        let tidied = self.tidy(now_ms, &mut upkeep, &mut report);
        let Inner { shelf, options, .. } = &*self.0;
        let blocks = shelf.blocks();
        let metas: Vec<&Meta> = blocks.iter().map(|block| &block.meta).collect();
        let gone = compact::expired(&metas, options, now_ms);
        drop(blocks);
        shelf.retire(&gone);
        report.expired = gone.len();
        report.deleted = self.delete_retired()?;
        tidied.map(|()| report)
    }

    /// Merges whatever will ever be merged, be the time for it over or not.
    pub fn merge_all(&self) -> Result<Report, WriteError> {
        let mut report = Report::default();
        while self.merge_next(i64::MAX, &mut report)? {}
        report.deleted = self.delete_retired()?;
        Ok(report)
    }

    /// Deletes what nobody reads any more.
    fn delete_retired(&self) -> Result<usize, WriteError> {
        let Inner { shelf, target, .. } = &*self.0;
        if !shelf.has_retired() {
            return Ok(0);
        }
        target.confirm()?;
        Ok(target.runtime.block_on(shelf.delete_retired())?)
    }

    /// Merges and thins out what is due.
    fn tidy(
        &self,
        now_ms: i64,
        upkeep: &mut Upkeep,
        report: &mut Report,
    ) -> Result<(), WriteError> {
        while self.merge_next(now_ms, report)? {}
        while self.thin_next(now_ms, upkeep, report)? {}
        Ok(())
    }

    /// What all blocks come to.
    #[must_use]
    pub fn stats(&self) -> BlocksStats {
        let shelf = &self.0.shelf;
        let mut stats = BlocksStats {
            quarantined: shelf.quarantined(),
            cached_bytes: shelf.cache.weight() as u64,
            ..BlocksStats::default()
        };
        for block in shelf.blocks() {
            stats.blocks += 1;
            stats.series += block.meta.series;
            stats.samples += block.meta.samples;
            stats.bytes += block.meta.bytes();
        }
        stats
    }

    /// The blocks that queries see, from the oldest to the newest.
    #[must_use]
    pub fn list(&self) -> Vec<BlockStats> {
        let blocks = self.0.shelf.blocks();
        let stats = blocks.iter().map(|block| {
            let meta = &block.meta;
            BlockStats {
                id: meta.id,
                level: meta.level,
                resolution: meta.resolution,
                range: meta.range(),
                series: meta.series,
                samples: meta.samples,
                bytes: meta.bytes(),
            }
        });
        stats.collect()
    }

    /// Merges some blocks, if any are due; says whether it did something.
    fn merge_next(&self, now_ms: i64, report: &mut Report) -> Result<bool, WriteError> {
        let Inner { shelf, target, .. } = &*self.0;
        let blocks = shelf.blocks();
        let metas: Vec<&Meta> = blocks.iter().map(|block| &block.meta).collect();
        let Some((ids, level)) = compact::next_merge(&metas, &self.0.options.levels, now_ms) else {
            return Ok(false);
        };
        let sources: Vec<_> = blocks
            .into_iter()
            .filter(|block| ids.contains(&block.meta.id))
            .collect();
        let metas: Vec<&Meta> = sources.iter().map(|block| &block.meta).collect();
        let plan = Plan::of_merge(shelf.new_id(), &metas, level);
        let mut broken = None;
        let written = self.write(plan, |writer| {
            let mut merge = Merge::of(&sources, &target.runtime);
            loop {
                match merge.next() {
                    Ok(Some(series)) => writer.push(series)?,
                    Ok(None) => return Ok(()),
                    Err(end) => {
                        let error = end.error.clone();
                        broken = Some(end);
                        return Err(error.into());
                    }
                }
            }
        });
        match (written, broken) {
            (Ok(meta), _) => {
                report.merged += sources.len();
                shelf.add(meta);
                Ok(true)
            }
            (Err(_), Some(broken)) => self.broken_in_upkeep(broken, report),
            (Err(error), None) => Err(error),
        }
    }

    /// Moves a block aside that turned out to be damaged, and goes on; other errors end the round.
    fn broken_in_upkeep(&self, broken: Broken, report: &mut Report) -> Result<bool, WriteError> {
        let Inner { shelf, target, .. } = &*self.0;
        match broken.error {
            BlockError::Objects(error) => Err(error.into()),
            BlockError::Damaged(damage) => {
                target.runtime.block_on(shelf.quarantine(broken.block))?;
                report.damages.push(damage);
                Ok(true)
            }
        }
    }

    /// Writes a block; leaves nothing behind if that fails.
    fn write(
        &self,
        plan: Plan,
        fill: impl FnOnce(&mut BlockWriter) -> Result<(), WriteError>,
    ) -> Result<Meta, WriteError> {
        self.0.target.confirm()?;
        let id = plan.id;
        let written = BlockWriter::create(&self.0.target, plan).and_then(|mut writer| {
            fill(&mut writer)?;
            writer.finish()
        });
        if written.is_err() {
            self.clear_away(id);
        }
        written
    }

    /// Removes what a write that failed left.
    fn clear_away(&self, id: BlockId) {
        let Inner { shelf, target, .. } = &*self.0;
        if let Err(error) = target.runtime.block_on(shelf.delete(id)) {
            // The next opening sweeps it.
            tracing::debug!(block = %id, %error, "remains of an unfinished block stay");
        }
    }
}

#[cfg(test)]
mod tests;
