//! Dates as HTTP headers, certificates and PostgreSQL write them, as seconds since 1970.

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// Reads `Sun, 06 Nov 1994 08:49:37 GMT`, the one form that servers may send today.
#[must_use]
pub fn from_header(text: &str) -> Option<i64> {
    let (_, rest) = text.split_once(", ")?;
    let parts: Vec<&str> = rest.split(' ').collect();
    let [day, month, year, time, "GMT"] = parts.as_slice() else {
        return None;
    };
    let month = MONTHS.iter().position(|name| name == month)?;
    let month = i64::try_from(month).ok()? + 1;
    let clock: Vec<&str> = time.split(':').collect();
    let [hour, minute, second] = clock.as_slice() else {
        return None;
    };
    let date = [number(year)?, month, number(day)?];
    seconds(date, [number(hour)?, number(minute)?, number(second)?])
}

/// Reads `491106084937Z` (years 1950 to 2049) or `19941106084937Z`, as certificates have them.
#[must_use]
pub fn from_certificate(text: &str) -> Option<i64> {
    let digits = text.strip_suffix('Z')?;
    let (year, rest) = match digits.len() {
        12 => {
            let year = number(digits.get(..2)?)?;
            (year + if year < 50 { 2000 } else { 1900 }, digits.get(2..)?)
        }
        14 => (number(digits.get(..4)?)?, digits.get(4..)?),
        _ => return None,
    };
    let part = |place: usize| number(rest.get(place * 2..place * 2 + 2)?);
    seconds([year, part(0)?, part(1)?], [part(2)?, part(3)?, part(4)?])
}

/// Reads `2024-02-29 12:00:00.25+00`, as PostgreSQL writes times in UTC with `datestyle` ISO; the
/// time, its fraction and the zone may be missing.
#[must_use]
pub fn from_database(text: &str) -> Option<f64> {
    let text = text.strip_suffix("+00").unwrap_or(text);
    let (date, time) = text.split_once(' ').unwrap_or((text, "00:00:00"));
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let date: Vec<&str> = date.split('-').collect();
    let time: Vec<&str> = time.split(':').collect();
    let ([year, month, day], [hour, minute, second]) = (date.as_slice(), time.as_slice()) else {
        return None;
    };
    if fraction.is_empty() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let fraction: f64 = format!("0.{fraction}").parse().ok()?;
    let date = [number(year)?, number(month)?, number(day)?];
    let whole = seconds(date, [number(hour)?, number(minute)?, number(second)?])?;
    Some(whole as f64 + fraction)
}

fn number(text: &str) -> Option<i64> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    (digits && text.len() <= 4).then(|| text.parse().ok())?
}

/// Seconds since 1970 of a moment in the Gregorian calendar, UTC.
fn seconds(date: [i64; 3], clock: [i64; 3]) -> Option<i64> {
    let ([year, month, day], [hour, minute, second]) = (date, clock);
    let is_date = (1..=12).contains(&month) && (1..=31).contains(&day);
    let is_time = hour < 24 && minute < 60 && second <= 60;
    if !is_date || !is_time {
        return None;
    }
    // Counted from March on, a leap day is the last of its year.
    let year = year - i64::from(month <= 2);
    let month = (month + 9) % 12;
    let days = year * 365 + year.div_euclid(4) - year.div_euclid(100)
        + year.div_euclid(400)
        + (month * 306 + 5) / 10
        + (day - 1);
    const DAYS_TO_1970: i64 = 719_468;
    Some((days - DAYS_TO_1970) * 86_400 + hour * 3_600 + minute * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers() {
        for (text, expected) in [
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(784_111_777)),
            ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0)),
            ("Thu, 29 Feb 2024 12:00:00 GMT", Some(1_709_208_000)),
            ("Sun, 06 Nov 1994 08:49:37 CET", None),
            ("Sun, 06 Nov 1994 25:49:37 GMT", None),
            ("06 Nov 1994", None),
            ("", None),
            ("Sun, 99999999999999999999 Nov 1994 08:49:37 GMT", None),
        ] {
            assert_eq!(from_header(text), expected, "{text}");
        }
    }

    #[test]
    fn databases() {
        for (text, expected) in [
            ("2024-02-29 12:00:00.25+00", Some(1_709_208_000.25)),
            ("2024-02-29 12:00:00", Some(1_709_208_000.0)),
            ("1970-01-01", Some(0.0)),
            ("2024-02-29 12:00:00+02", None),
            ("2024-02-29 12:00:00.", None),
            ("infinity", None),
            ("2024-02", None),
            ("0044-03-15 00:00:00 BC", None),
            ("", None),
        ] {
            assert_eq!(from_database(text), expected, "{text}");
        }
    }

    #[test]
    fn certificates() {
        for (text, expected) in [
            ("700101000000Z", Some(0)),
            ("491231235959Z", Some(2_524_607_999)),
            ("20500101000000Z", Some(2_524_608_000)),
            ("99991231235959Z", Some(253_402_300_799)),
            ("991332000000Z", None),
            ("7001010000Z", None),
            ("€01010000000Z", None),
            ("", None),
        ] {
            assert_eq!(from_certificate(text), expected, "{text}");
        }
    }
}
