//! Reads the keys of a file of unit tests.

use std::time::Duration;

use query::script::notation::{self, Item};
use store::labels::Labels;

use super::{AlertCase, Comparison, ExpectedAlert, ExpressionCase, Pairs, UnitFile, UnitTest};
use crate::evaluate::ALERT_NAME;
use crate::file;
use crate::problem::{Problem, Problems};
use crate::template::rfc3339_ms;
use crate::yaml::{self, Cursor};

/// How often rules are evaluated where nothing is said.
const EVALUATION_INTERVAL: Duration = Duration::from_secs(60);

/// The most values that the series of a test may have together.
const MAX_VALUES: usize = 20_000_000;

pub(super) fn file(bytes: &[u8]) -> Result<UnitFile, Vec<Problem>> {
    let text = file::text(bytes)?;
    let document = yaml::document(text)?;
    let mut problems = Problems::default();
    let root = Cursor::root(&document.root);
    let keys = [
        "rule_files",
        "evaluation_interval",
        "group_eval_order",
        "tests",
        "fuzzy_compare",
    ];
    root.fields(&keys, &mut problems);
    let given = root.duration("evaluation_interval", &mut problems);
    let evaluation_interval = given
        .filter(|given| !given.is_zero())
        .unwrap_or(EVALUATION_INTERVAL);
    let group_eval_order = group_order(&root, &mut problems);
    let fuzzy = root.parsed("fuzzy_compare", "true or false", truth, &mut problems);
    let mut rule_files = Vec::new();
    for at in root.list("rule_files", &mut problems) {
        rule_files.extend(at.as_text(&mut problems).map(str::to_owned));
    }
    let tests = root.list("tests", &mut problems);
    let tests = tests.iter().enumerate();
    let tests: Vec<UnitTest> = tests
        .map(|(place, at)| test(at, place, evaluation_interval, &mut problems))
        .collect();
    if !problems.is_empty() {
        return Err(problems.locate(text));
    }
    Ok(UnitFile {
        rule_files,
        tests,
        evaluation_interval,
        group_eval_order,
        comparison: match fuzzy {
            Some(true) => Comparison::Fuzzy,
            _ => Comparison::Exact,
        },
    })
}

fn group_order(root: &Cursor<'_>, problems: &mut Problems) -> Vec<String> {
    let mut order: Vec<String> = Vec::new();
    for at in root.list("group_eval_order", problems) {
        let name = at.as_text(problems).unwrap_or_default().to_owned();
        if order.contains(&name) {
            let message = format!("group name repeated in evaluation order: {name}");
            at.problem(problems, message, "");
        }
        order.push(name);
    }
    order
}

fn truth(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "y" => Some(true),
        "false" | "no" | "off" | "n" => Some(false),
        _ => None,
    }
}

const TEST_KEYS: [&str; 8] = [
    "interval",
    "input_series",
    "alert_rule_test",
    "promql_expr_test",
    "external_labels",
    "external_url",
    "name",
    "start_timestamp",
];

fn test(at: &Cursor<'_>, place: usize, default: Duration, problems: &mut Problems) -> UnitTest {
    at.fields(&TEST_KEYS, problems);
    let name = at.text("name", problems).unwrap_or_default();
    let interval = at.duration("interval", problems);
    let start = at.parsed(
        "start_timestamp",
        "RFC 3339 or seconds since 1970",
        moment,
        problems,
    );
    let external_labels = at.texts("external_labels", problems);
    let external_labels = external_labels
        .iter()
        .map(|(name, value, _)| (*name, *value));
    UnitTest {
        name: match name {
            "" => format!("unnamed#{place}"),
            name => name.to_owned(),
        },
        interval: interval.filter(|given| !given.is_zero()).unwrap_or(default),
        start_ms: start.unwrap_or(0),
        series: series(at, problems),
        alerts: at
            .list("alert_rule_test", problems)
            .iter()
            .map(|at| alert_case(at, problems))
            .collect(),
        expressions: at
            .list("promql_expr_test", problems)
            .iter()
            .map(|at| expression_case(at, problems))
            .collect(),
        external_labels: Labels::from_pairs(external_labels),
        external_url: at
            .text("external_url", problems)
            .unwrap_or_default()
            .to_owned(),
    }
}

