//! What deliveries and checkpoints are made of, alike in every version.

use wire::batch::{AgentId, BatchId, RunId, Sequence};
use wire::metric::Kind;

use crate::append::{Arrival, Delivery, Origin};
use crate::labels::Labels;
use crate::ledger::{Agent, Run, SourceId, SourceSeen};
use crate::read::{Exemplar, Metadata, Sample};

use super::super::codec::{Reader, Writer};

/// What a delivery says besides its rows and exemplars.
pub(super) fn put_opening(out: &mut Writer, delivery: &Delivery) {
    out.signed(delivery.arrival.wall_ms);
    out.optional(delivery.arrival.sent_ms);
    out.byte(u8::from(delivery.origin.is_some()));
    if let Some(origin) = &delivery.origin {
        put_origin(out, origin);
    }
    put_metadata(out, &delivery.metadata);
}

/// A delivery without its rows and exemplars.
pub(super) fn take_opening(from: &mut Reader<'_>) -> Option<Delivery> {
    let wall_ms = from.signed()?;
    let sent_ms = from.optional()?;
    let origin = match from.byte()? {
        0 => None,
        1 => Some(take_origin(from)?),
        _ => return None,
    };
    Some(Delivery {
        origin,
        arrival: Arrival {
            wall_ms,
            steady_ms: wall_ms,
            sent_ms,
        },
        rows: Vec::new(),
        metadata: take_metadata(from)?,
        exemplars: Vec::new(),
    })
}

/// Nothing where there are none, as in files that were written before there were any.
pub(super) fn put_exemplars(out: &mut Writer, exemplars: &[(Labels, Exemplar)]) {
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

pub(super) fn take_exemplars(from: &mut Reader<'_>) -> Option<Vec<(Labels, Exemplar)>> {
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

pub(super) fn put_metadata(out: &mut Writer, metadata: &[(String, Metadata)]) {
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

pub(super) fn take_metadata(from: &mut Reader<'_>) -> Option<Vec<(String, Metadata)>> {
    let count = from.length()?;
    let mut metadata = Vec::with_capacity(count.min(1_000));
    for _ in 0..count {
        metadata.push(take_one_metadata(from)?);
    }
    Some(metadata)
}

fn take_one_metadata(from: &mut Reader<'_>) -> Option<(String, Metadata)> {
    let family = from.text()?.to_owned();
    let metadata = Metadata {
        kind: kind_from_byte(from.byte()?)?,
        help: from.text()?.to_owned(),
        unit: from.text()?.to_owned(),
    };
    Some((family, metadata))
}

pub(super) fn put_agent(out: &mut Writer, agent: &Agent) {
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

pub(super) fn take_agent(from: &mut Reader<'_>) -> Option<Agent> {
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
