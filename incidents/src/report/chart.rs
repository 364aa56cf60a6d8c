//! A line chart as SVG: what was measured, the bound that it crossed, and when the alert fired.
//!
//! It stands in a page, in a Markdown file, on paper and on a phone: it has a size of its own in a view
//! box and takes the width that there is; text takes the colour of the page; colours are those that
//! colour-blind people tell apart, and what fired is shaded as well as coloured. It holds no script, no
//! link and no style sheet. Where nothing was measured, the line has a gap.

mod scale;

use std::fmt::Write as _;

use super::escape::{plain, xml};
use super::question::{Bound, Side};
use crate::incident::Span;
use crate::timeline::number;

use scale::{Scale, ticks};

/// What was measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Chart {
    /// One line above it.
    pub title: String,
    /// What was asked.
    pub expr: String,
    /// The bound, where there is one.
    pub bound: Option<Bound>,
    /// The lines.
    pub lines: Vec<Line>,
    /// Lines that are left out.
    pub more: usize,
    /// When the alerts fired.
    pub spans: Vec<Span>,
    /// Where it begins, in milliseconds since 1970.
    pub from_ms: i64,
    /// Where it ends.
    pub to_ms: i64,
    /// From one point to the next.
    pub step_ms: i64,
}

/// A line of a chart.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// What tells it from the others.
    pub name: String,
    /// Times and values, ascending in time.
    pub points: Vec<(i64, f64)>,
}

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 260.0;
const LEFT: f64 = 62.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 30.0;
const BOTTOM: f64 = 30.0;

/// Okabe and Ito's colours, without yellow, which vanishes on paper.
const COLOURS: [&str; 6] = [
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00",
];

const ALARM: &str = "#c62828";

/// Characters of a line's name that fit the legend.
const NAME: usize = 60;

impl Chart {
    /// The worst value that was measured, and when; nothing where no direction is worse.
    #[must_use]
    pub fn worst(&self) -> Option<(i64, f64)> {
        let side = self.bound?.side;
        let points = self.lines.iter().flat_map(|line| &line.points);
        let points = points.copied().filter(|(_, value)| value.is_finite());
        match side {
            Side::Above => points.reduce(|one, other| if other.1 > one.1 { other } else { one }),
            Side::Below => points.reduce(|one, other| if other.1 < one.1 { other } else { one }),
            Side::At => None,
        }
    }

