//! The bounded queue between the pipeline and the shipper.
//!
//! Owns every batch from the moment it is numbered until the collector has it: on disk, in segments
//! of checksummed records, or in memory while the disk takes none. Leaves bringing them to the
//! collector to `ship`, and sharing the queue between tasks to [`Queue`].
//!
//! The bytes are specified where they are written: records in `record`, the frame around them in
//! `wire::frame`, the cursor in `cursor`. What all of them were designed for, in order of weight:
//!
//! 1. What was appended survives kill -9 (each record is one write, and the system's cache outlives
//!    the process) and a loss of power but for the last second (data is synced once a second).
//! 2. Nothing found in the folder stops the agent or holds up the queue: a torn, damaged, foreign or
//!    hostile file costs what stands in it, and is reported by name and offset.
//! 3. Room is made by removing a file, which a full disk allows; nothing is ever rewritten.
//! 4. Memory does not grow with the queue: a segment is known by its numbers alone, and is read
//!    through a window.
//!
//! Invariants:
//! - Batches leave in the order in which they came, the oldest first. All that is in memory is
//!   younger than all that is on disk: when the disk works again, memory is written out first.
//! - Each open draws a new run, and numbers within a run are given in order and without gaps. A batch
//!   may be sent twice; the collector knows it by its identity.
//! - recovered + produced = acknowledged + dropped + pending, in batches and in samples, always.

use std::sync::Arc;
use std::time::{Duration, Instant};

use wire::batch::{AgentId, Batch, BatchId, RunId, Sequence};
use wire::otlp;

pub use bundle::{Bundle, Outcome, Receipt, Wanted};
pub use claim::{ClaimError, identity, open};
pub use error::WriteError;
pub use queue::{Queue, Stalled};
pub use record::{Header, MAX_RAW};
pub use segments::Tally;
pub use settings::{RawSettings, Settings};
pub use stats::{Reason, Stats};
pub use survey::{Damage, Recovery};
pub use sync::{Synced, Unsynced};

use disk::Disk;
use ring::{Held, Ring};
use segments::Segments;

mod bundle;
mod claim;
mod cursor;
pub mod disk;
mod error;
mod queue;
mod record;
mod ring;
mod scan;
mod segments;
mod settings;
mod split;
mod stats;
mod survey;
mod sync;

/// How long to leave a disk that failed alone: long enough not to burden a host in trouble, short
/// enough that memory, at the usual rate of a few kilobytes a second, does not overflow meanwhile.
const RETRY: Duration = Duration::from_secs(10);

/// How large the spool may become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes on disk.
    pub disk_bytes: u64,
    /// Bytes in one file: what is lost at once when the queue is full.
    pub segment_bytes: u64,
    /// Bytes in memory while the disk takes none.
    pub memory_bytes: usize,
    /// Bytes of the file system that are left to others.
    pub keep_free: u64,
}

/// The queue.
pub struct Spool {
    agent: AgentId,
    run: RunId,
    next: Sequence,
    writer: record::Writer,
    segments: Segments,
    ring: Ring,
    mode: Mode,
    counts: stats::Counts,
    told: Told,
    /// Held for as long as the spool is open; `None` where nothing can be locked.
    lock: Option<std::fs::File>,
}

/// What the log already says, and need not say again.
#[derive(Debug, Default)]
struct Told {
    obstacle: bool,
    memory_full: bool,
}

/// Where new records go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Disk,
    Memory { retry_at: Instant, cause: Cause },
}

/// Why the disk takes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    NoSpace,
    Other,
}

impl Spool {
    /// Opens the spool on `disk`. Succeeds whatever stands there and whether or not the disk can be
    /// written to: the first append finds out.
    #[must_use]
    pub fn open(disk: Arc<dyn Disk>, limits: Limits, agent: AgentId) -> (Self, Recovery) {
        let found = survey::survey(&disk);
        let counts = stats::Counts::recovered(&found.recovery);
        let mut spool = Self {
            agent,
            run: RunId::random(),
            next: Sequence(1),
            writer: record::Writer::new(),
            segments: Segments::new(disk, limits, found.cursor, found.segments, found.next_id),
            ring: Ring::new(limits.memory_bytes),
            mode: Mode::Disk,
            counts,
            told: Told::default(),
            lock: None,
        };
        spool.sweep();
        (spool, found.recovery)
    }

    /// Who sends.
    #[must_use]
    pub fn agent(&self) -> AgentId {
        self.agent
    }

    /// The run that numbers what is appended.
    #[must_use]
    pub fn run(&self) -> RunId {
        self.run
    }

