//! Reading across blocks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::StreamExt;

use crate::labels::{Labels, METRIC_NAME};
use crate::matcher::Matcher;
use crate::read::{
    Aspect, Listing, Metadata, Read, ReadError, Sample, Selector, Series, SeriesExemplars,
    TimeRange,
};

use super::compact;
use super::damage::BlockError;
use super::find::Block;
use super::layout::Entry;
use super::lines;
use super::merge::{Broken, newest_wins, read_series};
use super::rollup::{self, Line};
use super::{Blocks, ObjectsError};

/// Samples that may be read beyond what the caller takes, before what stands in several blocks is
/// dropped.
const SLACK: usize = 1 << 20;

/// Rows that are read together: about a row group.
const BATCH: usize = 1 << 19;
/// Batches that are read at the same time: decoding takes a processor each.
const AT_ONCE: usize = 4;

/// Why a selection ends early.
enum Stop {
    Broken(Broken),
    TooMany,
}

impl Read for Blocks {
    async fn select_aspect(
        &self,
        selector: &[Matcher],
        range: TimeRange,
        aspect: Aspect,
        max_samples: usize,
    ) -> Result<Vec<Series>, ReadError> {
        let wanted = Wanted {
            selector: [selector.to_vec()],
            range,
            aspect,
            max_samples,
        };
        self.select_below(&wanted, Vec::new()).await
    }

    async fn series(
        &self,
        selectors: &[Selector],
        range: TimeRange,
        limit: Option<usize>,
    ) -> Result<Listing<Labels>, ReadError> {
        let entries = self.entries(selectors, range).await?;
        let all = entries.into_iter().map(|entry| entry.labels).collect();
        Ok(Listing::of(all, limit))
    }

    async fn label_names(
        &self,
        selectors: &[Selector],
        range: TimeRange,
        limit: Option<usize>,
    ) -> Result<Listing<String>, ReadError> {
        let entries = self.entries(selectors, range).await?;
        let names: BTreeSet<&str> = entries
            .iter()
            .flat_map(|entry| entry.labels.iter().map(|(name, _)| name))
            .collect();
        Ok(Listing::of(
            names.into_iter().map(str::to_owned).collect(),
            limit,
        ))
    }

    async fn label_values(
        &self,
        label: &str,
        selectors: &[Selector],
        range: TimeRange,
        limit: Option<usize>,
    ) -> Result<Listing<String>, ReadError> {
        if label == METRIC_NAME
            && selectors.is_empty()
            && let Some(names) = self.metric_names(range).await?
        {
            return Ok(Listing::of(names, limit));
        }
        let entries = self.entries(selectors, range).await?;
        let values: BTreeSet<&str> = entries
            .iter()
            .filter_map(|entry| entry.labels.get(label))
            .collect();
        Ok(Listing::of(
            values.into_iter().map(str::to_owned).collect(),
            limit,
        ))
    }

    /// Blocks hold none: the head knows what was said of every metric it has seen.
    async fn metadata(&self, _: Option<&str>) -> Result<Vec<(String, Metadata)>, ReadError> {
        Ok(Vec::new())
    }

    /// Nor do they hold exemplars.
    async fn exemplars(
        &self,
        _: &[Selector],
        _: TimeRange,
    ) -> Result<Vec<SeriesExemplars>, ReadError> {
        Ok(Vec::new())
    }
}

impl Blocks {
    /// What blocks hold below something that is newer than all of them.
    pub(crate) async fn select_below(
        &self,
        wanted: &Wanted,
        newest: Vec<Series>,
    ) -> Result<Vec<Series>, ReadError> {
        let limit = wanted.max_samples;
        loop {
            match wanted.read_all(&self.blocks_in(wanted.range)).await {
                Ok(found) => {
                    let joined = wanted.join_all(found, newest);
                    return joined.ok_or(ReadError::TooManySamples { limit });
                }
                Err(Stop::TooMany) => return Err(ReadError::TooManySamples { limit }),
                Err(Stop::Broken(broken)) => self.put_aside(broken).await?,
            }
        }
    }

