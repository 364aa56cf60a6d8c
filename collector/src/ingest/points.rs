//! What one OTLP data point is as classic Prometheus series: a number is itself; a histogram becomes
//! `_bucket`, `_sum` and `_count`; a summary its quantiles, `_sum` and `_count`. A point that says that
//! there is no value any more is a staleness marker for each of the series that it would have been.

use opentelemetry_proto::tonic::metrics::v1::{
    ExponentialHistogramDataPoint, HistogramDataPoint, Metric, NumberDataPoint, SummaryDataPoint,
    exponential_histogram_data_point::Buckets, metric::Data, number_data_point,
};
use wire::metric::STALE;
use wire::otlp::NO_RECORDED_VALUE;

/// One number, what its series adds to the metric's name, and the label it has beside the point's.
#[derive(Debug, PartialEq)]
pub(super) struct Part {
    pub(super) suffix: &'static str,
    pub(super) label: Option<(&'static str, String)>,
    pub(super) value: f64,
}

/// Parts, or why the point cannot be taken.
pub(super) type Parts = Result<Vec<Part>, &'static str>;

/// Each bucket is a series; senders are told to keep to 160, and damage must not make millions.
const MAX_BUCKETS: usize = 1_000;

/// Parts of a gauge's or a sum's point.
pub(super) fn number(point: &NumberDataPoint) -> Parts {
    if is_end(point.flags) {
        return Ok(vec![part("", None, STALE)]);
    }
    let value = match point.value {
        Some(number_data_point::Value::AsDouble(value)) => value,
        Some(number_data_point::Value::AsInt(value)) => value as f64,
        None => return Err("a data point has no value"),
    };
    Ok(vec![part("", None, value)])
}

/// Parts of a histogram's point.
pub(super) fn histogram(point: &HistogramDataPoint) -> Parts {
    let (bounds, counts) = (&point.explicit_bounds, &point.bucket_counts);
    if counts.len().max(bounds.len() + 1) > MAX_BUCKETS {
        return Err("a histogram has more than 1000 buckets");
    }
    if is_end(point.flags) {
        // Senders may leave the counts of what has ended away.
        let mut parts: Vec<Part> = bounds.iter().map(|at| bucket(at.to_string(), 0)).collect();
        finish(&mut parts, 0, Some(0.0));
        return Ok(ended(parts));
    }
    let has_no_buckets = bounds.is_empty() && counts.is_empty();
    if !has_no_buckets && counts.len() != bounds.len() + 1 {
        return Err("a histogram's bucket counts do not fit its bounds");
    }
    let mut parts = Vec::with_capacity(counts.len() + 3);
    let mut so_far = 0u64;
    for (bound, count) in bounds.iter().zip(counts) {
        so_far = so_far.saturating_add(*count);
        parts.push(bucket(bound.to_string(), so_far));
    }
    finish(&mut parts, point.count, point.sum);
    Ok(parts)
}

/// Parts of an exponential histogram's point, with the bounds of its buckets written out.
pub(super) fn exponential(point: &ExponentialHistogramDataPoint) -> Parts {
    let buckets = |side: &Option<Buckets>| {
        side.as_ref().map_or((0, vec![]), |side| {
            (side.offset, side.bucket_counts.clone())
        })
    };
    let (negative_offset, negative) = buckets(&point.negative);
    let (positive_offset, positive) = buckets(&point.positive);
    if negative.len() + positive.len() > MAX_BUCKETS {
        return Err("a histogram has more than 1000 buckets");
    }
    let width = 2f64.powi(point.scale.saturating_neg());
    let bound = |offset: i32, place: usize| 2f64.powf((f64::from(offset) + place as f64) * width);
    let mut parts = Vec::new();
    let mut so_far = 0u64;
    let mut put = |bound: f64, count: u64| {
        so_far = so_far.saturating_add(count);
        // Bounds beyond what a number can hold are the bucket of everything.
        if bound.is_finite() {
            parts.push(bucket(bound.to_string(), so_far));
        }
    };
    // From the most negative on: bucket i holds what is from -bound(i + 1) to below -bound(i).
    for (place, count) in negative.iter().enumerate().rev() {
        put(-bound(negative_offset, place), *count);
    }
    if point.zero_count > 0 {
        put(point.zero_threshold, point.zero_count);
    }
    for (place, count) in positive.iter().enumerate() {
        put(bound(positive_offset, place + 1), *count);
    }
    if is_end(point.flags) {
        finish(&mut parts, 0, Some(0.0));
        return Ok(ended(parts));
    }
    finish(&mut parts, point.count, point.sum);
    Ok(parts)
}

/// Parts of a summary's point.
pub(super) fn summary(point: &SummaryDataPoint) -> Parts {
    let mut parts: Vec<Part> = point
        .quantile_values
        .iter()
        .map(|at| part("", Some(("quantile", at.quantile.to_string())), at.value))
        .collect();
    parts.push(part("_sum", None, point.sum));
    parts.push(part("_count", None, point.count as f64));
    Ok(if is_end(point.flags) {
        ended(parts)
    } else {
        parts
    })
}

/// Whether any of a metric's points is more than the end of its series.
pub(super) fn has_values(metric: &Metric) -> bool {
    match &metric.data {
        Some(Data::Gauge(gauge)) => gauge.data_points.iter().any(|at| !is_end(at.flags)),
        Some(Data::Sum(sum)) => sum.data_points.iter().any(|at| !is_end(at.flags)),
        Some(Data::Histogram(histogram)) => {
            histogram.data_points.iter().any(|at| !is_end(at.flags))
        }
        Some(Data::ExponentialHistogram(histogram)) => {
            histogram.data_points.iter().any(|at| !is_end(at.flags))
        }
        Some(Data::Summary(summary)) => summary.data_points.iter().any(|at| !is_end(at.flags)),
        None => false,
    }
}

fn is_end(flags: u32) -> bool {
    flags & NO_RECORDED_VALUE != 0
}

/// Markers in the place of values. The sum is among them, also where the point does not say whether
/// there was one: a marker for a series that never was is seen by nobody.
fn ended(mut parts: Vec<Part>) -> Vec<Part> {
    for part in &mut parts {
        part.value = STALE;
    }
    parts
}

fn finish(parts: &mut Vec<Part>, count: u64, sum: Option<f64>) {
    parts.push(bucket("+Inf".into(), count));
    // Without a sum the values may have been negative: it would not be a counter.
    if let Some(sum) = sum {
        parts.push(part("_sum", None, sum));
    }
    parts.push(part("_count", None, count as f64));
}

fn bucket(le: String, count: u64) -> Part {
    part("_bucket", Some(("le", le)), count as f64)
}

fn part(suffix: &'static str, label: Option<(&'static str, String)>, value: f64) -> Part {
    Part {
        suffix,
        label,
        value,
    }
}

#[cfg(test)]
mod tests;
