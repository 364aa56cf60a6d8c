use wire::remote_write::{Encoder, Sample};

use super::*;

const ARRIVAL: Arrival = Arrival {
    wall_ms: 9,
    steady_ms: 9,
    sent_ms: None,
};

/// What a series with these labels and two samples becomes, and what of it is refused.
fn check(labels: &[(&str, &str)], stored: &str, refused: &str) {
    let samples = [1, 2].map(|at_ms| Sample { at_ms, value: 0.5 });
    for version in [Version::V1, Version::V2] {
        let mut encoder = Encoder::new(version);
        encoder.series(labels.iter().copied(), &samples, None);
        let translated = translate(version, &encoder.finish(), ARRIVAL).unwrap();
        let rows = translated.delivery.map(|one| one.rows).unwrap_or_default();
        let told = rows.first().map(|row| format!("{:?}", row.labels));
        assert_eq!(told.unwrap_or_default(), stored, "{labels:?}");
        assert!(rows.is_empty() || rows.len() == 2);
        assert_eq!(translated.written.samples, rows.len() as u64);
        let message = translated.refused.message().unwrap_or_default();
        assert_eq!(message, refused, "{labels:?}");
    }
}

#[test]
fn labels_are_taken_as_prometheus_takes_them() {
    let up = r#"{"__name__": "up", "a": "1", "b": "2"}"#;
    check(&[("__name__", "up"), ("a", "1"), ("b", "2")], up, "");
    check(&[("b", "2"), ("a", "1"), ("__name__", "up")], up, "");
    check(
        &[("__name__", "up"), ("a", ""), ("b", "2")],
        r#"{"__name__": "up", "b": "2"}"#,
        "",
    );
    check(
        &[("__name__", "größe"), ("a.b", "\n")],
        r#"{"__name__": "größe", "a.b": "\n"}"#,
        "",
    );
    let why = "refused for good: 2 without the name of a metric, for instance";
    check(&[("a", "1")], "", &format!(r#"{why} {{a="1"}}"#));
    check(&[], "", &format!("{why} {{}}"));
    check(
        &[("__name__", "")],
        "",
        &format!(r#"{why} {{__name__=""}}"#),
    );
    check(
        &[("a", "1"), ("__name__", "up"), ("a", "2")],
        "",
        r#"refused for good: 2 with two labels of one name, for instance {__name__="up", a="1", a="2"}"#,
    );
    check(
        &[("__name__", "up"), ("", "x")],
        "",
        r#"refused for good: 2 with a label that has no name, for instance {="x", __name__="up"}"#,
    );
}

#[test]
fn a_quote_is_cut_between_characters() {
    let value = "ö".repeat(300);
    let mut encoder = Encoder::new(Version::V1);
    encoder.series([("x", value.as_str())], &[], None);
    let translated = translate(Version::V1, &encoder.finish(), ARRIVAL).unwrap();
    let message = translated.refused.message().unwrap();
    assert!(message.ends_with("ö..."), "{message}");
    assert!(message.len() < 2 * MAX_QUOTE);
}

#[test]
fn text_that_is_sent_once_and_stored_often_is_bounded() {
    let text = "x".repeat(1 << 20);
    let sample = Sample {
        at_ms: 1,
        value: 1.0,
    };
    let mut encoder = Encoder::new(Version::V2);
    for number in 0..300 {
        let number = number.to_string();
        encoder.series(
            [("__name__", "up"), ("a", &number), ("b", &text)],
            &[sample],
            None,
        );
    }
    let request = encoder.finish();
    assert!(request.len() < 2 << 20);
    let refusal = translate(Version::V2, &request, ARRIVAL).unwrap_err();
    assert!(matches!(refusal, Refusal::TooLarge(_)), "{refusal}");
}

#[test]
fn metadata_is_about_families() {
    let metadata = Metadata {
        kind: Kind::Histogram,
        help: "How long.",
        unit: "seconds",
    };
    let mut encoder = Encoder::new(Version::V2);
    for name in ["took_bucket", "took_sum", "took_count"] {
        encoder.series([("__name__", name)], &[], Some(metadata));
    }
    let counter = Metadata {
        kind: Kind::Counter,
        help: "",
        unit: "",
    };
    encoder.series([("__name__", "done_total")], &[], Some(counter));
    let nothing = Metadata {
        kind: Kind::Untyped,
        ..counter
    };
    encoder.series([("__name__", "up")], &[], Some(nothing));
    let translated = translate(Version::V2, &encoder.finish(), ARRIVAL).unwrap();
    let said = translated.delivery.unwrap().metadata;
    let told: Vec<_> = said
        .iter()
        .map(|(family, said)| format!("{family} {} {:?} {:?}", said.kind, said.help, said.unit))
        .collect();
    assert_eq!(
        told,
        [
            r#"took histogram "How long." "seconds""#,
            r#"done_total counter "" """#
        ]
    );
}
