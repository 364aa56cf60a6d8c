use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, any_value::Value};
use opentelemetry_proto::tonic::metrics::v1::{
    Gauge, Histogram, HistogramDataPoint, NumberDataPoint, Sum, Summary, SummaryDataPoint,
    exemplar, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message;
use store::labels::METRIC_NAME;
use wire::batch::{AgentId, Batch, BatchId, RunId, Sequence};
use wire::metric::{Family, Label, Point, Suffix};

use super::*;

const ARRIVAL: Arrival = Arrival {
    wall_ms: 99_000,
    steady_ms: 99_000,
    sent_ms: None,
};

fn pair(key: &str, value: Value) -> KeyValue {
    KeyValue {
        key: key.into(),
        value: Some(AnyValue { value: Some(value) }),
        ..Default::default()
    }
}

fn text(key: &str, value: &str) -> KeyValue {
    pair(key, Value::StringValue(value.into()))
}

fn point(value: f64, attributes: Vec<KeyValue>) -> NumberDataPoint {
    NumberDataPoint {
        attributes,
        time_unix_nano: 5_000_000_000,
        value: Some(number_data_point::Value::AsDouble(value)),
        ..Default::default()
    }
}

fn metric(name: &str, unit: &str, data: Data) -> Metric {
    Metric {
        name: name.into(),
        unit: unit.into(),
        description: format!("about {name}"),
        data: Some(data),
        ..Default::default()
    }
}

fn gauge(points: Vec<NumberDataPoint>) -> Data {
    Data::Gauge(Gauge {
        data_points: points,
    })
}

fn sum(aggregation_temporality: i32, is_monotonic: bool, points: Vec<NumberDataPoint>) -> Data {
    Data::Sum(Sum {
        data_points: points,
        aggregation_temporality,
        is_monotonic,
    })
}

fn request(attributes: Vec<KeyValue>, metrics: Vec<Metric>) -> ExportMetricsServiceRequest {
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            resource: Some(Resource {
                attributes,
                ..Default::default()
            }),
            scope_metrics: vec![ScopeMetrics {
                scope: Some(InstrumentationScope {
                    name: "app".into(),
                    ..Default::default()
                }),
                metrics,
                ..Default::default()
            }],
            ..Default::default()
        }],
    }
}

fn rows(translated: &Translated) -> Vec<String> {
    let rows = translated.deliveries.iter().flat_map(|d| &d.rows);
    rows.map(|row| {
        let labels = row.labels.iter().filter(|(name, _)| *name != METRIC_NAME);
        let labels: Vec<_> = labels.map(|(n, v)| format!("{n}={v}")).collect();
        let name = row.labels.metric_name();
        format!(
            "{name}{{{}}} {} @{}",
            labels.join(","),
            row.sample.value,
            row.sample.at_ms
        )
    })
    .collect()
}

fn service() -> Vec<KeyValue> {
    vec![
        text("service.name", "shop"),
        text("service.namespace", "web"),
        text("service.instance.id", "one"),
    ]
}

/// One metric of each kind.
fn of_each_kind() -> ExportMetricsServiceRequest {
    let histogram = HistogramDataPoint {
        explicit_bounds: vec![0.5],
        bucket_counts: vec![1, 2],
        count: 3,
        sum: Some(4.5),
        ..Default::default()
    };
    request(
        service(),
        vec![
            metric(
                "cart.size",
                "By",
                gauge(vec![point(
                    7.0,
                    vec![text("http.route", "/a"), text("http_route", "/b")],
                )]),
            ),
            metric(
                "orders",
                "{order}",
                sum(
                    2,
                    true,
                    vec![point(3.0, vec![pair("ok", Value::BoolValue(true))])],
                ),
            ),
            metric(
                "depth",
                "",
                sum(
                    2,
                    false,
                    vec![point(2.0, vec![text("job", "mine"), text("1st", "x")])],
                ),
            ),
            metric(
                "wait",
                "s",
                Data::Histogram(Histogram {
                    data_points: vec![histogram],
                    aggregation_temporality: 2,
                }),
            ),
            metric(
                "size",
                "",
                Data::Summary(Summary {
                    data_points: vec![SummaryDataPoint {
                        count: 1,
                        sum: 2.0,
                        ..Default::default()
                    }],
                }),
            ),
        ],
    )
}

