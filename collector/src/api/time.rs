//! Moments as Prometheus' API takes them: seconds since 1970 as a number, or RFC 3339.

/// The ends of time as Prometheus' clients write them, with years that RFC 3339 does not know.
const ENDS: [(&str, i64); 2] = [
    (
        "-292273086-05-16T16:47:06Z",
        (i64::MIN / 1_000 + 62_135_596_801) * 1_000,
    ),
    (
        "292277025-08-18T07:12:54.999999999Z",
        (i64::MAX / 1_000 - 62_135_596_801) * 1_000 + 999,
    ),
];

/// Milliseconds since 1970; nothing if the text is neither.
pub(crate) fn parse(text: &str) -> Option<i64> {
    if let Ok(seconds) = text.parse::<f64>() {
        let milliseconds = (seconds * 1_000.0).round();
        // Exact up to a quarter of a million years.
        let fits = milliseconds.is_finite() && milliseconds.abs() < i64::MAX as f64;
        #[allow(clippy::cast_possible_truncation)]
        return fits.then_some(milliseconds as i64);
    }
    let plain = text.strip_prefix('+').unwrap_or(text);
    let end = ENDS.iter().find(|(end, _)| *end == plain);
    end.map(|(_, at_ms)| *at_ms).or_else(|| parse_rfc3339(text))
}

/// A moment as RFC 3339 has it, in UTC.
pub(crate) fn rfc3339(at_ms: i64) -> String {
    let (days, in_day) = (at_ms.div_euclid(86_400_000), at_ms.rem_euclid(86_400_000));
    let (year, month, day) = date_of(days);
    let (hour, minute) = (in_day / 3_600_000, in_day / 60_000 % 60);
    let (second, millisecond) = (in_day / 1_000 % 60, in_day % 1_000);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millisecond:03}Z")
}

fn parse_rfc3339(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let separators = [(4, b'-'), (7, b'-'), (13, b':'), (16, b':')];
    let has_form = text.is_ascii()
        && matches!(bytes.get(10), Some(b'T' | b't' | b' '))
        && separators
            .iter()
            .all(|(at, byte)| bytes.get(*at) == Some(byte));
    if !has_form {
        return None;
    }
    let field = |from: usize, to: usize| digits(text.get(from..to)?);
    let (year, month, day) = (field(0, 4)?, field(5, 7)?, field(8, 10)?);
    let (hour, minute, second) = (field(11, 13)?, field(14, 16)?, field(17, 19)?);
    let is_valid = (1..=12).contains(&month)
        && (1..=days_in(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    if !is_valid {
        return None;
    }
    let (fraction_ms, offset) = fraction(text.get(19..)?)?;
    let seconds = days_since_1970(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second;
    Some((seconds - offset_seconds(offset)?) * 1_000 + fraction_ms)
}

fn digits(text: &str) -> Option<i64> {
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())?
}

/// Splits `.123456Z` into 123 milliseconds and `Z`.
fn fraction(rest: &str) -> Option<(i64, &str)> {
    let Some(after_dot) = rest.strip_prefix('.') else {
        return Some((0, rest));
    };
    let length = after_dot.find(|c: char| !c.is_ascii_digit())?;
    let (fraction, offset) = after_dot.split_at(length);
    let milliseconds: String = fraction.chars().chain("000".chars()).take(3).collect();
    (length > 0).then_some((digits(&milliseconds)?, offset))
}

fn offset_seconds(offset: &str) -> Option<i64> {
    if offset == "Z" || offset == "z" {
        return Some(0);
    }
    let sign = match offset.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, minutes) = offset.get(1..)?.split_once(':')?;
    if hours.len() != 2 || minutes.len() != 2 {
        return None;
    }
    Some(sign * (digits(hours)? * 3_600 + digits(minutes)? * 60))
}

fn days_in(year: i64, month: i64) -> i64 {
    let is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    match month {
        2 => 28 + i64::from(is_leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

const FROM_MARCH_OF_YEAR_0: i64 = 719_468;

/// The proleptic Gregorian calendar, with years that begin in March so that leap days come last.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let month = (month + 9) % 12;
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    year * 365 + leap_days + day_of_year - FROM_MARCH_OF_YEAR_0
}

/// The inverse: in an era of 400 years every day has one place.
fn date_of(days: i64) -> (i64, i64, i64) {
    let days = days + FROM_MARCH_OF_YEAR_0;
    let (era, in_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (in_era - in_era / 1_460 + in_era / 36_524 - in_era / 146_096) / 365;
    let in_year = in_era - (365 * year + year / 4 - year / 100);
    let month = (5 * in_year + 2) / 153;
    let day = in_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_as_they_are_read() {
        let check = |at_ms: i64, expected: &str| {
            assert_eq!(rfc3339(at_ms), expected);
            assert_eq!(parse(expected), Some(at_ms), "{expected}");
        };
        check(0, "1970-01-01T00:00:00.000Z");
        check(1_709_209_845_678, "2024-02-29T12:30:45.678Z");
        check(951_782_400_000, "2000-02-29T00:00:00.000Z");
        check(-1, "1969-12-31T23:59:59.999Z");
        check(4_107_542_399_999, "2100-02-28T23:59:59.999Z");
    }

    #[test]
    fn moments_are_read() {
        let check = |text, expected| assert_eq!(parse(text), expected, "{text}");
        check("0", Some(0));
        check("1700000000.1234", Some(1_700_000_000_123));
        check("-1.5", Some(-1_500));
        check("1e9", Some(1_000_000_000_000));
        check("1970-01-01T00:00:00Z", Some(0));
        check("2024-02-29T12:30:45.6789Z", Some(1_709_209_845_678));
        check("2015-07-01T20:10:51.781+02:00", Some(1_435_774_251_781));
        check("1969-12-31T23:59:59-00:30", Some(1_799_000));
        check("0001-01-01T00:00:00Z", Some(-62_135_596_800_000));
        check("9999-12-31T23:59:59.999Z", Some(253_402_300_799_999));
        check("-292273086-05-16T16:47:06Z", Some(ENDS[0].1));
        check("+292277025-08-18T07:12:54.999999999Z", Some(ENDS[1].1));
        for wrong in [
            "",
            "now",
            "NaN",
            "inf",
            "1e300",
            "2023-02-29T00:00:00Z",
            "2023-13-01T00:00:00Z",
            "2023-01-01",
            "2023-01-01T24:00:00Z",
            "2023-01-01T00:00:00",
            "2023-01-01T00:00:00.Z",
            "2023-01-01T00:00:00+1:00",
            "2023-01-01T00:00:0éZ",
            "+023-01-01T00:00:00Z",
        ] {
            check(wrong, None);
        }
    }
}
