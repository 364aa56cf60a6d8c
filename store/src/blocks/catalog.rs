//! The table of series of a block under way, and the commit.
//!
//! Nothing of a block is visible until `meta.json` is there, which [`Catalog::commit`] writes after
//! everything else.

use std::sync::Arc;

use object_store::{ObjectStore, ObjectStoreExt};
use tokio::runtime::Handle;

use crate::labels::Labels;

use super::damage::{ObjectsError, WriteError};
use super::layout::{self, Entry, SERIES_SCHEMA};
use super::meta::{BlockId, FileMeta, Meta, Provenance, Resolution, VERSION};
use super::objects::{self, META, SERIES, Upload};
use super::owner::Owner;
use super::sheet::{Effort, Sheet};

/// Series of one row group of the table of series: what is read to find one.
const PART: usize = 4096;

/// Where blocks are written to.
#[derive(Clone)]
pub(super) struct Target {
    pub(super) objects: Arc<dyn ObjectStore>,
    pub(super) runtime: Handle,
    /// Who writes here, where others could too.
    pub(super) owner: Option<Owner>,
}

impl Target {
    /// Makes sure that the blocks are still this process' to change.
    pub(super) fn confirm(&self) -> Result<(), WriteError> {
        match &self.owner {
            Some(owner) => self.runtime.block_on(owner.confirm(&*self.objects)),
            None => Ok(()),
        }
    }
}

/// What a block is, before it is known what is in it.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) id: BlockId,
    /// The lowest order of a block of which it has samples.
    pub(super) oldest: BlockId,
    pub(super) order: BlockId,
    pub(super) level: u8,
    pub(super) resolution: Resolution,
    pub(super) provenance: Provenance,
    pub(super) replaces: Vec<BlockId>,
}

impl Plan {
    /// What comes from memory makes.
    pub(super) fn of_new(id: BlockId, provenance: Provenance) -> Self {
        Self {
            id,
            oldest: id,
            order: id,
            level: 0,
            resolution: Resolution::Raw,
            provenance,
            replaces: Vec::new(),
        }
    }

    /// What merging neighbours, given from the oldest to the newest, makes.
    pub(super) fn of_merge(id: BlockId, sources: &[&Meta], level: u8) -> Self {
        let of = |number: fn(&Provenance) -> i64| {
            let numbers = sources.iter().map(move |meta| number(&meta.provenance));
            numbers.clone().min().zip(numbers.max()).unwrap_or_default()
        };
        let (arrived_from_ms, _) = of(|it| it.arrived_from_ms);
        let (_, arrived_to_ms) = of(|it| it.arrived_to_ms);
        let marks = sources.iter().map(|meta| meta.provenance.mark);
        let provenance = Provenance {
            arrived_from_ms,
            arrived_to_ms,
            mark: marks.max().unwrap_or_default(),
        };
        Self {
            oldest: sources.iter().map(|meta| meta.oldest).min().unwrap_or(id),
            order: sources.iter().map(|meta| meta.order).max().unwrap_or(id),
            level,
            replaces: sources.iter().map(|meta| meta.id).collect(),
            ..Self::of_new(id, provenance)
        }
    }

    /// What is left of a damaged block makes.
    pub(super) fn of_rest(id: BlockId, damaged: &Meta) -> Self {
        Self {
            level: damaged.level,
            ..Self::of_thinned(id, damaged, damaged.resolution)
        }
    }

    /// What a block makes at a coarser resolution.
    pub(super) fn of_thinned(id: BlockId, source: &Meta, resolution: Resolution) -> Self {
        Self {
            oldest: source.oldest,
            order: source.order,
            level: 1,
            resolution,
            ..Self::of_new(id, source.provenance)
        }
    }

    pub(super) fn effort(&self) -> Effort {
        match self.level {
            0 => Effort::Quick,
            _ => Effort::Thorough,
        }
    }

    /// Rows that are gathered before they are encoded, at sixteen bytes each. More of them share the
    /// times that they have in common; a merged block has longer series.
    pub(super) fn segment_rows(&self) -> usize {
        match self.level {
            0 => 1 << 20,
            _ => 2 << 20,
        }
    }

