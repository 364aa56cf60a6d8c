//! Series as test scripts write them: `metric{label="value"} 1 2+3x4 _ stale`.

use store::labels::Labels;

use crate::promql::{MatchOp, parse_selector};

/// A value in a series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Item {
    /// No sample.
    Missing,
    /// A number.
    Number(f64),
    /// The series ends here, until its next sample.
    Stale,
    /// A native histogram. What it holds is not read.
    Histogram,
}

/// The most values that one line may stand for.
const MAX_ITEMS: usize = 10_000_000;

/// Reads a series with its values.
pub fn series(line: &str) -> Result<(Labels, Vec<Item>), String> {
    let (metric, values) = split(line)?;
    Ok((labels(metric)?, items(values)?))
}

/// Reads values.
pub fn items(text: &str) -> Result<Vec<Item>, String> {
    let mut items = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let end = word_end(rest)?;
        let (word, after) = rest.split_at(end);
        expand(word, &mut items)?;
        rest = after.trim_start();
    }
    Ok(items)
}

/// Splits a line behind the metric and its labels.
fn split(line: &str) -> Result<(&str, &str), String> {
    let mut quote = None;
    let mut depth = 0usize;
    let mut escaped = false;
    for (place, c) in line.char_indices() {
        if let Some(open) = quote {
            if escaped {
                escaped = false;
            } else if c == '\\' && open != '`' {
                escaped = true;
            } else if c == open {
                quote = None;
            }
            continue;
        }
        match c {
            '"' | '\'' | '`' => quote = Some(c),
            '{' => depth += 1,
            '}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return Ok(line.split_at(place + 1));
                }
            }
            ' ' | '\t' if depth == 0 => {
                // Blanks may stand between a name and its labels, but not before a histogram.
                let after = line[place..].trim_start();
                if after.starts_with('{') && !after.starts_with("{{") {
                    continue;
                }
                return Ok(line.split_at(place));
            }
            _ => {}
        }
    }
    Ok((line, ""))
}

/// Reads a metric with its labels.
pub fn labels(metric: &str) -> Result<Labels, String> {
    if metric.trim() == "{}" {
        return Ok(Labels::from_pairs([]));
    }
    let compact = metric.trim();
    // `{}` behind a name says nothing, and labels that are all empty are none.
    let selector = parse_selector(compact).map_err(|wrong| wrong.describe(compact))?;
    if selector
        .matches
        .iter()
        .any(|known| known.op != MatchOp::Equal)
    {
        return Err(format!("labels must be equal to something: {compact}"));
    }
    let pairs = selector
        .matches
        .iter()
        .map(|known| (known.name.as_str(), known.value.as_str()));
    Ok(Labels::from_pairs(pairs))
}

/// Where a word ends; blanks within a histogram are part of it.
fn word_end(text: &str) -> Result<usize, String> {
    let mut depth = 0usize;
    for (place, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.checked_sub(1).ok_or("a brace too many")?,
            c if c.is_whitespace() && depth == 0 => return Ok(place),
            _ => {}
        }
    }
    if depth == 0 {
        Ok(text.len())
    } else {
        Err(format!("unclosed histogram: {text}"))
    }
}

/// `1`, `1x3`, `1+2x3`, `1-2x3`, `_`, `_x3`, `stale`, and histograms in place of numbers.
#[allow(clippy::cast_precision_loss)]
fn expand(word: &str, items: &mut Vec<Item>) -> Result<(), String> {
    if word == "stale" {
        items.push(Item::Stale);
        return Ok(());
    }
    let tail = word.rfind('}').map_or(0, |place| place + 1);
    let (base, times) = match word[tail..].rfind('x') {
        Some(place) => {
            let times = &word[tail + place + 1..];
            let count = times
                .parse::<usize>()
                .map_err(|_| format!("not a count: {word}"))?;
            (&word[..tail + place], Some(count))
        }
        None => (word, None),
    };
    if items.len().saturating_add(times.unwrap_or(0)) > MAX_ITEMS {
        return Err(format!("too many values: {word}"));
    }
    if base == "_" {
        items.extend(std::iter::repeat_n(Item::Missing, times.unwrap_or(1)));
        return Ok(());
    }
    // The first value stands beside its repetitions.
    let count = times.unwrap_or(0) + 1;
    if base.starts_with("{{") {
        items.extend(std::iter::repeat_n(Item::Histogram, count));
        return Ok(());
    }
    let (start, step) = start_and_step(base)?;
    let mut value = start;
    for _ in 0..count {
        items.push(Item::Number(value));
        value += step;
    }
    Ok(())
}

fn start_and_step(text: &str) -> Result<(f64, f64), String> {
    let bytes = text.as_bytes();
    let operator = (1..bytes.len()).find(|place| {
        matches!(bytes[*place], b'+' | b'-') && !matches!(bytes[place - 1], b'e' | b'E')
    });
    match operator {
        Some(place) => {
            let (start, step) = text.split_at(place);
            Ok((number(start)?, number(step)?))
        }
        None => Ok((number(text)?, 0.0)),
    }
}

/// A number, in Go's words.
pub fn number(text: &str) -> Result<f64, String> {
    text.parse().map_err(|_| format!("not a number: {text}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_expanded() {
        let check = |text: &str, expected: &[Item]| {
            assert_eq!(items(text).as_deref(), Ok(expected), "{text}");
        };
        let n = Item::Number;
        check("1 -2 .5 1e2", &[n(1.0), n(-2.0), n(0.5), n(100.0)]);
        check("1+2x2", &[n(1.0), n(3.0), n(5.0)]);
        check("1-2x1", &[n(1.0), n(-1.0)]);
        check("-1e-1+1x1", &[n(-0.1), n(0.9)]);
        check("7x2", &[n(7.0), n(7.0), n(7.0)]);
        check(
            "_ _x2 stale",
            &[Item::Missing, Item::Missing, Item::Missing, Item::Stale],
        );
        check(
            "{{sum:1 count:2}}x1 3",
            &[Item::Histogram, Item::Histogram, n(3.0)],
        );
        check(
            "{{count:0}}+{{count:1}}x1",
            &[Item::Histogram, Item::Histogram],
        );
        for wrong in ["x", "1x", "{{", "1+x2", "}}", "_x99999999999"] {
            assert!(items(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn labels_and_values_part() {
        let check = |line: &str, labels: &[(&str, &str)], count: usize| {
            let (found, items) = series(line).unwrap();
            assert_eq!(found, Labels::from_pairs(labels.iter().copied()), "{line}");
            assert_eq!(items.len(), count, "{line}");
        };
        check("a 1 2", &[("__name__", "a")], 2);
        check(
            "a{b=\"c d\", e='}'} 1",
            &[("__name__", "a"), ("b", "c d"), ("e", "}")],
            1,
        );
        check("{b=\"c\"}\t1x3", &[("b", "c")], 4);
        check("{} 1", &[], 1);
        check("a{} _", &[("__name__", "a")], 1);
        check("a {{sum:1}}", &[("__name__", "a")], 1);
    }
}
