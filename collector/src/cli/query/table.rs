//! Answers as a table for people: labels that all series share stand above it once, the others are its
//! columns; numbers are aligned at the right.

use std::collections::BTreeSet;

use crate::api::time;

use super::answer::{Labels, Point, ResultData, Sample, Series, series_name};

/// Longest that a label's value is shown.
const WIDEST: usize = 60;

/// Writes an answer.
pub(super) fn write(result: &ResultData) -> String {
    match result {
        ResultData::Scalar((_, value)) | ResultData::String((_, value)) => format!("{value}\n"),
        ResultData::Vector(samples) if samples.is_empty() => nothing(),
        ResultData::Matrix(series) if series.is_empty() => nothing(),
        ResultData::Vector(samples) => vector(samples),
        ResultData::Matrix(series) => series.iter().map(over_time).collect(),
    }
}

fn nothing() -> String {
    "no series\n".to_owned()
}

fn vector(samples: &[Sample]) -> String {
    let shared = shared(samples);
    let names: BTreeSet<&str> = samples
        .iter()
        .flat_map(|sample| sample.metric.keys().map(String::as_str))
        .filter(|name| !shared.contains_key(*name))
        .collect();
    let mut rows = vec![names.iter().map(|name| (*name).to_owned()).collect()];
    for sample in samples {
        let of = |name: &&str| shortened(sample.metric.get(*name).map_or("", String::as_str));
        rows.push(names.iter().map(of).collect::<Vec<String>>());
    }
    let values = samples.iter().map(|sample| sample.value.1.as_str());
    let values: Vec<&str> = ["value"].into_iter().chain(values).collect();
    let above = match shared.is_empty() {
        true => String::new(),
        false => format!("{}\n", series_name(&shared)),
    };
    above + &aligned(&rows, &values)
}

/// What all series have alike; of a single one everything.
fn shared(samples: &[Sample]) -> Labels {
    let Some((first, others)) = samples.split_first() else {
        return Labels::new();
    };
    let is_shared = |(name, value): &(&String, &String)| {
        others
            .iter()
            .all(|other| other.metric.get(*name) == Some(*value))
    };
    let shared = first.metric.iter().filter(is_shared);
    shared
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

fn over_time(series: &Series) -> String {
    let times = series.values.iter().map(|point| vec![shown_time(point)]);
    let rows: Vec<Vec<String>> = times.collect();
    let values: Vec<&str> = series
        .values
        .iter()
        .map(|(_, value)| value.as_str())
        .collect();
    let body = aligned(&rows, &values);
    let body: String = body.lines().map(|line| format!("  {line}\n")).collect();
    format!("{}\n{body}", series_name(&series.metric))
}

/// To the millisecond where there are any.
fn shown_time((seconds, _): &Point) -> String {
    #[allow(clippy::cast_possible_truncation)]
    let text = time::rfc3339((seconds * 1_000.0).round() as i64);
    text.replace(".000Z", "Z").replace('T', " ")
}

/// A line break would tear the table apart, a long text would push all else off the screen, and what
/// commands a terminal is not to come from a label that somebody else wrote.
fn shortened(text: &str) -> String {
    let line = text.replace(char::is_control, " ");
    if line.chars().count() <= WIDEST {
        return line;
    }
    let kept: String = line.chars().take(WIDEST - 1).collect();
    kept + "…"
}

/// Rows with all their cells aligned at the left; the last is as long as it is.
pub(in crate::cli) fn columns(rows: &[Vec<String>]) -> String {
    let rows: Vec<Vec<String>> = rows
        .iter()
        .map(|row| row.iter().map(|cell| shortened(cell)).collect())
        .collect();
    let blank = vec![""; rows.len()];
    let lines = aligned(&rows, &blank);
    lines
        .lines()
        .map(|line| format!("{}\n", line.trim_end()))
        .collect()
}

fn aligned(rows: &[Vec<String>], values: &[&str]) -> String {
    let length = |text: &str| text.chars().count();
    let columns = rows.first().map_or(0, Vec::len);
    let widths: Vec<usize> = (0..columns)
        .map(|column| {
            rows.iter()
                .map(|row| length(&row[column]))
                .max()
                .unwrap_or(0)
        })
        .collect();
    let widest = values.iter().map(|value| length(value)).max().unwrap_or(0);
    let mut out = String::new();
    for (row, value) in rows.iter().zip(values) {
        for (cell, width) in row.iter().zip(&widths) {
            out += cell;
            out += &" ".repeat(width - length(cell) + 2);
        }
        out += &" ".repeat(widest - length(value));
        out += value;
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(data: &str, expected: &str) {
        let result = serde_json::from_str(data).unwrap();
        assert_eq!(write(&result), expected);
    }

    #[test]
    fn vectors_are_aligned_below_what_they_share() {
        check(
            r#"{"resultType":"vector","result":[
                {"metric":{"__name__":"up","job":"node","instance":"db1"},"value":[0,"1"]},
                {"metric":{"__name__":"up","job":"node","instance":"db10"},"value":[0,"0.25"]}]}"#,
            "up{job=\"node\"}\n\
             instance  value\n\
             db1           1\n\
             db10       0.25\n",
        );
        check(
            r#"{"resultType":"vector","result":[{"metric":{},"value":[0,"3"]}]}"#,
            "value\n    3\n",
        );
        check(r#"{"resultType":"vector","result":[]}"#, "no series\n");
        check(r#"{"resultType":"scalar","result":[0,"2"]}"#, "2\n");
    }

    #[test]
    fn ranges_are_told_series_by_series() {
        check(
            r#"{"resultType":"matrix","result":[
                {"metric":{"a":"b"},"values":[[0,"1"],[60.5,"10"]]}]}"#,
            "{a=\"b\"}\n\
             \x20 1970-01-01 00:00:00Z       1\n\
             \x20 1970-01-01 00:01:00.500Z  10\n",
        );
    }

    #[test]
    fn long_and_broken_texts_stay_in_their_cell() {
        assert_eq!(shortened("a\nb"), "a b");
        assert_eq!(shortened(&"é".repeat(99)).chars().count(), WIDEST);
    }
}
