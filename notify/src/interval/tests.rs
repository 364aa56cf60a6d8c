use jiff::civil::Date;
use proptest::prelude::*;

use super::*;
use crate::config::Config;

/// The intervals of a file that has only them.
fn read(spans: &str) -> TimeInterval {
    let text = format!(
        "route: {{receiver: r}}\nreceivers: [{{name: r}}]\n\
         time_intervals: [{{name: t, time_intervals: [{spans}]}}]"
    );
    let (config, _) = Config::parse(text.as_bytes()).unwrap();
    config.intervals.into_iter().next().unwrap()
}

fn check(spans: &str, within: &[&str], without: &[&str]) {
    let interval = read(spans);
    let at = |text: &&str| text.parse::<Timestamp>().unwrap().as_millisecond();
    for text in within {
        assert!(interval.contains(at(text)), "{spans} at {text}");
    }
    for text in without {
        assert!(!interval.contains(at(text)), "{spans} at {text}");
    }
}

#[test]
fn times_begin_at_their_minute_and_end_before_it() {
    check(
        "{times: [{start_time: '09:00', end_time: '17:00'}, {start_time: '23:00', end_time: '24:00'}]}",
        &[
            "2026-11-21T09:00:00Z",
            "2026-11-21T16:59:59.999Z",
            "2026-11-21T23:59:59Z",
        ],
        &[
            "2026-11-21T08:59:59.999Z",
            "2026-11-21T17:00:00Z",
            "2026-11-22T00:00:00Z",
        ],
    );
}

#[test]
fn days_of_the_week_are_counted_from_sunday() {
    // 2026-11-21 is a Saturday.
    check(
        "{weekdays: ['monday:friday', SUNDAY]}",
        &[
            "2026-11-20T12:00:00Z",
            "2026-11-22T12:00:00Z",
            "2026-11-23T00:00:00Z",
        ],
        &["2026-11-21T00:00:00Z", "2026-11-21T23:59:59Z"],
    );
    check(
        "{weekdays: ['sunday:saturday']}",
        &["2026-11-21T00:00:00Z"],
        &[],
    );
}

#[test]
fn days_of_the_month_are_counted_from_its_end_as_well() {
    check(
        "{days_of_month: ['-3:-1']}",
        &[
            "2026-02-26T00:00:00Z",
            "2028-02-27T00:00:00Z",
            "2026-02-28T23:59:59Z",
            "2026-01-31T12:00:00Z",
        ],
        &[
            "2026-02-25T23:59:59Z",
            "2028-02-26T23:59:59Z",
            "2026-01-28T12:00:00Z",
        ],
    );
    check(
        "{days_of_month: ['29:31']}",
        &["2026-01-30T00:00:00Z"],
        &["2026-02-28T00:00:00Z"],
    );
    check("{days_of_month: ['1:31']}", &["2026-02-28T00:00:00Z"], &[]);
    check(
        "{days_of_month: ['-31:-31']}",
        &["2026-01-01T00:00:00Z"],
        &["2026-02-01T00:00:00Z"],
    );
    check(
        "{days_of_month: ['-31:-28']}",
        &["2026-02-01T00:00:00Z"],
        &["2026-02-02T00:00:00Z"],
    );
    check(
        "{days_of_month: ['15:-10']}",
        &["2026-02-19T00:00:00Z"],
        &["2026-02-20T00:00:00Z"],
    );
    check(
        "{days_of_month: ['5', '7']}",
        &["2026-02-07T00:00:00Z"],
        &["2026-02-06T00:00:00Z"],
    );
}

#[test]
fn months_have_names_and_numbers_and_years_go_together_with_them() {
    check(
        "{months: ['1:3', 'may:August', December], years: ['2020:2022', '2026']}",
        &[
            "2021-02-01T00:00:00Z",
            "2026-08-31T23:59:59Z",
            "2020-12-31T23:59:59Z",
        ],
        &[
            "2021-04-30T23:59:59Z",
            "2025-08-31T00:00:00Z",
            "2026-09-01T00:00:00Z",
        ],
    );
}

#[test]
fn clocks_hang_where_people_are() {
    let night = "{times: [{start_time: '00:00', end_time: '06:00'}], location: Europe/Berlin}";
    // On 2026-03-29 the hour from two to three is not; on 2026-10-25 it is twice.
    check(
        night,
        &[
            "2026-03-28T23:00:00Z",
            "2026-03-29T01:30:00Z",
            "2026-03-29T03:59:00Z",
            "2026-10-25T04:59:00Z",
        ],
        &[
            "2026-03-28T22:59:59Z",
            "2026-03-29T04:00:00Z",
            "2026-10-25T05:00:00Z",
        ],
    );
    check(
        "{days_of_month: ['1'], location: Pacific/Auckland}",
        &["2026-06-30T12:00:00Z"],
        &["2026-07-01T12:00:00Z"],
    );
    // The last day of a month in which clocks change.
    let last = "{days_of_month: ['-1'], location: America/New_York}";
    check(last, &["2026-03-31T12:00:00Z"], &["2026-03-30T12:00:00Z"]);
}

#[test]
fn what_is_not_said_is_always_and_an_empty_list_is_never() {
    check("{}", &["1970-01-01T00:00:00Z"], &[]);
    check("{times: []}", &[], &["2026-11-21T00:00:00Z"]);
    check("{times: []}, {}", &["2026-11-21T00:00:00Z"], &[]);
    check("", &[], &["2026-11-21T00:00:00Z"]);
    assert!(!read("{}").contains(i64::MAX));
    assert!(!read("{}").contains(i64::MIN));
}

proptest! {
    /// Against counting the days one by one.
    #[test]
    fn parts_of_months_are_what_counting_gives(
        year in 1990i16..2060, month in 1i8..=12, first in -31i8..=31, last in -31i8..=31,
    ) {
        let days = MonthDays { first, last };
        let length = Date::new(year, month, 1).unwrap().days_in_month();
        let all: Vec<i8> = (1..=length).collect();
        let place = |day: i8| if day < 0 { i64::from(length) + i64::from(day) + 1 } else { i64::from(day) };
        for day in all {
            let local = Date::new(year, month, day).unwrap().at(12, 0, 0, 0);
            let expected = i64::from(day) >= place(first) && i64::from(day) <= place(last);
            prop_assert_eq!(days.contains(local), expected);
        }
    }

    /// An interval and what is left of the day make the day.
    #[test]
    fn every_minute_is_within_or_without(from in 0i16..1440, length in 1i16..1440, minute in 0i16..1440) {
        let until = (from + length).min(1440);
        let span = |from, until| Span { times: Some(vec![Minutes { from, until }]), ..Span::default() };
        let at = Timestamp::from_second(i64::from(minute) * 60 + 86_400 * 365).unwrap();
        let parts = [span(0, from), span(from, until), span(until, 1440)];
        let within = parts.iter().filter(|part| part.contains(at)).count();
        prop_assert_eq!(within, 1);
    }
}
