//! What the shipper takes from the queue: the oldest batches, ready to be sent, and the receipt by
//! which they are settled.
//!
//! Invariants: a bundle holds batches in the order of the queue, without a gap but for what is
//! damaged; a receipt names exactly what its bundle holds, so that what left the queue or moved
//! within it meanwhile is never settled by mistake.

use std::io;

use super::record::{self, Header};
use super::ring::Ring;
use super::scan::{Found, Reader};
use super::segments::{Segment, Segments, Tally};

/// How much to take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Batches at the most.
    pub batches: usize,
    /// Bytes before compression at the most; one batch is given however large it is.
    pub raw_bytes: usize,
}

/// Batches on their way to the collector.
#[derive(Debug, Default)]
pub struct Bundle {
    /// One zstd stream of one export request: the frames of the records, one behind the other.
    pub frames: Vec<u8>,
    /// How long the request is unpacked.
    pub raw_bytes: usize,
    /// What it holds.
    pub records: Vec<Header>,
    /// To be settled once the bundle's fate is known.
    pub receipt: Receipt,
    /// What kept the bundle from holding more, though it may not tomorrow.
    pub(super) obstacle: Option<Obstacle>,
}

/// A segment that cannot be read now.
#[derive(Debug)]
pub(super) struct Obstacle {
    pub(super) file: String,
    pub(super) error: io::Error,
}

/// What a bundle took from where.
#[derive(Debug, Default)]
pub struct Receipt {
    pub(super) shares: Vec<Share>,
    /// Number of the record in memory before which all are taken.
    pub(super) memory_end: u64,
}

/// What became of a bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The collector has it.
    Acknowledged,
    /// The collector will never take it.
    Refused,
}

/// What a bundle took from one segment.
#[derive(Debug)]
pub(super) struct Share {
    pub(super) segment: u64,
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) tally: Tally,
    /// Bytes passed by that are no records.
    pub(super) damaged: u64,
    /// What the system said, where bytes could not even be read.
    pub(super) error: Option<io::Error>,
}

/// Whether to go on to what is behind.
#[derive(PartialEq, Eq)]
enum Flow {
    GoOn,
    Stop,
}

/// Collects the oldest batches. Nothing changes by it.
pub(super) fn gather(segments: &Segments, ring: &Ring, wanted: Wanted) -> Bundle {
    let mut bundle = Bundle::default();
    let mut index = 0;
    while let Some((segment, reader)) = segments.reader(index) {
        if bundle.take_segment(segment, reader, wanted) == Flow::Stop {
            return bundle;
        }
        index += 1;
    }
    bundle.take_memory(ring, wanted);
    bundle
}

impl Bundle {
    fn take_segment(
        &mut self,
        segment: &Segment,
        reader: io::Result<Reader>,
        wanted: Wanted,
    ) -> Flow {
        let start = segment.done;
        let mut share = Share {
            segment: segment.id,
            start,
            end: start,
            tally: Tally::default(),
            damaged: 0,
            error: None,
        };
        let read = reader.and_then(|mut reader| self.read_segment(&mut reader, &mut share, wanted));
        let flow = match read {
            Ok(flow) => flow,
            Err(error) if is_lost(&error) => {
                share.damaged += segment.len - share.end;
                share.end = segment.len;
                share.error = Some(error);
                Flow::GoOn
            }
            Err(error) => {
                let file = segment.name();
                self.obstacle = Some(Obstacle { file, error });
                Flow::Stop
            }
        };
        if share.end > share.start {
            self.receipt.shares.push(share);
        }
        flow
    }

    fn read_segment(
        &mut self,
        reader: &mut Reader,
        share: &mut Share,
        wanted: Wanted,
    ) -> io::Result<Flow> {
        loop {
            match reader.next()? {
                Found::End => return Ok(Flow::GoOn),
                Found::Damaged(bytes) | Found::Torn(bytes) => share.damaged += bytes,
                Found::Record => match Header::read(reader.record()) {
                    Some(header) if !self.has_room_for(&header, wanted) => return Ok(Flow::Stop),
                    Some(header) => {
                        self.push(header, reader.record());
                        share.tally.add(header.samples);
                    }
                    None => share.damaged += reader.at() - share.end,
                },
            }
            share.end = reader.at();
        }
    }

    fn take_memory(&mut self, ring: &Ring, wanted: Wanted) {
        for (held, number) in ring.iter().zip(ring.first()..) {
            let record = &held.framed[wire::frame::HEADER_LEN..];
            let Some(header) = Header::read(record) else {
                return;
            };
            if !self.has_room_for(&header, wanted) {
                return;
            }
            self.push(header, record);
            self.receipt.memory_end = number + 1;
        }
    }

    fn has_room_for(&self, header: &Header, wanted: Wanted) -> bool {
        self.records.is_empty()
            || self.records.len() < wanted.batches
                && self.raw_bytes + header.raw_len as usize <= wanted.raw_bytes
    }

    fn push(&mut self, header: Header, record: &[u8]) {
        self.frames.extend_from_slice(&record[record::FRAME]);
        self.raw_bytes += header.raw_len as usize;
        self.records.push(header);
    }

    /// Samples in it.
    #[must_use]
    pub fn samples(&self) -> u64 {
        self.records
            .iter()
            .map(|record| u64::from(record.samples))
            .sum()
    }
}

/// Whether an error means that the bytes will not come back: the file is gone or shorter, or its
/// medium is bad. Anything else (no file handle left, no permission) may pass.
fn is_lost(error: &io::Error) -> bool {
    use nix::errno::Errno;
    let code = error.raw_os_error().map(Errno::from_raw);
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof
    ) || matches!(code, Some(Errno::EIO | Errno::EUCLEAN | Errno::EBADMSG))
}
