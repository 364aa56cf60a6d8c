//! Intervals of time that come again, such as the nights of working days.
//!
//! Whether a moment lies within is asked in the zone of the interval, and in nothing but whole minutes
//! and days, so that a change of the clock moves an interval as it moves people.

use std::ops::RangeInclusive;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

/// A named set of intervals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeInterval {
    /// Its name.
    pub name: String,
    /// The intervals; a moment lies within if it does in one of them.
    pub spans: Vec<Span>,
}

/// One interval. All that is said must hold; what is not said holds always, and an empty list never.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// Minutes of the day.
    pub times: Option<Vec<Minutes>>,
    /// Days of the week, 0 being Sunday.
    pub weekdays: Option<Vec<RangeInclusive<i8>>>,
    /// Days of the month. Negative ones are counted from its end, -1 being the last.
    pub days_of_month: Option<Vec<MonthDays>>,
    /// Months, 1 being January.
    pub months: Option<Vec<RangeInclusive<i64>>>,
    /// Years.
    pub years: Option<Vec<RangeInclusive<i64>>>,
    /// Where its clock hangs; UTC where nothing is said.
    pub zone: Option<TimeZone>,
}

/// Minutes of the day from a first to before a last, which may be 1440.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Minutes {
    pub from: i16,
    pub until: i16,
}

/// The first and the last day of a part of a month, either of which may be negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MonthDays {
    pub first: i8,
    pub last: i8,
}

impl TimeInterval {
    /// Whether a moment lies within.
    #[must_use]
    pub fn contains(&self, now_ms: i64) -> bool {
        // A time that no calendar reaches lies within nothing.
        let Ok(now) = Timestamp::from_millisecond(now_ms) else {
            return false;
        };
        self.spans.iter().any(|span| span.contains(now))
    }
}

impl Span {
    /// Whether a moment lies within.
    #[must_use]
    pub fn contains(&self, now: Timestamp) -> bool {
        let zone = self.zone.clone().unwrap_or(TimeZone::UTC);
        self.contains_local(Zoned::new(now, zone).datetime())
    }

    fn contains_local(&self, local: DateTime) -> bool {
        let minute = i16::from(local.hour()) * 60 + i16::from(local.minute());
        let weekday = local.weekday().to_sunday_zero_offset();
        let month = i64::from(local.month());
        let year = i64::from(local.year());
        holds(&self.times, |times| {
            (times.from..times.until).contains(&minute)
        }) && holds(&self.weekdays, |days| days.contains(&weekday))
            && holds(&self.days_of_month, |days| days.contains(local))
            && holds(&self.months, |months| months.contains(&month))
            && holds(&self.years, |years| years.contains(&year))
    }
}

impl MonthDays {
    fn contains(self, local: DateTime) -> bool {
        let length = local.date().days_in_month();
        let day = |day: i8| if day < 0 { length + day + 1 } else { day };
        // A part that begins behind the end of this month is none of it; one that goes on behind its
        // end, or began before it, is as much of it as there is.
        (day(self.first)..=day(self.last)).contains(&local.day())
    }
}

fn holds<T>(ranges: &Option<Vec<T>>, within: impl Fn(&T) -> bool) -> bool {
    ranges
        .as_ref()
        .is_none_or(|ranges| ranges.iter().any(within))
}

#[cfg(test)]
mod tests;
