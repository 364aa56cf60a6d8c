//! Merging the series of several blocks into one stream, in bounded memory.

use std::collections::VecDeque;
use std::iter::Peekable;
use std::sync::Arc;
use std::vec;

use tokio::runtime::Handle;

use crate::read::{Sample, Series, TimeRange};

use super::damage::BlockError;
use super::find::Block;
use super::layout::Entry;
use super::meta::BlockId;
use super::rows;

/// Rows that are read ahead of each block, at sixteen bytes each.
const AHEAD: u64 = 256 << 10;

/// One series from samples of several blocks, each ascending, given from the oldest block to the
/// newest: of two samples of one moment that of the newer block counts.
pub(super) fn newest_wins(parts: Vec<Vec<Sample>>) -> Vec<Sample> {
    let total = parts.iter().map(Vec::len).sum::<usize>();
    let mut parts = parts.into_iter().filter(|part| !part.is_empty());
    let mut joined = parts.next().unwrap_or_default();
    joined.reserve_exact(total - joined.len());
    for newer in parts {
        add_newer(&mut joined, newer);
    }
    joined
}

/// Nearly always all of it is later; where blocks overlap, only their ends do.
fn add_newer(older: &mut Vec<Sample>, newer: Vec<Sample>) {
    let Some(first) = newer.first() else {
        return;
    };
    let joint = older.partition_point(|sample| sample.at_ms < first.at_ms);
    let tail = older.get(joint..).unwrap_or_default().to_vec();
    older.truncate(joint);
    let mut tail = tail.into_iter().peekable();
    for sample in newer {
        while let Some(before) = tail.next_if(|old| old.at_ms < sample.at_ms) {
            older.push(before);
        }
        tail.next_if(|old| old.at_ms == sample.at_ms);
        older.push(sample);
    }
    older.extend(tail);
}

/// The series of several blocks in the order of labels, each once. Blocks its thread.
pub(super) struct Merge {
    /// From the oldest block to the newest.
    streams: Vec<Stream>,
}

/// Why a block's series end early.
#[derive(Debug)]
pub(super) struct Broken {
    pub(super) block: BlockId,
    pub(super) error: BlockError,
}

impl Merge {
    pub(super) fn of(blocks: &[Arc<Block>], runtime: &Handle) -> Self {
        let stream = |block: &Arc<Block>| Stream::of(Arc::clone(block), runtime.clone());
        Self {
            streams: blocks.iter().map(stream).collect(),
        }
    }

    pub(super) fn next(&mut self) -> Result<Option<Series>, Broken> {
        for stream in &mut self.streams {
            stream.fill()?;
        }
        let heads = self.streams.iter().filter_map(|it| it.ready.front());
        let Some(labels) = heads.map(|series| &series.labels).min().cloned() else {
            return Ok(None);
        };
        let mut parts = Vec::new();
        for stream in &mut self.streams {
            let is_head = stream.ready.front().is_some_and(|it| it.labels == labels);
            if is_head && let Some(series) = stream.ready.pop_front() {
                parts.push(series.samples);
            }
        }
        let samples = newest_wins(parts);
        Ok(Some(Series { labels, samples }))
    }
}

/// The series of one block.
struct Stream {
    block: Arc<Block>,
    runtime: Handle,
    next_part: usize,
    entries: Peekable<vec::IntoIter<Entry>>,
    ready: VecDeque<Series>,
}

impl Stream {
    fn of(block: Arc<Block>, runtime: Handle) -> Self {
        Self {
            block,
            runtime,
            next_part: 0,
            entries: Vec::new().into_iter().peekable(),
            ready: VecDeque::new(),
        }
    }

    /// Makes sure that the next series is ready, if there is one.
    fn fill(&mut self) -> Result<(), Broken> {
        if !self.ready.is_empty() {
            return Ok(());
        }
        let runtime = self.runtime.clone();
        let filled = runtime.block_on(self.read_ahead());
        filled.map_err(|error| Broken {
            block: self.block.meta.id,
            error,
        })
    }

    async fn read_ahead(&mut self) -> Result<(), BlockError> {
        if self.entries.peek().is_none() && self.next_part < self.block.parts().await? {
            let part = self.block.read_part(self.next_part).await?;
            self.next_part += 1;
            self.entries = part.into_entries().into_iter().peekable();
        }
        let mut batch: Vec<Entry> = Vec::new();
        let mut rows = 0;
        while rows < AHEAD
            && let Some(entry) = self.entries.next()
        {
            rows += entry.rows.end - entry.rows.start;
            batch.push(entry);
        }
        self.ready = read_series(&self.block, batch, TimeRange::ALL)
            .await?
            .into();
        Ok(())
    }
}

/// The series of some rows of the table of series, in their order.
pub(super) async fn read_series(
    block: &Block,
    entries: Vec<Entry>,
    range: TimeRange,
) -> Result<Vec<Series>, BlockError> {
    let mut places: Vec<usize> = (0..entries.len()).collect();
    places.sort_unstable_by_key(|place| entries.get(*place).map(|entry| entry.rows.start));
    let in_file = places.iter().filter_map(|place| entries.get(*place));
    let wanted: Vec<_> = in_file.map(|entry| entry.rows.clone()).collect();
    let samples = rows::read(block, &wanted, range).await?;
    let mut series: Vec<Series> = entries
        .into_iter()
        .map(|entry| Series {
            labels: entry.labels,
            samples: Vec::new(),
        })
        .collect();
    for (place, samples) in places.into_iter().zip(samples) {
        if let Some(series) = series.get_mut(place) {
            series.samples = samples;
        }
    }
    Ok(series)
}
