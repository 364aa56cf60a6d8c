//! The records that wait in memory while the disk takes none.
//!
//! Owns the bound: a record pushed out to make room is handed back to be counted. Records have
//! numbers of their own, which grow through the life of the spool, so that a receipt for a record
//! that has left in the meantime is recognised as stale.

use std::collections::VecDeque;

/// A record in its frame.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) framed: Vec<u8>,
    pub(super) samples: u32,
    pub(super) at_ms: i64,
}

/// What a held record costs besides its bytes.
const OVERHEAD: usize = size_of::<Held>() + 16;

/// The queue in memory.
#[derive(Debug)]
pub(super) struct Ring {
    held: VecDeque<Held>,
    first: u64,
    bytes: usize,
    limit: usize,
}

impl Ring {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            held: VecDeque::new(),
            first: 0,
            bytes: 0,
            limit,
        }
    }

    /// Whether a record of that length fits without pushing another out.
    pub(super) fn has_room_for(&self, len: usize) -> bool {
        self.bytes + len + OVERHEAD <= self.limit
    }

    pub(super) fn push(&mut self, record: Held) {
        self.bytes += record.framed.len() + OVERHEAD;
        self.held.push_back(record);
    }

    pub(super) fn pop(&mut self) -> Option<Held> {
        let record = self.held.pop_front()?;
        self.bytes -= record.framed.len() + OVERHEAD;
        self.first += 1;
        Some(record)
    }

    /// Puts back what [`Ring::pop`] just gave.
    pub(super) fn put_back(&mut self, record: Held) {
        self.bytes += record.framed.len() + OVERHEAD;
        self.held.push_front(record);
        self.first -= 1;
    }

    pub(super) fn front(&self) -> Option<&Held> {
        self.held.front()
    }

    /// Number of the record at the front, whether there is one or not.
    pub(super) fn first(&self) -> u64 {
        self.first
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Held> {
        self.held.iter()
    }

    pub(super) fn len(&self) -> usize {
        self.held.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn samples(&self) -> u64 {
        self.held.iter().map(|held| u64::from(held.samples)).sum()
    }
}
