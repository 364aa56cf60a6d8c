//! Reads scripts into commands.

use std::time::Duration;

use store::labels::Labels;

use super::expect::{Expected, Sequence, expectation};
use super::notation::{self, Item};
use crate::promql::{When, duration_ms};

/// A line that is not understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct ScriptError {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong.
    pub message: String,
}

/// A step of a script.
#[derive(Clone, Debug)]
pub enum Command {
    /// Forget all series.
    Clear,
    /// Store series.
    Load(Load),
    /// Evaluate an expression.
    Eval(Box<Eval>),
    /// Not understood. It fails by itself and leaves the rest of the script to run.
    Wrong(ScriptError),
}

/// Series to store.
#[derive(Clone, Debug)]
pub struct Load {
    /// From one sample to the next; the first is at 0.
    pub interval_ms: i64,
    /// The series.
    pub series: Vec<(Labels, Vec<Item>)>,
}

/// An expression to evaluate.
#[derive(Clone, Debug)]
pub struct Eval {
    /// The line, counted from 1.
    pub line: usize,
    /// The expression.
    pub expr: String,
    /// For which times.
    pub when: When,
    /// What is to come of it.
    pub expected: Expected,
}

/// Reads a script.
#[must_use]
pub fn parse(text: &str) -> Vec<Command> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let mut place = 0;
    let mut commands = Vec::new();
    while let Some(line) = lines.get(place) {
        let number = place + 1;
        place += 1;
        if is_blank(line) {
            continue;
        }
        let block_end = lines[place..].iter().position(|line| is_blank(line));
        let block = &lines[place..block_end.map_or(lines.len(), |length| place + length)];
        let error = |(offset, message): (usize, String)| ScriptError {
            line: number + offset,
            message,
        };
        let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let command = match word.to_ascii_lowercase().as_str() {
            "clear" => {
                commands.push(Command::Clear);
                continue;
            }
            "load" | "load_with_nhcb" => load(rest, block).map(Command::Load),
            "eval" | "eval_fail" | "eval_warn" | "eval_info" | "eval_ordered" => {
                let mut expected = Expected::default();
                expected.apply_word(word.trim_start_matches("eval").trim_start_matches('_'));
                eval(number, rest.trim(), expected, block).map(|eval| Command::Eval(Box::new(eval)))
            }
            _ => Err((0, format!("not a command: {line}"))),
        };
        commands.push(command.unwrap_or_else(|wrong| Command::Wrong(error(wrong))));
        place += block.len();
    }
    commands
}

/// Comments end a block just as empty lines do.
fn is_blank(line: &str) -> bool {
    line.is_empty() || line.starts_with('#')
}

fn load(interval: &str, block: &[&str]) -> Result<Load, (usize, String)> {
    let interval_ms = time(interval.trim()).map_err(|message| (0, message))?;
    let series = block
        .iter()
        .enumerate()
        .map(|(place, line)| notation::series(line).map_err(|message| (place + 1, message)));
    Ok(Load {
        interval_ms,
        series: series.collect::<Result<_, _>>()?,
    })
}

fn eval(
    line: usize,
    head: &str,
    mut expected: Expected,
    block: &[&str],
) -> Result<Eval, (usize, String)> {
    let (when, expr) = when_and_expr(head).map_err(|message| (0, message))?;
    for (place, line) in block.iter().enumerate() {
        let error = |message| (place + 1, message);
        if let Some(what) = line.strip_prefix("expect ") {
            expectation(what.trim(), &mut expected).map_err(error)?;
        } else if let Ok(value) = notation::number(line) {
            expected.scalar = Some(value);
        } else {
            let (labels, items) = notation::series(line).map_err(error)?;
            expected.series.push(Sequence { labels, items });
        }
    }
    Ok(Eval {
        line,
        expr: expr.to_owned(),
        when,
        expected,
    })
}

fn when_and_expr(head: &str) -> Result<(When, &str), String> {
    let (mode, rest) = word(head);
    match mode {
        "instant" => {
            let (at, after) = word(rest);
            if at != "at" {
                return Ok((When::At(0), rest));
            }
            let (at, expr) = word(after);
            Ok((When::At(time(at)?), expr))
        }
        "range" => {
            let mut rest = rest;
            let mut times = [0; 3];
            for (name, value) in ["from", "to", "step"].into_iter().zip(&mut times) {
                let (found, after) = word(rest);
                if found != name {
                    return Err(format!("expected {name:?}, got {found:?}"));
                }
                let (text, after) = word(after);
                *value = time(text)?;
                rest = after;
            }
            let [start_ms, end_ms, step_ms] = times;
            let step = u64::try_from(step_ms).map_err(|_| "the step is negative".to_owned())?;
            let step = Duration::from_millis(step);
            Ok((
                When::Range {
                    start_ms,
                    end_ms,
                    step,
                },
                rest,
            ))
        }
        _ => Err(format!("expected \"instant\" or \"range\", got {mode:?}")),
    }
}

fn word(text: &str) -> (&str, &str) {
    let text = text.trim_start();
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    (word, rest.trim_start())
}

/// A duration, or a number of seconds; either may be negative.
#[allow(clippy::cast_possible_truncation)]
pub(super) fn time(text: &str) -> Result<i64, String> {
    if let Ok(seconds) = text.parse::<f64>() {
        return Ok((seconds * 1000.0).round() as i64);
    }
    let (sign, digits) = text
        .strip_prefix('-')
        .map_or((1, text), |digits| (-1, digits));
    duration_ms(digits)
        .map(|ms| sign * ms)
        .ok_or_else(|| format!("not a time: {text:?}"))
}
