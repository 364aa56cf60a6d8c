use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
use opentelemetry_proto::tonic::metrics::v1::{
    Metric, NumberDataPoint, metric::Data, number_data_point::Value as Number,
};
use proptest::prelude::*;
use prost::Message;

use super::*;
use crate::batch::{AgentId, RunId, Sequence};
use crate::metric::{STALE, Text};

fn text_of(pair: &KeyValue) -> (String, String) {
    let value = match pair.value.as_ref().and_then(|any| any.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::IntValue(number)) => number.to_string(),
        other => panic!("unexpected {other:?}"),
    };
    (pair.key.clone(), value)
}

fn points_of(metric: &Metric) -> &[NumberDataPoint] {
    match metric.data.as_ref().unwrap() {
        Data::Gauge(gauge) => &gauge.data_points,
        Data::Sum(sum) => {
            assert!(sum.is_monotonic && sum.aggregation_temporality == 2);
            &sum.data_points
        }
        other => panic!("unexpected {other:?}"),
    }
}

/// What a reader of the bytes sees, as (name, labels, value, milliseconds), one row a point.
type Row = (String, Vec<(String, String)>, u64, i64);

fn rows_written(batch: &Batch) -> Vec<Row> {
    let mut rows = Vec::new();
    for family in &batch.families {
        for suffix in [Suffix::None, Suffix::Bucket, Suffix::Sum, Suffix::Count] {
            for point in family.points.iter().filter(|point| point.suffix == suffix) {
                let labels = point.labels.iter().filter(|label| !label.value.is_empty());
                rows.push((
                    format!("{}{}", family.name, suffix.as_str()),
                    labels
                        .map(|l| (l.name.to_string(), l.value.to_string()))
                        .collect(),
                    point.value.to_bits(),
                    point.at_ms.unwrap_or(batch.at_ms),
                ));
            }
        }
    }
    rows
}

fn rows_read(request: &ExportMetricsServiceRequest) -> Vec<Row> {
    let mut rows = Vec::new();
    for metric in request
        .resource_metrics
        .iter()
        .flat_map(|r| &r.scope_metrics)
        .flat_map(|s| &s.metrics)
    {
        for point in points_of(metric) {
            let value = match (point.value, point.flags) {
                (Some(Number::AsDouble(value)), 0) => value,
                (None, NO_RECORDED_VALUE) => STALE,
                other => panic!("neither a double nor an end: {other:?}"),
            };
            rows.push((
                metric.name.clone(),
                point.attributes.iter().map(text_of).collect(),
                value.to_bits(),
                i64::try_from(point.time_unix_nano / 1_000_000).unwrap(),
            ));
        }
    }
    rows
}

fn any_label() -> impl Strategy<Value = Label> {
    ("[a-z_]{1,12}", ".{0,200}").prop_map(|(name, value)| Label::new(name, value))
}

fn any_family() -> impl Strategy<Value = Family> {
    let kind = prop::sample::select(vec![
        Kind::Counter,
        Kind::Gauge,
        Kind::Histogram,
        Kind::Untyped,
    ]);
    let suffix = prop::sample::select(vec![
        Suffix::None,
        Suffix::Bucket,
        Suffix::Sum,
        Suffix::Count,
    ]);
    let point = (
        suffix,
        prop::collection::vec(any_label(), 0..5),
        prop_oneof![4 => any::<f64>(), 1 => Just(STALE)],
        prop::option::of(0..4_000_000_000_000i64),
    )
        .prop_map(|(suffix, labels, value, at_ms)| Point {
            suffix,
            labels,
            value,
            at_ms,
        });
    (
        "[a-z_:]{1,20}",
        ".{0,40}",
        kind,
        prop::collection::vec(point, 0..6),
    )
        .prop_map(|(name, help, kind, points)| Family {
            name: Text::from(name),
            help: Text::from(help),
            kind,
            points,
        })
}

proptest! {
    #[test]
    fn a_reader_of_the_published_format_sees_every_point(
        families in prop::collection::vec(any_family(), 0..6),
        at_ms in 0..4_000_000_000_000i64,
        sequence: u32,
    ) {
        let batch = Batch {
            source: "host".into(),
            at_ms,
            target: vec![Label::new("job", "node-exporter"), Label::new("cluster", "loans")],
            families,
        };
        let id = BatchId {
            agent: AgentId::random(),
            run: RunId::random(),
            sequence: Sequence(u64::from(sequence)),
        };
        let mut bytes = Vec::new();
        encode(&mut bytes, &batch, id, "db1");
        let request = ExportMetricsServiceRequest::decode(&bytes[..]).unwrap();
        prop_assert_eq!(rows_read(&request), rows_written(&batch));

        let resource = request.resource_metrics[0].resource.as_ref().unwrap();
        let attributes: Vec<_> = resource.attributes.iter().map(text_of).collect();
        let expected = [
            (AGENT_ATTRIBUTE, id.agent.to_string()),
            (RUN_ATTRIBUTE, id.run.to_string()),
            (SEQUENCE_ATTRIBUTE, sequence.to_string()),
            (HOST_ATTRIBUTE, "db1".into()),
            ("service.name", "node-exporter".into()),
            ("cluster", "loans".into()),
        ];
        prop_assert_eq!(attributes, expected.map(|(key, value)| (key.to_owned(), value)).to_vec());
    }

    #[test]
    fn concatenated_requests_are_one_request(sizes in prop::collection::vec(0..5usize, 0..5)) {
        let mut bytes = Vec::new();
        for (number, size) in (1..).zip(&sizes) {
            let mut family = Family::new("up", "", Kind::Gauge);
            family.points = vec![Point { suffix: Suffix::None, labels: vec![], value: 1.0, at_ms: None }; *size];
            let batch = Batch { source: "s".into(), at_ms: 1, target: vec![], families: vec![family] };
            let id = BatchId { agent: AgentId::random(), run: RunId::random(), sequence: Sequence(number) };
            encode(&mut bytes, &batch, id, "h");
        }
        let request = ExportMetricsServiceRequest::decode(&bytes[..]).unwrap();
        prop_assert_eq!(request.resource_metrics.len(), sizes.len());
        let total: usize = sizes.iter().sum();
        prop_assert_eq!(rows_read(&request).len(), total);
    }
}
