//! The one writer of the journal: a thread that takes what waits, writes it with one fsync, makes it
//! visible and answers.
//!
//! Invariants: nothing is visible or answered before it is durable. A delivery is written only if its
//! identity is neither in the ledger nor earlier in the same group, so a duplicate is answered at the
//! earliest when the first copy is durable. After a failed fsync the kernel may have thrown the data
//! away and still call the next one a success, so the file is never written again: its segment is
//! left as it is and a new one begun.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::{mpsc, oneshot};
use wire::batch::BatchId;

use crate::append::{AppendError, Delivery, Outcome};
use crate::memory::{Memory, Resolved, Ripe};
use crate::tail::Position;

use super::numbering::Definitions;
use super::record::{self, Checkpoint, Content, MAX_LABELS};
use super::segment::{Segment, Tail};
use super::stats::SharedStats;

/// Bytes after which a group takes in no more: a fsync of this takes well under a second on any disk
/// that a collector should run on.
const MAX_GROUP_BYTES: usize = 32 << 20;

/// What is asked of the writer.
#[derive(Debug)]
pub(super) enum Job {
    Append(Pending),
    /// Say how far the segments go that hold nothing else than what is ripe.
    Mark {
        ripe: Ripe,
        done: oneshot::Sender<u64>,
    },
    /// Let go what is somewhere else now; answered when done.
    Release {
        ripe: Ripe,
        now_steady_ms: i64,
        done: oneshot::Sender<()>,
    },
}

/// Deliveries that are ready to be written, and who waits for them.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) deliveries: Vec<Prepared>,
    pub(super) answer: oneshot::Sender<Result<Vec<Outcome>, AppendError>>,
}

/// A delivery with all that can be done for it before the one writer.
#[derive(Debug)]
pub(super) struct Prepared {
    delivery: Delivery,
    resolved: Resolved,
    content: Content,
    /// The number that the first of its new series was given in the segment, once it is written.
    first_new: Option<u32>,
}

impl Prepared {
    /// Looks up the series, encodes and compresses: the work, which many do at once.
    pub(super) fn of(delivery: Delivery, memory: &Memory) -> Result<Self, AppendError> {
        let content = Content::of(&delivery)?;
        let resolved = memory.resolve(&delivery.rows);
        let new = resolved
            .new
            .iter()
            .filter_map(|row| delivery.rows.get(*row));
        let longest = new.map(|row| row.labels.as_encoded().len()).max();
        match longest {
            Some(bytes) if bytes > MAX_LABELS => Err(AppendError::TooLarge {
                bytes,
                limit: MAX_LABELS,
            }),
            _ => Ok(Self {
                delivery,
                resolved,
                content,
                first_new: None,
            }),
        }
    }
}

#[derive(Debug)]
pub(super) struct Writer {
    pub(super) folder: PathBuf,
    pub(super) memory: Arc<Memory>,
    pub(super) stats: SharedStats,
    pub(super) segment_bytes: u64,
    /// Whole segments, oldest first.
    pub(super) sealed: Vec<Segment>,
    /// None before the first write, and after a failure that makes the last segment unsafe to use.
    pub(super) tail: Option<Tail>,
    pub(super) next_number: u64,
}

