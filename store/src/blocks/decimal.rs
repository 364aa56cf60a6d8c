//! Numbers as whole multiples of a power of ten.
//!
//! Most of what exporters say was a whole number, or was printed with a few decimal places: seconds to
//! the nanosecond, ratios to the hundredth. As binary fractions such numbers look random; as whole
//! numbers their high bytes repeat, and they compress to a half. A number counts as decimal only if
//! dividing gives back each of its bits.

/// More decimal places than nanoseconds have gain nothing.
pub(super) const MAX_SCALE: u8 = 9;

/// Beyond this, whole numbers have no exact binary fraction.
const EXACT: f64 = 9_007_199_254_740_992.0;

const POWERS: [f64; MAX_SCALE as usize + 1] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9];

/// The number of decimal places with which all but a few numbers can be written exactly; nothing if
/// too many cannot.
pub(super) fn scale(values: impl Iterator<Item = f64>) -> Option<u8> {
    let mut scale = 0;
    let (mut count, mut odd) = (0usize, 0usize);
    for value in values {
        count += 1;
        if !value.is_finite() || is_negative_zero(value) {
            odd += 1;
            continue;
        }
        while units(value, scale).is_none() {
            if scale == MAX_SCALE {
                return None;
            }
            scale += 1;
        }
    }
    // One is the stale marker at the end of a series.
    (odd <= 1 + count / 16 && odd < count).then_some(scale)
}

/// How many units of that scale a number is, if that says it to the bit.
pub(super) fn units(value: f64, scale: u8) -> Option<i64> {
    let power = POWERS.get(usize::from(scale))?;
    let rounded = (value * power).round();
    // NaN compares false. A whole number has no negative zero, which the bits tell.
    let units = (rounded.abs() < EXACT).then_some(rounded as i64)?;
    ((units as f64 / power).to_bits() == value.to_bits()).then_some(units)
}

/// The number that so many units are.
pub(super) fn value(units: i64, scale: i32) -> Option<f64> {
    let power = POWERS.get(usize::try_from(scale).ok()?)?;
    Some(units as f64 / power)
}

fn is_negative_zero(value: f64) -> bool {
    value == 0.0 && value.is_sign_negative()
}