#[test]
fn third_party_metrics_get_prometheus_names() {
    let translated = translate(of_each_kind(), ARRIVAL).unwrap();
    assert_eq!(translated.rejected, Rejected::default());
    assert_eq!(
        rows(&translated),
        [
            "cart_size_bytes{http_route=/a;/b,instance=one,job=web/shop} 7 @5000",
            "orders_total{instance=one,job=web/shop,ok=true} 3 @5000",
            "depth{instance=one,job=web/shop,key_1st=x} 2 @5000",
            "wait_seconds_bucket{instance=one,job=web/shop,le=0.5} 1 @99000",
            "wait_seconds_bucket{instance=one,job=web/shop,le=+Inf} 3 @99000",
            "wait_seconds_sum{instance=one,job=web/shop} 4.5 @99000",
            "wait_seconds_count{instance=one,job=web/shop} 3 @99000",
            "size_sum{instance=one,job=web/shop} 2 @99000",
            "size_count{instance=one,job=web/shop} 1 @99000",
        ]
    );
}

#[test]
fn metadata_is_kept_under_the_stored_name() {
    let translated = translate(of_each_kind(), ARRIVAL).unwrap();
    let metadata: Vec<_> = translated.deliveries[0]
        .metadata
        .iter()
        .map(|(family, m)| format!("{family} {} {:?} {}", m.kind, m.help, m.unit))
        .collect();
    assert_eq!(
        metadata,
        [
            "cart_size_bytes gauge \"about cart.size\" By",
            "depth gauge \"about depth\" ",
            "orders_total counter \"about orders\" {order}",
            "size summary \"about size\" ",
            "wait_seconds histogram \"about wait\" s",
        ]
    );
}

#[test]
fn what_else_a_resource_says_is_target_info() {
    let mut attributes = service();
    attributes.push(text("host.name", "db1"));
    attributes.push(pair("process.pid", Value::IntValue(7)));
    let translated = translate(
        request(
            attributes,
            vec![metric("a", "", gauge(vec![point(1.0, vec![])]))],
        ),
        ARRIVAL,
    );
    assert_eq!(
        rows(&translated.unwrap()),
        [
            "a{instance=one,job=web/shop} 1 @5000",
            "target_info{host_name=db1,instance=one,job=web/shop,process_pid=7} 1 @5000",
        ]
    );
    let nameless = translate(
        request(
            vec![text("x", "y")],
            vec![metric("a", "", gauge(vec![point(1.0, vec![])]))],
        ),
        ARRIVAL,
    );
    assert_eq!(rows(&nameless.unwrap()), ["a{} 1 @5000"]);
}

#[test]
fn what_cannot_be_stored_is_counted_and_the_rest_is_stored() {
    let empty = NumberDataPoint {
        value: None,
        ..point(0.0, vec![])
    };
    let request = request(
        service(),
        vec![
            metric(
                "delta",
                "",
                sum(1, true, vec![point(1.0, vec![]), point(2.0, vec![])]),
            ),
            metric("unset", "", sum(0, true, vec![point(1.0, vec![])])),
            metric("", "", gauge(vec![point(1.0, vec![])])),
            metric("good", "", gauge(vec![empty, point(1.0, vec![])])),
            metric("none", "", gauge(vec![])),
        ],
    );
    let translated = translate(request, ARRIVAL).unwrap();
    assert_eq!(
        rows(&translated),
        ["good{instance=one,job=web/shop} 1 @5000"]
    );
    assert_eq!(translated.rejected.points, 5);
    let message = translated.rejected.message();
    for part in [
        "delta has delta temporality",
        "unset has no temporality",
        "no name",
        "no value",
    ] {
        assert!(message.contains(part), "{part} in {message}");
    }
}

