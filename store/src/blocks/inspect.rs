//! Looking through all blocks for damage, and saving what can be saved of damaged ones.

use std::sync::Arc;

use object_store::ObjectStoreExt;

use crate::read::{Series, TimeRange};

use super::catalog::Plan;
use super::damage::{BlockError, Damage, ObjectsError, WriteError};
use super::find::Block;
use super::layout::Entry;
use super::lines;
use super::merge::read_series;
use super::meta::{BlockId, Meta, Resolution};
use super::objects::{META, PIECE, SAMPLES};
use super::table::Table;
use super::{Blocks, Inner};

/// Under this name what a block said of itself stays once what could be saved of it is saved.
const SAVED: &str = "meta.json.saved";

/// What became of a damaged block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repair {
    /// The block.
    pub block: BlockId,
    /// Samples that it had.
    pub samples: u64,
    /// Samples that are in a new block now.
    pub saved: u64,
}

impl Blocks {
    /// Reads every byte of every block and says what is not as it was written. It blocks its thread,
    /// as [`Blocks::add`] does.
    ///
    /// # Errors
    /// If the store of objects refuses.
    pub fn check(&self) -> Result<Vec<Damage>, ObjectsError> {
        let Inner { shelf, target, .. } = &*self.0;
        let mut damages = Vec::new();
        for block in shelf.blocks() {
            damages.extend(target.runtime.block_on(check(&block))?);
        }
        Ok(damages)
    }

    /// Moves damaged blocks aside, and writes what can be read of them, and of those that lie aside
    /// already, into new blocks. It blocks its thread, as [`Blocks::add`] does.
    ///
    /// # Errors
    /// What was saved before the error stays saved; repairing again goes on from there.
    pub fn repair(&self) -> Result<Vec<Repair>, WriteError> {
        let Inner { shelf, target, .. } = &*self.0;
        for block in shelf.blocks() {
            if !target.runtime.block_on(check(&block))?.is_empty() {
                target.runtime.block_on(shelf.quarantine(block.meta.id))?;
            }
        }
        let aside = target.runtime.block_on(shelf.aside())?;
        // What was thinned out can be thinned out again while its samples are kept.
        let raw = aside
            .into_iter()
            .filter(|it| it.meta.resolution == Resolution::Raw);
        raw.map(|block| self.save(&block)).collect()
    }

    fn save(&self, block: &Arc<Block>) -> Result<Repair, WriteError> {
        let Inner { shelf, target, .. } = &*self.0;
        let Meta { id, samples, .. } = block.meta;
        let plan = Plan::of_rest(shelf.new_id(), &block.meta);
        let written = self.write(plan, |writer| {
            let mut parts = 0..target.runtime.block_on(block.parts()).unwrap_or(0);
            parts.try_for_each(|part| {
                for series in target.runtime.block_on(readable(block, part))? {
                    writer.push(series)?;
                }
                Ok(())
            })
        });
        let saved = match written {
            Ok(meta) => {
                let saved = meta.samples;
                shelf.add(meta);
                saved
            }
            Err(WriteError::Empty) => 0,
            Err(error) => return Err(error),
        };
        let [from, to] = [META, SAVED].map(|name| block.file(name));
        target
            .runtime
            .block_on(target.objects.rename(&from, &to))
            .map_err(|error| ObjectsError::new("move", &from, error))?;
        Ok(Repair {
            block: id,
            samples,
            saved,
        })
    }
}

type Found = Result<Vec<Damage>, ObjectsError>;

/// What is wrong with a block.
async fn check(block: &Block) -> Found {
    let mut damages = check_pieces(block, block.samples().await).await?;
    damages.extend(check_pieces(block, block.series().await).await?);
    if !damages.is_empty() {
        return Ok(damages);
    }
    match count(block).await {
        Ok(samples) if samples == block.meta.samples => {}
        Ok(samples) => {
            let what = format_args!("it has {samples} of {} samples", block.meta.samples);
            damages.push(Damage::new(&block.file(SAMPLES), 0, what));
        }
        Err(BlockError::Damaged(damage)) => damages.push(damage),
        Err(BlockError::Objects(error)) => return Err(error),
    }
    Ok(damages)
}

/// What is wrong with the bytes of a table; about one for each few megabytes.
async fn check_pieces(block: &Block, table: Result<Arc<Table>, BlockError>) -> Found {
    const STRIDE: u64 = 64 * PIECE;
    let table = match table {
        Ok(table) => table,
        Err(BlockError::Damaged(damage)) => return Ok(vec![damage]),
        Err(BlockError::Objects(error)) => return Err(error),
    };
    let mut damages = Vec::new();
    let mut at = 0;
    while at < table.tail() {
        let end = (at + STRIDE).min(table.tail());
        let range = at..end;
        match table
            .fetch(block.objects(), std::slice::from_ref(&range))
            .await
        {
            Ok(_) => {}
            Err(BlockError::Damaged(damage)) => damages.push(damage),
            Err(BlockError::Objects(error)) => return Err(error),
        }
        at = end;
    }
    Ok(damages)
}

/// Decodes everything.
async fn count(block: &Block) -> Result<u64, BlockError> {
    let mut samples = 0;
    for part in 0..block.parts().await? {
        for batch in batches(block.read_part(part).await?.into_entries()) {
            samples += match block.meta.resolution {
                Resolution::Raw => {
                    let series = read_series(block, batch, TimeRange::ALL).await?;
                    series.iter().map(|it| it.samples.len() as u64).sum::<u64>()
                }
                _ => {
                    let series = lines::of_entries(block, batch).await?;
                    series.iter().map(|(_, it)| it.len() as u64).sum::<u64>()
                }
            };
        }
    }
    Ok(samples)
}

/// The series of a part that can be read whole.
async fn readable(block: &Block, part: usize) -> Result<Vec<Series>, ObjectsError> {
    let entries = match block.read_part(part).await {
        Ok(part) => part.into_entries(),
        Err(BlockError::Damaged(_)) => return Ok(Vec::new()),
        Err(BlockError::Objects(error)) => return Err(error),
    };
    let mut saved = Vec::new();
    for batch in batches(entries) {
        match read_series(block, batch.clone(), TimeRange::ALL).await {
            Ok(series) => saved.extend(series),
            Err(BlockError::Objects(error)) => return Err(error),
            Err(BlockError::Damaged(_)) => {
                // One by one: each needs but a few pages, and most of those are sound.
                for entry in batch {
                    match read_series(block, vec![entry], TimeRange::ALL).await {
                        Ok(series) => saved.extend(series),
                        Err(BlockError::Objects(error)) => return Err(error),
                        Err(BlockError::Damaged(_)) => {}
                    }
                }
            }
        }
    }
    Ok(saved)
}

/// Series in groups of a bounded number of rows, or one.
pub(super) fn batches(entries: Vec<Entry>) -> Vec<Vec<Entry>> {
    const ROWS: u64 = 1 << 20;
    let mut batches: Vec<Vec<Entry>> = Vec::new();
    let mut rows = ROWS;
    for entry in entries {
        let of_entry = entry.rows.end - entry.rows.start;
        match batches.last_mut() {
            Some(batch) if rows + of_entry <= ROWS => batch.push(entry),
            _ => {
                batches.push(vec![entry]);
                rows = 0;
            }
        }
        rows += of_entry;
    }
    batches
}