    fn blocks_in(&self, range: TimeRange) -> Vec<Arc<Block>> {
        let mut blocks = self.0.shelf.blocks();
        let metas: Vec<_> = blocks.iter().map(|block| &block.meta).collect();
        let answering = compact::answering(&metas);
        blocks.retain(|block| {
            let of_block = block.meta.range();
            answering.contains(&block.meta.id)
                && of_block.from_ms <= range.to_ms
                && range.from_ms <= of_block.to_ms
        });
        blocks
    }

    /// What all blocks have of some series.
    async fn entries(
        &self,
        selectors: &[Selector],
        range: TimeRange,
    ) -> Result<Vec<Entry>, ReadError> {
        'again: loop {
            let mut entries = Vec::new();
            for block in self.blocks_in(range) {
                match block.find(selectors, range).await {
                    Ok(found) => entries.extend(found),
                    Err(error) => {
                        self.put_aside(broken(&block, error)).await?;
                        continue 'again;
                    }
                }
            }
            return Ok(entries);
        }
    }

    /// The names of all metrics, where every block lies in `range` whole.
    async fn metric_names(&self, range: TimeRange) -> Result<Option<Vec<String>>, ReadError> {
        'again: loop {
            let mut names = BTreeSet::new();
            for block in self.blocks_in(range) {
                let of_block = block.meta.range();
                if !range.contains(of_block.from_ms) || !range.contains(of_block.to_ms) {
                    return Ok(None);
                }
                match block.metric_names().await {
                    Ok(listed) => names.extend(listed),
                    Err(error) => {
                        self.put_aside(broken(&block, error)).await?;
                        continue 'again;
                    }
                }
            }
            names.remove("");
            return Ok(Some(names.into_iter().collect()));
        }
    }

    /// Moves a block aside that turned out to be damaged. What else went wrong is the caller's.
    async fn put_aside(&self, broken: Broken) -> Result<(), ObjectsError> {
        let Broken { block, error } = broken;
        match error {
            BlockError::Objects(error) => Err(error),
            BlockError::Damaged(damage) => {
                let (file, offset, what) = (&damage.file, damage.offset, &damage.what);
                let hint = "its samples are missing until it is repaired; check the disk";
                tracing::error!(%block, file, offset, what, hint, "a block is damaged; moved aside");
                self.0.shelf.quarantine(block).await
            }
        }
    }
}

/// What is asked for.
pub(crate) struct Wanted {
    pub(crate) selector: [Selector; 1],
    pub(crate) range: TimeRange,
    pub(crate) aspect: Aspect,
    pub(crate) max_samples: usize,
}

/// What one block has of a series.
enum Piece {
    Samples(Vec<Sample>),
    Lines(i64, Vec<Line>),
}

impl Piece {
    fn len(&self) -> usize {
        match self {
            Self::Samples(samples) => samples.len(),
            Self::Lines(_, lines) => lines.len(),
        }
    }
}

/// What blocks have of a series, from the oldest to the newest.
#[derive(Default)]
struct Pieces {
    samples: Vec<Vec<Sample>>,
    lines: Vec<(i64, Vec<Line>)>,
}

impl Wanted {
    /// Everything that blocks have of what is asked for.
    async fn read_all(&self, blocks: &[Arc<Block>]) -> Result<Vec<(Labels, Pieces)>, Stop> {
        let mut batches = Vec::new();
        for block in blocks {
            let entries = block.find(&self.selector, self.range).await;
            let mut entries = entries.map_err(|error| Stop::Broken(broken(block, error)))?;
            while !entries.is_empty() {
                batches.push((Arc::clone(block), take_batch(&mut entries, BATCH)));
            }
        }
        let mut read = 0usize;
        // What stands in several blocks is dropped only once all are read.
        let bound = self.max_samples.saturating_mul(2).saturating_add(SLACK);
        let mut found = Vec::new();
        let reading = batches
            .into_iter()
            .map(|(block, batch)| self.read(block, batch));
        let mut reading = futures::stream::iter(reading).buffered(AT_ONCE);
        while let Some(batch) = reading.next().await {
            let batch = batch?;
            let lengths = batch.iter().map(|(_, piece)| piece.len());
            read = read.saturating_add(lengths.sum());
            if read > bound {
                return Err(Stop::TooMany);
            }
            found = add_sorted(found, batch);
        }
        Ok(found)
    }

