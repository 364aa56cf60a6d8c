//! `time_intervals`, and `mute_time_intervals` as they were called before.

use std::collections::HashSet;
use std::ops::RangeInclusive;

use jiff::tz::TimeZone;
use rules::Problems;
use rules::yaml::Cursor;

use super::value;
use crate::interval::{Minutes, MonthDays, Span, TimeInterval};

pub(super) fn read(
    root: &Cursor<'_>,
    problems: &mut Problems,
    notes: &mut Problems,
) -> Vec<TimeInterval> {
    let mut intervals: Vec<TimeInterval> = Vec::new();
    let mut names = HashSet::new();
    for key in ["mute_time_intervals", "time_intervals"] {
        for at in root.list(key, problems) {
            at.fields(&["name", "time_intervals"], problems);
            let name = value::text(&at, "name", problems).unwrap_or_default();
            if name.is_empty() {
                at.problem(problems, "a time interval without a name", "add `name:`");
            } else if !names.insert(name.clone()) {
                let message = format!("the time interval {name:?} stands there twice");
                at.problem(problems, message, "give each a name of its own");
            }
            let mut spans = Vec::new();
            for at in at.list("time_intervals", problems) {
                spans.push(span(&at, problems, notes));
            }
            intervals.push(TimeInterval { name, spans });
        }
    }
    intervals
}

const KEYS: [&str; 6] = [
    "times",
    "weekdays",
    "days_of_month",
    "months",
    "years",
    "location",
];

fn span(at: &Cursor<'_>, problems: &mut Problems, notes: &mut Problems) -> Span {
    at.fields(&KEYS, problems);
    Span {
        times: times(at, problems, notes),
        weekdays: ranges(at, "weekdays", weekdays, (problems, notes)),
        days_of_month: ranges(at, "days_of_month", days_of_month, (problems, notes)),
        months: ranges(at, "months", months, (problems, notes)),
        years: ranges(at, "years", years, (problems, notes)),
        zone: zone(at, problems),
    }
}

fn zone(at: &Cursor<'_>, problems: &mut Problems) -> Option<TimeZone> {
    let place = at.get("location")?;
    match place.as_text(problems)? {
        "" | "UTC" => None,
        "Local" => Some(TimeZone::system()),
        name => {
            let zone = TimeZone::get(name).ok();
            if zone.is_none() {
                let hint = "write it as Europe/Berlin, Local or UTC";
                place.problem(problems, format!("unknown time zone {name:?}"), hint);
            }
            zone
        }
    }
}

fn times(at: &Cursor<'_>, problems: &mut Problems, notes: &mut Problems) -> Option<Vec<Minutes>> {
    let place = at.get("times")?;
    let items = place.items(problems);
    warn_of_nothing(&place, &items, notes);
    let mut times = Vec::new();
    for item in items {
        item.fields(&["start_time", "end_time"], problems);
        let mut minute = |key: &str| item.parsed(key, "a time as 09:30", minute, problems);
        let (from, until) = (minute("start_time"), minute("end_time"));
        for key in ["start_time", "end_time"] {
            if item.get(key).is_none() {
                item.problem(problems, format!("{key} is missing"), "");
            }
        }
        let (Some(from), Some(until)) = (from, until) else {
            continue;
        };
        if from >= until {
            let hint = "an interval over midnight is two: until 24:00, and from 00:00";
            item.problem(problems, "start_time must be before end_time", hint);
        }
        times.push(Minutes { from, until });
    }
    Some(times)
}

/// `09:30`, `24:00` at the most, as minutes of the day.
fn minute(text: &str) -> Option<i16> {
    let (hour, minute) = text.split_once(':')?;
    let number = |text: &str| -> Option<i16> {
        let is_number = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| text.parse().ok()).flatten()
    };
    let (hour, minute) = (number(hour)?, number(minute)?);
    let is_time = (hour < 24 && minute < 60) || (hour == 24 && minute == 0);
    is_time.then_some(hour * 60 + minute)
}

/// The list that a key has, each item read by `parse`, which says what is wrong.
fn ranges<T>(
    at: &Cursor<'_>,
    key: &str,
    parse: fn(&str) -> Result<T, String>,
    (problems, notes): (&mut Problems, &mut Problems),
) -> Option<Vec<T>> {
    let place = at.get(key)?;
    let items = place.items(problems);
    warn_of_nothing(&place, &items, notes);
    let mut ranges = Vec::new();
    for item in items {
        let Some(text) = item.as_text(problems) else {
            continue;
        };
        match parse(&text.to_lowercase()) {
            Ok(range) => ranges.push(range),
            Err(wrong) => item.problem(problems, format!("{key}: {wrong}"), ""),
        }
    }
    Some(ranges)
}

fn warn_of_nothing(place: &Cursor<'_>, items: &[Cursor<'_>], notes: &mut Problems) {
    if items.is_empty() {
        let message = "an empty list: this interval never is";
        place.problem(notes, message, "leave the key out for always");
    }
}

/// `first:last`, or one that is both.
fn bounds<T>(text: &str, parse: impl Fn(&str) -> Option<T>) -> Result<(T, T), String> {
    let (first, last) = text.split_once(':').unwrap_or((text, text));
    let read = |part: &str| parse(part).ok_or_else(|| format!("{part:?} is none"));
    Ok((read(first)?, read(last)?))
}

fn ordered<T: PartialOrd>((first, last): (T, T)) -> Result<RangeInclusive<T>, String> {
    if first > last {
        return Err("the end is before the start".to_owned());
    }
    Ok(first..=last)
}

fn weekdays(text: &str) -> Result<RangeInclusive<i8>, String> {
    const NAMES: [&str; 7] = [
        "sunday",
        "monday",
        "tuesday",
        "wednesday",
        "thursday",
        "friday",
        "saturday",
    ];
    let parse = |part: &str| (0..).zip(NAMES).find(|(_, name)| *name == part);
    ordered(bounds(text, |part| parse(part).map(|(day, _)| day))?)
}

fn months(text: &str) -> Result<RangeInclusive<i64>, String> {
    const NAMES: [&str; 12] = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    let named = |part: &str| (1..).zip(NAMES).find(|(_, name)| *name == part);
    let parse = |part: &str| {
        let named = named(part).map(|(month, _)| month);
        named.or_else(|| part.parse().ok())
    };
    ordered(bounds(text, parse)?)
}

fn years(text: &str) -> Result<RangeInclusive<i64>, String> {
    ordered(bounds(text, |part| part.parse().ok())?)
}

fn days_of_month(text: &str) -> Result<MonthDays, String> {
    let is_day = |day: &i8| *day != 0 && (-31..=31).contains(day);
    let parse = |part: &str| part.parse::<i8>().ok().filter(is_day);
    let (first, last) = bounds(text, parse)?;
    if first < 0 && last > 0 {
        return Err("the end must be negative if the start is".to_owned());
    }
    // In the shortest month, a start from the end lies here; a start behind its end never holds.
    let day = |day: i8| if day < 0 { 28 + day } else { day };
    if day(first) > day(last) {
        return Err("the end is always before the start".to_owned());
    }
    Ok(MonthDays { first, last })
}
