//! Parts of dates, in UTC, of seconds since 1970.

/// A day, counted as people do.
struct Day {
    year: i64,
    month: i64,
    day: i64,
}

const DAY: i64 = 86_400;

pub(crate) fn year(value: f64) -> f64 {
    part(value, |seconds| day_of(seconds).year)
}

pub(crate) fn month(value: f64) -> f64 {
    part(value, |seconds| day_of(seconds).month)
}

pub(crate) fn day_of_month(value: f64) -> f64 {
    part(value, |seconds| day_of(seconds).day)
}

/// Sunday is 0. The first day of 1970 was a Thursday.
pub(crate) fn day_of_week(value: f64) -> f64 {
    part(value, |seconds| (seconds.div_euclid(DAY) + 4).rem_euclid(7))
}

pub(crate) fn day_of_year(value: f64) -> f64 {
    part(value, |seconds| {
        let day = day_of(seconds);
        let before: i64 = (1..day.month)
            .map(|month| month_length(day.year, month))
            .sum();
        before + day.day
    })
}

pub(crate) fn days_in_month(value: f64) -> f64 {
    part(value, |seconds| {
        let day = day_of(seconds);
        month_length(day.year, day.month)
    })
}

pub(crate) fn hour(value: f64) -> f64 {
    part(value, |seconds| seconds.rem_euclid(DAY) / 3600)
}

pub(crate) fn minute(value: f64) -> f64 {
    part(value, |seconds| seconds.rem_euclid(3600) / 60)
}

/// RFC 3339 of milliseconds since 1970, whole seconds.
pub(crate) fn rfc3339(at_ms: i64) -> String {
    let seconds = at_ms.div_euclid(1000);
    let day = day_of(seconds);
    let time = seconds.rem_euclid(DAY);
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
        day.year,
        day.month,
        day.day,
        time / 3600,
        time / 60 % 60,
        time % 60
    )
}

#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation)]
fn part(value: f64, of: impl Fn(i64) -> i64) -> f64 {
    if value.is_nan() {
        return value;
    }
    // Beyond this many seconds calendars are meaningless, and the arithmetic would overflow.
    let bound = 1e15;
    of(value.clamp(-bound, bound) as i64) as f64
}

/// Counts in eras of 400 years that begin on 1 March, so that leap days come last in their year.
fn day_of(seconds: i64) -> Day {
    const ERA: i64 = 146_097;
    let days = seconds.div_euclid(DAY) + 719_468;
    let era = days.div_euclid(ERA);
    let in_era = days.rem_euclid(ERA);
    let year_of_era = (in_era - in_era / 1460 + in_era / 36_524 - in_era / 146_096) / 365;
    let day_of_year = in_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    Day {
        year: year_of_era + era * 400 + i64::from(month <= 2),
        month,
        day: day_of_year - (153 * from_march + 2) / 5 + 1,
    }
}

fn month_length(year: i64, month: i64) -> i64 {
    let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}
