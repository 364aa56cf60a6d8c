//! Up to where the collector has the queue, in a small file of its own.
//!
//! Constraints: moving the cursor must work on a full disk, so the file is written in place and never
//! grows after its first two moves; a move cut short must leave the move before it readable, so two
//! slots take turns; a lost cursor costs only sending again what the collector then recognises, so
//! nothing here is ever synced.
//!
//! ```text
//! file := slot slot
//! slot := a frame (`wire::frame`) of: move (u64) | segment (u64) | offset (u64)
//! ```
//! Numbers are little-endian. The slot with the greater number of its move counts.

use std::io;
use std::sync::Arc;

use wire::frame;

use super::disk::{Access, Disk, File};
use super::segments::MAX_ID;

/// The name of the file.
pub(super) const NAME: &str = "cursor";

const SLOT_LEN: usize = frame::HEADER_LEN + 24;

/// A place in the queue on disk: all before it is done with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) segment: u64,
    pub(super) offset: u64,
}

/// The cursor's file.
pub(super) struct Cursor {
    file: Option<Arc<dyn File>>,
    moves: u64,
    /// Whether what stands in the file is not to be built upon: numbering begins anew, and a slot
    /// that was cut short in its zeros would become whole, and the greater, when the file grows.
    discard: bool,
}

impl Cursor {
    /// Reads the cursor; one that is missing or damaged stands at the beginning.
    pub(super) fn load(disk: &dyn Disk) -> (Self, Place) {
        let found = disk
            .open(NAME, Access::Read)
            .and_then(|file| {
                let mut slots = [0; 2 * SLOT_LEN];
                let len = file.read_up_to(&mut slots, 0)?;
                Ok(latest(&slots[..len]))
            })
            .unwrap_or_default();
        let (moves, place) = found.unwrap_or_default();
        let cursor = Self {
            file: None,
            moves,
            discard: found.is_none(),
        };
        (cursor, place)
    }

    /// Moves the cursor.
    pub(super) fn store(&mut self, disk: &dyn Disk, place: Place) -> io::Result<()> {
        let file = match &self.file {
            Some(file) => Arc::clone(file),
            None => disk.open(NAME, Access::Open)?,
        };
        if self.discard {
            file.truncate(0)?;
            self.discard = false;
        }
        self.moves += 1;
        let slot = (self.moves % 2) * SLOT_LEN as u64;
        let written = file.write_all_at(&encode(self.moves, place), slot);
        // After an error the next move opens the file anew: it may have been removed under us.
        self.file = written.is_ok().then_some(file);
        written
    }
}

fn encode(moves: u64, place: Place) -> Vec<u8> {
    let body = [moves, place.segment, place.offset].map(u64::to_le_bytes);
    let mut slot = Vec::with_capacity(SLOT_LEN);
    frame::write(&mut slot, body.as_flattened());
    slot
}

fn latest(slots: &[u8]) -> Option<(u64, Place)> {
    slots
        .chunks_exact(SLOT_LEN)
        .filter_map(decode)
        .max_by_key(|(moves, _)| *moves)
}

fn decode(slot: &[u8]) -> Option<(u64, Place)> {
    let frame::Scan::Record { body, .. } = frame::scan(slot, 0) else {
        return None;
    };
    let word = |at: usize| Some(u64::from_le_bytes(body.get(at..at + 8)?.try_into().ok()?));
    let place = Place {
        segment: word(8)?,
        offset: word(16)?,
    };
    (place.segment <= MAX_ID).then_some((word(0)?, place))
}

#[cfg(test)]
mod tests {
    use super::super::disk::faulty::FaultyDisk;
    use super::*;

    fn place(segment: u64) -> Place {
        Place {
            segment,
            offset: segment * 10,
        }
    }

    #[test]
    fn the_last_move_counts() {
        let disk = FaultyDisk::default();
        for moves in 0..5 {
            let (mut cursor, at) = Cursor::load(&disk);
            assert_eq!(at, place(moves));
            cursor.store(&disk, place(moves + 1)).unwrap();
        }
    }

    #[test]
    fn a_move_cut_short_leaves_the_one_before_it() {
        let disk = FaultyDisk::default();
        let (mut cursor, _) = Cursor::load(&disk);
        cursor.store(&disk, place(1)).unwrap();
        cursor.store(&disk, place(2)).unwrap();
        for byte in 0..SLOT_LEN {
            let mut bytes = disk.contents(NAME).unwrap();
            bytes[byte] ^= 0x40;
            disk.replace(NAME, bytes);
            assert_eq!(Cursor::load(&disk).1, place(1), "byte {byte}");
            let mut bytes = disk.contents(NAME).unwrap();
            bytes[byte] ^= 0x40;
            disk.replace(NAME, bytes);
        }
    }

    #[test]
    fn a_slot_cut_short_in_its_zeros_never_comes_back() {
        let disk = FaultyDisk::default();
        let (mut cursor, _) = Cursor::load(&disk);
        cursor.store(&disk, place(7)).unwrap();
        cursor.store(&disk, place(8)).unwrap();
        for cut in 0..SLOT_LEN {
            let mut bytes = disk.contents(NAME).unwrap();
            bytes.truncate(cut);
            disk.replace(NAME, bytes);
            let (mut cursor, at) = Cursor::load(&disk);
            assert_eq!(at, Place::default());
            cursor.store(&disk, place(1)).unwrap();
            assert_eq!(Cursor::load(&disk).1, place(1), "cut to {cut}");
            let mut anew = Cursor::load(&disk).0;
            anew.store(&disk, place(8)).unwrap();
        }
    }

    #[test]
    fn nonsense_stands_at_the_beginning() {
        let disk = FaultyDisk::default();
        for bytes in [vec![], vec![0; 64], vec![0xff; 1000], b"NSf1".to_vec()] {
            disk.replace(NAME, bytes);
            assert_eq!(Cursor::load(&disk).1, Place::default());
        }
    }
}
