//! Ranges that are `anchored` or `smoothed`: the change between the borders themselves, without
//! extrapolation.
//!
//! The window of an extended range reaches further than the range: back by the lookback, and when
//! smoothed also forward by it. `from_ms` and `to_ms` stay the borders of the range.

use std::borrow::Cow;

use store::read::Sample;

use super::rate::Meaning;
use super::window::Window;
use crate::promql::ast::Extension;

/// Which border of the range.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Border {
    Left,
    Right,
}

/// The change from border to border.
pub(crate) fn change(window: &Window<'_>, meaning: Meaning) -> Option<f64> {
    let samples = window.samples();
    let smoothed = window.extension == Extension::Smoothed;
    let mut last = samples.len() - 1;
    let mut first = before_border(samples, window.from_ms);
    if smoothed {
        last = samples[..last].partition_point(|sample| sample.at_ms < window.to_ms);
    }
    if samples[last].at_ms <= window.from_ms {
        return None;
    }
    let left = if smoothed && samples[first].at_ms < window.from_ms && first < last {
        let pair = (samples[first], samples[first + 1]);
        interpolate(pair, window.from_ms, (meaning, Border::Left))
    } else {
        samples[first].value
    };
    let right = if smoothed && last > 0 && samples[last].at_ms > window.to_ms {
        let pair = (samples[last - 1], samples[last]);
        interpolate(pair, window.to_ms, (meaning, Border::Right))
    } else {
        samples[last].value
    };
    let mut change = right - left;
    if meaning == Meaning::Counter {
        first += usize::from(samples[first].at_ms <= window.from_ms);
        let end = last + usize::from(samples[last].at_ms < window.to_ms);
        change += lost(left, right, samples.get(first..end).unwrap_or_default());
    }
    Some(change)
}

/// The samples of the window, of an anchored one with the last before the range at its start.
/// Nothing if the range itself has none.
pub(crate) fn samples_with_border<'a>(window: &Window<'a>) -> Option<Cow<'a, [Sample]>> {
    let samples = window.samples();
    if window.extension == Extension::None {
        return Some(Cow::Borrowed(samples));
    }
    if window.last_sample().at_ms <= window.from_ms {
        return None;
    }
    Some(Cow::Borrowed(
        &samples[before_border(samples, window.from_ms)..],
    ))
}

/// A value between two samples at one time, on the line through them.
pub(crate) fn between(pair: (Sample, Sample), at_ms: i64) -> f64 {
    interpolate(pair, at_ms, (Meaning::Gauge, Border::Left))
}

/// The place of the last sample at or before a time, or of the first after it.
fn before_border(samples: &[Sample], at_ms: i64) -> usize {
    let last = samples.len() - 1;
    samples[..last]
        .partition_point(|sample| sample.at_ms <= at_ms)
        .saturating_sub(1)
}

#[allow(clippy::cast_precision_loss)]
fn interpolate(pair: (Sample, Sample), at_ms: i64, (meaning, border): (Meaning, Border)) -> f64 {
    let (mut low, mut high) = (pair.0.value, pair.1.value);
    if meaning == Meaning::Counter && high < low {
        match border {
            // The counter restarted between: it rose from zero to its new value.
            Border::Left => low = 0.0,
            Border::Right => high += low,
        }
    }
    let share = (at_ms - pair.0.at_ms) as f64 / (pair.1.at_ms - pair.0.at_ms) as f64;
    low + (high - low) * share
}

fn lost(left: f64, right: f64, samples: &[Sample]) -> f64 {
    let mut before = left;
    let mut lost = 0.0;
    for value in samples.iter().map(|sample| sample.value).chain([right]) {
        if value < before {
            lost += before;
        }
        before = value;
    }
    lost
}
