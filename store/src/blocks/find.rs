//! Finding series in a block.
//!
//! The table of series lies in the order of labels, in parts of a few thousand. Where each metric's
//! name begins is known without reading any of them, so a selector that names a metric, or has a
//! pattern for its name, reads only the parts that have it.

use std::ops::Range;
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::path::Path;
use parquet::data_type::Int64Type;

use crate::labels::METRIC_NAME;
use crate::matcher::Remembering;
use crate::read::{Selector, TimeRange};

use super::cache::{Cache, Item, Name};
use super::damage::BlockError;
use super::layout::{self, Entry, TIME};
use super::meta::Meta;
use super::objects::{self, SAMPLES, SERIES};
use super::table::{Chunk, Table};
use super::times::Times;
use super::work;

/// Rows of a page from which on a row group's times are read whole and kept.
const LARGE_PAGE: u64 = 16 << 10;

/// A block that can be read.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) meta: Meta,
    objects: Arc<dyn ObjectStore>,
    cache: Arc<Cache>,
    place: Place,
}

/// Where a block's files are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Shelf,
    Quarantine,
}

/// A few thousand series of a block.
#[derive(Debug)]
pub(super) struct Part {
    entries: Vec<Entry>,
}

/// Where each metric begins in the table of series.
#[derive(Debug)]
pub(super) struct Metrics {
    /// Ascending by row.
    runs: Vec<(u64, String)>,
    /// Where each part begins, and the end.
    parts: Vec<u64>,
}

impl Block {
    pub(super) fn new(
        meta: Meta,
        objects: Arc<dyn ObjectStore>,
        cache: Arc<Cache>,
        place: Place,
    ) -> Self {
        Self {
            meta,
            objects,
            cache,
            place,
        }
    }

    /// Where one of its files is.
    pub(super) fn file(&self, name: &str) -> Path {
        match self.place {
            Place::Shelf => objects::file(self.meta.id, name),
            Place::Quarantine => objects::quarantined(&self.meta.id.to_string(), name),
        }
    }

    pub(super) fn objects(&self) -> &dyn ObjectStore {
        &*self.objects
    }

    /// The table of samples.
    pub(super) async fn samples(&self) -> Result<Arc<Table>, BlockError> {
        self.table(Name::Samples).await
    }

    /// The table of series.
    pub(super) async fn series(&self) -> Result<Arc<Table>, BlockError> {
        self.table(Name::Series).await
    }

    /// The series that one of the selectors finds and that may have a sample in `range`, in the order
    /// of labels. No selector finds every series.
    pub(super) async fn find(
        &self,
        selectors: &[Selector],
        range: TimeRange,
    ) -> Result<Vec<Entry>, BlockError> {
        let metrics = self.metrics().await?;
        let mut found = Vec::new();
        for part in metrics.candidates(selectors) {
            let part = self.part(part).await?;
            part.find(selectors, range, &mut found);
        }
        Ok(found)
    }

    /// The names of all metrics.
    pub(super) async fn metric_names(&self) -> Result<Vec<String>, BlockError> {
        let metrics = self.metrics().await?;
        Ok(metrics.runs.iter().map(|(_, name)| name.clone()).collect())
    }

    pub(super) async fn parts(&self) -> Result<usize, BlockError> {
        Ok(self.series().await?.groups())
    }

    pub(super) async fn part(&self, at: usize) -> Result<Arc<Part>, BlockError> {
        let name = Name::Part(at);
        if let Some(Item::Part(part)) = self.cache.get(self.meta.id, name) {
            return Ok(part);
        }
        let part = Arc::new(self.read_part(at).await?);
        self.cache
            .put(self.meta.id, name, &Item::Part(Arc::clone(&part)));
        Ok(part)
    }

    /// Reads a part without keeping it.
    pub(super) async fn read_part(&self, at: usize) -> Result<Part, BlockError> {
        let table = self.series().await?;
        let columns = table.metadata().row_group(at).num_columns();
        let pages: Vec<Range<u64>> = (0..columns)
            .flat_map(|column| table.all_pages(Chunk { group: at, column }))
            .collect();
        let sparse = Arc::new(table.fetch(self.objects(), &pages).await?);
        let path = table.path().clone();
        let entries = work::decode(path, move || layout::read_series(&table, &sparse, at)).await?;
        Ok(Part { entries })
    }

    async fn metrics(&self) -> Result<Arc<Metrics>, BlockError> {
        if let Some(Item::Metrics(metrics)) = self.cache.get(self.meta.id, Name::Metrics) {
            return Ok(metrics);
        }
        let table = self.series().await?;
        let chunks = (0..table.groups()).map(layout::metric_chunk);
        let pages: Vec<Range<u64>> = chunks.flat_map(|chunk| table.all_pages(chunk)).collect();
        let sparse = Arc::new(table.fetch(self.objects(), &pages).await?);
        let path = table.path().clone();
        let read = move || {
            let names = layout::read_metrics(&table, &sparse)?;
            let names: Vec<_> = names.iter().map(Option::as_deref).collect();
            Ok(Arc::new(Metrics::of(&table, &names)))
        };
        let metrics = work::decode(path, read).await?;
        let item = Item::Metrics(Arc::clone(&metrics));
        self.cache.put(self.meta.id, Name::Metrics, &item);
        Ok(metrics)
    }