fn own_batch() -> (ExportMetricsServiceRequest, BatchId) {
    let mut up = Family::new("pg.odd-name", "", Kind::Untyped);
    let point = |suffix, value| Point {
        suffix,
        labels: vec![Label::new("le", "5"), Label::new("zone", "point")],
        value,
        at_ms: None,
    };
    up.points.push(point(Suffix::None, 1.0));
    let mut wait = Family::new("wait_seconds", "Waiting.", Kind::Histogram);
    wait.points.push(point(Suffix::Bucket, 2.0));
    wait.points.push(point(Suffix::Sum, 3.0));
    let batch = Batch {
        source: "postgres".into(),
        at_ms: 5_000,
        target: vec![
            Label::new("job", "pg"),
            Label::new("instance", "db1:5432"),
            Label::new("zone", "target"),
        ],
        families: vec![up, wait],
    };
    let id = BatchId {
        agent: AgentId::random(),
        run: RunId::random(),
        sequence: Sequence(7),
    };
    let mut bytes = Vec::new();
    wire::otlp::encode(&mut bytes, &batch, id, "db1.example");
    (ExportMetricsServiceRequest::decode(&bytes[..]).unwrap(), id)
}

#[test]
fn an_agents_names_are_kept_as_they_are() {
    let (request, id) = own_batch();
    let translated = translate(request, ARRIVAL).unwrap();
    assert_eq!(
        rows(&translated),
        [
            "pg.odd-name{instance=db1:5432,job=pg,le=5,zone=point} 1 @5000",
            "wait_seconds_bucket{instance=db1:5432,job=pg,le=5,zone=point} 2 @5000",
            "wait_seconds_sum{instance=db1:5432,job=pg,le=5,zone=point} 3 @5000",
        ]
    );
    let delivery = &translated.deliveries[0];
    let origin = delivery.origin.as_ref().unwrap();
    assert_eq!(origin.id, id);
    assert_eq!(
        (&*origin.host, &*origin.source, &*origin.instance),
        ("db1.example", "postgres", "db1:5432")
    );
    let families: Vec<_> = delivery
        .metadata
        .iter()
        .map(|(f, m)| (f.as_str(), m.kind))
        .collect();
    assert_eq!(
        families,
        [
            ("pg.odd-name", Kind::Untyped),
            ("wait_seconds", Kind::Histogram)
        ]
    );
}

#[test]
fn an_identity_that_is_none_is_rejected_whole() {
    let wrong = [
        ("nightshift.run", Value::StringValue("x".into())),
        ("nightshift.sequence", Value::IntValue(0)),
        ("nightshift.sequence", Value::IntValue(-1)),
        ("nightshift.sequence", Value::StringValue("many".into())),
        ("nightshift.agent", Value::BoolValue(true)),
    ];
    for (key, value) in wrong {
        let (mut request, _) = own_batch();
        let resource = request.resource_metrics[0].resource.as_mut().unwrap();
        let attribute = resource
            .attributes
            .iter_mut()
            .find(|pair| pair.key == key)
            .unwrap();
        *attribute = pair(key, value);
        let translated = translate(request, ARRIVAL).unwrap();
        assert!(translated.deliveries.is_empty());
        assert_eq!(translated.rejected.points, 3);
        assert!(translated.rejected.message().contains(key), "{key}");
    }
}

#[test]
fn labels_that_multiply_are_bounded() {
    let long = vec![text("service.name", &"x".repeat(100_000))];
    let points = (0..3_000).map(|_| point(1.0, vec![])).collect();
    let refused = translate(request(long, vec![metric("a", "", gauge(points))]), ARRIVAL);
    assert!(refused.is_err());
}

