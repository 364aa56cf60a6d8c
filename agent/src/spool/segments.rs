//! The part of the queue that is on disk: segments, oldest first, and the place up to which they are
//! done with.
//!
//! Owns names, rotation, the limits on bytes and on files, and removal. Leaves to the spool what is
//! counted how, and what happens when the disk takes no more.
//!
//! Invariants:
//! - Only the newest segment is ever written to, and only if this run made it: what an earlier run
//!   left may end torn, and is never appended to. Numbers of segments are never used twice.
//! - A failed write leaves nothing behind that a reader would take for a record: the length that
//!   counts is kept here, and the file is cut to it.
//! - Room is made by removing the oldest whole segment, which needs no free space.

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::sync::Arc;

use super::Limits;
use super::bundle::Share;
use super::cursor::{Cursor, Place};
use super::disk::{Access, Disk, File};
use super::error::WriteError;
use super::scan::Reader;
use super::sync::{Synced, Unsynced};

/// More files than this are never kept, however small: an agent that restarts every few seconds
/// beside a collector that is away would else fill a folder with thousands of them.
const MAX_SEGMENTS: usize = 4096;

const SUFFIX: &str = ".seg";
/// No run of this program gets here by counting. A greater number is not ours, and believing it
/// would leave none for the next segment.
pub(super) const MAX_ID: u64 = 1 << 60;

/// One file of records.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    pub(super) id: u64,
    /// Bytes that count; the file may be longer after a failed write.
    pub(super) len: u64,
    /// Up to where it is settled; beyond the beginning only in the oldest segment.
    pub(super) done: u64,
    /// When its first batch was gathered.
    pub(super) at_ms: i64,
    /// Batches and samples that nobody has settled yet.
    pub(super) left: Tally,
    /// Bytes known to be no records, and not yet passed by.
    pub(super) known_damage: u64,
}

impl Segment {
    /// Its file.
    pub(super) fn name(&self) -> String {
        name_of(self.id)
    }
}

/// Batches and the samples in them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Batches.
    pub batches: u64,
    /// Samples.
    pub samples: u64,
}

impl Tally {
    /// Counts one more batch.
    pub fn add(&mut self, samples: u32) {
        self.batches += 1;
        self.samples += u64::from(samples);
    }

    /// Counts what `other` counted.
    pub fn merge(&mut self, other: Self) {
        self.batches += other.batches;
        self.samples += other.samples;
    }

    /// What is left after taking `other` away.
    #[must_use]
    pub fn less(self, other: Self) -> Self {
        Self {
            batches: self.batches.saturating_sub(other.batches),
            samples: self.samples.saturating_sub(other.samples),
        }
    }
}

/// The segments of one spool.
pub(super) struct Segments {
    disk: Arc<dyn Disk>,
    limits: Limits,
    segments: VecDeque<Segment>,
    active: Option<Arc<dyn File>>,
    next_id: u64,
    cursor: Cursor,
    /// Segments written to since they were last synced; at first all that were found, for the run
    /// that wrote them may have been killed before it synced them.
    unsynced: BTreeSet<u64>,
    new_names: bool,
    /// Segments that are done with but could not be removed.
    undeleted: Vec<u64>,
}

impl Segments {
    /// Goes on where the survey of the folder ended.
    pub(super) fn new(
        disk: Arc<dyn Disk>,
        limits: Limits,
        cursor: Cursor,
        found: VecDeque<Segment>,
        next_id: u64,
    ) -> Self {
        let unsynced = found.iter().map(|segment| segment.id).collect();
        Self {
            disk,
            limits,
            segments: found,
            active: None,
            next_id,
            cursor,
            unsynced,
            new_names: false,
            undeleted: Vec::new(),
        }
    }

