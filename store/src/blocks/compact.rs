//! Which blocks to merge, to thin out and to let go: decided from what they say of themselves.
//!
//! Blocks are grouped by when their samples arrived, never by the samples' own times: arrivals
//! ascend from block to block, so that merged blocks are always neighbours and "the newer block
//! counts" stays true, whatever the clocks of hosts say.

use std::time::Duration;

use crate::append::millis;

use super::meta::{BlockId, Meta, Resolution};
use super::{Options, Thinning};

/// The blocks to merge next, neighbours from the oldest to the newest, and the level of what they
/// become. What was thinned out is not merged with what was not: each sample is thinned out once.
pub(super) fn next_merge(
    blocks: &[&Meta],
    levels: &[Duration],
    now_ms: i64,
) -> Option<(Vec<BlockId>, u8)> {
    let raw = of_resolution(blocks, Resolution::Raw);
    let thinned = newest(blocks, Resolution::FiveMinutes);
    for (place, span) in levels.iter().enumerate() {
        let level = u8::try_from(place + 1).ok()?;
        let span_ms = millis(*span).max(1);
        let window = |meta: &Meta| meta.provenance.arrived_to_ms.div_euclid(span_ms);
        let runs = raw.chunk_by(|one, next| {
            one.level < level
                && next.level < level
                && window(one) == window(next)
                && (Some(one.order) <= thinned) == (Some(next.order) <= thinned)
        });
        for run in runs {
            let is_over = run.first().is_some_and(|first| {
                window(first).saturating_add(1).saturating_mul(span_ms) <= now_ms
            });
            if run.len() > 1 && is_over {
                return Some((run.iter().map(|meta| meta.id).collect(), level));
            }
        }
    }
    None
}

/// The block to thin out next, and to what.
pub(super) fn next_thinning(
    blocks: &[&Meta],
    thinning: &Thinning,
    now_ms: i64,
) -> Option<(BlockId, Resolution)> {
    let steps = [
        (
            Resolution::Raw,
            thinning.five_minutes_after,
            Resolution::FiveMinutes,
        ),
        (
            Resolution::FiveMinutes,
            thinning.hour_after,
            Resolution::Hour,
        ),
    ];
    for (from, after, to) in steps {
        let done = newest(blocks, to);
        let due = of_resolution(blocks, from).into_iter().find(|meta| {
            let horizon = now_ms.saturating_sub(millis(after));
            Some(meta.order) > done && meta.provenance.arrived_to_ms < horizon
        });
        if let Some(meta) = due {
            return Some((meta.id, to));
        }
    }
    None
}

/// The blocks that are too old, or the oldest that are too much, samples before what they were
/// thinned out to.
pub(super) fn expired(blocks: &[&Meta], options: &Options, now_ms: i64) -> Vec<BlockId> {
    let is_old = |meta: &Meta| {
        let thinning = &options.thinning;
        let keep = match meta.resolution {
            Resolution::Raw => options.retention,
            Resolution::FiveMinutes => thinning.keep_five_minutes,
            Resolution::Hour => thinning.keep_hours,
        };
        keep.is_some_and(|retention| {
            let horizon = now_ms.saturating_sub(millis(retention));
            meta.provenance.arrived_to_ms < horizon
        })
    };
    let mut total: u64 = blocks.iter().map(|meta| meta.bytes()).sum();
    let mut sorted = blocks.to_vec();
    sorted.sort_by_key(|meta| (meta.resolution, meta.order));
    let mut gone = Vec::new();
    for meta in sorted {
        let is_too_much = options.max_bytes.is_some_and(|bound| total > bound);
        if is_old(meta) || is_too_much {
            total -= meta.bytes();
            gone.push(meta.id);
        }
    }
    gone
}

/// The blocks that answer: of what arrived together the finest that is left.
pub(super) fn answering(blocks: &[&Meta]) -> Vec<BlockId> {
    let mut answering: Vec<&Meta> = of_resolution(blocks, Resolution::Raw);
    for resolution in [Resolution::FiveMinutes, Resolution::Hour] {
        let coarser = of_resolution(blocks, resolution);
        let uncovered = coarser
            .into_iter()
            .filter(|meta| !answering.iter().any(|finer| finer.overlaps(meta)));
        let uncovered: Vec<_> = uncovered.collect();
        answering.extend(uncovered);
    }
    answering.iter().map(|meta| meta.id).collect()
}

fn of_resolution<'a>(blocks: &[&'a Meta], resolution: Resolution) -> Vec<&'a Meta> {
    let of = blocks.iter().filter(|meta| meta.resolution == resolution);
    of.copied().collect()
}

fn newest(blocks: &[&Meta], resolution: Resolution) -> Option<BlockId> {
    let of = of_resolution(blocks, resolution);
    of.iter().map(|meta| meta.order).max()
}
