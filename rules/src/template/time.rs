//! Moments and lengths of time as Go prints them. All moments are in UTC.

use super::value::Value;

const SECOND: i128 = 1_000_000_000;
const DAY: i128 = 86_400 * SECOND;

/// A moment apart.
pub(super) struct Civil {
    pub(super) year: i64,
    pub(super) month: u8,
    pub(super) day: u8,
    pub(super) hour: i128,
    pub(super) minute: i128,
    pub(super) second: i128,
    pub(super) nanos: i128,
}

impl Civil {
    /// Of nanoseconds since 1970.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    pub(super) fn of(nanos: i128) -> Self {
        let (days, rest) = (nanos.div_euclid(DAY), nanos.rem_euclid(DAY));
        // Years that begin in March, in eras of 400 years of 146,097 days: leap days come last.
        let from_era = days + 719_468;
        let era = from_era.div_euclid(146_097);
        let day_of_era = from_era.rem_euclid(146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted = (5 * day_of_year + 2) / 153;
        let month = if shifted < 10 {
            shifted + 3
        } else {
            shifted - 9
        };
        let year = year_of_era + era * 400 + i128::from(month <= 2);
        Self {
            year: year as i64,
            month: month as u8,
            day: (day_of_year - (153 * shifted + 2) / 5 + 1) as u8,
            hour: rest / (3_600 * SECOND),
            minute: rest / (60 * SECOND) % 60,
            second: rest / SECOND % 60,
            nanos: rest % SECOND,
        }
    }
}

/// Days from 1970 to a date; nothing if there is no such date.
fn days(year: i128, month: i128, day: i128) -> Option<i128> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let longest = match month {
        2 => 28 + i128::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=longest).contains(&day) {
        return None;
    }
    let year = year - i128::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some(era * 146_097 + day_of_era - 719_468)
}

/// A moment as `time.Time` prints itself.
#[must_use]
pub fn utc(nanos: i128) -> String {
    let civil = Civil::of(nanos);
    let Civil {
        year,
        month,
        day,
        hour,
        minute,
        second,
        nanos,
    } = civil;
    let fraction = fraction(nanos);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}{fraction} +0000 UTC")
}

fn fraction(nanos: i128) -> String {
    if nanos == 0 {
        return String::new();
    }
    let digits = format!(".{nanos:09}");
    digits.trim_end_matches('0').to_owned()
}

/// The milliseconds since 1970 of a moment in RFC 3339; nothing if it is not one.
#[must_use]
pub fn rfc3339_ms(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let number = |from: usize, to: usize| -> Option<i128> {
        let digits = text.get(from..to)?;
        let all = digits.bytes().all(|byte| byte.is_ascii_digit());
        all.then(|| digits.parse().ok())?
    };
    let separators = [(4, b"-"), (7, b"-"), (13, b":"), (16, b":")];
    let apart = separators
        .iter()
        .all(|(at, c)| bytes.get(*at) == Some(&c[0]));
    if !apart || !matches!(bytes.get(10), Some(b'T' | b't' | b' ')) {
        return None;
    }
    let days = days(number(0, 4)?, number(5, 7)?, number(8, 10)?)?;
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let mut rest = text.get(19..)?;
    let mut ms = 0;
    if let Some(fraction) = rest.strip_prefix('.') {
        let length = fraction.bytes().take_while(u8::is_ascii_digit).count();
        let padded = format!("{:0<3}", fraction.get(..length)?);
        ms = padded.get(..3)?.parse().ok()?;
        rest = &fraction[length..];
    }
    let offset = match rest.as_bytes() {
        [b'Z' | b'z'] => 0,
        [sign @ (b'+' | b'-'), _, _, b':', _, _] => {
            let at = text.len() - 5;
            let minutes = number(at, at + 2)? * 60 + number(at + 3, at + 5)?;
            if *sign == b'+' { minutes } else { -minutes }
        }
        _ => return None,
    };
    let seconds = days * 86_400 + hour * 3_600 + (minute - offset) * 60 + second;
    i64::try_from(seconds * 1_000 + ms).ok()
}

/// A length of time as `time.Duration` prints itself: `1h2m3.5s`.
pub(super) fn duration(nanos: i64) -> String {
    if nanos == 0 {
        return "0s".to_owned();
    }
    let sign = if nanos < 0 { "-" } else { "" };
    let all = i128::from(nanos).abs();
    let small = |unit: i128, name: &str| {
        let rest = format!("{:.9}", fraction_of(all, unit));
        let rest = rest.trim_end_matches('0').trim_end_matches('.');
        format!("{sign}{rest}{name}")
    };
    if all < 1_000 {
        return format!("{sign}{all}ns");
    }
    if all < 1_000_000 {
        return small(1_000, "µs");
    }
    if all < SECOND {
        return small(1_000_000, "ms");
    }
    let (hours, minutes) = (all / (3_600 * SECOND), all / (60 * SECOND) % 60);
    let seconds = format!("{}{}s", all / SECOND % 60, fraction(all % SECOND));
    match (hours, minutes) {
        (0, 0) => format!("{sign}{seconds}"),
        (0, minutes) => format!("{sign}{minutes}m{seconds}"),
        (hours, minutes) => format!("{sign}{hours}h{minutes}m{seconds}"),
    }
}

#[allow(clippy::cast_precision_loss)]
fn fraction_of(nanos: i128, unit: i128) -> f64 {
    nanos as f64 / unit as f64
}

/// The methods of moments and lengths of time that templates use; nothing if there is no such.
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation)]
pub(super) fn method(value: &Value, name: &str) -> Option<Result<Value, String>> {
    let found = match (value, name) {
        (Value::Time(nanos), "Unix") => Value::Int(nanos.div_euclid(SECOND) as i64),
        (Value::Time(nanos), "UnixMilli") => Value::Int(nanos.div_euclid(1_000_000) as i64),
        (Value::Time(nanos), "UTC") => Value::Time(*nanos),
        (Value::Time(nanos), "String") => Value::from(utc(*nanos)),
        (Value::Time(nanos), "Year") => Value::Int(Civil::of(*nanos).year),
        (Value::Time(nanos), "Day") => Value::Int(i64::from(Civil::of(*nanos).day)),
        (Value::Time(nanos), "Hour") => Value::Int(Civil::of(*nanos).hour as i64),
        (Value::Time(nanos), "Minute") => Value::Int(Civil::of(*nanos).minute as i64),
        (Value::Time(nanos), "Second") => Value::Int(Civil::of(*nanos).second as i64),
        (Value::Duration(nanos), "Seconds") => Value::Float(*nanos as f64 / 1e9),
        (Value::Duration(nanos), "Minutes") => Value::Float(*nanos as f64 / 60e9),
        (Value::Duration(nanos), "Hours") => Value::Float(*nanos as f64 / 3600e9),
        (Value::Duration(nanos), "Milliseconds") => Value::Int(nanos / 1_000_000),
        (Value::Duration(nanos), "String") => Value::from(duration(*nanos)),
        _ => return None,
    };
    Some(Ok(found))
}
