//! Answers drawn in the terminal: lines of braille dots, values at the left, times below, and a legend.
//!
//! With colours each series has one. Without, what several series draw are letters, which the legend
//! explains.

use crate::api::time;

use super::Span;
use super::answer::{Point, ResultData, Series, series_name};
use super::canvas::{ACROSS, Canvas, Cell, DOWN};

/// More lines than this nobody tells apart; the others are counted.
const MOST_SERIES: usize = 12;

/// Colours of the terminal, those first that are told apart best.
const COLOURS: [u8; 6] = [36, 33, 35, 32, 31, 34];

/// Lines between two values at the left.
const TICK_LINES: usize = 4;

/// With what is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Paint {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) colour: bool,
}

/// What the edges of the drawing mean.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Frame {
    from_s: f64,
    to_s: f64,
    least: f64,
    most: f64,
}

/// Draws an answer.
pub(super) fn draw(result: &ResultData, span: Span, paint: Paint) -> String {
    let ResultData::Matrix(series) = result else {
        return "only a range of time can be drawn\n".to_owned();
    };
    let drawn = &series[..series.len().min(MOST_SERIES)];
    let Some((least, most)) = extremes(drawn) else {
        return "no values to draw\n".to_owned();
    };
    let (from_s, to_s, step_s) = match span {
        Span::At(at_ms) => (at_ms as f64 / 1e3, at_ms as f64 / 1e3, 1.0),
        Span::Range {
            from_ms,
            to_ms,
            step,
        } => (from_ms as f64 / 1e3, to_ms as f64 / 1e3, step.as_secs_f64()),
    };
    let frame = Frame {
        from_s,
        to_s,
        least,
        most,
    };
    let ticks = ticks(&frame, paint.height);
    let margin = ticks
        .iter()
        .map(|tick| tick.chars().count())
        .max()
        .unwrap_or(0);
    let width = paint.width.saturating_sub(margin + 2).max(10);
    let mut canvas = Canvas::new(width, paint.height);
    for (place, series) in drawn.iter().enumerate() {
        let size = (width * ACROSS, paint.height * DOWN);
        draw_series(&mut canvas, (place, series), &frame, (size, step_s));
    }
    let mut out = String::new();
    for (line, tick) in canvas.lines().zip(&ticks) {
        let edge = if tick.is_empty() { '│' } else { '┤' };
        out += &format!(
            "{tick:>margin$} {edge}{}\n",
            shown(line, paint, drawn.len())
        );
    }
    out += &format!("{:>margin$} └{}\n", "", "─".repeat(width));
    out += &format!("{:>margin$}  {}\n", "", times(&frame, width));
    out + &legend(series, paint)
}

/// The least and the largest number of all; none where there is no number.
fn extremes(series: &[Series]) -> Option<(f64, f64)> {
    let all = series.iter().flat_map(|series| &series.values);
    let numbers = all.filter_map(number);
    numbers.fold(None, |found, number| {
        let (least, most) = found.unwrap_or((number, number));
        Some((f64::min(least, number), f64::max(most, number)))
    })
}

/// Infinities and NaN have no place in a drawing.
fn number((_, value): &Point) -> Option<f64> {
    value.parse().ok().filter(|value: &f64| value.is_finite())
}

fn draw_series(
    canvas: &mut Canvas,
    (place, series): (usize, &Series),
    frame: &Frame,
    ((across, down), step_s): ((usize, usize), f64),
) {
    let share = |value: f64, from: f64, to: f64| match to > from {
        // Halves first: the distance of two large numbers may be beyond all numbers.
        true => (value / 2.0 - from / 2.0) / (to / 2.0 - from / 2.0),
        false => 0.5,
    };
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let at = |share: f64, dots: usize| (share * (dots - 1) as f64).round() as usize;
    let mut before: Option<(f64, (usize, usize))> = None;
    for point in &series.values {
        let Some(value) = number(point) else {
            before = None;
            continue;
        };
        let column = at(share(point.0, frame.from_s, frame.to_s), across);
        let row = at(1.0 - share(value, frame.least, frame.most), down);
        match before {
            // Where steps are missing nothing is known; a line would claim something.
            Some((seconds, place_before)) if point.0 - seconds < step_s * 1.5 => {
                canvas.line(place_before, (column, row), place);
            }
            _ => canvas.dot(column, row, place),
        }
        before = Some((point.0, (column, row)));
    }
}