    /// A file of the block, to be written.
    pub(super) fn sheet(
        &self,
        target: &Target,
        name: &str,
        schema: &str,
    ) -> Result<Sheet, WriteError> {
        let path = objects::file(self.id, name);
        let object = path.to_string();
        let upload = Upload::new(Arc::clone(&target.objects), target.runtime.clone(), path);
        Sheet::create(upload, object, schema, self.effort())
    }
}

/// The table of series under way.
pub(super) struct Catalog {
    target: Target,
    pub(super) plan: Plan,
    sheet: Sheet,
    /// Series of which the rows are known, in the order of labels.
    part: Vec<Entry>,
    series: u64,
    rows: u64,
    from_ms: i64,
    to_ms: i64,
    last: Option<Labels>,
}

impl Catalog {
    pub(super) fn create(target: &Target, plan: Plan) -> Result<Self, WriteError> {
        Ok(Self {
            sheet: plan.sheet(target, SERIES, SERIES_SCHEMA)?,
            target: target.clone(),
            plan,
            part: Vec::new(),
            series: 0,
            rows: 0,
            from_ms: i64::MAX,
            to_ms: i64::MIN,
            last: None,
        })
    }

    /// Makes sure that series come in the order of their labels.
    pub(super) fn expect_next(&mut self, labels: &Labels) -> Result<(), WriteError> {
        if let Some(last) = &self.last
            && last >= labels
        {
            let after = format!("{last:?}");
            return Err(WriteError::Unsorted { after });
        }
        self.last = Some(labels.clone());
        Ok(())
    }

    /// Gives a series its number and the next so many rows.
    pub(super) fn claim(
        &mut self,
        labels: Labels,
        (first_ms, last_ms): (i64, i64),
        rows: usize,
    ) -> Result<Entry, WriteError> {
        let series = u32::try_from(self.series).map_err(|_| WriteError::TooManySeries)?;
        let first_row = self.rows;
        self.series += 1;
        self.rows += rows as u64;
        self.from_ms = self.from_ms.min(first_ms);
        self.to_ms = self.to_ms.max(last_ms);
        Ok(Entry {
            labels,
            series,
            first_ms,
            last_ms,
            rows: first_row..self.rows,
        })
    }

    /// Takes the next series, in the order of labels.
    pub(super) fn extend(
        &mut self,
        entries: impl Iterator<Item = Entry>,
    ) -> Result<(), WriteError> {
        self.part.extend(entries);
        self.write_parts(PART)
    }

    /// Completes the block: on return it is durable and visible.
    pub(super) fn commit(mut self, samples_file: FileMeta) -> Result<Meta, WriteError> {
        self.write_parts(1)?;
        if self.series == 0 {
            return Err(WriteError::Empty);
        }
        let series_file = self.sheet.finish()?;
        let Plan {
            id,
            oldest,
            order,
            level,
            resolution,
            provenance,
            replaces,
        } = self.plan;
        let meta = Meta {
            version: VERSION,
            id,
            oldest,
            order,
            level,
            resolution,
            from_ms: self.from_ms,
            to_ms: self.to_ms,
            series: self.series,
            samples: self.rows,
            provenance,
            replaces,
            samples_file,
            series_file,
        };
        self.target.confirm()?;
        let path = objects::file(id, META);
        let put = self.target.objects.put(&path, meta.encode().into());
        match self.target.runtime.block_on(put) {
            Ok(_) => Ok(meta),
            Err(error) => Err(ObjectsError::new("write", &path, error).into()),
        }
    }

    /// Writes what there is, once there is so much of it.
    fn write_parts(&mut self, at_least: usize) -> Result<(), WriteError> {
        while self.part.len() >= at_least {
            let rest = self.part.split_off(PART.min(self.part.len()));
            layout::write_series(&mut self.sheet, &self.part)?;
            self.part = rest;
        }
        Ok(())
    }
}
