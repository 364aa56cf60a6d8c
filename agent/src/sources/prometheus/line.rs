//! One line of the text formats, taken apart. Knows nothing of the lines around it.

use std::borrow::Cow;

use wire::metric::{Label, Text};

use super::exposition::Format;

/// More labels than any real series has; looking for one given twice takes the square of this.
const MOST_LABELS: usize = 128;

/// What a line says.
#[derive(Debug, PartialEq)]
pub(super) enum Line<'a> {
    /// Nothing that matters.
    Nothing,
    /// `# HELP`.
    Help { name: &'a str, text: Text },
    /// `# TYPE`.
    Type { name: &'a str, word: &'a str },
    /// `# EOF`, the end of an OpenMetrics exposition.
    End,
    /// A number.
    Sample(Sample<'a>),
}

/// A number with its name and labels.
#[derive(Debug, PartialEq)]
pub(super) struct Sample<'a> {
    pub(super) name: &'a str,
    pub(super) labels: Vec<Label>,
    pub(super) value: f64,
    pub(super) at_ms: Option<i64>,
}

/// Takes one line apart; the error says what was expected.
pub(super) fn parse(line: &str, format: Format) -> Result<Line<'_>, Cow<'static, str>> {
    let line = line.trim_matches([' ', '\t', '\r']);
    if line.is_empty() {
        return Ok(Line::Nothing);
    }
    match line.strip_prefix('#') {
        Some(comment) => parse_comment(comment, format),
        None => parse_sample(line, format).map(Line::Sample),
    }
}

fn parse_comment(comment: &str, format: Format) -> Result<Line<'_>, Cow<'static, str>> {
    let comment = comment.trim_start_matches([' ', '\t']);
    if comment == "EOF" && format == Format::OpenMetrics {
        return Ok(Line::End);
    }
    let mut words = comment.splitn(3, [' ', '\t']);
    let (keyword, name, rest) = (words.next(), words.next(), words.next());
    let rest = rest.unwrap_or_default().trim_start_matches([' ', '\t']);
    match (keyword, name) {
        (Some("HELP"), Some(name)) if is_metric_name(name) => Ok(Line::Help {
            name,
            text: unescaped(rest),
        }),
        (Some("TYPE"), Some(name)) if is_metric_name(name) => Ok(Line::Type { name, word: rest }),
        (Some("HELP" | "TYPE"), _) => Err("expected a metric's name".into()),
        _ => Ok(Line::Nothing),
    }
}

fn parse_sample(line: &str, format: Format) -> Result<Sample<'_>, Cow<'static, str>> {
    let end = line.find(|c| !is_name_letter(c)).unwrap_or(line.len());
    let (name, rest) = line.split_at(end);
    if !is_metric_name(name) {
        return Err("expected a metric's name".into());
    }
    let rest = rest.trim_start_matches([' ', '\t']);
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(inside) => parse_labels(inside)?,
        None => (Vec::new(), rest),
    };
    let mut words = rest.split([' ', '\t']).filter(|word| !word.is_empty());
    let value = words.next().ok_or("expected a value")?;
    let value = value
        .parse()
        .map_err(|_| format!("{:?} is not a number", shortened(value)))?;
    let mut at_ms = None;
    for word in words {
        // What follows is an exemplar: a pointer into traces, which has no place in a family.
        if word == "#" && format == Format::OpenMetrics {
            break;
        }
        if at_ms.is_some() {
            return Err(format!("unexpected {:?} behind the sample", shortened(word)).into());
        }
        at_ms = Some(parse_time(word, format)?);
    }
    Ok(Sample {
        name,
        labels,
        value,
        at_ms,
    })
}

fn parse_time(word: &str, format: Format) -> Result<i64, Cow<'static, str>> {
    let time = match format {
        Format::Text => word.parse().ok(),
        Format::OpenMetrics => word.parse::<f64>().ok().and_then(|seconds| {
            let milliseconds = (seconds * 1_000.0).round();
            // As far as a float holds whole numbers exactly: some 285,000 years.
            (milliseconds.abs() < 9.0e15).then_some(milliseconds as i64)
        }),
    };
    time.ok_or_else(|| format!("{:?} is not a timestamp", shortened(word)).into())
}

/// Reads `a="b",c="d"}`; gives what stands behind the brace.
fn parse_labels(mut rest: &str) -> Result<(Vec<Label>, &str), Cow<'static, str>> {
    let mut labels: Vec<Label> = Vec::new();
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if let Some(after) = rest.strip_prefix('}') {
            return Ok((labels, after));
        }
        let end = rest.find(|c| !is_name_letter(c)).unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        if name.is_empty() || name.contains(':') || name.starts_with(|c: char| c.is_ascii_digit()) {
            return Err("expected a label's name".into());
        }
        let after = after.trim_start_matches([' ', '\t']);
        let after = after
            .strip_prefix('=')
            .ok_or("expected = behind a label's name")?;
        let after = after.trim_start_matches([' ', '\t']);
        let after = after
            .strip_prefix('"')
            .ok_or("expected a label's value in quotes")?;
        let end = closing_quote(after).ok_or("a label's value has no closing quote")?;
        if labels.iter().any(|label| label.name == name) {
            return Err(format!("the label {:?} is given twice", shortened(name)).into());
        }
        if labels.len() == MOST_LABELS {
            return Err(format!("more than {MOST_LABELS} labels").into());
        }
        labels.push(Label::new(name.to_owned(), unescaped(&after[..end])));
        rest = after[end + 1..].trim_start_matches([' ', '\t']);
        if !rest.starts_with([',', '}']) {
            return Err("expected , or } behind a label".into());
        }
    }
}

/// Where the quote is that is not escaped.
fn closing_quote(text: &str) -> Option<usize> {
    let mut is_escaped = false;
    for (place, byte) in text.bytes().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => return Some(place),
            _ => {}
        }
    }
    None
}

/// Puts in what `\n`, `\"` and `\\` stand for; other backslashes stay, as in Prometheus.
fn unescaped(text: &str) -> Text {
    if !text.contains('\\') {
        return Cow::Owned(text.to_owned());
    }
    let mut out = String::with_capacity(text.len());
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        if letter != '\\' {
            out.push(letter);
            continue;
        }
        match letters.next() {
            Some('n') => out.push('\n'),
            Some(escaped @ ('"' | '\\')) => out.push(escaped),
            Some(other) => out.extend(['\\', other]),
            None => out.push('\\'),
        }
    }
    Cow::Owned(out)
}

fn is_name_letter(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == ':'
}

fn is_metric_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(is_name_letter)
}

/// As much of a hostile word as fits in an error.
pub(super) fn shortened(word: &str) -> String {
    word.chars().take(40).collect()
}
