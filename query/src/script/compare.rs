//! Compares what came with what was expected.

use std::fmt::Write as _;

use store::labels::Labels;
use store::read::{Series, is_stale};

use super::command::Eval;
use super::expect::{Expected, Sequence, Steps};
use super::notation::Item;
use crate::promql::{Answer, LabelledValue, Value, When, go_float, label_text};

/// Differences smaller than this share of the values are none.
const TOLERANCE: f64 = 1e-6;

/// Whether an answer is what was expected; what is wrong with it otherwise.
pub(super) fn check(eval: &Eval, answer: &Answer) -> Result<(), String> {
    check_notes(&eval.expected, answer)?;
    check_value(eval, &answer.value)
}

/// Whether the warnings and infos are those expected.
pub(super) fn check_notes(expected: &Expected, answer: &Answer) -> Result<(), String> {
    let kinds = [
        (
            "warnings",
            &answer.warnings,
            &expected.warn,
            expected.no_warn,
        ),
        ("infos", &answer.infos, &expected.info, expected.no_info),
    ];
    for (kind, got, wanted, none) in kinds {
        if wanted.as_ref().is_some_and(|wanted| !wanted.fit(got)) || (none && !got.is_empty()) {
            return Err(format!("{kind} {got:?}"));
        }
    }
    Ok(())
}

/// A value as a failure shows it.
pub(super) fn describe(value: &Value) -> String {
    match value {
        Value::Scalar { value, .. } => go_float(*value),
        Value::Text { text, .. } => format!("{text:?}"),
        Value::Vector { samples, .. } => {
            let lines = samples
                .iter()
                .map(|sample| format!("{} {}", label_text(&sample.labels), go_float(sample.value)));
            or_nothing(lines.collect())
        }
        Value::Matrix(series) => or_nothing(series.iter().map(describe_series).collect()),
    }
}

/// What was expected, as a failure shows it.
pub(super) fn describe_expected(eval: &Eval) -> String {
    let expected = &eval.expected;
    let mut lines = Vec::new();
    for (what, texts) in [
        ("fail", &expected.fail),
        ("warn", &expected.warn),
        ("info", &expected.info),
    ] {
        if let Some(texts) = texts {
            lines.push(format!("{what} {texts:?}"));
        }
    }
    lines.extend(expected.no_warn.then(|| "no warnings".to_owned()));
    lines.extend(expected.no_info.then(|| "no infos".to_owned()));
    lines.extend(expected.text.as_ref().map(|text| format!("{text:?}")));
    lines.extend(expected.scalar.map(go_float));
    lines.extend(expected.series.iter().map(|sequence| {
        let mut line = label_text(&sequence.labels);
        for item in &sequence.items {
            let text = match item {
                Item::Missing => "_".to_owned(),
                Item::Number(value) => go_float(*value),
                Item::Stale => "stale".to_owned(),
                Item::Histogram => "{{histogram}}".to_owned(),
            };
            line += " ";
            line += &text;
        }
        line
    }));
    or_nothing(lines)
}

fn check_value(eval: &Eval, value: &Value) -> Result<(), String> {
    let expected = &eval.expected;
    let is_right = match (value, eval.when) {
        (Value::Text { text, .. }, _) => expected.text.as_ref() == Some(text),
        (Value::Scalar { value, .. }, _) => expected
            .scalar
            .is_some_and(|wanted| almost_equal(wanted, *value)),
        (Value::Vector { samples, .. }, _) => {
            expected.text.is_none() && expected.scalar.is_none() && vector_fits(expected, samples)
        }
        (Value::Matrix(series), When::Range { start_ms, step, .. }) => {
            let step_ms = i64::try_from(step.as_millis()).unwrap_or(i64::MAX);
            matrix_fits(&expected.series, Steps { start_ms, step_ms }, series)
        }
        (Value::Matrix(series), When::At(_)) => expected
            .range
            .is_some_and(|steps| matrix_fits(&expected.series, steps, series)),
    };
    if is_right {
        Ok(())
    } else {
        Err(describe(value))
    }
}

fn vector_fits(expected: &Expected, samples: &[LabelledValue]) -> bool {
    let fits = |sequence: &Sequence, sample: &LabelledValue| {
        sequence.labels == sample.labels
            && matches!(sequence.items.as_slice(), [Item::Number(value)] if almost_equal(*value, sample.value))
    };
    if expected.series.len() != samples.len() {
        return false;
    }
    if expected.ordered {
        return expected
            .series
            .iter()
            .zip(samples)
            .all(|(wanted, got)| fits(wanted, got));
    }
    expected
        .series
        .iter()
        .all(|wanted| samples.iter().any(|got| fits(wanted, got)))
}

fn matrix_fits(expected: &[Sequence], steps: Steps, series: &[Series]) -> bool {
    let mut wanted: Vec<(&Labels, Vec<(i64, Item)>)> = Vec::new();
    for sequence in expected {
        let mut at_ms = steps.start_ms;
        let mut items = Vec::new();
        for item in &sequence.items {
            if *item != Item::Missing {
                items.push((at_ms, *item));
            }
            at_ms += steps.step_ms;
        }
        if !items.is_empty() {
            wanted.push((&sequence.labels, items));
        }
    }
    let fits =
        |(labels, items): &(&Labels, Vec<(i64, Item)>), got: &Series| {
            **labels == got.labels
            && items.len() == got.samples.len()
            && items.iter().zip(&got.samples).all(|((at_ms, item), sample)| {
                *at_ms == sample.at_ms
                    && matches!(item, Item::Number(value) if almost_equal(*value, sample.value))
            })
        };
    wanted.len() == series.len()
        && wanted
            .iter()
            .all(|wanted| series.iter().any(|got| fits(wanted, got)))
}

/// Whether two values are the same but for rounding.
#[allow(clippy::float_cmp)]
pub(super) fn almost_equal(a: f64, b: f64) -> bool {
    if is_stale(a) || is_stale(b) {
        return a.to_bits() == b.to_bits();
    }
    if a == b || (a.is_nan() && b.is_nan()) {
        return true;
    }
    let sum = a.abs() + b.abs();
    let difference = (a - b).abs();
    if a == 0.0 || b == 0.0 || sum < f64::MIN_POSITIVE {
        return difference < TOLERANCE * f64::MIN_POSITIVE;
    }
    difference / sum.min(f64::MAX) < TOLERANCE
}

fn describe_series(series: &Series) -> String {
    let mut line = label_text(&series.labels);
    for sample in &series.samples {
        // Writing to a text cannot fail.
        write!(line, " {}@{}", go_float(sample.value), sample.at_ms).unwrap_or_default();
    }
    line
}

fn or_nothing(lines: Vec<String>) -> String {
    if lines.is_empty() {
        "nothing".to_owned()
    } else {
        lines.join("\n")
    }
}
