//! Reading the journal back after a start: every whole record, past all damage.
//!
//! A torn tail is what a crash leaves behind while writing: it was never acknowledged, so it is cut
//! off. Anything else that is not a record is damage: it is reported with file and offset, and what
//! follows it is read. Rows whose series is not to be known, because both places that define its number
//! are damaged, are reported likewise and left out; they are never taken for another series'.
//!
//! One thread reads and decodes, the caller's puts it into memory.

mod files;

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, sync_channel};

use crate::append::{Delivery, Outcome};
use crate::ledger::Summary;
use crate::memory::{Memory, Named, Restoring};

use super::OpenError;
use super::dictionary::Dictionary;
use super::record::{Numbered, Record};
use super::segment::Segment;

use files::Piece;

/// Times some pieces are decoded ahead. A few even out that memory takes many in at a time.
const AHEAD: usize = 4;

/// What a start found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Files read.
    pub segments: u64,
    /// Deliveries read.
    pub deliveries: u64,
    /// Deliveries that an earlier record held already: written again after a failure.
    pub duplicates: u64,
    /// Samples read.
    pub samples: u64,
    /// Samples of which the series is not to be known any more; their records are among the damages.
    pub lost_samples: u64,
    /// A write that a crash cut short; removed.
    pub torn: Option<Damage>,
    /// Places that should hold a record and do not, or one that could be read in part only.
    pub damages: Vec<Damage>,
}

/// A place in a file that does not hold a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The file.
    pub path: PathBuf,
    /// Where it begins.
    pub offset: u64,
    /// How many bytes are lost.
    pub bytes: u64,
}

/// Reads every segment behind `mark` into `memory`, and deletes the others.
pub(super) fn replay(
    folder: &Path,
    memory: &Memory,
    mark: u64,
    now_steady_ms: i64,
) -> Result<(Vec<Segment>, Recovery), OpenError> {
    let (give, pieces) = sync_channel(AHEAD);
    let replay = Replay {
        memory: memory.restoring(),
        now_steady_ms,
        series: Dictionary::default(),
        last_arrival_steady_ms: i64::MIN,
        segments: Vec::new(),
        recovery: Recovery::default(),
    };
    std::thread::scope(|scope| {
        let reader = std::thread::Builder::new()
            .name("journal-reader".into())
            .spawn_scoped(scope, move || files::read(folder, mark, give))
            .map_err(|error| OpenError::new("start the reader of", folder, error))?;
        let found = replay.take_all(&pieces);
        match reader.join() {
            Ok(read) => read.map(|()| found),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

struct Replay<'a> {
    memory: Restoring<'a>,
    now_steady_ms: i64,
    /// What the numbers of the segment that is being read stand for.
    series: Dictionary<Named>,
    /// Of the segment that is being read.
    last_arrival_steady_ms: i64,
    segments: Vec<Segment>,
    recovery: Recovery,
}

impl Replay<'_> {
    fn take_all(mut self, pieces: &Receiver<Vec<Piece>>) -> (Vec<Segment>, Recovery) {
        // It ends with the reader.
        for piece in pieces.iter().flatten() {
            match piece {
                Piece::Record(record, place) => self.record(*record, place),
                Piece::Damaged(damage) => self.recovery.damages.push(damage),
                Piece::Torn(damage) => self.recovery.torn = Some(damage),
                Piece::End(segment) => self.end(segment),
            }
        }
        (self.segments, self.recovery)
    }

    fn record(&mut self, record: Record, place: Damage) {
        match record {
            Record::Series(definitions) => {
                let named = definitions.labels.into_iter().map(Named::from);
                self.series.define(definitions.first, named);
            }
            Record::Numbered(numbered) => self.numbered(numbered, place),
            Record::Delivery(delivery) => self.labelled(delivery),
            Record::Checkpoint(checkpoint) => self
                .memory
                .checkpoint(checkpoint.agents, checkpoint.metadata),
        }
    }

    fn numbered(&mut self, numbered: Numbered, place: Damage) {
        let Numbered {
            mut delivery,
            series,
            samples,
        } = numbered;
        let arrived = self.arrive(&mut delivery);
        let summary = Summary {
            arrival: delivery.arrival,
            rows: samples.len() as u64,
            newest_ms: samples.iter().map(|sample| sample.at_ms).max(),
        };
        let outcome = self.memory.begin(delivery, &summary);
        let mut lost = 0;
        if outcome == Outcome::Stored {
            let named = self.series.look_up(&series.0).zip(&samples);
            let rows = named.filter_map(|(named, sample)| {
                lost += u64::from(named.is_none());
                Some((named?, *sample))
            });
            self.memory.rows(arrived, samples.len(), rows);
        }
        if lost > 0 {
            self.recovery.lost_samples += lost;
            self.recovery.damages.push(place);
        }
        self.count(outcome, samples.len() as u64 - lost);
    }

    fn labelled(&mut self, mut delivery: Delivery) {
        self.arrive(&mut delivery);
        let samples = delivery.rows.len() as u64;
        let outcome = self.memory.labelled(delivery);
        self.count(outcome, samples);
    }

    fn arrive(&mut self, delivery: &mut Delivery) -> i64 {
        // A record from the future shows that the clock was set back since; it counts as just
        // arrived, or it would stay until the clock has caught up.
        let arrived = delivery.arrival.steady_ms.min(self.now_steady_ms);
        delivery.arrival.steady_ms = arrived;
        self.last_arrival_steady_ms = self.last_arrival_steady_ms.max(arrived);
        arrived
    }

    fn count(&mut self, outcome: Outcome, samples: u64) {
        match outcome {
            Outcome::Stored | Outcome::StoredInPart(_) => {
                self.recovery.deliveries += 1;
                self.recovery.samples += samples;
            }
            Outcome::Duplicate => self.recovery.duplicates += 1,
        }
    }

    fn end(&mut self, mut segment: Segment) {
        segment.last_arrival_steady_ms = self.last_arrival_steady_ms;
        self.segments.push(segment);
        self.recovery.segments += 1;
        // The next one has numbers of its own.
        self.series = Dictionary::default();
        self.last_arrival_steady_ms = i64::MIN;
    }
}