impl Writer {
    /// Works until every sender is gone.
    pub(super) fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        let mut next = jobs.blocking_recv();
        while let Some(job) = next.take() {
            match job {
                Job::Append(first) => next = self.append_group(first, &mut jobs),
                // Who asked may have stopped waiting: what was done is done.
                Job::Mark { ripe, done } => drop(done.send(self.mark(ripe))),
                Job::Release {
                    ripe,
                    now_steady_ms,
                    done,
                } => {
                    self.release(ripe, now_steady_ms);
                    done.send(()).ok();
                }
            }
            if next.is_none() {
                next = jobs.blocking_recv();
            }
        }
    }

    /// Writes `first` and all that waits behind it; gives back the job that ended the group.
    fn append_group(&mut self, first: Pending, jobs: &mut mpsc::Receiver<Job>) -> Option<Job> {
        let mut bytes = first.bytes();
        let mut group = vec![first];
        let mut next = None;
        while bytes < MAX_GROUP_BYTES {
            match jobs.try_recv() {
                Ok(Job::Append(pending)) => {
                    bytes += pending.bytes();
                    group.push(pending);
                }
                Ok(job) => {
                    next = Some(job);
                    break;
                }
                Err(_) => break,
            }
        }
        let written = self.write_group(&mut group);
        self.publish(&self.stats);
        for pending in group {
            let answer = match &written {
                Ok(()) => Ok(self.make_visible(pending.deliveries)),
                Err(error) => Err(error.clone()),
            };
            // Who gave up waiting will send again, and be told that it is a duplicate.
            drop(pending.answer.send(answer));
        }
        next
    }

    fn write_group(&mut self, group: &mut [Pending]) -> Result<(), AppendError> {
        let mut here: HashSet<BatchId> = HashSet::new();
        let mut fresh: Vec<&mut Prepared> = Vec::new();
        for one in group.iter_mut().flat_map(|pending| &mut pending.deliveries) {
            if let Some(origin) = &one.delivery.origin
                && (self.memory.has(&origin.id) || !here.insert(origin.id))
            {
                continue;
            }
            fresh.push(one);
        }
        let arrivals = fresh.iter().map(|one| one.delivery.arrival.steady_ms);
        let Some(last_arrival) = arrivals.max() else {
            return Ok(());
        };
        let written = self.write_durably(&mut fresh, last_arrival);
        if written.is_err() {
            self.stats.update(|stats| stats.failures += 1);
        }
        written
    }

    fn write_durably(
        &mut self,
        fresh: &mut [&mut Prepared],
        arrival: i64,
    ) -> Result<(), AppendError> {
        let mut tail = match self.tail.take() {
            Some(tail) if !self.is_spent(&tail, arrival) => tail,
            spent => {
                self.sealed.extend(spent.map(|tail| tail.segment));
                self.open_tail(arrival)?
            }
        };
        let began = Instant::now();
        let (size, first) = (tail.segment.bytes, tail.numbering.next());
        let written = write_numbered(&mut tail, fresh);
        let synced = match &written {
            Ok(_) => tail.sync(),
            Err(_) => Ok(()),
        };
        tail.segment.last_arrival_steady_ms = tail.segment.last_arrival_steady_ms.max(arrival);
        let is_unsafe = synced.is_err() || matches!(written, Err(AppendError::Failed { .. }));
        let bytes = tail.segment.bytes - size;
        match &written {
            Ok(definitions) => tail.numbering.keep(definitions, tail.segment.bytes),
            Err(_) => tail.numbering.take_back(first),
        }
        if is_unsafe {
            self.sealed.push(tail.segment);
        } else {
            self.tail = Some(tail);
        }
        written.and(synced)?;
        self.stats.update(|stats| {
            stats.appended_bytes += bytes;
            stats.fsync.observe(began.elapsed());
        });
        Ok(())
    }

    fn open_tail(&mut self, now_steady_ms: i64) -> Result<Tail, AppendError> {
        let opening = record::encode_checkpoint(&Checkpoint {
            agents: self.memory.agents(),
            metadata: self.memory.all_metadata(),
        })?;
        let number = self.next_number;
        self.next_number += 1;
        Tail::create(&self.folder, number, &opening, now_steady_ms)
    }

    /// Whether the segment has its full size, or spans as much time as is ever let go at once.
    fn is_spent(&self, tail: &Tail, now_steady_ms: i64) -> bool {
        let age_ms = now_steady_ms.saturating_sub(tail.opened_steady_ms);
        let span = self.memory.generation_span();
        tail.segment.bytes >= self.segment_bytes
            || tail.numbering.is_spent()
            || u128::try_from(age_ms).is_ok_and(|age_ms| age_ms >= span.as_millis())
    }

    fn make_visible(&mut self, deliveries: Vec<Prepared>) -> Vec<Outcome> {
        let mut outcomes = Vec::with_capacity(deliveries.len());
        for one in deliveries {
            let (outcome, new) = self.memory.apply_resolved(one.delivery, &one.resolved);
            // It is the segment that the delivery was written to: nothing came in between.
            if let (Some(tail), Some(first_new)) = (&mut self.tail, one.first_new) {
                tail.numbering.learn(first_new, &new);
            }
            outcomes.push(outcome);
        }
        outcomes
    }

    /// Everything in the segments is in memory, for it is this thread that puts it there. What was
    /// stamped early and came late may be in a later generation: it moves the horizon.
    fn mark(&self, ripe: Ripe) -> u64 {
        let horizon = self.memory.horizon(ripe.through);
        let flushed = self
            .sealed
            .iter()
            .take_while(|segment| segment.last_arrival_steady_ms <= horizon);
        flushed.last().map_or(0, |segment| segment.number)
    }

    /// Lets memory go and deletes the segments of which nothing is left in it.
    fn release(&mut self, ripe: Ripe, now_steady_ms: i64) {
        let horizon = self.memory.release(ripe.through);
        let is_gone = |segment: &Segment| segment.last_arrival_steady_ms <= horizon;
        let tail_is_gone = self
            .tail
            .as_ref()
            .is_some_and(|tail| is_gone(&tail.segment));
        if !tail_is_gone && !self.sealed.iter().any(is_gone) {
            return;
        }
        // The ledger must outlive the deliveries: only once a later segment begins with it may the
        // one go that holds the last word on a run.
        if (tail_is_gone || self.tail.is_none())
            && let Err(error) = self.begin_segment(now_steady_ms)
        {
            tracing::warn!(%error, "cannot begin a segment; old ones stay until one can be");
            return;
        }
        self.sealed
            .retain(|segment| !is_gone(segment) || !is_deleted(segment));
        self.publish(&self.stats);
    }

    fn begin_segment(&mut self, now_steady_ms: i64) -> Result<(), AppendError> {
        let fresh = self.open_tail(now_steady_ms)?;
        let old = self.tail.replace(fresh);
        self.sealed.extend(old.map(|tail| tail.segment));
        Ok(())
    }

    pub(super) fn publish(&self, stats: &SharedStats) {
        let tail = self.tail.iter().map(|tail| &tail.segment);
        let segments = self.sealed.iter().chain(tail);
        let (count, bytes) = segments.fold((0, 0), |(count, bytes), segment| {
            (count + 1, bytes + segment.bytes)
        });
        let last = self.tail.as_ref().map(|tail| &tail.segment);
        let last = last.or(self.sealed.last());
        let end = last.map_or_else(Position::default, |segment| Position {
            segment: segment.number,
            offset: segment.bytes,
        });
        stats.update(|stats| {
            // A journal of which everything was deleted has still come as far as it had.
            stats.end = stats.end.max(end);
            stats.segments = count;
            stats.disk_bytes = bytes;
        });
    }
}

impl Pending {
    fn bytes(&self) -> usize {
        self.deliveries.iter().map(|one| one.content.bytes()).sum()
    }
}

/// Writes deliveries with the definitions of the series that the segment does not have yet.
fn write_numbered(
    tail: &mut Tail,
    fresh: &mut [&mut Prepared],
) -> Result<Definitions, AppendError> {
    let mut given = tail.numbering.begin();
    let mut records = Vec::new();
    for one in fresh {
        let Prepared {
            delivery,
            resolved,
            content,
            first_new,
        } = &mut **one;
        let (runs, first) = tail.numbering.number(delivery, resolved, &mut given);
        *first_new = Some(first);
        content.put_frame(&mut records, &runs);
    }
    let definitions = tail.numbering.frames(&given, tail.segment.bytes)?;
    let all = [&definitions.copies[..], &definitions.new, &records].concat();
    tail.write(&all)?;
    Ok(definitions)
}

fn is_deleted(segment: &Segment) -> bool {
    let deleted = std::fs::remove_file(&segment.path);
    if let Err(error) = &deleted {
        let path = segment.path.display();
        tracing::warn!(%path, %error, "cannot delete an old segment; will try again");
    }
    deleted.is_ok()
}
