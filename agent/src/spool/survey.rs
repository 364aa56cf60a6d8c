//! What an earlier run left in the folder: found, counted, and reported.
//!
//! Reads every record once, so that damage is known and named before anything relies on the queue.
//! Invariants: whatever stands in the folder, opening ends, and keeps every whole record; files that
//! are not the spool's own are named and left alone.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::sync::Arc;

use super::cursor::{self, Cursor};
use super::disk::{Access, Disk};
use super::record::Header;
use super::scan::{Found, Reader};
use super::segments::{Segment, Tally, id_of, name_of};

/// So many pieces of damage are named one by one; the rest is in the sums.
const NAMED: usize = 50;

/// What opening a spool found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// What is still to be sent.
    pub kept: Tally,
    /// Segments it is in.
    pub segments: u64,
    /// Bytes that are no records any more.
    pub damaged_bytes: u64,
    /// Bytes of records that were being written when the agent or the host stopped.
    pub torn_bytes: u64,
    /// Where the first pieces of both are.
    pub damage: Vec<Damage>,
    /// Files that could not be read, and why.
    pub unreadable: Vec<(String, String)>,
    /// Files that are not the spool's.
    pub foreign: Vec<String>,
}

/// A stretch of a file that is no record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The file, within the spool's folder.
    pub file: String,
    /// Where it begins.
    pub offset: u64,
    /// How long it is.
    pub bytes: u64,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            file,
            offset,
            bytes,
        } = self;
        write!(f, "{file} at {offset}: {bytes} bytes")
    }
}

/// The folder's state, ready to go on from.
pub(super) struct Survey {
    pub(super) segments: VecDeque<Segment>,
    pub(super) cursor: Cursor,
    pub(super) next_id: u64,
    pub(super) recovery: Recovery,
}

/// Looks through the folder, and removes the segments that the cursor says are done with.
pub(super) fn survey(disk: &Arc<dyn Disk>) -> Survey {
    let mut recovery = Recovery::default();
    let (cursor, place) = Cursor::load(&**disk);
    let ids = match disk.list() {
        Ok(names) => segment_ids(names, &mut recovery),
        Err(error) => {
            recovery
                .unreadable
                .push((".".to_owned(), error.to_string()));
            Vec::new()
        }
    };
    let next_id = ids
        .last()
        .map_or(0, |last| last.saturating_add(1))
        .max(place.segment.saturating_add(1));
    let mut segments = VecDeque::new();
    for id in ids {
        if id < place.segment {
            // Should removing fail, the next opening tries again.
            drop(disk.remove(&name_of(id)));
            continue;
        }
        let from = if id == place.segment { place.offset } else { 0 };
        match read_through(&**disk, id, from, &mut recovery) {
            Ok(segment) => segments.push_back(segment),
            Err(error) => recovery.unreadable.push((name_of(id), error.to_string())),
        }
    }
    for segment in &segments {
        recovery.kept.merge(segment.left);
        recovery.segments += 1;
    }
    Survey {
        segments,
        cursor,
        next_id,
        recovery,
    }
}

fn segment_ids(names: Vec<String>, recovery: &mut Recovery) -> Vec<u64> {
    let mut ids = Vec::new();
    for name in names {
        match id_of(&name) {
            Some(id) => ids.push(id),
            None if name == cursor::NAME => {}
            None => recovery.foreign.push(name),
        }
    }
    ids.sort_unstable();
    recovery.foreign.sort();
    recovery.foreign.truncate(NAMED);
    ids
}

fn read_through(
    disk: &dyn Disk,
    id: u64,
    from: u64,
    recovery: &mut Recovery,
) -> io::Result<Segment> {
    let file = disk.open(&name_of(id), Access::Read)?;
    let len = file.length()?;
    let mut reader = Reader::new(file, from, len);
    let mut segment = Segment {
        id,
        len,
        done: from.min(len),
        at_ms: i64::MAX,
        left: Tally::default(),
        known_damage: 0,
    };
    loop {
        let offset = reader.at();
        let bytes = match reader.next()? {
            Found::End => break,
            Found::Record => match Header::read(reader.record()) {
                Some(header) => {
                    segment.left.add(header.samples);
                    segment.at_ms = segment.at_ms.min(header.at_ms);
                    continue;
                }
                None => reader.at() - offset,
            },
            Found::Torn(bytes) => {
                recovery.torn_bytes += bytes;
                segment.known_damage += bytes;
                note(recovery, id, offset, bytes);
                continue;
            }
            Found::Damaged(bytes) => bytes,
        };
        recovery.damaged_bytes += bytes;
        segment.known_damage += bytes;
        note(recovery, id, offset, bytes);
    }
    Ok(segment)
}

fn note(recovery: &mut Recovery, id: u64, offset: u64, bytes: u64) {
    if recovery.damage.len() < NAMED {
        recovery.damage.push(Damage {
            file: name_of(id),
            offset,
            bytes,
        });
    }
}

impl Recovery {
    /// Writes what an operator should know to the log.
    pub(super) fn log(&self) {
        let Tally { batches, samples } = self.kept;
        if batches > 0 {
            let segments = self.segments;
            tracing::info!(batches, samples, segments, "spool holds unsent telemetry");
        }
        for damage in &self.damage {
            tracing::warn!(%damage, "spool: skipped bytes that are no whole record");
        }
        for (file, error) in &self.unreadable {
            tracing::warn!(file, error, "spool: left out what cannot be read");
        }
        for file in &self.foreign {
            tracing::info!(file, "spool: left alone a file that is not its own");
        }
    }
}
