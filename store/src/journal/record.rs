//! What stands in one record of the journal. FORMAT.md says the same for people; keep them alike.
//!
//! Constraints: a record stands alone (the one before it may be lost); damage that slips past the
//! frame's checksum, or a record written by something else, gives an error and never a panic or an
//! allocation beyond [`MAX_PAYLOAD`]; a newer version is told from damage.

use wire::batch::{AgentId, BatchId, RunId, Sequence};
use wire::frame;
use wire::metric::Kind;

use crate::append::{AppendError, Arrival, Delivery, Origin, Row};
use crate::labels::Labels;
use crate::ledger::{Agent, Run, SourceId, SourceSeen};
use crate::read::{Exemplar, Metadata, Sample};

use super::codec::{Reader, Writer};

/// The version of everything below.
pub(super) const VERSION: u8 = 1;
/// Largest payload before compression. A request is decoded under a tighter bound than this; here
/// it only keeps damage from claiming all memory.
pub(super) const MAX_PAYLOAD: usize = 512 << 20;

const DELIVERY: u8 = 1;
const CHECKPOINT: u8 = 2;

/// The fastest level: the journal is written once, read after a restart and deleted within hours.
const ZSTD_LEVEL: i32 = 1;

/// One record.
#[derive(Debug, PartialEq)]
pub(super) enum Record {
    /// Something that arrived. Its steady time is the wall clock's, for the process that counted
    /// the steady one is gone.
    Delivery(Delivery),
    /// What was known when the file was begun.
    Checkpoint(Checkpoint),
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

/// The frame of a delivery's record.
pub(super) fn encode_delivery(delivery: &Delivery) -> Result<Vec<u8>, AppendError> {
    let mut out = Writer::default();
    out.signed(delivery.arrival.wall_ms);
    out.optional(delivery.arrival.sent_ms);
    out.byte(u8::from(delivery.origin.is_some()));
    if let Some(origin) = &delivery.origin {
        put_origin(&mut out, origin);
    }
    put_metadata(&mut out, &delivery.metadata);
    out.number(delivery.rows.len() as u64);
    let mut previous_ms = 0i64;
    for row in &delivery.rows {
        out.text(row.labels.as_encoded());
        out.signed(row.sample.at_ms.wrapping_sub(previous_ms));
        out.bytes(&row.sample.value.to_le_bytes());
        previous_ms = row.sample.at_ms;
    }
    put_exemplars(&mut out, &delivery.exemplars);
    frame_of(DELIVERY, &out.0)
}

/// The frame of a checkpoint's record.
pub(super) fn encode_checkpoint(checkpoint: &Checkpoint) -> Result<Vec<u8>, AppendError> {
    let mut out = Writer::default();
    out.number(checkpoint.agents.len() as u64);
    for (id, agent) in &checkpoint.agents {
        out.bytes(&id.to_bytes());
        put_agent(&mut out, agent);
    }
    put_metadata(&mut out, &checkpoint.metadata);
    frame_of(CHECKPOINT, &out.0)
}

/// Reads the body of a frame.
pub(super) fn decode(body: &[u8]) -> Result<Record, DecodeError> {
    let mut head = Reader(body);
    match head.byte() {
        Some(VERSION) => decode_current(head).ok_or(DecodeError::Malformed),
        Some(version) => Err(DecodeError::Version(version)),
        None => Err(DecodeError::Malformed),
    }
}

fn decode_current(mut head: Reader<'_>) -> Option<Record> {
    let kind = head.byte()?;
    let length = usize::try_from(head.number()?).ok()?;
    if length > MAX_PAYLOAD {
        return None;
    }
    let payload = zstd::bulk::decompress(head.0, length).ok()?;
    let mut payload = Reader(&payload);
    let record = match kind {
        DELIVERY => Record::Delivery(take_delivery(&mut payload)?),
        CHECKPOINT => Record::Checkpoint(take_checkpoint(&mut payload)?),
        _ => return None,
    };
    payload.is_empty().then_some(record)
}

fn frame_of(kind: u8, payload: &[u8]) -> Result<Vec<u8>, AppendError> {
    let too_large = |bytes, limit| AppendError::TooLarge { bytes, limit };
    if payload.len() > MAX_PAYLOAD {
        return Err(too_large(payload.len(), MAX_PAYLOAD));
    }
    let mut body = Writer(vec![VERSION, kind]);
    body.number(payload.len() as u64);
    // Compressing into memory fails only for want of memory.
    let compressed = zstd::bulk::compress(payload, ZSTD_LEVEL)
        .map_err(|_| too_large(payload.len(), MAX_PAYLOAD))?;
    body.bytes(&compressed);
    if body.0.len() > frame::MAX_BODY {
        return Err(too_large(body.0.len(), frame::MAX_BODY));
    }
    let mut framed = Vec::with_capacity(frame::HEADER_LEN + body.0.len());
    frame::write(&mut framed, &body.0);
    Ok(framed)
}

/// Nothing where there are none, as in files that were written before there were any.
fn put_exemplars(out: &mut Writer, exemplars: &[(Labels, Exemplar)]) {
    if exemplars.is_empty() {
        return;
    }
    out.number(exemplars.len() as u64);
    for (series, exemplar) in exemplars {
        out.text(series.as_encoded());
        out.text(exemplar.labels.as_encoded());
        out.signed(exemplar.sample.at_ms);
        out.bytes(&exemplar.sample.value.to_le_bytes());
    }
}

fn take_exemplars(from: &mut Reader<'_>) -> Option<Vec<(Labels, Exemplar)>> {
    if from.is_empty() {
        return Some(Vec::new());
    }
    let count = from.length()?;
    // One takes eleven bytes at least.
    let mut exemplars = Vec::with_capacity(count.min(from.0.len() / 11));
    for _ in 0..count {
        let series = Labels::from_encoded(from.text()?)?;
        let labels = Labels::from_encoded(from.text()?)?;
        let at_ms = from.signed()?;
        let value = f64::from_le_bytes(from.array()?);
        let sample = Sample { at_ms, value };
        exemplars.push((series, Exemplar { labels, sample }));
    }
    Some(exemplars)
}

fn put_metadata(out: &mut Writer, metadata: &[(String, Metadata)]) {
    out.number(metadata.len() as u64);
    for (family, metadata) in metadata {
        out.text(family);
        out.byte(kind_to_byte(metadata.kind));
        out.text(&metadata.help);
        out.text(&metadata.unit);
    }
}

fn put_origin(out: &mut Writer, origin: &Origin) {
    out.bytes(&origin.id.agent.to_bytes());
    out.bytes(&origin.id.run.to_bytes());
    out.number(origin.id.sequence.0);
    out.text(&origin.host);
    out.text(&origin.source);
    out.text(&origin.instance);
}

fn take_delivery(from: &mut Reader<'_>) -> Option<Delivery> {
    let wall_ms = from.signed()?;
    let sent_ms = from.optional()?;
    let origin = match from.byte()? {
        0 => None,
        1 => Some(take_origin(from)?),
        _ => return None,
    };
    let metadata = take_all_metadata(from)?;
    Some(Delivery {
        origin,
        arrival: Arrival {
            wall_ms,
            steady_ms: wall_ms,
            sent_ms,
        },
        rows: take_rows(from)?,
        metadata,
        exemplars: take_exemplars(from)?,
    })
}

fn take_origin(from: &mut Reader<'_>) -> Option<Origin> {
    Some(Origin {
        id: BatchId {
            agent: AgentId::from_bytes(from.array()?),
            run: RunId::from_bytes(from.array()?),
            sequence: Sequence(from.number()?),
        },
        host: from.text()?.to_owned(),
        source: from.text()?.to_owned(),
        instance: from.text()?.to_owned(),
    })
}

fn take_all_metadata(from: &mut Reader<'_>) -> Option<Vec<(String, Metadata)>> {
    let count = from.length()?;
    let mut metadata = Vec::with_capacity(count.min(1_000));
    for _ in 0..count {
        metadata.push(take_metadata(from)?);
    }
    Some(metadata)
}

fn take_metadata(from: &mut Reader<'_>) -> Option<(String, Metadata)> {
    let family = from.text()?.to_owned();
    let metadata = Metadata {
        kind: kind_from_byte(from.byte()?)?,
        help: from.text()?.to_owned(),
        unit: from.text()?.to_owned(),
    };
    Some((family, metadata))
}

fn take_rows(from: &mut Reader<'_>) -> Option<Vec<Row>> {
    let count = from.length()?;
    // A row takes ten bytes at least.
    let mut rows = Vec::with_capacity(count.min(from.0.len() / 10));
    let mut previous_ms = 0i64;
    for _ in 0..count {
        let labels = Labels::from_encoded(from.text()?)?;
        let at_ms = previous_ms.wrapping_add(from.signed()?);
        let value = f64::from_le_bytes(from.array()?);
        rows.push(Row {
            labels,
            sample: Sample { at_ms, value },
        });
        previous_ms = at_ms;
    }
    Some(rows)
}

fn put_agent(out: &mut Writer, agent: &Agent) {
    out.text(&agent.host);
    out.signed(agent.last_seen_ms);
    out.optional(agent.newest_sample_ms);
    out.optional(agent.skew_ms);
    out.number(agent.stored);
    out.number(agent.skipped);
    out.number(agent.runs.len() as u64);
    for run in &agent.runs {
        out.bytes(&run.id.to_bytes());
        out.number(run.mark.0);
    }
    out.number(agent.sources.len() as u64);
    for (id, seen) in &agent.sources {
        out.text(&id.source);
        out.text(&id.instance);
        out.number(seen.series);
        out.signed(seen.last_seen_ms);
    }
}

fn take_checkpoint(from: &mut Reader<'_>) -> Option<Checkpoint> {
    let count = from.length()?;
    let mut agents = Vec::new();
    for _ in 0..count {
        let id = AgentId::from_bytes(from.array()?);
        agents.push((id, take_agent(from)?));
    }
    let metadata = take_all_metadata(from)?;
    Some(Checkpoint { agents, metadata })
}

fn take_agent(from: &mut Reader<'_>) -> Option<Agent> {
    let mut agent = Agent {
        host: from.text()?.to_owned(),
        last_seen_ms: from.signed()?,
        newest_sample_ms: from.optional()?,
        skew_ms: from.optional()?,
        stored: from.number()?,
        skipped: from.number()?,
        ..Agent::default()
    };
    for _ in 0..from.length()? {
        agent.runs.push(Run {
            id: RunId::from_bytes(from.array()?),
            mark: Sequence(from.number()?),
        });
    }
    for _ in 0..from.length()? {
        let id = SourceId {
            source: from.text()?.to_owned(),
            instance: from.text()?.to_owned(),
        };
        let seen = SourceSeen {
            series: from.number()?,
            last_seen_ms: from.signed()?,
        };
        agent.sources.insert(id, seen);
    }
    Some(agent)
}

fn kind_to_byte(kind: Kind) -> u8 {
    match kind {
        Kind::Untyped => 0,
        Kind::Counter => 1,
        Kind::Gauge => 2,
        Kind::Histogram => 3,
        Kind::Summary => 4,
    }
}

fn kind_from_byte(byte: u8) -> Option<Kind> {
    match byte {
        0 => Some(Kind::Untyped),
        1 => Some(Kind::Counter),
        2 => Some(Kind::Gauge),
        3 => Some(Kind::Histogram),
        4 => Some(Kind::Summary),
        _ => None,
    }
}
