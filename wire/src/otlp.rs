//! A batch as OTLP: one `ExportMetricsServiceRequest` with one resource.
//!
//! Constraints: any OTLP receiver must be able to read it; the collector must get back exactly the
//! names and labels that the source gave; encoding must not cost a tree of small allocations, for
//! it happens on a database host every few seconds. Hence this writer goes from families to bytes
//! in one pass over the points, and the generated types serve only to read (and to test this file).
//!
//! - Requests concatenate: the bytes of several batches, one behind the other, are one request with
//!   several resources. The shipper relies on it.
//! - The target's `job` and `instance` travel as `service.name` and `service.instance.id`; its other
//!   labels as resource attributes of their own name. Attributes under `nightshift.` are identity.
//! - Counters are monotonic cumulative sums, everything else is a gauge; the kind in Prometheus'
//!   words stands in the metric's metadata. Names are never to be changed on arrival, which the
//!   scope attribute [`VERBATIM_ATTRIBUTE`] says.
//! - A series that has ended is a point with the flag [`NO_RECORDED_VALUE`] and without a value, as the
//!   OTLP specification has it; a NaN of certain bits would be a value to another receiver.

use prost::encoding::{WireType, encode_key, encode_varint};

use crate::batch::{
    AGENT_ATTRIBUTE, Batch, BatchId, HOST_ATTRIBUTE, KIND_METADATA, RUN_ATTRIBUTE,
    SEQUENCE_ATTRIBUTE, VERBATIM_ATTRIBUTE,
};
use crate::metric::{Family, Kind, Label, Point, Suffix, is_stale};

/// The flag of a data point that says only that its series has ended.
pub const NO_RECORDED_VALUE: u32 = 1;

/// How a target label is named as a resource attribute.
#[must_use]
pub fn attribute_of_label(label: &str) -> &str {
    match label {
        "job" => "service.name",
        "instance" => "service.instance.id",
        other => other,
    }
}

/// How a resource attribute is named as a target label; the inverse of [`attribute_of_label`].
#[must_use]
pub fn label_of_attribute(attribute: &str) -> &str {
    match attribute {
        "service.name" => "job",
        "service.instance.id" => "instance",
        other => other,
    }
}

/// Appends `batch` to `out` as one export request.
pub fn encode(out: &mut Vec<u8>, batch: &Batch, id: BatchId, host: &str) {
    nested(out, 1, |resource_metrics| {
        nested(resource_metrics, 1, |resource| {
            attribute(resource, 1, AGENT_ATTRIBUTE, &id.agent.to_string());
            attribute(resource, 1, RUN_ATTRIBUTE, &id.run.to_string());
            integer_attribute(resource, 1, SEQUENCE_ATTRIBUTE, id.sequence.0);
            attribute(resource, 1, HOST_ATTRIBUTE, host);
            for label in &batch.target {
                attribute(resource, 1, attribute_of_label(&label.name), &label.value);
            }
        });
        nested(resource_metrics, 2, |scope_metrics| {
            nested(scope_metrics, 1, |scope| {
                string(scope, 1, &batch.source);
                attribute(scope, 3, VERBATIM_ATTRIBUTE, "true");
            });
            for family in &batch.families {
                encode_family(scope_metrics, family, batch.at_ms);
            }
        });
    });
}

/// Points with a suffix become metrics of their own, for in OTLP a metric has one name.
fn encode_family(scope_metrics: &mut Vec<u8>, family: &Family, at_ms: i64) {
    for suffix in [Suffix::None, Suffix::Bucket, Suffix::Sum, Suffix::Count] {
        if !family.points.iter().any(|point| point.suffix == suffix) {
            continue;
        }
        let monotonic =
            family.kind == Kind::Counter || (suffix != Suffix::None && suffix != Suffix::Sum);
        nested(scope_metrics, 2, |metric| {
            encode_key(1, WireType::LengthDelimited, metric);
            encode_varint((family.name.len() + suffix.as_str().len()) as u64, metric);
            metric.extend_from_slice(family.name.as_bytes());
            metric.extend_from_slice(suffix.as_str().as_bytes());
            string(metric, 2, &family.help);
            let data_field = if monotonic { 7 } else { 5 };
            nested(metric, data_field, |data| {
                for point in family.points.iter().filter(|point| point.suffix == suffix) {
                    encode_point(data, point, at_ms);
                }
                if monotonic {
                    const CUMULATIVE: u64 = 2;
                    varint(data, 2, CUMULATIVE);
                    varint(data, 3, 1);
                }
            });
            attribute(metric, 12, KIND_METADATA, family.kind.as_str());
        });
    }
}

fn encode_point(data: &mut Vec<u8>, point: &Point, at_ms: i64) {
    nested(data, 1, |out| {
        let at_ms = point.at_ms.unwrap_or(at_ms).max(0);
        encode_key(3, WireType::SixtyFourBit, out);
        out.extend_from_slice(&at_ms.unsigned_abs().saturating_mul(1_000_000).to_le_bytes());
        if is_stale(point.value) {
            varint(out, 8, u64::from(NO_RECORDED_VALUE));
        } else {
            encode_key(4, WireType::SixtyFourBit, out);
            out.extend_from_slice(&point.value.to_le_bytes());
        }
        for Label { name, value } in &point.labels {
            if !value.is_empty() {
                attribute(out, 7, name, value);
            }
        }
    });
}

fn attribute(out: &mut Vec<u8>, field: u32, key: &str, value: &str) {
    nested(out, field, |pair| {
        string(pair, 1, key);
        nested(pair, 2, |any| {
            // Written even when empty: an AnyValue without its field would be null.
            encode_key(1, WireType::LengthDelimited, any);
            encode_varint(value.len() as u64, any);
            any.extend_from_slice(value.as_bytes());
        });
    });
}

fn integer_attribute(out: &mut Vec<u8>, field: u32, key: &str, value: u64) {
    nested(out, field, |pair| {
        string(pair, 1, key);
        nested(pair, 2, |any| varint(any, 3, value));
    });
}

fn string(out: &mut Vec<u8>, field: u32, text: &str) {
    if !text.is_empty() {
        encode_key(field, WireType::LengthDelimited, out);
        encode_varint(text.len() as u64, out);
        out.extend_from_slice(text.as_bytes());
    }
}

fn varint(out: &mut Vec<u8>, field: u32, value: u64) {
    encode_key(field, WireType::Varint, out);
    encode_varint(value, out);
}

/// Writes a nested message in place: the length is not known before the content, so the content is
/// written behind a length of one byte and moved where it turns out to need more.
fn nested(out: &mut Vec<u8>, field: u32, content: impl FnOnce(&mut Vec<u8>)) {
    encode_key(field, WireType::LengthDelimited, out);
    let length_at = out.len();
    out.push(0);
    content(out);
    let length = out.len() - length_at - 1;
    let mut prefix = [0u8; 10];
    let mut unwritten = &mut prefix[..];
    encode_varint(length as u64, &mut unwritten);
    let prefix_len = 10 - unwritten.len();
    out[length_at] = prefix[0];
    if prefix_len > 1 {
        let end = out.len();
        out.resize(end + prefix_len - 1, 0);
        out.copy_within(length_at + 1..end, length_at + prefix_len);
        out[length_at..length_at + prefix_len].copy_from_slice(&prefix[..prefix_len]);
    }
}

#[cfg(test)]
mod tests;