/// The value beside each line, from the top; empty where there is none.
fn ticks(frame: &Frame, height: usize) -> Vec<String> {
    let lines = height.saturating_sub(1).max(1);
    let tick = |line: usize| {
        if !line.is_multiple_of(TICK_LINES) && line != lines {
            return String::new();
        }
        let share = 1.0 - line as f64 / lines as f64;
        short(frame.least * (1.0 - share) + frame.most * share)
    };
    if frame.least < frame.most {
        return (0..height).map(tick).collect();
    }
    // One value for all: it stands in the middle.
    let middle = |line: usize| match line == height / 2 {
        true => short(frame.least),
        false => String::new(),
    };
    (0..height).map(middle).collect()
}

/// Four digits that count, and a letter for the thousands.
fn short(value: f64) -> String {
    const LETTERS: [(f64, &str); 5] =
        [(1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")];
    let magnitude = value.abs();
    if magnitude != 0.0 && !(1e-3..1e18).contains(&magnitude) {
        return format!("{value:.2e}");
    }
    let found = LETTERS.iter().find(|(worth, _)| magnitude >= *worth);
    let (worth, letter) = found.copied().unwrap_or((1.0, ""));
    let scaled = value / worth;
    let decimals = match scaled.abs() {
        small if small < 1.0 => 4,
        small if small < 10.0 => 3,
        middle if middle < 100.0 => 2,
        _ => 1,
    };
    let text = format!("{scaled:.decimals$}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    format!("{text}{letter}")
}

fn shown(line: &[Cell], paint: Paint, series: usize) -> String {
    let mut out = String::new();
    let mut current = None;
    for cell in line {
        let symbol = cell.symbol();
        let symbol = symbol.map(|dots| {
            if paint.colour || series == 1 {
                dots
            } else {
                letter(cell.series)
            }
        });
        let colour = symbol.filter(|_| paint.colour).map(|_| colour(cell.series));
        if colour != current {
            out += &colour.map_or("\x1b[0m".to_owned(), |colour| format!("\x1b[{colour}m"));
            current = colour;
        }
        out.push(symbol.unwrap_or(' '));
    }
    if current.is_some() {
        out += "\x1b[0m";
    }
    out.trim_end_matches(' ').to_owned()
}

fn colour(series: usize) -> u8 {
    // Past the last they begin anew, brighter.
    let bright = if series / COLOURS.len() % 2 == 1 {
        60
    } else {
        0
    };
    COLOURS[series % COLOURS.len()] + bright
}

fn letter(series: usize) -> char {
    let letters = ('a'..='z').cycle();
    letters.skip(series % 26).take(1).next().unwrap_or('*')
}

/// Times below the drawing: as many as fit, the first and the last at the edges.
fn times(frame: &Frame, width: usize) -> String {
    let span = frame.to_s - frame.from_s;
    let of = |seconds: f64| {
        #[allow(clippy::cast_possible_truncation)]
        let text = time::rfc3339((seconds * 1e3).round() as i64);
        match span {
            day if day <= 2.0 * 86_400.0 => text[11..19].to_owned(),
            month if month <= 90.0 * 86_400.0 => text[5..16].replace('T', " "),
            _ => text[..10].to_owned(),
        }
    };
    let length = of(frame.from_s).len();
    let count = (width / (length + 6)).clamp(1, 6);
    let mut out = String::new();
    for place in 0..=count {
        let share = place as f64 / count as f64;
        let column = (width - length) * place / count;
        let missing = column.saturating_sub(out.chars().count());
        out += &" ".repeat(missing);
        out += &of(frame.from_s + span * share);
    }
    out
}

fn legend(series: &[Series], paint: Paint) -> String {
    let mut out = String::new();
    let series_count = series.len();
    for (place, series) in series.iter().take(MOST_SERIES).enumerate() {
        let name = series_name(&series.metric);
        let last = series.values.last().map_or("", |(_, value)| value.as_str());
        if paint.colour {
            out += &format!("\x1b[{}m──\x1b[0m {name}  {last}\n", colour(place));
        } else if series_count == 1 {
            out += &format!("── {name}  {last}\n");
        } else {
            out += &format!("{} {name}  {last}\n", letter(place));
        }
    }
    match series.len().saturating_sub(MOST_SERIES) {
        0 => out,
        more => out + &format!("and {more} more, not drawn\n"),
    }
}

#[cfg(test)]
mod tests;