#[allow(clippy::cast_possible_truncation)]
fn moment(text: &str) -> Option<i64> {
    let seconds = text
        .parse::<f64>()
        .ok()
        .filter(|seconds| seconds.abs() < 1e12);
    let seconds = seconds.map(|seconds| (seconds * 1_000.0).round() as i64);
    seconds.or_else(|| rfc3339_ms(text))
}

fn series(at: &Cursor<'_>, problems: &mut Problems) -> Vec<(Labels, Vec<Item>)> {
    let mut found = Vec::new();
    let mut values = 0;
    for at in at.list("input_series", problems) {
        at.fields(&["series", "values"], problems);
        let labels = notation::labels(at.text("series", problems).unwrap_or_default());
        let items = notation::items(at.text("values", problems).unwrap_or_default());
        match (labels, items) {
            (Ok(labels), Ok(items)) => {
                values += items.len();
                if items.contains(&Item::Histogram) {
                    let message = "native histograms are not stored";
                    at.problem(problems, message, "test with classic histograms");
                }
                found.push((labels, items));
            }
            (labels, items) => {
                for wrong in [labels.err(), items.err()].into_iter().flatten() {
                    at.problem(problems, wrong, "");
                }
            }
        }
        if values > MAX_VALUES {
            at.problem(
                problems,
                format!("more than {MAX_VALUES} values in the series"),
                "",
            );
            break;
        }
    }
    found
}

fn alert_case(at: &Cursor<'_>, problems: &mut Problems) -> AlertCase {
    at.fields(&["eval_time", "alertname", "exp_alerts"], problems);
    let eval_time = at.duration("eval_time", problems).unwrap_or_default();
    let name = at.text("alertname", problems).unwrap_or_default();
    if name.is_empty() {
        let message = "an item under alert_rule_test misses required attribute alertname";
        at.problem(problems, message, "");
    }
    let mut expected = Vec::new();
    for at in at.list("exp_alerts", problems) {
        at.fields(&["exp_labels", "exp_annotations"], problems);
        let mut labels = pairs(&at, "exp_labels", problems);
        labels.retain(|(known, _)| known != ALERT_NAME);
        labels.push((ALERT_NAME.to_owned(), name.to_owned()));
        labels.sort();
        expected.push(ExpectedAlert {
            labels,
            annotations: pairs(&at, "exp_annotations", problems),
        });
    }
    expected.sort();
    AlertCase {
        eval_time,
        name: name.to_owned(),
        expected,
    }
}

fn pairs(at: &Cursor<'_>, key: &str, problems: &mut Problems) -> Pairs {
    let pairs = at.texts(key, problems).into_iter();
    let mut pairs: Pairs = pairs
        .map(|(name, value, _)| (name.to_owned(), value.to_owned()))
        .collect();
    pairs.sort();
    pairs
}

fn expression_case(at: &Cursor<'_>, problems: &mut Problems) -> ExpressionCase {
    at.fields(&["expr", "eval_time", "exp_samples"], problems);
    let mut expected = Vec::new();
    for at in at.list("exp_samples", problems) {
        at.fields(&["labels", "value", "histogram"], problems);
        if let Some(histogram) = at.get("histogram") {
            let message = "native histograms are not stored";
            histogram.problem(problems, message, "test with classic histograms");
        }
        let value = at.parsed("value", "a number", number, problems);
        let text = at.text("labels", problems).unwrap_or_default();
        let labels = match text.trim() {
            "" => Ok(Labels::from_pairs([])),
            text => notation::labels(text),
        };
        match labels {
            Ok(labels) => expected.push((labels, value.unwrap_or(0.0))),
            Err(wrong) => at.problem(problems, wrong, ""),
        }
    }
    expected.sort_by(|(one, _), (other, _)| one.cmp(other));
    ExpressionCase {
        expr: at.text("expr", problems).unwrap_or_default().to_owned(),
        eval_time: at.duration("eval_time", problems).unwrap_or_default(),
        expected,
    }
}

/// A number as YAML has it, or as Prometheus writes those that are none.
fn number(text: &str) -> Option<f64> {
    let plain = text.replace('_', "");
    match plain.to_ascii_lowercase().as_str() {
        ".inf" | "+.inf" => Some(f64::INFINITY),
        "-.inf" => Some(f64::NEG_INFINITY),
        ".nan" => Some(f64::NAN),
        lower => match lower.strip_prefix("0x") {
            #[allow(clippy::cast_precision_loss)]
            Some(digits) => i64::from_str_radix(digits, 16)
                .ok()
                .map(|value| value as f64),
            None => plain.parse().ok(),
        },
    }
}
