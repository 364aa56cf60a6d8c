//! What stands in one record of the journal. FORMAT.md says the same for people; keep them alike.
//!
//! Constraints: a record says by itself what it is (the one before it may be lost), and which numbers
//! of series it uses; damage that slips past the frame's checksum, or a record written by something
//! else, gives an error and never a panic or an allocation beyond [`MAX_PAYLOAD`]; a newer version is
//! told from damage.

mod parts;
mod rows;
mod series;
mod v1;

use std::io;

use wire::batch::AgentId;
use wire::frame;

use crate::append::{AppendError, Delivery};
use crate::ledger::Agent;
use crate::read::{Metadata, Sample};

use super::codec::{Reader, Writer};

pub(super) use rows::{Run, Runs};
pub(super) use series::{Definitions, encode_series};

/// The version of everything below but [`v1`].
pub(super) const VERSION: u8 = 2;
/// Largest payload before compression. A request is decoded under a tighter bound than this; here
/// it only keeps damage from claiming all memory.
pub(super) const MAX_PAYLOAD: usize = 512 << 20;
/// Most rows of a delivery: as they are in memory they take no more than that either.
const MAX_ROWS: usize = MAX_PAYLOAD / size_of::<Sample>();
/// Longest text of one series' labels: it must fit a record of its own, whatever it compresses to.
pub(super) const MAX_LABELS: usize = frame::MAX_BODY / 2;

/// Version, kind, the count of rows and the payload's length, with a little to spare.
const MAX_OPENING: usize = 32;

const DELIVERY: u8 = 1;
const CHECKPOINT: u8 = 2;
const SERIES: u8 = 3;

/// The fastest level: the journal is written once, read after a restart and deleted within hours.
const ZSTD_LEVEL: i32 = 1;

/// One record.
#[derive(Debug, PartialEq)]
pub(super) enum Record {
    /// Something that arrived. Its steady time is the wall clock's, for the process that counted
    /// the steady one is gone.
    Numbered(Numbered),
    /// The same, as version 1 wrote it.
    Delivery(Delivery),
    /// Which series the numbers of this file are.
    Series(Definitions),
    /// What was known when the file was begun.
    Checkpoint(Checkpoint),
}

/// A delivery whose rows name their series by number.
#[derive(Debug, PartialEq)]
pub(super) struct Numbered {
    /// It has no rows.
    pub(super) delivery: Delivery,
    pub(super) series: Runs,
    /// As many as the series.
    pub(super) samples: Vec<Sample>,
}

/// All of a delivery but which series its rows belong to, ready to be written: the work of encoding,
/// which needs nothing but the delivery.
#[derive(Debug)]
pub(super) struct Content {
    compressed: Compressed,
    rows: usize,
}

#[derive(Debug)]
struct Compressed {
    bytes: Vec<u8>,
    /// As it was before.
    length: usize,
}

/// What outlives the deliveries that said it.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Checkpoint {
    /// The ledger.
    pub(super) agents: Vec<(AgentId, Agent)>,
    /// What was last said of each metric family.
    pub(super) metadata: Vec<(String, Metadata)>,
}

/// Why the body of a whole frame could not be read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum DecodeError {
    /// Written by another version.
    Version(u8),
    /// Not a record.
    Malformed,
}

impl Content {
    pub(super) fn of(delivery: &Delivery) -> Result<Self, AppendError> {
        let rows = delivery.rows.len();
        if rows > MAX_ROWS {
            return Err(too_large(rows * size_of::<Sample>(), MAX_PAYLOAD));
        }
        let mut out = Writer::default();
        parts::put_opening(&mut out, delivery);
        rows::put_samples(&mut out, &delivery.rows);
        parts::put_exemplars(&mut out, &delivery.exemplars);
        let compressed = Compressed::of(&out.0)?;
        // The numbers come later and must fit then.
        let most = compressed.bytes.len() + rows * rows::MAX_NUMBER_BYTES + MAX_OPENING;
        if most > frame::MAX_BODY {
            return Err(too_large(most, frame::MAX_BODY));
        }
        Ok(Self { compressed, rows })
    }

    /// About what its frame will have.
    pub(super) fn bytes(&self) -> usize {
        self.compressed.bytes.len()
    }

    /// Appends the frame of the delivery's record.
    pub(super) fn put_frame(&self, out: &mut Vec<u8>, series: &Runs) {
        let mut opening = Writer::default();
        opening.number(self.rows as u64);
        series.put(&mut opening);
        put_frame(out, DELIVERY, &opening, &self.compressed);
    }
}

/// The frame of a checkpoint's record.
pub(super) fn encode_checkpoint(checkpoint: &Checkpoint) -> Result<Vec<u8>, AppendError> {
    let mut out = Writer::default();
    out.number(checkpoint.agents.len() as u64);
    for (id, agent) in &checkpoint.agents {
        out.bytes(&id.to_bytes());
        parts::put_agent(&mut out, agent);
    }
    parts::put_metadata(&mut out, &checkpoint.metadata);
    let mut framed = Vec::new();
    frame_of(&mut framed, CHECKPOINT, &out.0)?;
    Ok(framed)
}

/// Reads the bodies of frames. It holds what every payload is unpacked with, which takes as long to
/// make as a payload to unpack.
pub(super) struct Decoder {
    zstd: zstd::bulk::Decompressor<'static>,
}