    /// Appends a record in its frame. After an error nothing of it is there.
    pub(super) fn append(
        &mut self,
        framed: &[u8],
        samples: u32,
        at_ms: i64,
    ) -> Result<(), WriteError> {
        let file = self.active_for(framed.len() as u64, at_ms)?;
        // A segment is active only while it is the last one.
        let Some(last) = self.segments.back_mut() else {
            return Err(WriteError::new(
                "append to",
                "",
                io::ErrorKind::NotFound.into(),
            ));
        };
        match file.write_all_at(framed, last.len) {
            Ok(()) => {
                last.len += framed.len() as u64;
                last.left.add(samples);
                self.unsynced.insert(last.id);
                Ok(())
            }
            Err(error) => {
                let failed = WriteError::new("append to", &name_of(last.id), error);
                // Whatever the cut comes to, the kept length hides the torn record from this run,
                // and the frame's checksum from the next.
                drop(file.truncate(last.len));
                self.seal();
                Err(failed)
            }
        }
    }

    /// Removes the oldest segment that is not being written to, and says what was lost with it.
    pub(super) fn evict(&mut self) -> Option<Tally> {
        let sealed = self.segments.len() - usize::from(self.active.is_some());
        if sealed == 0 {
            return None;
        }
        self.pop_first().map(|segment| segment.left)
    }

    /// Whether the limits leave room for so many bytes more.
    pub(super) fn has_room_for(&self, len: u64) -> bool {
        self.bytes() + len <= self.limits.disk_bytes && self.segments.len() < MAX_SEGMENTS
    }

    /// Whether the next record opens a new segment.
    pub(super) fn must_rotate(&self, len: u64) -> bool {
        match (&self.active, self.segments.back()) {
            (Some(_), Some(last)) => last.len > 0 && last.len + len > self.limits.segment_bytes,
            _ => true,
        }
    }

    /// Whether the file system has more than what is to be left to others.
    pub(super) fn may_grow(&self) -> bool {
        // Where the system cannot say, the write itself will.
        self.disk
            .free_bytes()
            .map_or(true, |free| free >= self.limits.keep_free)
    }

    /// The error of a spool that may not grow.
    pub(super) fn reserve_reached(&self) -> WriteError {
        let left = wire::quantity::Size(self.limits.keep_free);
        let why = format!("less than {left} is free on the file system (setting keep_free)");
        let source = io::Error::new(io::ErrorKind::StorageFull, why);
        WriteError::new("add", "a segment", source)
    }

    /// Ends the newest segment; the next record opens another.
    pub(super) fn seal(&mut self) {
        if self.active.take().is_none() {
            return;
        }
        if self.segments.back().is_some_and(|last| last.len == 0)
            && let Some(empty) = self.segments.pop_back()
        {
            self.remove(empty.id);
        }
    }

    /// Whether the oldest segment is that one, settled up to there.
    pub(super) fn is_at(&self, segment: u64, start: u64) -> bool {
        self.segments
            .front()
            .is_some_and(|first| first.id == segment && first.done == start)
    }

    /// Settles a share of the oldest segment, and says what in it turned out to be damaged: bytes
    /// that nobody knew of, and batches that were whole when last looked at and are passed by.
    pub(super) fn settle(&mut self, share: &Share) -> (u64, Tally) {
        let Some(first) = self.segments.front_mut() else {
            return (0, Tally::default());
        };
        first.left = first.left.less(share.tally);
        first.done = share.end.min(first.len);
        let news = share.damaged.saturating_sub(first.known_damage);
        first.known_damage = first.known_damage.saturating_sub(share.damaged);
        if news > 0 {
            let (file, from, to) = (first.name(), share.start, share.end);
            let error = share.error.as_ref().map(ToString::to_string);
            tracing::warn!(
                file,
                from,
                to,
                bytes = news,
                error,
                "spool: skipped damaged bytes"
            );
        }
        let passed_by = first.done == first.len;
        let lost = if passed_by {
            std::mem::take(&mut first.left)
        } else {
            Tally::default()
        };
        (news, lost)
    }

