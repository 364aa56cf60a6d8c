//! Writes moments as Go's layouts say: by the example of Monday, 2 January 2006, 15:04:05, seven hours
//! behind UTC.

use std::fmt::Write as _;

use jiff::Zoned;

/// One element of a layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Element {
    LongMonth,
    Month,
    NumberMonth,
    ZeroMonth,
    LongWeekday,
    Weekday,
    Day,
    BlankDay,
    ZeroDay,
    BlankYearDay,
    ZeroYearDay,
    Hour,
    Hour12,
    ZeroHour12,
    Minute,
    ZeroMinute,
    Second,
    ZeroSecond,
    LongYear,
    Year,
    UpperHalf,
    LowerHalf,
    Zone,
    /// An offset; `Z` for none where that is said, and with what between hours and minutes.
    Offset(Offset),
    /// Digits after the second, behind a point or comma; whether zeros at the end are left out.
    Fraction {
        digits: usize,
        trims: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Offset {
    has_z: bool,
    separator: &'static str,
    /// Hours, hours and minutes, or seconds too.
    parts: u8,
}

const fn offset(has_z: bool, separator: &'static str, parts: u8) -> Element {
    Element::Offset(Offset {
        has_z,
        separator,
        parts,
    })
}

/// How elements are written in a layout; of those that fit, the first counts.
const ELEMENTS: [(&str, Element); 33] = [
    ("January", Element::LongMonth),
    ("Jan", Element::Month),
    ("Monday", Element::LongWeekday),
    ("Mon", Element::Weekday),
    ("MST", Element::Zone),
    ("002", Element::ZeroYearDay),
    ("01", Element::ZeroMonth),
    ("02", Element::ZeroDay),
    ("03", Element::ZeroHour12),
    ("04", Element::ZeroMinute),
    ("05", Element::ZeroSecond),
    ("06", Element::Year),
    ("15", Element::Hour),
    ("1", Element::NumberMonth),
    ("2006", Element::LongYear),
    ("2", Element::Day),
    ("__2", Element::BlankYearDay),
    ("_2", Element::BlankDay),
    ("3", Element::Hour12),
    ("4", Element::Minute),
    ("5", Element::Second),
    ("PM", Element::UpperHalf),
    ("pm", Element::LowerHalf),
    ("-07:00:00", offset(false, ":", 3)),
    ("-070000", offset(false, "", 3)),
    ("-07:00", offset(false, ":", 2)),
    ("-0700", offset(false, "", 2)),
    ("-07", offset(false, "", 1)),
    ("Z07:00:00", offset(true, ":", 3)),
    ("Z070000", offset(true, "", 3)),
    ("Z07:00", offset(true, ":", 2)),
    ("Z0700", offset(true, "", 2)),
    ("Z07", offset(true, "", 1)),
];

/// Writes a moment out.
pub(super) fn write(layout: &str, moment: &Zoned) -> String {
    let mut out = String::with_capacity(layout.len() + 8);
    let mut rest = layout;
    while let Some(next) = rest.chars().next() {
        let Some((length, element)) = element(rest) else {
            out.push(next);
            rest = &rest[next.len_utf8()..];
            continue;
        };
        if let Element::Fraction { digits, trims } = element {
            fraction(&mut out, moment, (next, digits, trims));
        } else {
            one(&mut out, moment, element);
        }
        rest = &rest[length..];
    }
    out
}

/// The element that a text begins with, and how long it is.
fn element(rest: &str) -> Option<(usize, Element)> {
    if let Some(found) = fraction_element(rest) {
        return Some(found);
    }
    let (text, element) = ELEMENTS.iter().find(|(text, _)| rest.starts_with(text))?;
    let after = rest[text.len()..].chars().next();
    match *text {
        // Words that merely begin so: Monthly is no Mon, Janet is no Jan.
        "Mon" | "Jan" if after.is_some_and(|c| c.is_ascii_lowercase()) => None,
        // `_2006` is a year behind a line.
        "_2" if rest.starts_with("_2006") => None,
        _ => Some((text.len(), *element)),
    }
}

/// `.000` or `.999`, behind a second and before no other digit.
fn fraction_element(rest: &str) -> Option<(usize, Element)> {
    let digits = rest.strip_prefix(['.', ','])?;
    let digit = digits.chars().next().filter(|c| matches!(c, '0' | '9'))?;
    let length = digits.chars().take_while(|c| *c == digit).count();
    let ends = !digits[length..].starts_with(|c: char| c.is_ascii_digit());
    let element = Element::Fraction {
        digits: length,
        trims: digit == '9',
    };
    ends.then_some((length + 1, element))
}

fn fraction(out: &mut String, moment: &Zoned, (point, digits, trims): (char, usize, bool)) {
    let mut text = format!("{:09}", moment.subsec_nanosecond());
    text.truncate(digits.min(9));
    let text = if trims {
        text.trim_end_matches('0')
    } else {
        &text
    };
    if !(trims && text.is_empty()) {
        out.push(point);
        out.push_str(text);
    }
}

fn one(out: &mut String, moment: &Zoned, element: Element) {
    const MONTHS: [&str; 12] = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    const DAYS: [&str; 7] = [
        "Sunday",
        "Monday",
        "Tuesday",
        "Wednesday",
        "Thursday",
        "Friday",
        "Saturday",
    ];
    let month = usize::try_from(moment.month() - 1).unwrap_or_default();
    let weekday = usize::try_from(moment.weekday().to_sunday_zero_offset()).unwrap_or_default();
    let hour12 = match moment.hour() % 12 {
        0 => 12,
        hour => hour,
    };
    let half = if moment.hour() < 12 { "am" } else { "pm" };
    let written = match element {
        Element::LongMonth => write!(out, "{}", MONTHS[month]),
        Element::Month => write!(out, "{}", &MONTHS[month][..3]),
        Element::NumberMonth => write!(out, "{}", moment.month()),
        Element::ZeroMonth => write!(out, "{:02}", moment.month()),
        Element::LongWeekday => write!(out, "{}", DAYS[weekday]),
        Element::Weekday => write!(out, "{}", &DAYS[weekday][..3]),
        Element::Day => write!(out, "{}", moment.day()),
        Element::BlankDay => write!(out, "{:2}", moment.day()),
        Element::ZeroDay => write!(out, "{:02}", moment.day()),
        Element::BlankYearDay => write!(out, "{:3}", moment.day_of_year()),
        Element::ZeroYearDay => write!(out, "{:03}", moment.day_of_year()),
        Element::Hour => write!(out, "{:02}", moment.hour()),
        Element::Hour12 => write!(out, "{hour12}"),
        Element::ZeroHour12 => write!(out, "{hour12:02}"),
        Element::Minute => write!(out, "{}", moment.minute()),
        Element::ZeroMinute => write!(out, "{:02}", moment.minute()),
        Element::Second => write!(out, "{}", moment.second()),
        Element::ZeroSecond => write!(out, "{:02}", moment.second()),
        Element::LongYear => write!(out, "{:04}", moment.year()),
        Element::Year => write!(out, "{:02}", moment.year().rem_euclid(100)),
        Element::UpperHalf => write!(out, "{}", half.to_ascii_uppercase()),
        Element::LowerHalf => write!(out, "{half}"),
        Element::Zone => write!(out, "{}", zone(moment)),
        Element::Offset(offset) => write!(out, "{}", offset_text(moment, offset)),
        Element::Fraction { .. } => Ok(()),
    };
    written.expect("a text takes whatever is written to it");
}

/// The short name of the zone, or the offset where it has none.
fn zone(moment: &Zoned) -> String {
    let name = moment.strftime("%Z").to_string();
    if name.starts_with(['+', '-']) {
        return name.replace(':', "");
    }
    name
}

fn offset_text(moment: &Zoned, offset: Offset) -> String {
    let seconds = moment.offset().seconds();
    if seconds == 0 && offset.has_z {
        return "Z".to_owned();
    }
    let sign = if seconds < 0 { '-' } else { '+' };
    let all = seconds.abs();
    let parts = [all / 3600, all / 60 % 60, all % 60];
    let parts = parts.iter().take(usize::from(offset.parts));
    let parts: Vec<_> = parts.map(|part| format!("{part:02}")).collect();
    format!("{sign}{}", parts.join(offset.separator))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use jiff::tz::TimeZone;

    use super::*;

    #[test]
    fn layouts_are_followed() {
        let check = |zone: &str, layout: &str, expected: &str| {
            let moment = Timestamp::from_nanosecond(1_709_528_706_078_900_000).unwrap();
            let zone = TimeZone::get(zone).unwrap();
            assert_eq!(write(layout, &moment.to_zoned(zone)), expected, "{layout}");
        };
        check("UTC", "2006-01-02T15:04:05Z07:00", "2024-03-04T05:05:06Z");
        check(
            "UTC",
            "Mon Jan _2 15:04:05 2006",
            "Mon Mar  4 05:05:06 2024",
        );
        check(
            "UTC",
            "Monday, 02-Jan-06 15:04:05 MST",
            "Monday, 04-Mar-24 05:05:06 UTC",
        );
        check("UTC", "3:04PM 03:4:5pm", "5:05AM 05:5:6am");
        check("UTC", "05.000 05.999999 05,00", "06.078 06.0789 06,07");
        check("UTC", "002 __2 1/2/2006", "064  64 3/4/2024");
        check(
            "Europe/Paris",
            "15:04 MST -0700 Z07:00",
            "06:05 CET +0100 +01:00",
        );
        check("America/St_Johns", "15:04 -07:00 -07", "01:35 -03:30 -03");
        check("Asia/Kolkata", "Jan 2 15:04:05.999", "Mar 4 10:35:06.078");
        check("UTC", "at Monthly é _2006", "at Monthly é _2024");
        check("UTC", "", "");
    }
}
