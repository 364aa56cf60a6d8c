//! One series of the head with its samples, packed, in one span a generation.

use crate::labels::Labels;
use crate::read::{Sample, TimeRange};

use super::chunk::{Chunk, Samples};

/// Room that is made ahead at the most: what came in a flood once may not come again.
const MOST_ROOM: usize = 1_024;

/// A series and its samples.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) labels: Labels,
    /// Oldest generation first; none of them the open one's.
    sealed: Vec<Sealed>,
    open: Span,
    chunk: Chunk,
}

/// What is known of the samples of one generation.
#[derive(Clone, Copy, Debug, Default)]
struct Span {
    generation: u32,
    first_ms: i64,
    last_ms: i64,
    /// Whether the order of arrival is strictly the order of time too. Nearly always it is. Where it
    /// is not, readers sort: keeping order on insertion would let one sender of descending times make
    /// each sample cost as much as all before it.
    unsorted: bool,
}

#[derive(Debug)]
struct Sealed {
    span: Span,
    count: u32,
    bytes: Box<[u8]>,
}

impl Span {
    /// How many of its samples are in `range`, should they be evenly spread: room that is made at once.
    fn share(&self, count: u32, range: TimeRange) -> usize {
        let all = usize::try_from(count).unwrap_or(usize::MAX);
        let length_ms = i128::from(self.last_ms) - i128::from(self.first_ms);
        let within_ms = i128::from(range.to_ms.min(self.last_ms))
            - i128::from(range.from_ms.max(self.first_ms));
        let share = (within_ms * i128::from(count)).checked_div(length_ms);
        let share = share.and_then(|share| usize::try_from(share).ok());
        share.map_or(all, |share| all.min(share + 1))
    }
}

impl Held {
    pub(super) fn new(labels: Labels) -> Self {
        Self {
            labels,
            sealed: Vec::new(),
            open: Span::default(),
            chunk: Chunk::default(),
        }
    }

    /// Says whether there is one sample more.
    pub(super) fn push(&mut self, generation: u32, sample: Sample) -> bool {
        let same = (sample.at_ms, sample.value.to_bits());
        let last = self.chunk.last();
        if last.is_some() && self.open.generation != generation {
            // It will grow in a few steps, and not be half empty for long.
            self.seal(2);
        } else if last == Some(same) {
            // The same once more changes nothing.
            return false;
        }
        let at_ms = sample.at_ms;
        self.open = match self.chunk.last() {
            None => Span {
                generation,
                first_ms: at_ms,
                last_ms: at_ms,
                unsorted: false,
            },
            Some((last_ms, _)) => Span {
                generation,
                first_ms: self.open.first_ms.min(at_ms),
                last_ms: self.open.last_ms.max(at_ms),
                unsorted: self.open.unsorted || at_ms <= last_ms,
            },
        };
        self.chunk.push(at_ms, sample.value);
        true
    }

    /// Takes in many samples. The same as each by itself, but that room for a whole generation is
    /// made at once.
    pub(super) fn fill(&mut self, generation: u32, samples: impl Iterator<Item = Sample>) -> u64 {
        if self.chunk.count() > 0 && self.open.generation != generation {
            self.seal(1);
        }
        let more = samples.map(|sample| self.push(generation, sample));
        more.map(u64::from).sum()
    }

    /// Ends what is open. What follows will be about as long as that: room for a part of it is made.
    fn seal(&mut self, part: usize) {
        let next = Chunk::with_room((self.chunk.len() / part).min(MOST_ROOM));
        let chunk = std::mem::replace(&mut self.chunk, next);
        self.sealed.push(Sealed {
            span: self.open,
            count: chunk.count(),
            bytes: chunk.seal(),
        });
    }

