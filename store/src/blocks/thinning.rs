//! Making thinned-out blocks of older ones.

use std::sync::Arc;

use crate::read::TimeRange;

use super::catalog::Plan;
use super::compact;
use super::damage::{BlockError, WriteError};
use super::find::Block;
use super::inspect::batches;
use super::lines::{self, LineWriter};
use super::merge::{Broken, read_series};
use super::meta::{Meta, Resolution};
use super::rollup::{self, Line};
use super::{Blocks, Inner, Report, Upkeep};

impl Blocks {
    /// Thins a block out, if one is due; says whether it did something.
    pub(super) fn thin_next(
        &self,
        now_ms: i64,
        upkeep: &mut Upkeep,
        report: &mut Report,
    ) -> Result<bool, WriteError> {
        let Inner { shelf, options, .. } = &*self.0;
        let blocks = shelf.blocks();
        let metas = blocks.iter().map(|block| &block.meta);
        let metas: Vec<&Meta> = metas
            .filter(|meta| !upkeep.barren.contains(&meta.id))
            .collect();
        let Some((id, resolution)) = compact::next_thinning(&metas, &options.thinning, now_ms)
        else {
            return Ok(false);
        };
        let Some(source) = blocks.iter().find(|block| block.meta.id == id) else {
            return Ok(false);
        };
        let plan = Plan::of_thinned(shelf.new_id(), &source.meta, resolution);
        match self.thin(source, plan) {
            Ok(meta) => {
                shelf.add(meta);
                report.thinned += 1;
                Ok(true)
            }
            Err(Failed::Writing(WriteError::Empty)) => {
                upkeep.barren.insert(source.meta.id);
                Ok(true)
            }
            Err(Failed::Reading(error)) => {
                let block = source.meta.id;
                self.broken_in_upkeep(Broken { block, error }, report)
            }
            Err(Failed::Writing(error)) => Err(error),
        }
    }

    fn thin(&self, source: &Arc<Block>, plan: Plan) -> Result<Meta, Failed> {
        let Inner { target, .. } = &*self.0;
        let (id, width_ms) = (plan.id, plan.resolution.width_ms().unwrap_or(1));
        let write = || {
            let mut writer = LineWriter::create(target, plan).map_err(Failed::Writing)?;
            let parts = target.runtime.block_on(source.parts());
            for part in 0..parts.map_err(Failed::Reading)? {
                let entries = target.runtime.block_on(source.read_part(part));
                for batch in batches(entries.map_err(Failed::Reading)?.into_entries()) {
                    let read = target.runtime.block_on(read_lines(source, batch, width_ms));
                    for (labels, lines) in read.map_err(Failed::Reading)? {
                        writer.push(labels, lines).map_err(Failed::Writing)?;
                    }
                }
            }
            writer.finish().map_err(Failed::Writing)
        };
        let written = write();
        if written.is_err() {
            self.clear_away(id);
        }
        written
    }
}

enum Failed {
    Reading(BlockError),
    Writing(WriteError),
}

/// What some series of a block come to at a coarser resolution.
async fn read_lines(
    block: &Block,
    entries: Vec<super::layout::Entry>,
    width_ms: i64,
) -> Result<Vec<(crate::labels::Labels, Vec<Line>)>, BlockError> {
    if block.meta.resolution == Resolution::Raw {
        let series = read_series(block, entries, TimeRange::ALL).await?;
        let thinned = series
            .into_iter()
            .map(|it| (it.labels, rollup::thin(&it.samples, width_ms)));
        return Ok(thinned.collect());
    }
    let series = lines::of_entries(block, entries).await?;
    let joined = series.into_iter().map(|(labels, lines)| {
        let lines = rollup::join(std::iter::once(lines), width_ms);
        (labels, lines)
    });
    Ok(joined.collect())
}
