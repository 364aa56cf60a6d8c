//! One record of the spool: a batch as it goes to the collector, and what the spool must know of it.
//!
//! Constraints, in the order of their weight: a record can be shipped without being understood, by
//! copying its last part into a request; the numbers by which the agent accounts for what it lost
//! stand in front, so that dropping and surveying decompress nothing; how large a record unpacks is
//! known, and bounded, before anything unpacks it; a later version can be told from this one. Torn
//! and damaged bytes are the concern of the frame around the record (`wire::frame`), not of it.
//!
//! ```text
//! record := version (u8, 1) | zeros (3) | raw length (u32) | samples (u32)
//!         | run (16 bytes) | sequence (u64) | at (i64, ms since 1970) | zstd frame
//! ```
//! Numbers are little-endian. The zstd frame holds one encoded export request (`wire::otlp`) of
//! `raw length` bytes. Frames concatenate, as requests do: the frames of several records, one behind
//! the other, unpack to one request.

use std::ops::{Range, RangeFrom};

use wire::batch::{RunId, Sequence};

/// Bytes in front of the zstd frame.
pub(super) const HEADER_LEN: usize = 44;
/// Largest request a record may hold: OTLP receivers take 4 MiB by default, and some of it must be
/// left for what a receiver counts besides.
pub const MAX_RAW: usize = 3 << 20;
/// Largest record: what does not shrink grows by less than this in zstd.
pub(super) const MAX_LEN: usize = HEADER_LEN + MAX_RAW + (64 << 10);

const VERSION: u8 = 1;

/// What the front of a record says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Length of the request before compression.
    pub raw_len: u32,
    /// Numbers in the batch.
    pub samples: u32,
    /// The run that numbered the batch.
    pub run: RunId,
    /// The batch's number in it.
    pub sequence: Sequence,
    /// When the batch was gathered, in milliseconds since 1970.
    pub at_ms: i64,
}

/// Where the zstd frame stands in a record.
pub(super) const FRAME: RangeFrom<usize> = HEADER_LEN..;

impl Header {
    /// Reads the front of a record; `None` if it is of another version or makes no sense.
    #[must_use]
    pub(super) fn read(record: &[u8]) -> Option<Self> {
        if record.len() < HEADER_LEN || record[0] != VERSION {
            return None;
        }
        let header = Self {
            raw_len: u32::from_le_bytes(array(record, 4..8)?),
            samples: u32::from_le_bytes(array(record, 8..12)?),
            run: RunId::from_bytes(array(record, 12..28)?),
            sequence: Sequence(u64::from_le_bytes(array(record, 28..36)?)),
            at_ms: i64::from_le_bytes(array(record, 36..44)?),
        };
        (header.raw_len as usize <= MAX_RAW).then_some(header)
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[VERSION, 0, 0, 0]);
        out.extend_from_slice(&self.raw_len.to_le_bytes());
        out.extend_from_slice(&self.samples.to_le_bytes());
        out.extend_from_slice(&self.run.to_bytes());
        out.extend_from_slice(&self.sequence.0.to_le_bytes());
        out.extend_from_slice(&self.at_ms.to_le_bytes());
    }
}

fn array<const N: usize>(bytes: &[u8], range: Range<usize>) -> Option<[u8; N]> {
    bytes.get(range)?.try_into().ok()
}

/// Makes records; holds the compressor's working memory, which is costly to make.
pub(super) struct Writer {
    compressor: zstd::bulk::Compressor<'static>,
}

impl Writer {
    /// Level 1: on exposition data it reaches nine tenths of what level 3 does at half the cost, and
    /// the cost falls on a database host.
    const LEVEL: i32 = 1;

    pub(super) fn new() -> Self {
        let compressor = zstd::bulk::Compressor::new(Self::LEVEL);
        Self {
            compressor: compressor.expect("level 1 is one that zstd has"),
        }
    }

    /// The record of `raw`, in its frame, ready to be written.
    pub(super) fn framed(&mut self, header: &Header, raw: &[u8]) -> Vec<u8> {
        let compressed = self.compressor.compress(raw);
        let compressed = compressed.expect("zstd gets a buffer as large as it asked for");
        let mut record = Vec::with_capacity(HEADER_LEN + compressed.len());
        header.write(&mut record);
        record.extend_from_slice(&compressed);
        drop(compressed);
        let mut framed = Vec::with_capacity(wire::frame::HEADER_LEN + record.len());
        wire::frame::write(&mut framed, &record);
        framed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        Header {
            raw_len: 5,
            samples: 7,
            run: RunId::random(),
            sequence: Sequence(u64::MAX),
            at_ms: -1,
        }
    }

    #[test]
    fn a_record_reads_back_and_its_frames_concatenate() {
        let mut writer = Writer::new();
        let (header, mut frames) = (header(), Vec::new());
        for raw in [b"hello", b"world"] {
            let framed = writer.framed(&header, raw);
            let record = &framed[wire::frame::HEADER_LEN..];
            assert_eq!(Header::read(record), Some(header));
            frames.extend_from_slice(&record[FRAME]);
        }
        assert_eq!(
            zstd::stream::decode_all(frames.as_slice()).unwrap(),
            b"helloworld"
        );
    }

    #[test]
    fn what_is_no_record_is_refused() {
        let mut whole = Vec::new();
        header().write(&mut whole);
        for len in 0..HEADER_LEN {
            assert_eq!(Header::read(&whole[..len]), None, "{len} bytes");
        }
        let mut other_version = whole.clone();
        other_version[0] = 2;
        assert_eq!(Header::read(&other_version), None);
        let mut huge = whole;
        huge[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(Header::read(&huge), None);
    }
}
