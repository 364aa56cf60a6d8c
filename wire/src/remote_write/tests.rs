//! The published messages, written by independent means (prost), against what is read and written here.

use proptest::prelude::*;
use prost::Message;

use super::*;
use crate::metric::STALE;

/// The messages as they are published, for an encoder and decoder that is not ours.
pub(super) mod published {
    use prost::Message;

    #[derive(Clone, PartialEq, Message)]
    pub(crate) struct WriteRequest {
        #[prost(message, repeated, tag = "1")]
        pub(crate) timeseries: Vec<TimeSeries>,
        #[prost(message, repeated, tag = "3")]
        pub(crate) metadata: Vec<MetricMetadata>,
    }
    #[derive(Clone, PartialEq, Message)]
    pub(crate) struct MetricMetadata {
        #[prost(int32, tag = "1")]
        pub(crate) kind: i32,
        #[prost(string, tag = "2")]
        pub(crate) metric_family_name: String,
        #[prost(string, tag = "4")]
        pub(crate) help: String,
        #[prost(string, tag = "5")]
        pub(crate) unit: String,
    }
    #[derive(Clone, PartialEq, Message)]
    pub(crate) struct TimeSeries {
        #[prost(message, repeated, tag = "1")]
        pub(crate) labels: Vec<Label>,
        #[prost(message, repeated, tag = "2")]
        pub(crate) samples: Vec<Sample>,
        #[prost(message, repeated, tag = "3")]
        pub(crate) exemplars: Vec<Exemplar>,
        #[prost(message, repeated, tag = "4")]
        pub(crate) histograms: Vec<Histogram>,
    }
    #[derive(Clone, PartialEq, Message)]
    pub(crate) struct Label {
        #[prost(bytes = "vec", tag = "1")]
        pub(crate) name: Vec<u8>,
        #[prost(bytes = "vec", tag = "2")]
        pub(crate) value: Vec<u8>,
    }
    #[derive(Clone, Copy, PartialEq, Message)]
    pub(crate) struct Sample {
        #[prost(double, tag = "1")]
        pub(crate) value: f64,
        #[prost(int64, tag = "2")]
        pub(crate) timestamp: i64,
    }
    #[derive(Clone, PartialEq, Message)]
    pub(crate) struct Exemplar {
        #[prost(message, repeated, tag = "1")]
        pub(crate) labels: Vec<Label>,
        #[prost(double, tag = "2")]
        pub(crate) value: f64,
        #[prost(int64, tag = "3")]
        pub(crate) timestamp: i64,
    }
    #[derive(Clone, Copy, PartialEq, Message)]
    pub(crate) struct Histogram {
        #[prost(uint64, tag = "1")]
        pub(crate) count_int: u64,
        #[prost(int64, tag = "15")]
        pub(crate) timestamp: i64,
    }

    #[derive(Clone, PartialEq, Message)]
    pub(crate) struct Request {
        #[prost(bytes = "vec", repeated, tag = "4")]
        pub(crate) symbols: Vec<Vec<u8>>,
        #[prost(message, repeated, tag = "5")]
        pub(crate) timeseries: Vec<TimeSeries2>,
    }
    #[derive(Clone, PartialEq, Message)]
    pub(crate) struct TimeSeries2 {
        #[prost(uint32, repeated, tag = "1")]
        pub(crate) labels_refs: Vec<u32>,
        #[prost(message, repeated, tag = "2")]
        pub(crate) samples: Vec<Sample>,
        #[prost(message, repeated, tag = "3")]
        pub(crate) histograms: Vec<Histogram>,
        #[prost(message, repeated, tag = "4")]
        pub(crate) exemplars: Vec<Exemplar2>,
        #[prost(message, optional, tag = "5")]
        pub(crate) metadata: Option<Metadata2>,
        #[prost(int64, tag = "6")]
        pub(crate) created_timestamp: i64,
    }
    #[derive(Clone, PartialEq, Message)]
    pub(crate) struct Exemplar2 {
        #[prost(uint32, repeated, tag = "1")]
        pub(crate) labels_refs: Vec<u32>,
        #[prost(double, tag = "2")]
        pub(crate) value: f64,
        #[prost(int64, tag = "3")]
        pub(crate) timestamp: i64,
    }
    #[derive(Clone, Copy, PartialEq, Message)]
    pub(crate) struct Metadata2 {
        #[prost(int32, tag = "1")]
        pub(crate) kind: i32,
        #[prost(uint32, tag = "3")]
        pub(crate) help_ref: u32,
        #[prost(uint32, tag = "4")]
        pub(crate) unit_ref: u32,
    }
}

use published as p;

fn label(name: &str, value: &str) -> p::Label {
    p::Label {
        name: name.into(),
        value: value.into(),
    }
}