    /// The times of a row group of samples, where its pages are so large that reading some rows is
    /// about as much work as reading all.
    pub(super) async fn times(&self, group: usize) -> Result<Option<Arc<Times>>, BlockError> {
        let name = Name::Times(group);
        if let Some(Item::Times(times)) = self.cache.get(self.meta.id, name) {
            return Ok(Some(times));
        }
        let table = self.samples().await?;
        let chunk = Chunk {
            group,
            column: TIME,
        };
        let (pages, rows) = (table.all_pages(chunk), table.rows(group));
        if rows / (pages.len() as u64).max(1) < LARGE_PAGE {
            return Ok(None);
        }
        let sparse = Arc::new(table.fetch(self.objects(), &pages).await?);
        let path = table.path().clone();
        let all_rows = 0..rows;
        let times = work::decode(path, move || {
            let whole = std::slice::from_ref(&all_rows);
            let all = table.read::<Int64Type>(&sparse, chunk, whole)?.values;
            Ok(Arc::new(Times::of(&all)))
        });
        let times = times.await?;
        let item = Item::Times(Arc::clone(&times));
        self.cache.put(self.meta.id, name, &item);
        Ok(Some(times))
    }

    async fn table(&self, name: Name) -> Result<Arc<Table>, BlockError> {
        if let Some(Item::Table(table)) = self.cache.get(self.meta.id, name) {
            return Ok(table);
        }
        let (file_name, file) = match name {
            Name::Samples => (SAMPLES, self.meta.samples_file),
            _ => (SERIES, self.meta.series_file),
        };
        let path = self.file(file_name);
        let table = Arc::new(Table::open(self.objects(), path, file).await?);
        self.cache
            .put(self.meta.id, name, &Item::Table(Arc::clone(&table)));
        Ok(table)
    }
}

impl Part {
    pub(super) fn into_entries(self) -> Vec<Entry> {
        self.entries
    }

    pub(super) fn weight(&self) -> usize {
        let texts: usize = self
            .entries
            .iter()
            .map(|entry| entry.labels.as_encoded().len())
            .sum();
        // Beside its text each label set has two counters.
        texts + self.entries.len() * (size_of::<Entry>() + 16)
    }

    fn find(&self, selectors: &[Selector], range: TimeRange, found: &mut Vec<Entry>) {
        let is_every = selectors.is_empty();
        let mut selectors: Vec<_> = selectors.iter().map(Remembering::new).collect();
        for entry in &self.entries {
            let reaches = entry.first_ms <= range.to_ms && range.from_ms <= entry.last_ms;
            let mut any = selectors.iter_mut();
            let is_wanted = is_every || any.any(|one| one.accepts(&entry.labels));
            if reaches && is_wanted {
                found.push(entry.clone());
            }
        }
    }
}

impl Metrics {
    /// `metrics` has the name of each row, where it has one.
    fn of(table: &Table, metrics: &[Option<&str>]) -> Self {
        let mut parts = vec![0];
        let mut end = 0;
        for group in 0..table.groups() {
            end += table.rows(group);
            parts.push(end);
        }
        let mut runs: Vec<(u64, String)> = Vec::new();
        for (row, metric) in (0..).zip(metrics) {
            let metric = metric.unwrap_or_default();
            if runs.last().is_none_or(|(_, last)| last != metric) {
                runs.push((row, metric.to_owned()));
            }
        }
        Self { runs, parts }
    }

    pub(super) fn weight(&self) -> usize {
        let texts: usize = self.runs.iter().map(|(_, name)| name.len()).sum();
        texts + size_of_val(&*self.runs) + self.parts.len() * 8
    }

    /// The parts that can have series that a selector finds.
    fn candidates(&self, selectors: &[Selector]) -> Vec<usize> {
        let all = 0..self.parts.len() - 1;
        let runs = &self.runs;
        let accepts = |name: &str| {
            selectors.is_empty()
                || selectors.iter().any(|selector| {
                    let mut of_name = selector.iter().filter(|it| it.label() == METRIC_NAME);
                    of_name.all(|matcher| matcher.accepts(name))
                })
        };
        let mut wanted = vec![false; all.len()];
        for (at, (start, name)) in runs.iter().enumerate() {
            if !accepts(name) {
                continue;
            }
            let end = runs.get(at + 1).map_or(u64::MAX, |(next, _)| *next);
            let first = self.parts.partition_point(|begin| begin <= start);
            let behind = self.parts.partition_point(|begin| *begin < end);
            let behind = behind.min(wanted.len());
            if let Some(parts) = wanted.get_mut(first.saturating_sub(1)..behind) {
                parts.fill(true);
            }
        }
        all.filter(|part| wanted.get(*part) == Some(&true))
            .collect()
    }
}