    /// Puts a batch at the end of the queue; a large one as several. When this returns the batch is
    /// where the end of the process does not take it, or in memory, or counted as dropped.
    pub fn append(&mut self, batch: Batch, host: &str, now: Instant) {
        for piece in split::pieces(batch, split::PIECE) {
            if piece.series() > 0 {
                self.append_piece(&piece, host, now);
            }
        }
    }

    /// The oldest batches, as many as `wanted` allows and at least one; `None` if there are none, or
    /// none that can be read just now. They stay in the queue until their receipt is settled.
    pub fn next(&mut self, wanted: Wanted) -> Option<Bundle> {
        let bundle = bundle::gather(&self.segments, &self.ring, wanted);
        if let Some(bundle::Obstacle { file, error }) = &bundle.obstacle
            && !self.told.obstacle
        {
            let hint = "nothing is lost; the agent tries again";
            tracing::warn!(file, %error, hint, "spool: cannot read a segment now");
        }
        self.told.obstacle = bundle.obstacle.is_some();
        if !bundle.records.is_empty() {
            return Some(bundle);
        }
        if !bundle.receipt.shares.is_empty() {
            // What was passed by held no record: it is done with.
            self.settle(bundle.receipt, Outcome::Acknowledged);
        }
        None
    }

    /// Takes a bundle out of the queue. What has left the queue in the meantime is passed over.
    pub fn settle(&mut self, receipt: Receipt, outcome: Outcome) {
        let mut settled = Tally::default();
        for share in &receipt.shares {
            self.sweep();
            if self.segments.is_at(share.segment, share.start) {
                settled.merge(share.tally);
                let (damaged_bytes, lost) = self.segments.settle(share);
                self.counts.damaged_bytes += damaged_bytes;
                self.counts.drop(Reason::Damaged, lost);
            }
        }
        while self.ring.first() < receipt.memory_end {
            let Some(held) = self.ring.pop() else { break };
            settled.add(held.samples);
        }
        match outcome {
            Outcome::Acknowledged => self.counts.acknowledged.merge(settled),
            Outcome::Refused => self.counts.drop(Reason::Refused, settled),
        }
        self.sweep();
        if let Err(error) = self.segments.store_cursor() {
            // Costs sending again after a restart; a disk that fails is reported when it is written.
            tracing::debug!(%error, "spool cursor not stored");
            self.counts.write_errors += 1;
        }
    }

    /// What must be done now and then: about once a second.
    pub fn tend(&mut self, now: Instant) {
        self.segments.remove_leftovers();
        self.sweep();
        self.retry(now);
    }

    /// What a loss of power would take; to be synced without holding the spool, and the outcome to
    /// be told by [`Spool::synced`].
    pub fn take_unsynced(&mut self) -> Option<Unsynced> {
        self.segments.take_unsynced()
    }

    /// Takes in how syncing ended.
    pub fn synced(&mut self, synced: Synced, now: Instant) {
        self.segments.still_unsynced(&synced);
        if let Some(error) = synced.error {
            // What could not be synced may be gone from the disk, but is still read from the
            // system's cache: it stays in the queue. New records go elsewhere.
            self.segments.seal();
            self.fall_back(&error, now);
        }
    }

    /// Brings everything to the disk that it takes, before the process ends.
    pub fn close(&mut self, now: Instant) {
        self.drain(now);
        self.segments.seal();
        self.segments.remove_leftovers();
        self.sweep();
        if let Some(unsynced) = self.take_unsynced() {
            self.synced(unsynced.sync(), now);
        }
        if !self.ring.is_empty() {
            let (batches, samples) = (self.ring.len(), self.ring.samples());
            tracing::warn!(batches, samples, "spool: lost what was in memory only");
        }
    }

    /// The numbers as they stand.
    #[must_use]
    pub fn stats(&self) -> Stats {
        stats::take(
            &self.counts,
            &self.segments,
            &self.ring,
            self.mode == Mode::Disk,
        )
    }