    /// Drops every span up to that generation; says how many samples went.
    pub(super) fn drop_through(&mut self, generation: u32) -> u64 {
        let kept_from = self
            .sealed
            .partition_point(|sealed| sealed.span.generation <= generation);
        let gone = self.sealed.drain(..kept_from);
        let mut dropped: u64 = gone.map(|sealed| u64::from(sealed.count)).sum();
        self.sealed.shrink_to_fit();
        if self.chunk.count() > 0 && self.open.generation <= generation {
            dropped += u64::from(std::mem::take(&mut self.chunk).count());
        }
        dropped
    }

    pub(super) fn is_empty(&self) -> bool {
        self.sealed.is_empty() && self.chunk.count() == 0
    }

    /// The time of its newest sample.
    pub(super) fn newest_ms(&self) -> Option<i64> {
        self.spans(u32::MAX).map(|(span, ..)| span.last_ms).max()
    }

    /// From when to when each of its spans goes.
    pub(super) fn extents(&self) -> impl Iterator<Item = (i64, i64)> {
        self.spans(u32::MAX)
            .map(|(span, ..)| (span.first_ms, span.last_ms))
    }

    /// Whether something of it is in that generation or before.
    pub(super) fn begins_by(&self, generation: u32) -> bool {
        self.spans(generation).next().is_some()
    }

    pub(super) fn reaches(&self, range: TimeRange) -> bool {
        self.spans(u32::MAX)
            .any(|(span, ..)| span.first_ms <= range.to_ms && range.from_ms <= span.last_ms)
    }

    /// The samples in `range`.
    pub(super) fn samples_in(&self, range: TimeRange) -> Vec<Sample> {
        self.gather(u32::MAX, range)
    }

    /// The newest sample in `range`. It is at hand unless there are later ones.
    pub(super) fn newest_in(&self, range: TimeRange) -> Option<Sample> {
        if let Some((at_ms, bits)) = self.chunk.last()
            && range.contains(at_ms)
            && !self.open.unsorted
            && self
                .sealed
                .iter()
                .all(|sealed| sealed.span.last_ms <= at_ms)
        {
            let value = f64::from_bits(bits);
            return Some(Sample { at_ms, value });
        }
        self.gather(u32::MAX, range).last().copied()
    }

    /// All samples up to that generation.
    pub(super) fn samples_through(&self, generation: u32) -> Vec<Sample> {
        self.gather(generation, TimeRange::ALL)
    }

    /// Bytes that the samples take.
    pub(super) fn bytes(&self) -> usize {
        let sealed: usize = self.sealed.iter().map(|sealed| sealed.bytes.len()).sum();
        sealed + self.chunk.capacity()
    }

    fn gather(&self, through: u32, range: TimeRange) -> Vec<Sample> {
        let mut samples: Vec<Sample> = Vec::new();
        let mut in_order = true;
        for (span, count, packed) in self.spans(through) {
            if span.last_ms < range.from_ms || range.to_ms < span.first_ms {
                continue;
            }
            samples.reserve(span.share(count, range));
            let joint = samples.len();
            let all = packed.map(|(at_ms, value)| Sample { at_ms, value });
            samples.extend(all.filter(|sample| range.contains(sample.at_ms)));
            let joins = joint == 0
                || samples
                    .get(joint)
                    .is_none_or(|first| samples[joint - 1].at_ms < first.at_ms);
            in_order &= !span.unsorted && joins;
        }
        if !in_order {
            // Stable: of one moment the sample appended last stands last and is kept.
            samples.sort_by_key(|sample| sample.at_ms);
            samples.reverse();
            samples.dedup_by_key(|sample| sample.at_ms);
            samples.reverse();
        }
        samples
    }

    fn spans(&self, through: u32) -> impl Iterator<Item = (Span, u32, Samples<'_>)> {
        let sealed = self.sealed.iter();
        let sealed = sealed.map(|sealed| (sealed.span, sealed.count, Samples::of(&sealed.bytes)));
        let count = self.chunk.count();
        let open = (count > 0).then(|| (self.open, count, self.chunk.samples()));
        sealed
            .chain(open)
            .filter(move |(span, ..)| span.generation <= through)
    }
}
