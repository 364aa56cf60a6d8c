//! Floating point numbers as Go's `strconv` writes them.

/// A number in the format `e`, `f` or `g` (or `E`, `G`), with so many digits or, without a precision,
/// as many as tell it from every other number.
#[must_use]
pub fn float(value: f64, format: char, precision: Option<usize>) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let text = match (format.to_ascii_lowercase(), precision) {
        ('f', Some(digits)) => format!("{value:.digits$}"),
        ('f', None) => format!("{value}"),
        ('e', Some(digits)) => exponent(&format!("{value:.digits$e}")),
        ('e', None) => exponent(&format!("{value:e}")),
        _ => general(value, precision),
    };
    if format.is_ascii_uppercase() {
        text.to_ascii_uppercase()
    } else {
        text
    }
}

/// `1e5` as Go writes it, with a sign and two digits.
fn exponent(scientific: &str) -> String {
    let Some((mantissa, exponent)) = scientific.split_once('e') else {
        return scientific.to_owned();
    };
    let exponent: i32 = exponent.parse().unwrap_or_default();
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.abs())
}

fn general(value: f64, precision: Option<usize>) -> String {
    let scientific = match precision {
        Some(digits) => format!("{value:.*e}", digits.max(1) - 1),
        None => format!("{value:e}"),
    };
    let Some((mantissa, power)) = scientific.split_once('e') else {
        return scientific;
    };
    let power: i32 = power.parse().unwrap_or_default();
    // Digits that say nothing are not written.
    let mantissa = if mantissa.contains('.') {
        mantissa.trim_end_matches('0').trim_end_matches('.')
    } else {
        mantissa
    };
    let digits = mantissa.bytes().filter(u8::is_ascii_digit).count();
    let digits = i32::try_from(digits).unwrap_or(i32::MAX);
    let limit = match precision {
        None => 6,
        Some(wanted) => {
            let wanted = i32::try_from(wanted.max(1)).unwrap_or(i32::MAX);
            if wanted > digits && digits > power {
                digits
            } else {
                wanted
            }
        }
    };
    if power < -4 || power >= limit {
        return exponent(&format!("{mantissa}e{power}"));
    }
    let behind = usize::try_from((digits - power - 1).max(0)).unwrap_or_default();
    if precision.is_none() {
        return format!("{value}");
    }
    // Rounded already, so that writing it with that many digits does not round again.
    let rounded: f64 = format!("{mantissa}e{power}").parse().unwrap_or(value);
    format!("{rounded:.behind$}")
}
