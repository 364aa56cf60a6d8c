//! The times of the engine's answers: RFC 3339, Docker's in UTC, Podman's with an offset.

/// A moment, in nanoseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment(pub(super) i64);

impl Moment {
    /// Reads `2026-11-21T03:42:03.191780487Z`; nothing for what is not a time, and for the year 1
    /// by which the engine says "never".
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (date, rest) = text.split_once(['T', ' '])?;
        let (year, month, day) = triple(date, '-')?;
        let zone_at = rest.find(['Z', 'z', '+', '-'])?;
        let (clock, zone) = rest.split_at(zone_at);
        let (clock, fraction) = clock.split_once('.').unwrap_or((clock, ""));
        let (hour, minute, second) = triple(clock, ':')?;
        let fits = (1970..=9999).contains(&year)
            && (1..=12).contains(&month)
            && (1..=31).contains(&day)
            && hour <= 23
            && minute <= 59
            && second <= 60;
        if !fits {
            return None;
        }
        let days = days_since_1970(year, month, day);
        let seconds = days * 86_400 + hour * 3_600 + minute * 60 + second - offset(zone)?;
        let nanos = seconds.checked_mul(1_000_000_000)?;
        Some(Self(nanos.checked_add(nanoseconds(fraction)?)?))
    }

    /// Whole seconds since 1970.
    pub(super) fn seconds(self) -> i64 {
        self.0.div_euclid(1_000_000_000)
    }
}

/// Three numbers with a separator between them, none of them negative.
fn triple(text: &str, separator: char) -> Option<(i64, i64, i64)> {
    let mut parts = text.split(separator).map(digits);
    let three = (parts.next()??, parts.next()??, parts.next()??);
    parts.next().is_none().then_some(three)
}

fn digits(text: &str) -> Option<i64> {
    let plain = (1..=9).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if plain { text.parse().ok() } else { None }
}

fn nanoseconds(fraction: &str) -> Option<i64> {
    if fraction.is_empty() {
        return Some(0);
    }
    let nine: String = fraction
        .chars()
        .chain("000000000".chars())
        .take(9)
        .collect();
    digits(&nine)
}

/// Seconds that the zone is ahead of UTC.
fn offset(zone: &str) -> Option<i64> {
    if zone.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let sign = if zone.starts_with('-') { -1 } else { 1 };
    let (hours, minutes) = zone.get(1..)?.split_once(':')?;
    Some(sign * (digits(hours)? * 3_600 + digits(minutes)? * 60))
}

/// Days from 1970-01-01 to a date of the Gregorian calendar. Years are counted from March, so that
/// the leap day is the last of its year.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let leap_days = year / 4 - year / 100 + year / 400;
    let days_before_month = (153 * month + 2) / 5;
    // From 0000-03-01 to 1970-01-01.
    year * 365 + leap_days + days_before_month + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_engines_write() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            (
                "2026-11-21T03:42:03.191780487Z",
                Some(1_795_232_523_191_780_487),
            ),
            (
                "2026-11-21T05:42:03.191780487+02:00",
                Some(1_795_232_523_191_780_487),
            ),
            ("2024-02-29T12:00:00-05:30", Some(1_709_227_800_000_000_000)),
            ("2000-03-01T00:00:00.5Z", Some(951_868_800_500_000_000)),
            ("0001-01-01T00:00:00Z", None),
            ("", None),
            ("2026-11-21", None),
            ("2026-13-21T00:00:00Z", None),
            ("2026-11-21T25:00:00Z", None),
            ("2026-11-21T03:42:03", None),
            ("2026-11-21T03:42:-3Z", None),
            ("2026-11-21T03:42:03.19x780487Z", None),
            ("9999999999-11-21T03:42:03Z", None),
            ("T:::Z", None),
        ] {
            assert_eq!(
                Moment::parse(text).map(|moment| moment.0),
                expected,
                "{text}"
            );
        }
    }

    #[test]
    fn has_whole_seconds() {
        assert_eq!(Moment(1_999_999_999).seconds(), 1);
    }
}
