//! Moments as Prometheus' API takes them: seconds since 1970 as a number, or RFC 3339.

/// Milliseconds since 1970; nothing if the text is neither.
pub(super) fn parse(text: &str) -> Option<i64> {
    if let Ok(seconds) = text.parse::<f64>() {
        let milliseconds = (seconds * 1_000.0).round();
        // Exact up to a quarter of a million years.
        let fits = milliseconds.is_finite() && milliseconds.abs() < i64::MAX as f64;
        #[allow(clippy::cast_possible_truncation)]
        return fits.then_some(milliseconds as i64);
    }
    parse_rfc3339(text)
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

/// The proleptic Gregorian calendar, with years that begin in March so that leap days come last.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let month = (month + 9) % 12;
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    const FROM_MARCH_OF_YEAR_0: i64 = 719_468;
    year * 365 + leap_days + day_of_year - FROM_MARCH_OF_YEAR_0
}

#[cfg(test)]
mod tests {
    use super::*;

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