impl Decoder {
    pub(super) fn new() -> io::Result<Self> {
        let zstd = zstd::bulk::Decompressor::new()?;
        Ok(Self { zstd })
    }

    pub(super) fn decode(&mut self, body: &[u8]) -> Result<Record, DecodeError> {
        let mut head = Reader(body);
        let record = match head.byte() {
            Some(v1::VERSION) => self.decode_v1(head),
            Some(VERSION) => self.decode_current(head),
            Some(version) => return Err(DecodeError::Version(version)),
            None => None,
        };
        record.ok_or(DecodeError::Malformed)
    }

    fn decode_v1(&mut self, mut head: Reader<'_>) -> Option<Record> {
        let kind = head.byte()?;
        let payload = self.unpack(head)?;
        let mut payload = Reader(&payload);
        let record = match kind {
            DELIVERY => Record::Delivery(v1::take_delivery(&mut payload)?),
            CHECKPOINT => Record::Checkpoint(take_checkpoint(&mut payload)?),
            _ => return None,
        };
        payload.is_empty().then_some(record)
    }

    fn decode_current(&mut self, mut head: Reader<'_>) -> Option<Record> {
        let kind = head.byte()?;
        if kind == DELIVERY {
            return self.take_numbered(head).map(Record::Numbered);
        }
        let payload = self.unpack(head)?;
        let mut payload = Reader(&payload);
        let record = match kind {
            CHECKPOINT => Record::Checkpoint(take_checkpoint(&mut payload)?),
            SERIES => Record::Series(series::take_series(&mut payload)?),
            _ => return None,
        };
        payload.is_empty().then_some(record)
    }

    fn take_numbered(&mut self, mut head: Reader<'_>) -> Option<Numbered> {
        let rows = usize::try_from(head.number()?).ok()?;
        if rows > MAX_ROWS {
            return None;
        }
        let series = Runs::take(&mut head, rows)?;
        let payload = self.unpack(head)?;
        let mut payload = Reader(&payload);
        let mut delivery = parts::take_opening(&mut payload)?;
        let samples = rows::take_samples(&mut payload, rows)?;
        delivery.exemplars = parts::take_exemplars(&mut payload)?;
        payload.is_empty().then_some(Numbered {
            delivery,
            series,
            samples,
        })
    }

    fn unpack(&mut self, mut head: Reader<'_>) -> Option<Vec<u8>> {
        let length = usize::try_from(head.number()?).ok()?;
        if length > MAX_PAYLOAD {
            return None;
        }
        self.zstd.decompress(head.0, length).ok()
    }
}

/// Whether the body of a frame defines series; it may yet be malformed.
pub(super) fn is_series(body: &[u8]) -> bool {
    body.starts_with(&[VERSION, SERIES])
}

impl Compressed {
    fn of(payload: &[u8]) -> Result<Self, AppendError> {
        let length = payload.len();
        if length > MAX_PAYLOAD {
            return Err(too_large(length, MAX_PAYLOAD));
        }
        // Compressing into memory fails only for want of memory.
        let bytes = zstd::bulk::compress(payload, ZSTD_LEVEL)
            .map_err(|_| too_large(length, MAX_PAYLOAD))?;
        Ok(Self { bytes, length })
    }
}

/// Appends the frame of a record.
fn frame_of(out: &mut Vec<u8>, kind: u8, payload: &[u8]) -> Result<(), AppendError> {
    let compressed = Compressed::of(payload)?;
    let most = compressed.bytes.len() + MAX_OPENING;
    if most > frame::MAX_BODY {
        return Err(too_large(most, frame::MAX_BODY));
    }
    put_frame(out, kind, &Writer::default(), &compressed);
    Ok(())
}

fn put_frame(out: &mut Vec<u8>, kind: u8, opening: &Writer, compressed: &Compressed) {
    let mut body = Writer(vec![VERSION, kind]);
    body.bytes(&opening.0);
    body.number(compressed.length as u64);
    body.bytes(&compressed.bytes);
    frame::write(out, &body.0);
}

fn too_large(bytes: usize, limit: usize) -> AppendError {
    AppendError::TooLarge { bytes, limit }
}

fn take_checkpoint(from: &mut Reader<'_>) -> Option<Checkpoint> {
    let count = from.length()?;
    let mut agents = Vec::new();
    for _ in 0..count {
        let id = AgentId::from_bytes(from.array()?);
        agents.push((id, parts::take_agent(from)?));
    }
    let metadata = parts::take_metadata(from)?;
    Some(Checkpoint { agents, metadata })
}

/// Reads the body of a frame.
#[cfg(test)]
pub(super) fn decode(body: &[u8]) -> Result<Record, DecodeError> {
    Decoder::new().unwrap().decode(body)
}

/// The frame of a delivery's record as version 1 wrote it.
#[cfg(test)]
pub(super) fn encode_v1(delivery: &Delivery) -> Vec<u8> {
    let mut out = Writer::default();
    v1::put_delivery(&mut out, delivery);
    let mut body = Writer(vec![v1::VERSION, DELIVERY]);
    body.number(out.0.len() as u64);
    body.bytes(&zstd::bulk::compress(&out.0, ZSTD_LEVEL).unwrap());
    let mut framed = Vec::new();
    frame::write(&mut framed, &body.0);
    framed
}
