//! Reading the journal back after a start: every whole record, past all damage.
//!
//! A torn tail is what a crash leaves behind while writing: it was never acknowledged, so it is cut
//! off. Anything else that is not a record is damage: it is reported with file and offset, and what
//! follows it is read.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use wire::frame::{self, Scan};

use crate::append::{Delivery, Outcome};
use crate::memory::Memory;

use super::OpenError;
use super::record::{self, DecodeError, Record};
use super::segment::{self, Segment};

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
    /// A write that a crash cut short; removed.
    pub torn: Option<Damage>,
    /// Places that should hold a record and do not.
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

/// Reads every segment behind `mark` into `memory`, and deletes the others: a crash came between
/// their going elsewhere and their deletion.
pub(super) fn replay(
    folder: &Path,
    memory: &Memory,
    mark: u64,
    now_steady_ms: i64,
) -> Result<(Vec<Segment>, Recovery), OpenError> {
    let mut replay = Replay {
        memory,
        now_steady_ms,
        recovery: Recovery::default(),
    };
    let found = segment::list(folder).map_err(|error| OpenError::new("list", folder, error))?;
    let last = found.last().map(|(number, _)| *number);
    let mut segments = Vec::new();
    for (number, path) in found {
        // The last one holds the ledger, whatever else.
        if number <= mark && last != Some(number) {
            fs::remove_file(&path).map_err(|error| OpenError::new("delete", &path, error))?;
            continue;
        }
        segments.push(replay.segment(number, path, last == Some(number))?);
    }
    Ok((segments, replay.recovery))
}

struct Replay<'a> {
    memory: &'a Memory,
    now_steady_ms: i64,
    recovery: Recovery,
}

impl Replay<'_> {
    fn segment(&mut self, number: u64, path: PathBuf, is_last: bool) -> Result<Segment, OpenError> {
        let file = fs::read(&path).map_err(|error| OpenError::new("read", &path, error))?;
        self.recovery.segments += 1;
        let mut segment = Segment {
            number,
            path,
            bytes: file.len() as u64,
            last_arrival_steady_ms: i64::MIN,
        };
        let mut at = 0;
        loop {
            match frame::scan(&file, at) {
                Scan::Record { body, next } => {
                    self.record(body, at, next, &mut segment)?;
                    at = next;
                }
                Scan::End => return Ok(segment),
                Scan::Torn if is_last => {
                    self.recovery.torn = Some(damage(&segment, at, file.len()));
                    cut(&segment.path, at)?;
                    segment.bytes = at as u64;
                    return Ok(segment);
                }
                Scan::Torn | Scan::Damaged { next: None } => {
                    self.report(damage(&segment, at, file.len()));
                    return Ok(segment);
                }
                Scan::Damaged { next: Some(next) } => {
                    self.report(damage(&segment, at, next));
                    at = next;
                }
            }
        }
    }

    fn record(
        &mut self,
        body: &[u8],
        at: usize,
        next: usize,
        segment: &mut Segment,
    ) -> Result<(), OpenError> {
        match record::decode(body) {
            Ok(Record::Delivery(delivery)) => {
                let arrived = self.apply(delivery);
                segment.last_arrival_steady_ms = segment.last_arrival_steady_ms.max(arrived);
            }
            Ok(Record::Checkpoint(checkpoint)) => {
                for (id, agent) in checkpoint.agents {
                    self.memory.restore_agent(id, agent);
                }
                self.memory.restore_metadata(checkpoint.metadata);
            }
            Err(DecodeError::Malformed) => self.report(damage(segment, at, next)),
            Err(DecodeError::Version(version)) => {
                return Err(OpenError::Version {
                    path: segment.path.clone(),
                    version,
                });
            }
        }
        Ok(())
    }

    fn apply(&mut self, mut delivery: Delivery) -> i64 {
        // A record from the future shows that the clock was set back since; it counts as just
        // arrived, or it would stay until the clock has caught up.
        let arrived = delivery.arrival.steady_ms.min(self.now_steady_ms);
        delivery.arrival.steady_ms = arrived;
        let samples = delivery.rows.len() as u64;
        match self.memory.apply(delivery) {
            Outcome::Stored => {
                self.recovery.deliveries += 1;
                self.recovery.samples += samples;
            }
            Outcome::Duplicate => self.recovery.duplicates += 1,
        }
        arrived
    }

    fn report(&mut self, damage: Damage) {
        self.recovery.damages.push(damage);
    }
}

fn damage(segment: &Segment, from: usize, to: usize) -> Damage {
    Damage {
        path: segment.path.clone(),
        offset: from as u64,
        bytes: to.saturating_sub(from) as u64,
    }
}

fn cut(path: &Path, at: usize) -> Result<(), OpenError> {
    let cut = || -> io::Result<()> {
        let file = OpenOptions::new().write(true).open(path)?;
        file.set_len(at as u64)?;
        file.sync_all()
    };
    cut().map_err(|error| OpenError::new("cut the torn end off", path, error))
}
