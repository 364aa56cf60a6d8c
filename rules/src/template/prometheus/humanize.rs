//! Numbers made readable.

use crate::template::format::float;
use crate::template::time;
use crate::template::value::Value;

const NANOS: f64 = 1e9;

/// The number that a value is or says.
#[allow(clippy::cast_precision_loss)]
fn number(value: &Value) -> Result<f64, String> {
    match value {
        Value::Float(number) => Ok(*number),
        Value::Int(number) => Ok(*number as f64),
        Value::Duration(nanos) => Ok(*nanos as f64 / NANOS),
        Value::Text(text) => text
            .parse()
            .map_err(|_| format!("strconv.ParseFloat: parsing {text:?}: invalid syntax")),
        other => Err(format!("can't convert {} to float", other.type_name())),
    }
}

fn four(number: f64) -> String {
    float(number, 'g', Some(4))
}

/// Brings a number into reach with one prefix after another, and says which was the last.
fn scaled(
    mut number: f64,
    prefixes: &[&'static str],
    step: fn(f64) -> f64,
    is_reached: fn(f64) -> bool,
) -> (f64, &'static str) {
    let mut shown = "";
    for prefix in prefixes {
        if is_reached(number.abs()) {
            break;
        }
        shown = prefix;
        number = step(number);
    }
    (number, shown)
}

/// A number below one.
fn scaled_up(number: f64) -> (f64, &'static str) {
    scaled(
        number,
        &SMALL,
        |number| number * 1000.0,
        |number| number >= 1.0,
    )
}

const SMALL: [&str; 8] = ["m", "u", "n", "p", "f", "a", "z", "y"];

/// With a metric prefix.
pub(super) fn humanize(value: &Value) -> Result<Value, String> {
    let number = number(value)?;
    if number == 0.0 || !number.is_finite() {
        return Ok(four_signed(number).into());
    }
    let (scaled, prefix) = if number.abs() >= 1.0 {
        let large = ["k", "M", "G", "T", "P", "E", "Z", "Y"];
        scaled(
            number,
            &large,
            |number| number / 1000.0,
            |number| number < 1000.0,
        )
    } else {
        scaled_up(number)
    };
    Ok(format!("{}{prefix}", four(scaled)).into())
}

/// With a binary prefix.
pub(super) fn humanize_1024(value: &Value) -> Result<Value, String> {
    let number = number(value)?;
    if number.abs() <= 1.0 || !number.is_finite() {
        return Ok(four_signed(number).into());
    }
    let prefixes = ["ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi"];
    let (scaled, prefix) = scaled(
        number,
        &prefixes,
        |number| number / 1024.0,
        |number| number < 1024.0,
    );
    Ok(format!("{}{prefix}", four(scaled)).into())
}

/// What is no number, as `%.4g` writes it.
fn four_signed(number: f64) -> String {
    if number == 0.0 && number.is_sign_negative() {
        return "-0".to_owned();
    }
    four(number)
}

/// `humanizeDuration`: a length of time, or one given in seconds.
pub fn duration(value: &Value) -> Result<Value, String> {
    number(value).map(|seconds| humanize_duration(seconds).into())
}

/// A length of time in seconds as `1d 2h 3m 4s`.
#[must_use]
#[allow(clippy::cast_possible_truncation)]
pub fn humanize_duration(seconds: f64) -> String {
    if !seconds.is_finite() {
        return four(seconds);
    }
    if seconds == 0.0 {
        return format!("{}s", four_signed(seconds));
    }
    if seconds.abs() < 1.0 {
        let (scaled, prefix) = scaled_up(seconds);
        return format!("{}{prefix}s", four(scaled));
    }
    let sign = if seconds < 0.0 { "-" } else { "" };
    let whole = seconds.abs() as i64;
    let (days, hours, minutes) = (whole / 86_400, whole / 3_600 % 24, whole / 60 % 60);
    let rest = whole % 60;
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{sign}{}s", four(seconds.abs())),
        (0, 0, _) => format!("{sign}{minutes}m {rest}s"),
        (0, ..) => format!("{sign}{hours}h {minutes}m {rest}s"),
        _ => format!("{sign}{days}d {hours}h {minutes}m {rest}s"),
    }
}

/// A share as a percentage.
pub(super) fn percentage(value: &Value) -> Result<Value, String> {
    let number = number(value)?;
    Ok(format!("{}%", four_signed(number * 100.0)).into())
}

/// A moment given in seconds since 1970.
pub(super) fn timestamp(value: &Value) -> Result<Value, String> {
    let seconds = number(value)?;
    if !seconds.is_finite() {
        return Ok(four(seconds).into());
    }
    moment(seconds).map(|nanos| time::utc(nanos).into())
}

/// A moment, to go on with.
pub(super) fn to_time(value: &Value) -> Result<Value, String> {
    let seconds = number(value)?;
    if !seconds.is_finite() {
        return Err("value is NaN or Inf".to_owned());
    }
    moment(seconds).map(Value::Time)
}

/// A length of time, to go on with.
#[allow(clippy::cast_possible_truncation)]
pub(super) fn to_duration(value: &Value) -> Result<Value, String> {
    number(value).map(|seconds| Value::Duration((seconds * NANOS) as i64))
}

/// Cut to milliseconds, as Prometheus has it.
#[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)]
fn moment(seconds: f64) -> Result<i128, String> {
    let nanos = seconds * NANOS;
    if nanos > i64::MAX as f64 || nanos < i64::MIN as f64 {
        let shown = float(seconds, 'g', None);
        return Err(format!(
            "{shown} cannot be represented as a nanoseconds timestamp since it overflows int64"
        ));
    }
    Ok(nanos as i128 / 1_000_000 * 1_000_000)
}
