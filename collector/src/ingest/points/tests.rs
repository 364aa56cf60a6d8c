use opentelemetry_proto::tonic::metrics::v1::summary_data_point::ValueAtQuantile;

use wire::metric::is_stale;

use super::*;

fn shown_value(value: f64) -> String {
    if is_stale(value) {
        return "end".to_owned();
    }
    value.to_string()
}

fn shown(parts: Parts) -> String {
    match parts {
        Err(why) => format!("error: {why}"),
        Ok(parts) => {
            let shown: Vec<_> = parts
                .iter()
                .map(|part| {
                    let label = part.label.as_ref();
                    let label = label.map(|(name, value)| format!("{{{name}={value}}}"));
                    format!(
                        "{}{} {}",
                        part.suffix,
                        label.unwrap_or_default(),
                        shown_value(part.value)
                    )
                })
                .collect();
            shown.join("; ")
        }
    }
}

#[test]
fn numbers() {
    let point = |value| NumberDataPoint {
        value,
        ..Default::default()
    };
    let check =
        |point: NumberDataPoint, expected: &str| assert_eq!(shown(number(&point)), expected);
    check(point(Some(number_data_point::Value::AsInt(-3))), " -3");
    check(point(Some(number_data_point::Value::AsDouble(0.5))), " 0.5");
    check(point(None), "error: a data point has no value");
    check(
        NumberDataPoint {
            flags: 1,
            ..point(None)
        },
        " end",
    );
    // The flag goes before a value, and other flags say nothing of it.
    let five = || point(Some(number_data_point::Value::AsInt(5)));
    check(NumberDataPoint { flags: 3, ..five() }, " end");
    check(NumberDataPoint { flags: 2, ..five() }, " 5");
}

#[test]
fn histograms() {
    let check = |bounds: &[f64], counts: &[u64], sum, expected: &str| {
        let point = HistogramDataPoint {
            explicit_bounds: bounds.to_vec(),
            bucket_counts: counts.to_vec(),
            count: counts.iter().sum(),
            sum,
            ..Default::default()
        };
        assert_eq!(shown(histogram(&point)), expected);
    };
    check(
        &[0.5, 10.0],
        &[1, 2, 3],
        Some(30.5),
        "_bucket{le=0.5} 1; _bucket{le=10} 3; _bucket{le=+Inf} 6; _sum 30.5; _count 6",
    );
    check(&[], &[4], None, "_bucket{le=+Inf} 4; _count 4");
    check(&[], &[], Some(0.0), "_bucket{le=+Inf} 0; _sum 0; _count 0");
    check(
        &[1.0],
        &[1],
        None,
        "error: a histogram's bucket counts do not fit its bounds",
    );
    check(
        &[],
        &[1, 2],
        None,
        "error: a histogram's bucket counts do not fit its bounds",
    );
    check(
        &[1.0; 1_000],
        &[0; 1_001],
        None,
        "error: a histogram has more than 1000 buckets",
    );
}

#[test]
fn exponential_histograms() {
    let side = |offset, counts: &[u64]| {
        Some(Buckets {
            offset,
            bucket_counts: counts.to_vec(),
        })
    };
    let point = ExponentialHistogramDataPoint {
        scale: 0,
        zero_count: 2,
        positive: side(0, &[1, 0, 3]),
        negative: side(1, &[5, 7]),
        count: 18,
        sum: Some(4.0),
        ..Default::default()
    };
    // Negative bucket 2 is -8 to -4, bucket 1 is -4 to -2; positive buckets end at 2, 4 and 8.
    assert_eq!(
        shown(exponential(&point)),
        "_bucket{le=-4} 7; _bucket{le=-2} 12; _bucket{le=0} 14; _bucket{le=2} 15; _bucket{le=4} 15; \
         _bucket{le=8} 18; _bucket{le=+Inf} 18; _sum 4; _count 18"
    );
    let finer = ExponentialHistogramDataPoint {
        scale: 1,
        positive: side(1, &[1]),
        count: 1,
        ..Default::default()
    };
    assert_eq!(
        shown(exponential(&finer)),
        "_bucket{le=2} 1; _bucket{le=+Inf} 1; _count 1"
    );
    let absurd = ExponentialHistogramDataPoint {
        scale: i32::MIN,
        positive: side(i32::MAX, &[1]),
        count: 1,
        ..Default::default()
    };
    assert_eq!(shown(exponential(&absurd)), "_bucket{le=+Inf} 1; _count 1");
    let huge = ExponentialHistogramDataPoint {
        positive: side(0, &[0; 1_001]),
        ..Default::default()
    };
    assert!(exponential(&huge).is_err());
}

#[test]
fn summaries() {
    let at = |quantile, value| ValueAtQuantile { quantile, value };
    let point = SummaryDataPoint {
        count: 9,
        sum: 4.5,
        quantile_values: vec![at(0.5, 1.0), at(0.99, 2.0)],
        ..Default::default()
    };
    assert_eq!(
        shown(summary(&point)),
        "{quantile=0.5} 1; {quantile=0.99} 2; _sum 4.5; _count 9"
    );
}

#[test]
fn what_has_ended_ends_in_each_of_its_series() {
    const FLAGS: u32 = 1;
    let check = |bounds: &[f64], counts: &[u64], expected: &str| {
        let point = HistogramDataPoint {
            explicit_bounds: bounds.to_vec(),
            bucket_counts: counts.to_vec(),
            flags: FLAGS,
            ..Default::default()
        };
        assert_eq!(shown(histogram(&point)), expected);
    };
    let whole =
        "_bucket{le=0.5} end; _bucket{le=10} end; _bucket{le=+Inf} end; _sum end; _count end";
    check(&[0.5, 10.0], &[0, 0, 0], whole);
    check(&[0.5, 10.0], &[], whole);
    check(&[], &[], "_bucket{le=+Inf} end; _sum end; _count end");
    let many = "error: a histogram has more than 1000 buckets";
    check(&[1.0; 1_000], &[], many);

    let side = Some(Buckets {
        offset: 0,
        bucket_counts: vec![0, 0],
    });
    let point = ExponentialHistogramDataPoint {
        positive: side,
        flags: FLAGS,
        ..Default::default()
    };
    assert_eq!(
        shown(exponential(&point)),
        "_bucket{le=2} end; _bucket{le=4} end; _bucket{le=+Inf} end; _sum end; _count end"
    );
    let point = SummaryDataPoint {
        quantile_values: vec![ValueAtQuantile::default()],
        flags: FLAGS,
        ..Default::default()
    };
    assert_eq!(
        shown(summary(&point)),
        "{quantile=0} end; _sum end; _count end"
    );
}