    /// Removes the oldest segment if all of it is settled and nothing will be added to it; whether
    /// that was so.
    pub(super) fn pop_settled(&mut self) -> bool {
        let is_active = self.active.is_some() && self.segments.len() == 1;
        match self.segments.front() {
            Some(first) if first.done >= first.len && !is_active => self.pop_first().is_some(),
            _ => false,
        }
    }

    fn pop_first(&mut self) -> Option<Segment> {
        let segment = self.segments.pop_front()?;
        self.remove(segment.id);
        Some(segment)
    }

    /// Writes down where the queue begins. An error costs sending some of it again, after a restart.
    pub(super) fn store_cursor(&mut self) -> Result<(), WriteError> {
        let place = match self.segments.front() {
            Some(first) => Place {
                segment: first.id,
                offset: first.done,
            },
            None => Place {
                segment: self.next_id,
                offset: 0,
            },
        };
        self.cursor
            .store(&*self.disk, place)
            .map_err(|error| WriteError::new("write", super::cursor::NAME, error))
    }

    /// Tries again to remove what could not be removed.
    pub(super) fn remove_leftovers(&mut self) {
        for id in std::mem::take(&mut self.undeleted) {
            self.remove(id);
        }
    }

    /// Opens the segment at `index` for reading, from where it is settled.
    pub(super) fn reader(&self, index: usize) -> Option<(&Segment, io::Result<Reader>)> {
        let segment = self.segments.get(index)?;
        let reader = self
            .disk
            .open(&segment.name(), Access::Read)
            .map(|file| Reader::new(file, segment.done, segment.len));
        Some((segment, reader))
    }

    /// What must be synced, to be done without holding the spool.
    pub(super) fn take_unsynced(&mut self) -> Option<Unsynced> {
        if self.unsynced.is_empty() {
            return None;
        }
        let names = std::mem::take(&mut self.new_names);
        Some(Unsynced {
            disk: Arc::clone(&self.disk),
            segments: std::mem::take(&mut self.unsynced),
            names,
        })
    }

    /// Remembers what could not be synced, for the next time.
    pub(super) fn still_unsynced(&mut self, synced: &Synced) {
        let exist = self.segments.iter().map(|segment| segment.id);
        self.unsynced
            .extend(exist.filter(|id| synced.left.contains(id)));
        self.new_names |= synced.names;
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Segment> {
        self.segments.iter()
    }

    pub(super) fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.len).sum()
    }

    /// The file to append to: the newest, or a new one if that is full or there is none.
    fn active_for(&mut self, len: u64, at_ms: i64) -> Result<Arc<dyn File>, WriteError> {
        if !self.must_rotate(len)
            && let Some(file) = &self.active
        {
            return Ok(Arc::clone(file));
        }
        self.seal();
        let id = self.next_id;
        self.next_id += 1;
        let file = self
            .disk
            .open(&name_of(id), Access::Create)
            .map_err(|error| WriteError::new("create", &name_of(id), error))?;
        self.segments.push_back(Segment {
            id,
            len: 0,
            done: 0,
            at_ms,
            left: Tally::default(),
            known_damage: 0,
        });
        self.active = Some(Arc::clone(&file));
        self.new_names = true;
        Ok(file)
    }

    fn remove(&mut self, id: u64) {
        self.unsynced.remove(&id);
        if self.disk.remove(&name_of(id)).is_err() {
            self.undeleted.push(id);
        }
    }
}

/// The file of a segment. Sixteen digits, so that the folder lists them in order.
pub(super) fn name_of(id: u64) -> String {
    format!("{id:016x}{SUFFIX}")
}

/// The segment in a file of that name.
pub(super) fn id_of(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(SUFFIX)?;
    let id = u64::from_str_radix(digits, 16).ok()?;
    (name_of(id) == name && id <= MAX_ID).then_some(id)
}