    /// One list of series, sorted by labels; nothing if they have too many samples.
    fn join_all(&self, found: Vec<(Labels, Pieces)>, newest: Vec<Series>) -> Option<Vec<Series>> {
        let newest = newest.into_iter();
        let newest = newest.map(|it| (it.labels, Piece::Samples(it.samples)));
        let found = add_sorted(found, newest.collect());
        let series = found.into_iter().map(|(labels, pieces)| Series {
            labels,
            samples: self.join(pieces),
        });
        let series: Vec<Series> = series.filter(|it| !it.samples.is_empty()).collect();
        let samples: usize = series.iter().map(|series| series.samples.len()).sum();
        (samples <= self.max_samples).then_some(series)
    }

    /// Reads what a block has of some series.
    async fn read(
        &self,
        block: Arc<Block>,
        entries: Vec<Entry>,
    ) -> Result<Vec<(Labels, Piece)>, Stop> {
        let stop = |error| Stop::Broken(broken(&block, error));
        let mut found = Vec::with_capacity(entries.len());
        let Some(width_ms) = block.meta.resolution.width_ms() else {
            let series = read_series(&block, entries, self.range).await;
            let series = series.map_err(stop)?.into_iter();
            found.extend(series.map(|it| (it.labels, Piece::Samples(it.samples))));
            found.retain(|(_, piece)| piece.len() > 0);
            return Ok(found);
        };
        let series = lines::of_entries(&block, entries).await;
        for (labels, mut lines) in series.map_err(stop)? {
            let TimeRange { from_ms, to_ms } = self.range;
            lines.retain(|line| line.first_ms <= to_ms && from_ms <= line.last_ms);
            if !lines.is_empty() {
                found.push((labels, Piece::Lines(width_ms, lines)));
            }
        }
        Ok(found)
    }

    /// One series of what several blocks have of it.
    fn join(&self, pieces: Pieces) -> Vec<Sample> {
        let Pieces { samples, lines } = pieces;
        if lines.is_empty() {
            return newest_wins(samples);
        }
        let mut by_width: BTreeMap<i64, Vec<Vec<Line>>> = BTreeMap::new();
        for (width_ms, lines) in lines {
            by_width.entry(width_ms).or_default().push(lines);
        }
        let joined = by_width
            .into_iter()
            .flat_map(|(width_ms, parts)| rollup::join(parts.into_iter(), width_ms));
        let mut lines: Vec<Line> = joined.collect();
        lines.sort_by_key(|line| line.first_ms);
        let mut thinned = rollup::samples(&lines, self.aspect, self.max_samples);
        thinned.retain(|sample| self.range.contains(sample.at_ms));
        let mut parts = vec![thinned];
        parts.extend(samples);
        newest_wins(parts)
    }
}

impl Pieces {
    fn push(&mut self, piece: Piece) {
        match piece {
            Piece::Samples(samples) => self.samples.push(samples),
            Piece::Lines(width_ms, lines) => self.lines.push((width_ms, lines)),
        }
    }
}

/// Adds what one block has to what all before it have; both are in the order of labels.
fn add_sorted(found: Vec<(Labels, Pieces)>, pieces: Vec<(Labels, Piece)>) -> Vec<(Labels, Pieces)> {
    let mut joined = Vec::with_capacity(found.len().max(pieces.len()));
    let mut found = found.into_iter().peekable();
    for (labels, piece) in pieces {
        while let Some(before) = found.next_if(|(known, _)| *known < labels) {
            joined.push(before);
        }
        let known = found.next_if(|(known, _)| *known == labels);
        let (labels, mut pieces) = known.unwrap_or_else(|| (labels, Pieces::default()));
        pieces.push(piece);
        joined.push((labels, pieces));
    }
    joined.extend(found);
    joined
}

/// As many of the first entries as have so many rows, or one.
fn take_batch(entries: &mut Vec<Entry>, max_rows: usize) -> Vec<Entry> {
    let mut rows = 0u64;
    let fit = entries.iter().take_while(|entry| {
        rows = rows.saturating_add(entry.rows.end - entry.rows.start);
        rows <= max_rows as u64
    });
    let rest = entries.split_off(fit.count().max(1));
    std::mem::replace(entries, rest)
}

fn broken(block: &Block, error: BlockError) -> Broken {
    let block = block.meta.id;
    Broken { block, error }
}