    /// The chart as an element of a page; no line of it is empty.
    #[must_use]
    pub fn svg(&self) -> String {
        let legend = self.legend();
        let height = HEIGHT + 18.0 * legend.len() as f64;
        let title = xml(&self.title).replace('\n', " ");
        let mut out = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" \
             aria-label=\"{title}\" font-family=\"system-ui, sans-serif\" font-size=\"12\" \
             fill=\"currentColor\" style=\"width:100%;max-width:{WIDTH}px;height:auto\">\n"
        );
        text(&mut out, (LEFT, 16.0), "font-weight=\"600\"", &self.title);
        let scale = self.scale();
        self.draw_spans(&mut out, &scale);
        self.draw_axes(&mut out, &scale);
        self.draw_bound(&mut out, &scale);
        for (place, line) in self.lines.iter().enumerate() {
            let colour = COLOURS[place % COLOURS.len()];
            draw_line(&mut out, &scale, line, (colour, self.step_ms));
        }
        self.draw_worst(&mut out, &scale);
        for (place, (colour, name)) in legend.iter().enumerate() {
            let y = HEIGHT + 18.0 * place as f64 + 6.0;
            if !colour.is_empty() {
                let (x, y) = (LEFT, y - 9.0);
                writeln!(
                    out,
                    "<rect x=\"{x}\" y=\"{y}\" width=\"12\" height=\"10\" rx=\"2\" fill=\"{colour}\"/>"
                )
                .ok();
            }
            text(&mut out, (LEFT + 18.0, y), "font-size=\"11\"", name);
        }
        out.push_str("</svg>\n");
        out
    }

    fn legend(&self) -> Vec<(&'static str, String)> {
        let lines = self.lines.iter().enumerate();
        let mut legend: Vec<(&str, String)> = lines
            .map(|(place, line)| {
                let mut name: String = plain(&line.name).chars().take(NAME).collect();
                if line.name.chars().nth(NAME).is_some() {
                    name.push('…');
                }
                (COLOURS[place % COLOURS.len()], name)
            })
            .collect();
        if self.more > 0 {
            legend.push(("", format!("and {} more", self.more)));
        }
        legend
    }

    fn scale(&self) -> Scale {
        let points = self.lines.iter().flat_map(|line| &line.points);
        let values = points.map(|(_, value)| *value);
        let bound = self.bound.map(|bound| bound.value);
        Scale::new(
            (self.from_ms, self.to_ms),
            values.chain(bound).filter(|value| value.is_finite()),
            (LEFT, WIDTH - RIGHT, TOP, HEIGHT - BOTTOM),
        )
    }

    fn draw_spans(&self, out: &mut String, scale: &Scale) {
        for span in &self.spans {
            let from = scale.x(span.from_ms.clamp(self.from_ms, self.to_ms));
            let to_ms = span.to_ms.unwrap_or(self.to_ms);
            let to = scale.x(to_ms.clamp(self.from_ms, self.to_ms));
            // One that fired for a moment is still to be seen.
            let width = (to - from).max(1.5);
            let height = HEIGHT - TOP - BOTTOM;
            writeln!(
                out,
                "<rect x=\"{from:.1}\" y=\"{TOP}\" width=\"{width:.1}\" height=\"{height}\" \
                 fill=\"{ALARM}\" fill-opacity=\"0.13\"/>"
            )
            .ok();
        }
        if let Some(first) = self.spans.first() {
            let from = scale.x(first.from_ms.clamp(self.from_ms, self.to_ms));
            let anchor = if from > WIDTH * 0.85 { "end" } else { "start" };
            let x = if anchor == "end" {
                from - 4.0
            } else {
                from + 4.0
            };
            let style = format!("font-size=\"10\" fill=\"{ALARM}\" text-anchor=\"{anchor}\"");
            text(out, (x, TOP + 11.0), &style, "firing");
        }
    }

    fn draw_axes(&self, out: &mut String, scale: &Scale) {
        let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
        for tick in scale.value_ticks() {
            let y = scale.y(tick);
            writeln!(
                out,
                "<path d=\"M{LEFT} {y:.1}H{right}\" stroke=\"currentColor\" stroke-opacity=\"0.14\"/>"
            )
            .ok();
            let style = "font-size=\"11\" text-anchor=\"end\" fill-opacity=\"0.75\"";
            text(out, (LEFT - 6.0, y + 4.0), style, &scale::compact(tick));
        }
        writeln!(
            out,
            "<path d=\"M{LEFT} {bottom}H{right}\" stroke=\"currentColor\" stroke-opacity=\"0.5\"/>"
        )
        .ok();
        for (at_ms, label) in ticks(self.from_ms, self.to_ms) {
            let x = scale.x(at_ms);
            let end = bottom + 4.0;
            writeln!(
                out,
                "<path d=\"M{x:.1} {bottom}V{end}\" stroke=\"currentColor\" stroke-opacity=\"0.5\"/>"
            )
            .ok();
            let style = "font-size=\"11\" text-anchor=\"middle\" fill-opacity=\"0.75\"";
            text(out, (x, bottom + 17.0), style, &label);
        }
    }

    fn draw_bound(&self, out: &mut String, scale: &Scale) {
        let Some(bound) = self.bound.filter(|bound| bound.value.is_finite()) else {
            return;
        };
        let (y, right) = (scale.y(bound.value), WIDTH - RIGHT);
        writeln!(
            out,
            "<path d=\"M{LEFT} {y:.1}H{right}\" stroke=\"{ALARM}\" stroke-width=\"1.2\" \
             stroke-dasharray=\"6 4\"/>"
        )
        .ok();
        let word = match bound.side {
            Side::Above => "above",
            Side::Below => "below",
            Side::At => "at",
        };
        let label = format!("fires {word} {}", number(bound.value));
        let style = format!("font-size=\"11\" fill=\"{ALARM}\" text-anchor=\"end\"");
        // Above the line, unless that is the top.
        let y = if y < TOP + 16.0 { y + 13.0 } else { y - 5.0 };
        text(out, (right - 2.0, y), &style, &label);
    }

    fn draw_worst(&self, out: &mut String, scale: &Scale) {
        let Some((at_ms, value)) = self.worst() else {
            return;
        };
        let (x, y) = (scale.x(at_ms), scale.y(value));
        writeln!(
            out,
            "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.5\" fill=\"{ALARM}\"/>"
        )
        .ok();
        let (anchor, dx) = if x > WIDTH * 0.85 {
            ("end", -7.0)
        } else {
            ("start", 7.0)
        };
        let style = format!("font-size=\"11\" font-weight=\"600\" text-anchor=\"{anchor}\"");
        let y = (y - 5.0).max(TOP + 10.0);
        text(out, (x + dx, y), &style, &number(value));
    }
}

/// A line, with a gap where points are missing; one alone is a dot.
fn draw_line(out: &mut String, scale: &Scale, line: &Line, (colour, step_ms): (&str, i64)) {
    let mut path = String::new();
    let mut dots = String::new();
    let mut run: Vec<(i64, f64)> = Vec::new();
    let mut end_run = |run: &mut Vec<(i64, f64)>| {
        if let [(at_ms, value)] = run[..] {
            let (x, y) = (scale.x(at_ms), scale.y(value));
            writeln!(
                dots,
                "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"1.6\" fill=\"{colour}\"/>"
            )
            .ok();
        } else {
            for (place, (at_ms, value)) in run.iter().enumerate() {
                let letter = if place == 0 { 'M' } else { 'L' };
                write!(
                    path,
                    "{letter}{:.1} {:.1}",
                    scale.x(*at_ms),
                    scale.y(*value)
                )
                .ok();
            }
        }
        run.clear();
    };
    let longest_ms = step_ms.max(1).saturating_mul(3);
    for (at_ms, value) in &line.points {
        let is_far = run
            .last()
            .is_some_and(|(last_ms, _)| at_ms.saturating_sub(*last_ms) > longest_ms);
        if is_far || !value.is_finite() {
            end_run(&mut run);
        }
        if value.is_finite() {
            run.push((*at_ms, *value));
        }
    }
    end_run(&mut run);
    if !path.is_empty() {
        writeln!(
            out,
            "<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.8\" \
             stroke-linejoin=\"round\" stroke-linecap=\"round\"/>"
        )
        .ok();
    }
    out.push_str(&dots);
}

fn text(out: &mut String, (x, y): (f64, f64), style: &str, said: &str) {
    let said = xml(said).replace('\n', " ");
    writeln!(out, "<text x=\"{x:.1}\" y=\"{y:.1}\" {style}>{said}</text>").ok();
}

#[cfg(test)]
mod tests;