/// All that a request says, in lines.
fn told(version: Version, request: &[u8]) -> Result<Vec<String>, DecodeError> {
    let mut lines = Vec::new();
    let mut reader = Reader::new(version, request)?;
    while let Some(item) = reader.next_item()? {
        match item {
            Item::Family(name, metadata) => lines.push(format!("{name}: {metadata:?}")),
            Item::Series(series) => {
                let bits = |sample: &Sample| (sample.at_ms, sample.value.to_bits());
                let samples: Vec<_> = series.samples.iter().map(bits).collect();
                lines.push(format!("{:?} {samples:x?}", series.labels));
                for exemplar in &series.exemplars {
                    let labels = &series.exemplar_labels[exemplar.labels.clone()];
                    lines.push(format!("  exemplar {labels:?} {:?}", exemplar.sample));
                }
                if series.histograms > 0 {
                    lines.push(format!("  {} histograms", series.histograms));
                }
                lines.extend(series.metadata.map(|metadata| format!("  {metadata:?}")));
                lines.extend(series.not_text.iter().map(|text| format!("  bad: {text}")));
            }
        }
    }
    Ok(lines)
}

fn request_v1() -> p::WriteRequest {
    p::WriteRequest {
        timeseries: vec![
            p::TimeSeries {
                labels: vec![label("__name__", "up"), label("job", "a")],
                samples: vec![
                    p::Sample {
                        value: STALE,
                        timestamp: -1,
                    },
                    p::Sample {
                        value: 1.5,
                        timestamp: 1_700_000_000_000,
                    },
                    p::Sample::default(),
                ],
                exemplars: vec![
                    p::Exemplar {
                        labels: vec![label("trace_id", "t1")],
                        value: 2.0,
                        timestamp: 7,
                    },
                    p::Exemplar {
                        labels: vec![label("a", "b"), label("c", "d")],
                        value: 3.0,
                        timestamp: 8,
                    },
                ],
                histograms: vec![p::Histogram::default(); 2],
            },
            p::TimeSeries {
                labels: vec![
                    label("z", ""),
                    p::Label {
                        name: b"b\xffd".into(),
                        value: b"x".into(),
                    },
                ],
                ..Default::default()
            },
        ],
        metadata: vec![p::MetricMetadata {
            kind: 1,
            metric_family_name: "up".into(),
            help: "Is it?".into(),
            unit: "s".into(),
        }],
    }
}

#[test]
fn version_1_is_read_as_published() {
    let expected = [
        r#"[("__name__", "up"), ("job", "a")] [(ffffffffffffffff, 7ff0000000000002), (18bcfe56800, 3ff8000000000000), (0, 0)]"#,
        r#"  exemplar [("trace_id", "t1")] Sample { at_ms: 7, value: 2.0 }"#,
        r#"  exemplar [("a", "b"), ("c", "d")] Sample { at_ms: 8, value: 3.0 }"#,
        "  2 histograms",
        r#"[("z", ""), ("", "x")] []"#,
        "  bad: b\u{fffd}d",
        r#"up: Metadata { kind: Counter, help: "Is it?", unit: "s" }"#,
    ];
    assert_eq!(
        told(Version::V1, &request_v1().encode_to_vec()).unwrap(),
        expected
    );
    assert!(told(Version::V1, b"").unwrap().is_empty());
}

fn request_v2(labels_refs: Vec<u32>) -> p::Request {
    let symbols = ["", "__name__", "up", "trace_id", "t1", "Is it?", "s"];
    let mut symbols: Vec<Vec<u8>> = symbols.iter().map(|text| (*text).into()).collect();
    symbols.push(b"\xff".into());
    p::Request {
        symbols,
        timeseries: vec![p::TimeSeries2 {
            labels_refs,
            samples: vec![p::Sample {
                value: STALE,
                timestamp: 5,
            }],
            histograms: vec![p::Histogram::default()],
            exemplars: vec![p::Exemplar2 {
                labels_refs: vec![3, 4],
                value: 0.5,
                timestamp: 6,
            }],
            metadata: Some(p::Metadata2 {
                kind: 3,
                help_ref: 5,
                unit_ref: 6,
            }),
            created_timestamp: 4,
        }],
    }
}

