//! Samples thinned out: one line for each span of five minutes or an hour, with what questions about
//! the samples come down to.
//!
//! A line is kept with the times of its first and last sample, so that lines of one span that come
//! from several blocks can be joined. Counters are kept as their first and last value and how far they
//! rose in between, counting from zero after each reset: however many lines are laid end to end, the
//! rise over all of them is what the samples had.

use crate::read::{Aspect, Sample};

/// A gauge is looked for so far back at the least, so its lines stand for a value as often.
const FILL_MS: i64 = 300_000;

/// What the samples of a series come to in one span of time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Line {
    pub(super) first_ms: i64,
    pub(super) last_ms: i64,
    pub(super) count: i64,
    pub(super) min: f64,
    pub(super) max: f64,
    pub(super) sum: f64,
    pub(super) first: f64,
    pub(super) last: f64,
    /// How far a counter rose from the first sample to the last.
    pub(super) increase: f64,
}

impl Line {
    fn of(sample: Sample) -> Self {
        let Sample { at_ms, value } = sample;
        Self {
            first_ms: at_ms,
            last_ms: at_ms,
            count: 1,
            min: value,
            max: value,
            sum: value,
            first: value,
            last: value,
            increase: 0.0,
        }
    }

    /// Takes in what lies behind it, or in the same span.
    fn join(&mut self, other: &Self) {
        self.increase = if self.last_ms < other.first_ms {
            self.increase + rise(self.last, other.first) + other.increase
        } else {
            // They interleave: the same counter was seen twice.
            self.increase.max(other.increase)
        };
        if other.last_ms >= self.last_ms {
            (self.last_ms, self.last) = (other.last_ms, other.last);
        }
        self.count += other.count;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self.sum += other.sum;
    }
}

/// The lines of a series' samples, which ascend. What is no number says nothing.
pub(super) fn thin(samples: &[Sample], width_ms: i64) -> Vec<Line> {
    let numbers = samples.iter().filter(|sample| !sample.value.is_nan());
    let mut lines = Vec::new();
    for sample in numbers {
        add(&mut lines, Line::of(*sample), width_ms);
    }
    lines
}

/// The lines of several blocks as one list, with one line a span.
pub(super) fn join(parts: impl Iterator<Item = Vec<Line>>, width_ms: i64) -> Vec<Line> {
    let mut all: Vec<Line> = parts.flatten().collect();
    all.sort_by_key(|line| line.first_ms);
    let mut lines = Vec::new();
    for line in all {
        add(&mut lines, line, width_ms);
    }
    lines
}

fn add(lines: &mut Vec<Line>, line: Line, width_ms: i64) {
    let span = |line: &Line| line.first_ms.div_euclid(width_ms);
    match lines.last_mut() {
        Some(last) if span(last) == span(&line) => last.join(&line),
        _ => lines.push(line),
    }
}

/// Samples that answer questions about one aspect as those would that the lines stand for.
pub(super) fn samples(lines: &[Line], aspect: Aspect, budget: usize) -> Vec<Sample> {
    match aspect {
        Aspect::Min => at_ends(lines, |line| line.min),
        Aspect::Max => at_ends(lines, |line| line.max),
        Aspect::Value | Aspect::Newest => values(lines),
        Aspect::Average => averages(lines, budget),
        Aspect::Counter => counter(lines),
    }
}

fn at_ends(lines: &[Line], value: fn(&Line) -> f64) -> Vec<Sample> {
    let samples = lines.iter().map(|line| Sample {
        at_ms: line.last_ms,
        value: value(line),
    });
    samples.collect()
}

/// The last value of each span, repeated where the span is longer than one looks back.
fn values(lines: &[Line]) -> Vec<Sample> {
    let mut samples = Vec::new();
    for line in lines {
        let mut at_ms = line.first_ms.saturating_add(FILL_MS - 1);
        while at_ms < line.last_ms {
            let value = line.last;
            samples.push(Sample { at_ms, value });
            at_ms = at_ms.saturating_add(FILL_MS);
        }
        samples.push(Sample {
            at_ms: line.last_ms,
            value: line.last,
        });
    }
    samples
}

/// As many samples as there were, each the average of its span: their count, sum and average are
/// right. Beyond the budget nobody takes them anyway.
fn averages(lines: &[Line], budget: usize) -> Vec<Sample> {
    let mut samples = Vec::new();
    for line in lines {
        let value = line.sum / line.count as f64;
        let steps = (line.count - 1).max(1);
        let span = line.last_ms.saturating_sub(line.first_ms);
        for step in 0..line.count {
            if samples.len() > budget {
                return samples;
            }
            let passed = i128::from(span) * i128::from(step) / i128::from(steps);
            let at_ms = line.first_ms + i64::try_from(passed).unwrap_or(span);
            samples.push(Sample { at_ms, value });
        }
    }
    samples
}

/// A counter that never falls, rises as the samples did, and ends where they ended: resets are taken
/// into account by moving what was before them down.
fn counter(lines: &[Line]) -> Vec<Sample> {
    let mut samples = Vec::new();
    let mut value = lines.last().map_or(0.0, |line| line.last);
    let mut following: Option<&Line> = None;
    for line in lines.iter().rev() {
        if let Some(following) = following {
            value -= rise(line.last, following.first);
        }
        let at_ms = line.last_ms;
        samples.push(Sample { at_ms, value });
        value -= line.increase;
        if line.first_ms < line.last_ms {
            let at_ms = line.first_ms;
            samples.push(Sample { at_ms, value });
        }
        following = Some(line);
    }
    samples.reverse();
    samples
}

/// How far a counter rose from one value to the next, which is lower only after a reset.
fn rise(one: f64, next: f64) -> f64 {
    if next >= one { next - one } else { next }
}

#[cfg(test)]
mod tests;
