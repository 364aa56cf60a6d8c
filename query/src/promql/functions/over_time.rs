//! The samples of a range put together: the `_over_time` family.

use super::kahan::{Mean, Sum};
use super::window::Window;

#[allow(clippy::cast_precision_loss)]
pub(crate) fn count(window: &Window<'_>) -> Option<f64> {
    Some((window.end - window.first) as f64)
}

pub(crate) fn present(_: &Window<'_>) -> Option<f64> {
    Some(1.0)
}

pub(crate) fn first(window: &Window<'_>) -> Option<f64> {
    Some(window.first_sample().value)
}

pub(crate) fn last(window: &Window<'_>) -> Option<f64> {
    Some(window.last_sample().value)
}

pub(crate) fn sum(window: &Window<'_>) -> Option<f64> {
    let mut sum = Sum::default();
    window.values().for_each(|value| sum.add(value));
    Some(sum.total())
}

pub(crate) fn average(window: &Window<'_>) -> Option<f64> {
    let mut values = window.values();
    let mut mean = Mean::new(values.next()?);
    values.for_each(|value| mean.add(value));
    Some(mean.mean())
}

pub(crate) fn min(window: &Window<'_>) -> Option<f64> {
    window.values().reduce(|least, value| {
        if value < least || least.is_nan() {
            value
        } else {
            least
        }
    })
}

pub(crate) fn max(window: &Window<'_>) -> Option<f64> {
    window.values().reduce(|most, value| {
        if value > most || most.is_nan() {
            value
        } else {
            most
        }
    })
}

pub(crate) fn variance(window: &Window<'_>) -> Option<f64> {
    let mut count = 0.0;
    let mut mean = Sum::default();
    let mut squares = Sum::default();
    for value in window.values() {
        count += 1.0;
        let distance = value - (mean.sum + mean.lost);
        mean.add(distance / count);
        squares.add(distance * (value - (mean.sum + mean.lost)));
    }
    Some((squares.sum + squares.lost) / count)
}

pub(crate) fn standard_deviation(window: &Window<'_>) -> Option<f64> {
    variance(window).map(f64::sqrt)
}

pub(crate) fn quantile(window: &Window<'_>) -> Option<f64> {
    Some(quantile_of(
        window.params[0],
        &mut window.values().collect::<Vec<_>>(),
    ))
}

/// The median of the distances from the median.
pub(crate) fn median_deviation(window: &Window<'_>) -> Option<f64> {
    let mut values: Vec<f64> = window.values().collect();
    if values.iter().any(|value| value.is_nan()) {
        return Some(f64::NAN);
    }
    let median = quantile_of(0.5, &mut values);
    for value in &mut values {
        *value = (*value - median).abs();
    }
    Some(quantile_of(0.5, &mut values))
}

pub(crate) fn time_of_first(window: &Window<'_>) -> Option<f64> {
    Some(seconds(window.first_sample().at_ms))
}

pub(crate) fn time_of_last(window: &Window<'_>) -> Option<f64> {
    Some(seconds(window.last_sample().at_ms))
}

pub(crate) fn time_of_min(window: &Window<'_>) -> Option<f64> {
    time_of(window, |value, least| value <= least)
}

pub(crate) fn time_of_max(window: &Window<'_>) -> Option<f64> {
    time_of(window, |value, most| value >= most)
}

/// Between the values around the place that `share` of them lie below. Reorders the values; NaN is
/// below all.
#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss
)]
pub(crate) fn quantile_of(share: f64, values: &mut [f64]) -> f64 {
    if values.is_empty() || share.is_nan() {
        return f64::NAN;
    }
    if share < 0.0 {
        return f64::NEG_INFINITY;
    }
    if share > 1.0 {
        return f64::INFINITY;
    }
    values.sort_unstable_by(|a, b| b.is_nan().cmp(&a.is_nan()).then_with(|| a.total_cmp(b)));
    let rank = share * (values.len() - 1) as f64;
    let lower = rank.floor() as usize;
    let upper = (lower + 1).min(values.len() - 1);
    let weight = rank - rank.floor();
    values[lower] * (1.0 - weight) + values[upper] * weight
}

/// When the value was the extreme; the last time of several.
fn time_of(window: &Window<'_>, beats: impl Fn(f64, f64) -> bool) -> Option<f64> {
    let extreme = window.samples().iter().copied().reduce(|extreme, sample| {
        if beats(sample.value, extreme.value) || extreme.value.is_nan() {
            sample
        } else {
            extreme
        }
    })?;
    Some(seconds(extreme.at_ms))
}

#[allow(clippy::cast_precision_loss)]
fn seconds(at_ms: i64) -> f64 {
    at_ms as f64 / 1000.0
}
