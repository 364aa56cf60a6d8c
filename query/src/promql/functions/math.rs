//! Functions of one number, some with scalars beside it.

/// From radians.
pub(crate) fn degrees(value: f64) -> f64 {
    value * 180.0 / std::f64::consts::PI
}

/// From degrees.
pub(crate) fn radians(value: f64) -> f64 {
    value * std::f64::consts::PI / 180.0
}

/// 1, 0 or -1; of NaN, NaN.
pub(crate) fn sign(value: f64) -> f64 {
    if value < 0.0 {
        -1.0
    } else if value > 0.0 {
        1.0
    } else {
        value
    }
}

/// The larger; NaN if either is.
pub(crate) fn greatest(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() {
        f64::NAN
    } else {
        a.max(b)
    }
}

/// The smaller; NaN if either is.
pub(crate) fn least(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() {
        f64::NAN
    } else {
        a.min(b)
    }
}

/// Between two bounds; nothing if they are crossed.
pub(crate) fn clamp(value: f64, bounds: &[f64]) -> Option<f64> {
    let (low, high) = (bounds[0], bounds[1]);
    (low <= high || low.is_nan() || high.is_nan()).then(|| greatest(low, least(high, value)))
}

/// Not above a bound.
pub(crate) fn clamp_max(value: f64, bounds: &[f64]) -> Option<f64> {
    Some(least(bounds[0], value))
}

/// Not below a bound.
pub(crate) fn clamp_min(value: f64, bounds: &[f64]) -> Option<f64> {
    Some(greatest(bounds[0], value))
}

/// To the nearest multiple; ties go up.
pub(crate) fn round(value: f64, multiple: &[f64]) -> Option<f64> {
    let multiple = multiple.first().copied().unwrap_or(1.0);
    // Dividing by the inverse avoids errors that multiples such as 0.1 would bring in.
    let inverse = 1.0 / multiple;
    Some((value * inverse + 0.5).floor() / inverse)
}
