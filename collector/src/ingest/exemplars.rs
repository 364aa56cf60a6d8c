//! OTLP's exemplars as the store keeps them: with the labels that Prometheus gives them, each with the
//! series that it is a measurement of.

use opentelemetry_proto::tonic::metrics::v1::{Exemplar as OtlpExemplar, exemplar::Value};
use store::labels::Labels;
use store::read::{Exemplar, Sample};

use super::attributes;
use super::names;
use super::points::Part;

/// Characters that the labels of one exemplar may have together, as OpenMetrics has it. What the
/// sender filtered off its labels goes first; the way to the trace stays.
const MAX_LABELS: usize = 128;

/// One measurement as the store takes it; none where it has no number or no time.
pub(super) fn translate(exemplar: OtlpExemplar) -> Option<Exemplar> {
    let value = match exemplar.value? {
        Value::AsDouble(value) => value,
        Value::AsInt(value) => value as f64,
    };
    let at_ms = match exemplar.time_unix_nano {
        0 => return None,
        nanoseconds => (nanoseconds / 1_000_000).cast_signed(),
    };
    let (trace, span) = (hex(&exemplar.trace_id), hex(&exemplar.span_id));
    let trace_labels = [("trace_id", trace.as_str()), ("span_id", span.as_str())];
    let others = attributes::read(exemplar.filtered_attributes);
    let others: Vec<(String, String)> = others
        .into_iter()
        .map(|(key, value)| (names::label(&key), value))
        .collect();
    let pairs = others.iter().map(|(key, value)| (&**key, &**value));
    let labels = Labels::from_pairs(pairs.chain(trace_labels));
    let length: usize = labels
        .iter()
        .map(|(name, value)| name.chars().count() + value.chars().count())
        .sum();
    let labels = if length > MAX_LABELS {
        Labels::from_pairs(trace_labels)
    } else {
        labels
    };
    Some(Exemplar {
        labels,
        sample: Sample { at_ms, value },
    })
}

/// Which of a point's parts a measurement belongs to: of a histogram the lowest bucket that holds it,
/// of anything else its only number.
pub(super) fn part_of(parts: &[Part], value: f64) -> Option<usize> {
    let bound = |part: &Part| part.label.as_ref()?.1.parse::<f64>().ok();
    let mut buckets = parts.iter().enumerate();
    let holding = buckets.find(|(_, part)| {
        part.suffix == "_bucket" && bound(part).is_some_and(|bound| value <= bound)
    });
    match holding {
        Some((place, _)) => Some(place),
        None => parts.iter().position(|part| part.suffix.is_empty()),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};

    use super::*;

    fn otlp(value: Option<Value>, time_unix_nano: u64, filtered: &str) -> OtlpExemplar {
        let filtered = KeyValue {
            key: "user.id".into(),
            value: Some(AnyValue {
                value: Some(any_value::Value::StringValue(filtered.into())),
            }),
            ..Default::default()
        };
        OtlpExemplar {
            filtered_attributes: vec![filtered],
            time_unix_nano,
            value,
            span_id: vec![0xab; 8],
            trace_id: vec![0x01; 16],
        }
    }

    #[test]
    fn labels_lead_to_the_trace() {
        let check = |filtered: &str, expected: &str| {
            let exemplar = otlp(Some(Value::AsInt(3)), 5_000_000_000, filtered);
            let kept = translate(exemplar).unwrap();
            assert_eq!(format!("{:?}", kept.labels), expected);
            assert_eq!((kept.sample.at_ms, kept.sample.value), (5_000, 3.0));
        };
        let trace =
            r#""span_id": "abababababababab", "trace_id": "01010101010101010101010101010101""#;
        check("7", &format!(r#"{{{trace}, "user_id": "7"}}"#));
        check(&"7".repeat(200), &format!("{{{trace}}}"));
    }

    #[test]
    fn without_a_number_or_a_time_there_is_none() {
        assert_eq!(translate(otlp(None, 1, "")), None);
        assert_eq!(translate(otlp(Some(Value::AsDouble(1.0)), 0, "")), None);
    }

    #[test]
    fn a_measurement_belongs_to_the_lowest_bucket_that_holds_it() {
        let bucket = |le: &str| Part {
            suffix: "_bucket",
            label: Some(("le", le.to_owned())),
            value: 1.0,
        };
        let other = |suffix| Part {
            suffix,
            label: None,
            value: 1.0,
        };
        let histogram = [bucket("0.5"), bucket("10"), bucket("+Inf"), other("_sum")];
        let check = |parts: &[Part], value, expected| {
            assert_eq!(part_of(parts, value), expected, "{value}");
        };
        check(&histogram, 0.5, Some(0));
        check(&histogram, 0.6, Some(1));
        check(&histogram, 1e9, Some(2));
        check(&[other("")], 7.0, Some(0));
        check(&[], 7.0, None);
        check(&[other("_sum")], 7.0, None);
    }
}