#[test]
fn values_of_every_type_become_text() {
    let any = |value| AnyValue { value: Some(value) };
    let list = Value::ArrayValue(opentelemetry_proto::tonic::common::v1::ArrayValue {
        values: vec![any(Value::IntValue(1)), any(Value::StringValue("a".into()))],
    });
    let map = Value::KvlistValue(opentelemetry_proto::tonic::common::v1::KeyValueList {
        values: vec![text("k", "v")],
    });
    let attributes = vec![
        pair("a", Value::DoubleValue(1.5)),
        pair("b", Value::BytesValue(vec![1, 2])),
        pair("c", list),
        pair("d", map),
        KeyValue {
            key: "e".into(),
            ..Default::default()
        },
        text("f", ""),
    ];
    let translated = translate(
        request(
            vec![],
            vec![metric("m", "", gauge(vec![point(1.0, attributes)]))],
        ),
        ARRIVAL,
    );
    assert_eq!(
        rows(&translated.unwrap()),
        [r#"m{a=1.5,b=AQI=,c=[1,"a"],d={"k":"v"}} 1 @5000"#]
    );
}

#[test]
fn exemplars_come_with_the_series_they_measure() {
    let exemplar = |value| OtlpExemplar {
        time_unix_nano: 4_000_000_000,
        value: Some(exemplar::Value::AsDouble(value)),
        trace_id: vec![7; 16],
        ..Default::default()
    };
    let histogram = HistogramDataPoint {
        explicit_bounds: vec![0.5],
        bucket_counts: vec![1, 2],
        count: 3,
        exemplars: vec![exemplar(0.25), exemplar(2.0)],
        ..Default::default()
    };
    let counter = NumberDataPoint {
        exemplars: vec![exemplar(1.0)],
        ..point(9.0, vec![])
    };
    let metrics = vec![
        metric(
            "latency",
            "s",
            Data::Histogram(Histogram {
                data_points: vec![histogram],
                aggregation_temporality: 2,
            }),
        ),
        metric("requests", "", sum(2, true, vec![counter])),
    ];
    let translated = translate(request(service(), metrics), ARRIVAL).unwrap();
    let kept = translated.deliveries[0].exemplars.iter();
    let kept: Vec<_> = kept
        .map(|(series, exemplar)| {
            let le = series.get("le").unwrap_or("-");
            let trace = exemplar.labels.get("trace_id").unwrap();
            let value = exemplar.sample.value;
            assert_eq!(trace, "07070707070707070707070707070707");
            format!("{} {le} {value}", series.metric_name())
        })
        .collect();
    let expected = [
        "latency_seconds_bucket 0.5 0.25",
        "latency_seconds_bucket +Inf 2",
        "requests_total - 1",
    ];
    assert_eq!(kept, expected);
}

#[test]
fn what_has_ended_is_marked_and_describes_nothing() {
    let (mut request, _) = own_batch();
    let scope = &mut request.resource_metrics[0].scope_metrics[0];
    scope.metrics.truncate(2);
    for metric in &mut scope.metrics {
        metric.description = "Forgotten.".to_owned();
        let points = match metric.data.as_mut().unwrap() {
            Data::Gauge(gauge) => &mut gauge.data_points,
            Data::Sum(sum) => &mut sum.data_points,
            other => panic!("unexpected {other:?}"),
        };
        (points[0].flags, points[0].value) = (wire::otlp::NO_RECORDED_VALUE, None);
    }
    let translated = translate(request, ARRIVAL).unwrap();
    let delivery = &translated.deliveries[0];
    let mut values = delivery.rows.iter().map(|row| row.sample.value);
    assert_eq!(delivery.rows.len(), 2);
    assert!(values.all(wire::metric::is_stale));
    assert_eq!(delivery.metadata, []);
    assert_eq!(translated.rejected, Rejected::default());
}

mod any_request {
    use proptest::prelude::*;

    use super::*;
    use crate::ingest::{Format, decode};

    /// Whatever is decoded is translated, and every row has a name.
    fn survives(format: Format, body: &[u8]) {
        let Ok(request) = decode(format, body) else {
            return;
        };
        let Ok(translated) = translate(request, ARRIVAL) else {
            return;
        };
        let mut rows = translated.deliveries.iter().flat_map(|it| &it.rows);
        assert!(rows.all(|row| !row.labels.metric_name().is_empty()));
    }

    proptest! {
        #[test]
        fn any_bytes_are_translated_or_refused(body in prop::collection::vec(any::<u8>(), 0..300)) {
            survives(Format::Protobuf, &body);
            survives(Format::Json, &body);
        }

        #[test]
        fn damaged_requests_are_translated_or_refused(
            damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
            cut in any::<prop::sample::Index>(),
            is_cut in any::<bool>(),
        ) {
            let request = of_each_kind();
            let json = serde_json::to_vec(&request).unwrap();
            for (format, whole) in [
                (Format::Protobuf, request.encode_to_vec()),
                (Format::Json, json),
            ] {
                let mut body = whole;
                for (at, byte) in &damage {
                    let at = at.index(body.len());
                    body[at] = *byte;
                }
                if is_cut {
                    body.truncate(cut.index(body.len()));
                }
                survives(format, &body);
            }
        }
    }
}
