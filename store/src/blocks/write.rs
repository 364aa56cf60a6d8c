//! Writing a block of samples: series come in the order of their labels and leave as row groups.
//!
//! Series are gathered into a *segment* of bounded size. Within it they are set apart by what their
//! values have in common, because a row group of like values compresses better than a mixed one, and
//! numbered in the order in which they will lie. The table of series keeps the order of labels.

use crate::labels::Labels;
use crate::read::{Sample, Series};

use super::catalog::{Catalog, Plan, Target};
use super::damage::WriteError;
use super::decimal;
use super::layout::{Class, Entry, Group, SAMPLES_SCHEMA};
use super::meta::Meta;
use super::objects::SAMPLES;
use super::sheet::Sheet;

/// A block under way.
pub(super) struct BlockWriter {
    catalog: Catalog,
    samples: Sheet,
    segment: Segment,
}

/// Series that wait to be encoded.
#[derive(Debug, Default)]
struct Segment {
    waiting: Vec<Waiting>,
    samples: Vec<Sample>,
}

#[derive(Debug)]
struct Waiting {
    labels: Labels,
    class: Class,
    scale: u8,
    start: usize,
    end: usize,
}

impl BlockWriter {
    pub(super) fn create(target: &Target, plan: Plan) -> Result<Self, WriteError> {
        Ok(Self {
            samples: plan.sheet(target, SAMPLES, SAMPLES_SCHEMA)?,
            catalog: Catalog::create(target, plan)?,
            segment: Segment::default(),
        })
    }

    /// Takes the next series. One without samples is left out.
    pub(super) fn push(&mut self, series: Series) -> Result<(), WriteError> {
        self.catalog.expect_next(&series.labels)?;
        if series.samples.is_empty() {
            return Ok(());
        }
        self.segment.push(series);
        // Series of one sample each are as much a burden as many samples of one.
        let rows = self.catalog.plan.segment_rows();
        if self.segment.samples.len() >= rows || self.segment.waiting.len() >= rows / 16 {
            self.flush()?;
        }
        Ok(())
    }

    /// Completes the block: on return it is durable and visible.
    pub(super) fn finish(mut self) -> Result<Meta, WriteError> {
        self.flush()?;
        let samples_file = self.samples.finish()?;
        self.catalog.commit(samples_file)
    }

    /// Encodes the segment, a row group for each class.
    fn flush(&mut self) -> Result<(), WriteError> {
        let segment = std::mem::take(&mut self.segment);
        let mut entries: Vec<Option<Entry>> = segment.waiting.iter().map(|_| None).collect();
        for class in [Class::Constant, Class::Decimal, Class::Float] {
            let mut group = Group::new(class);
            for (waiting, entry) in segment.waiting.iter().zip(&mut entries) {
                if waiting.class == class {
                    *entry = Some(self.place(&segment, waiting, &mut group)?);
                }
            }
            if !group.times.is_empty() {
                group.write(&mut self.samples, self.catalog.plan.effort())?;
            }
        }
        self.catalog.extend(entries.into_iter().flatten())
    }

    /// Moves a series from the segment into a row group; says where it lies.
    fn place(
        &mut self,
        segment: &Segment,
        waiting: &Waiting,
        group: &mut Group,
    ) -> Result<Entry, WriteError> {
        let samples = segment.samples.get(waiting.start..waiting.end);
        let samples = samples.unwrap_or_default();
        let ends = match samples {
            [first, .., last] => (first.at_ms, last.at_ms),
            [only] => (only.at_ms, only.at_ms),
            [] => (i64::MAX, i64::MIN),
        };
        let labels = waiting.labels.clone();
        let entry = self.catalog.claim(labels, ends, samples.len())?;
        for sample in samples {
            group.series.push(entry.series.cast_signed());
            group.times.push(sample.at_ms);
            group.values.push(sample.value);
            if group.class == Class::Decimal {
                group.scales.push(waiting.scale);
            }
        }
        Ok(entry)
    }
}

impl Segment {
    fn push(&mut self, mut series: Series) {
        let samples = &mut series.samples;
        if !samples.is_sorted_by(|one, next| one.at_ms < next.at_ms) {
            samples.sort_by_key(|sample| sample.at_ms);
            // Of one moment the sample given last counts.
            samples.reverse();
            samples.dedup_by_key(|sample| sample.at_ms);
            samples.reverse();
        }
        let (class, scale) = classify(samples);
        let start = self.samples.len();
        self.samples.extend_from_slice(samples);
        self.waiting.push(Waiting {
            labels: series.labels,
            class,
            scale,
            start,
            end: self.samples.len(),
        });
    }
}

fn classify(samples: &[Sample]) -> (Class, u8) {
    let bits = |sample: &Sample| sample.value.to_bits();
    let first = samples.first().map(bits);
    if samples.iter().all(|sample| Some(bits(sample)) == first) {
        return (Class::Constant, 0);
    }
    match decimal::scale(samples.iter().map(|sample| sample.value)) {
        Some(scale) => (Class::Decimal, scale),
        None => (Class::Float, 0),
    }
}
