//! Lines and smoothed curves through the samples of a range.

use store::read::Sample;

use super::kahan::Sum;
use super::window::Window;

/// A line: its slope a second and its value where it was asked for.
struct Line {
    slope: f64,
    intercept: f64,
}

pub(crate) fn slope(window: &Window<'_>) -> Option<f64> {
    let samples = window.samples();
    // Times count from the first sample, for large numbers would cost precision.
    (samples.len() >= 2).then(|| line(samples, samples[0].at_ms).slope)
}

pub(crate) fn predict(window: &Window<'_>) -> Option<f64> {
    let samples = window.samples();
    if samples.len() < 2 {
        return None;
    }
    let line = line(samples, window.at_ms);
    Some(line.slope * window.params[0] + line.intercept)
}

/// Holt and Winters' double exponential smoothing; the evaluator has checked the factors.
pub(crate) fn double_exponential_smoothing(window: &Window<'_>) -> Option<f64> {
    let samples = window.samples();
    if samples.len() < 2 {
        return None;
    }
    let (smoothing, trend_factor) = (window.params[0], window.params[1]);
    let mut before = 0.0;
    let mut level = samples[0].value;
    let mut trend = samples[1].value - samples[0].value;
    for (place, sample) in samples.iter().enumerate().skip(1) {
        if place > 1 {
            trend = trend_factor * (level - before) + (1.0 - trend_factor) * trend;
        }
        let next = smoothing * sample.value + (1.0 - smoothing) * (level + trend);
        before = level;
        level = next;
    }
    Some(level)
}

/// The line of least squares; its value at `at_ms`.
#[allow(clippy::cast_precision_loss)]
fn line(samples: &[Sample], at_ms: i64) -> Line {
    let first = samples[0].value;
    if samples.iter().all(|sample| sample.value == first) {
        let flat = if first.is_infinite() {
            (f64::NAN, f64::NAN)
        } else {
            (0.0, first)
        };
        return Line {
            slope: flat.0,
            intercept: flat.1,
        };
    }
    let mut sums = [Sum::default(); 4];
    for sample in samples {
        let x = (sample.at_ms - at_ms) as f64 / 1e3;
        sums[0].add(x);
        sums[1].add(sample.value);
        sums[2].add(x * sample.value);
        sums[3].add(x * x);
    }
    let [x, y, xy, xx] = sums.map(|sum| sum.sum + sum.lost);
    let count = samples.len() as f64;
    let covariance = xy - x * y / count;
    let variance = xx - x * x / count;
    let slope = covariance / variance;
    Line {
        slope,
        intercept: y / count - slope * x / count,
    }
}