#[test]
fn version_2_is_read_as_published() {
    let expected = [
        r#"[("__name__", "up")] [(5, 7ff0000000000002)]"#,
        r#"  exemplar [("trace_id", "t1")] Sample { at_ms: 6, value: 0.5 }"#,
        "  1 histograms",
        r#"  Metadata { kind: Histogram, help: "Is it?", unit: "s" }"#,
    ];
    let request = request_v2(vec![1, 2]).encode_to_vec();
    assert_eq!(told(Version::V2, &request).unwrap(), expected);
    // The table may stand behind what refers to it: each top-level field is put in front once.
    let table = p::Request {
        timeseries: vec![],
        ..request_v2(vec![])
    };
    let table = table.encode_to_vec();
    let series = &request[table.len()..];
    assert_eq!(
        told(Version::V2, &[series, &table].concat()).unwrap(),
        expected
    );
    let not_packed = [&table[..], &[0x2a, 4, 0x08, 1, 0x08, 2]].concat();
    assert_eq!(
        told(Version::V2, &not_packed).unwrap(),
        [r#"[("__name__", "up")] []"#]
    );
}

#[test]
fn references_that_lead_nowhere_are_told() {
    let check = |references: &[u32], expected: DecodeError| {
        let request = request_v2(references.to_vec()).encode_to_vec();
        assert_eq!(told(Version::V2, &request), Err(expected), "{references:?}");
    };
    let symbol = |reference| DecodeError::Symbol {
        reference,
        symbols: 8,
    };
    check(&[1, 8], symbol(8));
    check(&[1, u32::MAX], symbol(u32::MAX));
    check(&[1, 2, 3], DecodeError::Unpaired);
    check(&vec![1; 2 * MAX_LABELS + 2], too_many_labels());
    let told = told(Version::V2, &request_v2(vec![1, 7]).encode_to_vec()).unwrap();
    assert_eq!(told[4], "  bad: \u{fffd}, a symbol");
}

fn too_many_labels() -> DecodeError {
    DecodeError::TooMany {
        what: "labels",
        limit: MAX_LABELS,
        place: "series",
    }
}

#[test]
fn what_is_not_protobuf_is_told() {
    for bytes in [
        &b"\x0a"[..],                                     // a length is missing
        b"\x0a\x05abc",                                   // shorter than its length
        b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01a", // a length beyond all memory
        b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",  // a number without end
        b"\x00\x01",                                      // a field without number
        b"\x0b",                                          // a group
        b"\x08\x01",                                      // series that are a number
        b"\x0a\x02\x12\x01",                              // a sample that ends early
        b"\x0a\x03\x12\x01\x08",                          // a value that is a number
        b"\x0a\x04\x12\x02\x0d\x00",                      // a float that ends early
        b"\x1a\x03\x12\x01\xff",                          // a family that is no text
    ] {
        let told = told(Version::V1, bytes);
        assert!(matches!(told, Err(DecodeError::Malformed(_))), "{bytes:?}");
    }
    // Unknown fields of every type are passed over.
    let unknown = b"\x78\x01\x79\x01\x02\x03\x04\x05\x06\x07\x08\x7a\x01a\x7d\x01\x02\x03\x04";
    for version in [Version::V1, Version::V2] {
        assert!(told(version, unknown).unwrap().is_empty());
    }
}

#[test]
fn more_than_anyone_sends_is_refused() {
    // An empty series with an empty sample each: four bytes a time.
    let request = b"\x0a\x02\x12\x00".repeat(MAX_ITEMS + 1);
    assert!(matches!(
        told_count(&request),
        Err(DecodeError::TooMany { limit, .. }) if limit == MAX_ITEMS
    ));
    assert_eq!(told_count(&request[4..]), Ok(MAX_ITEMS));
    let symbols = b"\x22\x00".repeat(MAX_SYMBOLS + 1);
    assert!(matches!(
        Reader::new(Version::V2, &symbols),
        Err(DecodeError::TooMany {
            what: "symbols",
            ..
        })
    ));
}

fn told_count(request: &[u8]) -> Result<usize, DecodeError> {
    let mut count = 0;
    let mut reader = Reader::new(Version::V1, request)?;
    while reader.next_item()?.is_some() {
        count += 1;
    }
    Ok(count)
}

#[test]
fn snappy_believes_no_size_beyond_reason() {
    let text = b"a text that repeats, a text that repeats, a text that repeats".repeat(100);
    let packed = compress(&text).unwrap();
    assert_eq!(decompress(&packed, text.len()).unwrap(), text);
    assert!(matches!(
        decompress(&packed, text.len() - 1),
        Err(SnappyError::TooLarge { claimed, .. }) if claimed == text.len()
    ));
    let four_gigabytes = [0xff, 0xff, 0xff, 0xff, 0x0f, 0x00];
    assert!(matches!(
        decompress(&four_gigabytes, 64 << 20),
        Err(SnappyError::TooLarge { .. })
    ));
    for limit in [64 << 20, usize::MAX] {
        // 32 MiB claimed by six bytes: within the limit, and beyond what they can become.
        let bomb = [0x80, 0x80, 0x80, 0x10, 0x00, 0x00];
        assert!(matches!(
            decompress(&bomb, limit),
            Err(SnappyError::Malformed(_))
        ));
    }
    for length in 0..packed.len() {
        assert!(
            decompress(&packed[..length], usize::MAX).is_err(),
            "{length}"
        );
    }
    let framed = b"\xff\x06\x00\x00sNaPpY";
    assert!(decompress(framed, usize::MAX).is_err());
}

#[test]
fn what_is_written_is_what_is_published() {
    let metadata = Metadata {
        kind: Kind::Counter,
        help: "h",
        unit: "",
    };
    let samples = [
        Sample {
            at_ms: -3,
            value: STALE,
        },
        Sample {
            at_ms: 1 << 40,
            value: 2.5,
        },
    ];
    let mut encoder = Encoder::new(Version::V1);
    encoder.series([("__name__", "up"), ("a", "up")], &samples, Some(metadata));
    encoder.family("up", metadata);
    assert_eq!(encoder.samples(), 2);
    let request = p::WriteRequest::decode(&*encoder.finish()).unwrap();
    let series = &request.timeseries[0];
    assert_eq!(series.labels, [label("__name__", "up"), label("a", "up")]);
    let bits: Vec<_> = series
        .samples
        .iter()
        .map(|sample| (sample.timestamp, sample.value.to_bits()))
        .collect();
    assert_eq!(bits, [(-3, STALE.to_bits()), (1 << 40, 2.5f64.to_bits())]);
    assert_eq!(request.metadata[0].metric_family_name, "up");
    assert_eq!(request.metadata[0].kind, 1);

    let mut encoder = Encoder::new(Version::V2);
    encoder.series([("__name__", "up"), ("a", "up")], &samples, Some(metadata));
    encoder.family("up", metadata);
    let request = p::Request::decode(&*encoder.finish()).unwrap();
    let symbols: Vec<&[u8]> = request.symbols.iter().map(Vec::as_slice).collect();
    assert_eq!(symbols, [&b""[..], b"__name__", b"up", b"a", b"h"]);
    let series = &request.timeseries[0];
    assert_eq!(series.labels_refs, [1, 2, 3, 2]);
    let said = series.metadata.unwrap();
    assert_eq!((said.kind, said.help_ref, said.unit_ref), (1, 4, 0));
    assert_eq!(series.samples[0].value.to_bits(), STALE.to_bits());
}

type AnySeries = (Vec<(String, String)>, Vec<(i64, f64)>);

fn any_request() -> impl Strategy<Value = Vec<AnySeries>> {
    let labels = prop::collection::vec((".{0,9}", ".{0,30}"), 0..6);
    let samples = prop::collection::vec((any::<i64>(), any::<f64>()), 0..4);
    prop::collection::vec((labels, samples), 0..8)
}

proptest! {
    #[test]
    fn whatever_is_written_is_read(request in any_request()) {
        for version in [Version::V1, Version::V2] {
            let mut encoder = Encoder::new(version);
            for (labels, samples) in &request {
                let labels = labels.iter().map(|(name, value)| (&**name, &**value));
                let samples: Vec<_> = samples
                    .iter()
                    .map(|(at_ms, value)| Sample { at_ms: *at_ms, value: *value })
                    .collect();
                encoder.series(labels, &samples, None);
            }
            let lines = told(version, &encoder.finish()).unwrap();
            let expected: Vec<_> = request.iter().map(|(labels, samples)| {
                let samples: Vec<_> = samples.iter().map(|(at_ms, value)| (*at_ms, value.to_bits())).collect();
                format!("{labels:?} {samples:x?}")
            }).collect();
            prop_assert_eq!(lines, expected);
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        for version in [Version::V1, Version::V2] {
            drop(told(version, &bytes));
        }
        drop(decompress(&bytes, 1 << 20));
    }

    /// Whole requests with a few bytes changed reach much further into the reader than noise does.
    #[test]
    fn damaged_requests_are_read_or_refused(
        place in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        length in any::<prop::sample::Index>(),
    ) {
        for mut bytes in [request_v2(vec![1, 2, 3, 4]).encode_to_vec(), version_1_example()] {
            let place = place.index(bytes.len());
            bytes[place] = byte;
            bytes.truncate(length.index(bytes.len()) + 1);
            drop(told(Version::V1, &bytes));
            drop(told(Version::V2, &bytes));
        }
    }
}

fn version_1_example() -> Vec<u8> {
    let mut encoder = Encoder::new(Version::V1);
    let sample = Sample {
        at_ms: 1_700_000_000_000,
        value: 1.5,
    };
    let labels = [("__name__", "up"), ("job", "a"), ("instance", "b:9100")];
    encoder.series(labels, &[sample, sample], None);
    encoder.finish()
}