    fn append_piece(&mut self, piece: &Batch, host: &str, now: Instant) {
        let samples = u32::try_from(piece.series()).unwrap_or(u32::MAX);
        self.counts.produced.add(samples);
        let id = BatchId {
            agent: self.agent,
            run: self.run,
            sequence: self.next,
        };
        // The estimate leaves out a part of the overhead.
        let mut raw = Vec::with_capacity(split::estimate(piece) * 5 / 4);
        otlp::encode(&mut raw, piece, id, host);
        if raw.len() > MAX_RAW {
            let (source, bytes) = (&piece.source, raw.len());
            tracing::warn!(
                source,
                bytes,
                limit = MAX_RAW,
                "dropped a sample too large to send"
            );
            self.counts.drop_one(Reason::TooLarge, samples);
            return;
        }
        let header = Header {
            // Bounded by MAX_RAW just above.
            raw_len: u32::try_from(raw.len()).unwrap_or(u32::MAX),
            samples,
            run: self.run,
            sequence: self.next,
            at_ms: piece.at_ms,
        };
        let held = Held {
            framed: self.writer.framed(&header, &raw),
            samples,
            at_ms: piece.at_ms,
        };
        self.next = self.next.next();
        drop(raw);
        self.store(held, now);
    }

    fn store(&mut self, held: Held, now: Instant) {
        match self.mode {
            Mode::Disk => {
                if let Err(error) = self.write(&held) {
                    self.fall_back(&error, now);
                    self.hold(held, now);
                }
            }
            Mode::Memory { .. } => {
                self.hold(held, now);
                self.retry(now);
            }
        }
    }

    /// Writes a record to disk, making room where the limits demand it.
    fn write(&mut self, held: &Held) -> Result<(), WriteError> {
        let len = held.framed.len() as u64;
        while !self.segments.has_room_for(len) && self.evict() {}
        // Where others need the space the queue stops growing: a new segment for an old one.
        if self.segments.must_rotate(len) && !self.segments.may_grow() && !self.evict() {
            return Err(self.segments.reserve_reached());
        }
        self.segments.append(&held.framed, held.samples, held.at_ms)
    }

    /// Removes the oldest segment to make room; whether there was one.
    fn evict(&mut self) -> bool {
        let Some(lost) = self.segments.evict() else {
            return false;
        };
        if lost.batches > 0 {
            let Tally { batches, samples } = lost;
            tracing::warn!(
                batches,
                samples,
                "spool is full: dropped its oldest segment"
            );
            self.counts.drop(Reason::Full, lost);
        }
        true
    }

    /// Keeps a record in memory, at the price of the oldest if need be.
    fn hold(&mut self, held: Held, now: Instant) {
        let len = held.framed.len();
        let no_space = matches!(
            self.mode,
            Mode::Memory {
                cause: Cause::NoSpace,
                ..
            }
        );
        // The oldest goes first, and the oldest is on disk.
        if !self.ring.has_room_for(len) && no_space && self.evict() {
            self.drain(now);
        }
        if !self.ring.has_room_for(len) && !std::mem::replace(&mut self.told.memory_full, true) {
            tracing::warn!("spool drops its oldest telemetry: neither disk nor memory has room");
        }
        while !self.ring.has_room_for(len) {
            let Some(oldest) = self.ring.pop() else {
                self.counts.drop_one(Reason::MemoryFull, held.samples);
                return;
            };
            self.counts.drop_one(Reason::MemoryFull, oldest.samples);
        }
        self.ring.push(held);
        if self.mode == Mode::Disk {
            self.drain(now);
        }
    }

    fn retry(&mut self, now: Instant) {
        match self.mode {
            Mode::Memory { retry_at, .. } if now >= retry_at => self.drain(now),
            _ => {}
        }
    }

    /// Writes what is in memory to disk, as far as the disk takes it. With nothing to write there is
    /// nothing to learn about the disk, and the mode stays.
    fn drain(&mut self, now: Instant) {
        if self.ring.is_empty() {
            return;
        }
        while let Some(held) = self.ring.pop() {
            if let Err(error) = self.write(&held) {
                self.ring.put_back(held);
                self.fall_back(&error, now);
                return;
            }
        }
        if self.mode != Mode::Disk {
            tracing::info!("spool is on disk again");
            self.mode = Mode::Disk;
            self.told.memory_full = false;
        }
    }

    /// Goes over to memory, or stays there; says so once.
    fn fall_back(&mut self, error: &WriteError, now: Instant) {
        self.counts.write_errors += 1;
        if self.mode == Mode::Disk {
            let hint = error.hint();
            tracing::warn!(%error, hint, "spool goes on in memory: its disk takes no more");
        }
        let cause = if error.is_for_want_of_space() {
            Cause::NoSpace
        } else {
            Cause::Other
        };
        self.mode = Mode::Memory {
            retry_at: now + RETRY,
            cause,
        };
    }

    /// Removes the segments that are settled whole.
    fn sweep(&mut self) {
        while self.segments.pop_settled() {}
    }
}

#[cfg(test)]
mod tests;
