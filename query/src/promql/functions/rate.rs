//! How fast and how often a value changes.

use super::extended;
use super::window::Window;
use crate::promql::ast::Extension;

/// What the numbers of a series are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// They only rise; a fall is a restart from zero.
    Counter,
    /// They rise and fall.
    Gauge,
}

pub(crate) fn rate(window: &Window<'_>) -> Option<f64> {
    Some(extrapolated(window, Meaning::Counter)? / window.seconds())
}

pub(crate) fn increase(window: &Window<'_>) -> Option<f64> {
    extrapolated(window, Meaning::Counter)
}

pub(crate) fn delta(window: &Window<'_>) -> Option<f64> {
    extrapolated(window, Meaning::Gauge)
}

pub(crate) fn instant_rate(window: &Window<'_>) -> Option<f64> {
    let [.., before, last] = window.samples() else {
        return None;
    };
    // After a restart the counter has come from zero.
    let rise = if last.value < before.value {
        last.value
    } else {
        last.value - before.value
    };
    Some(rise / seconds_between(before.at_ms, last.at_ms))
}

pub(crate) fn instant_delta(window: &Window<'_>) -> Option<f64> {
    let [.., before, last] = window.samples() else {
        return None;
    };
    Some(last.value - before.value)
}

#[allow(clippy::cast_precision_loss)]
pub(crate) fn changes(window: &Window<'_>) -> Option<f64> {
    let samples = extended::samples_with_border(window)?;
    let count = samples
        .windows(2)
        .filter(|pair| {
            let (before, after) = (pair[0].value, pair[1].value);
            before != after && !(before.is_nan() && after.is_nan())
        })
        .count();
    Some(count as f64)
}

#[allow(clippy::cast_precision_loss)]
pub(crate) fn resets(window: &Window<'_>) -> Option<f64> {
    let samples = extended::samples_with_border(window)?;
    let count = samples
        .windows(2)
        .filter(|pair| pair[1].value < pair[0].value)
        .count();
    Some(count as f64)
}

/// The change over the whole range, as if the samples' slope went on up to its borders.
///
/// It goes on to a border only if that is not further than a sample could be expected to be;
/// otherwise half of the samples' distance. A counter is never taken below zero.
#[allow(clippy::cast_precision_loss)]
fn extrapolated(window: &Window<'_>, meaning: Meaning) -> Option<f64> {
    if window.extension != Extension::None {
        return extended::change(window, meaning);
    }
    let count = window.end - window.first;
    if count < 2 {
        return None;
    }
    let (first, last) = (window.first_sample(), window.last_sample());
    let mut change = last.value - first.value;
    if meaning == Meaning::Counter {
        change += window.lost_by_resets(window.first, window.end - 1);
    }
    let sampled = seconds_between(first.at_ms, last.at_ms);
    let distance = sampled / (count - 1) as f64;
    let threshold = distance * 1.1;
    let mut to_start = seconds_between(window.from_ms, first.at_ms);
    if to_start >= threshold {
        to_start = distance / 2.0;
    }
    if meaning == Meaning::Counter && change > 0.0 && first.value >= 0.0 {
        let to_zero = sampled * (first.value / change);
        to_start = to_start.min(to_zero);
    }
    let mut to_end = seconds_between(last.at_ms, window.to_ms);
    if to_end >= threshold {
        to_end = distance / 2.0;
    }
    Some(change * ((sampled + to_start + to_end) / sampled))
}

#[allow(clippy::cast_precision_loss)]
fn seconds_between(from_ms: i64, to_ms: i64) -> f64 {
    (to_ms - from_ms) as f64 / 1000.0
}
