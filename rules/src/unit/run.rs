//! Runs tests: evaluates the rules one interval after another and compares.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use query::promql::{LabelledValue, Query, Value};
use store::labels::Labels;

use super::replay::Replay;
use super::show;
use super::{AlertCase, Comparison, ExpectedAlert, ExpressionCase, Pairs, UnitFile, UnitTest};
use crate::evaluate::Evaluation;
use crate::file::{Group, Rule};
use crate::state::{State, Timing};

/// The most evaluations of a test: beyond it the test would not end in any useful time.
const MAX_EVALUATIONS: u64 = 1_000_000;

/// How a test went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The test.
    pub name: String,
    /// What went wrong, each with what was expected and what came; none if the test passed.
    pub failures: Vec<String>,
}

/// Runs the tests of a file on the groups of all its rule files.
#[must_use]
pub fn run(file: &UnitFile, groups: &[Group]) -> Vec<Outcome> {
    let mut ordered: Vec<&Group> = groups.iter().collect();
    let place = |group: &&Group| {
        let order = file.group_eval_order.iter();
        order
            .clone()
            .position(|name| *name == group.name)
            .unwrap_or(0)
    };
    ordered.sort_by_key(place);
    let tests = file.tests.iter();
    tests
        .map(|test| Outcome {
            name: test.name.clone(),
            failures: run_test(file, test, &ordered),
        })
        .collect()
}

fn run_test(file: &UnitFile, test: &UnitTest, groups: &[&Group]) -> Vec<String> {
    let interval = file.evaluation_interval;
    let alert_times = test.alerts.iter().map(|case| case.eval_time);
    let last = alert_times.chain(test.expressions.iter().map(|case| case.eval_time));
    let last = last.max().unwrap_or_default();
    let evaluations = last.as_millis() / interval.as_millis().max(1);
    if evaluations >= u128::from(MAX_EVALUATIONS) {
        return vec![format!("    the test would take {evaluations} evaluations")];
    }
    let mut bench = Bench {
        test,
        comparison: file.comparison,
        replay: Replay::new(test, interval),
        rules: rules(groups),
        failures: Vec::new(),
    };
    let mut cases: Vec<&AlertCase> = test.alerts.iter().collect();
    cases.sort_by_key(|case| case.eval_time);
    let mut cases = cases.into_iter().peekable();
    let mut now = Duration::ZERO;
    while now <= last {
        if !bench.evaluate(now) {
            return bench.failures;
        }
        // What is asked about a time before the next evaluation is answered by this one.
        while let Some(case) = cases.next_if(|case| case.eval_time < now + interval) {
            bench.check_alerts(case);
        }
        now += interval;
    }
    for case in &test.expressions {
        bench.check_expression(case);
    }
    bench.failures
}

/// A rule with what is known of it.
struct Live<'a> {
    group: &'a Group,
    rule: &'a Rule,
    state: State,
    /// The series that it gave at its last evaluation.
    given: BTreeSet<Labels>,
}

fn rules<'a>(groups: &[&'a Group]) -> Vec<Live<'a>> {
    let rules = groups
        .iter()
        .flat_map(|group| group.rules.iter().map(|rule| (*group, rule)));
    rules
        .map(|(group, rule)| Live {
            group,
            rule,
            state: State::default(),
            given: BTreeSet::new(),
        })
        .collect()
}

/// A test that runs.
struct Bench<'a> {
    test: &'a UnitTest,
    comparison: Comparison,
    replay: Replay,
    rules: Vec<Live<'a>>,
    failures: Vec<String>,
}

impl Bench<'_> {
    fn at_ms(&self, after: Duration) -> i64 {
        let after = i64::try_from(after.as_millis()).unwrap_or(i64::MAX);
        self.test.start_ms.saturating_add(after)
    }

    /// Evaluates all rules in their order; says whether the test can go on.
    fn evaluate(&mut self, after: Duration) -> bool {
        let at_ms = self.at_ms(after);
        self.replay.until(at_ms);
        let before = self.failures.len();
        for live in &mut self.rules {
            let series = {
                let replay = &self.replay;
                let ask = |query: &Query, at_ms: i64| replay.ask(query, at_ms);
                let evaluation = Evaluation {
                    ask: &ask,
                    at_ms,
                    query_offset: live.group.query_offset.unwrap_or_default(),
                    limit: live.group.limit,
                    external_labels: &self.test.external_labels,
                    external_url: &self.test.external_url,
                };
                live.evaluate(&evaluation)
            };
            match series {
                Ok(series) => live.given = self.replay.write(series, &live.given, at_ms),
                Err(wrong) => {
                    let (name, time) = (live.rule.name(), show::duration(after));
                    let failure = format!("    rule: {name}, time: {time}, err: {wrong}");
                    self.failures.push(failure);
                }
            }
        }
        self.failures.len() == before
    }

    fn check_alerts(&mut self, case: &AlertCase) {
        let mut got = Vec::new();
        for live in self
            .rules
            .iter()
            .filter(|live| live.rule.name() == case.name)
        {
            let Rule::Alert(_) = live.rule else {
                continue;
            };
            let firing = live.state.active().filter(|alert| alert.is_firing());
            got.extend(firing.map(|alert| ExpectedAlert {
                labels: pairs(&alert.labels),
                annotations: alert.annotations.clone(),
            }));
        }
        got.sort();
        if got != case.expected {
            let time = show::duration(case.eval_time);
            let (expected, got) = (show::alerts(&case.expected), show::alerts(&got));
            self.failures.push(format!(
                "    alertname: {}, time: {time}\n        exp: {expected}\n        got: {got}",
                case.name
            ));
        }
    }

    fn check_expression(&mut self, case: &ExpressionCase) {
        let head = format!(
            "    expr: {:?}, time: {}",
            case.expr,
            show::duration(case.eval_time)
        );
        let got = match self.ask(case) {
            Ok(got) => got,
            Err(wrong) => {
                self.failures.push(format!("{head}, err: {wrong}"));
                return;
            }
        };
        let same = |((one, a), (other, b)): (&(Labels, f64), &(Labels, f64))| {
            one == other && self.comparison.holds(*a, *b)
        };
        let fits = got.len() == case.expected.len() && case.expected.iter().zip(&got).all(same);
        if !fits {
            let (expected, got) = (show::samples(&case.expected), show::samples(&got));
            let failure = format!("{head}\n        exp: {expected}\n        got: {got}");
            self.failures.push(failure);
        }
    }

    fn ask(&self, case: &ExpressionCase) -> Result<Vec<(Labels, f64)>, String> {
        let query = Query::parse(&case.expr).map_err(|wrong| wrong.to_string())?;
        let value = self.replay.ask(&query, self.at_ms(case.eval_time))?;
        let mut found: Vec<(Labels, f64)> = match value {
            Value::Vector { samples, .. } => {
                let samples = samples.into_iter();
                samples.map(|one| (one.labels, one.value)).collect()
            }
            Value::Scalar { value, .. } => vec![(Labels::from_pairs([]), value)],
            Value::Matrix(_) | Value::Text { .. } => {
                return Err("rule result is not a vector or scalar".to_owned());
            }
        };
        found.sort_by(|(one, _), (other, _)| one.cmp(other));
        Ok(found)
    }
}

impl Live<'_> {
    /// The series that the rule gives.
    fn evaluate(&mut self, evaluation: &Evaluation<'_>) -> Result<Vec<LabelledValue>, String> {
        match self.rule {
            Rule::Record(rule) => evaluation.record(rule).map_err(|wrong| wrong.to_string()),
            Rule::Alert(rule) => {
                let judged = evaluation.judge(rule, &self.state);
                let judged = judged.map_err(|wrong| wrong.to_string())?;
                let timing = Timing::from(rule);
                let (next, _) = self.state.next(&timing, judged.judgement, evaluation.at_ms);
                self.state = next;
                Ok(self.state.series())
            }
        }
    }
}

impl Comparison {
    #[allow(clippy::float_cmp)]
    fn holds(self, one: f64, other: f64) -> bool {
        let near = || one.next_up() == other || one.next_down() == other;
        one == other || (self == Self::Fuzzy && near())
    }
}

fn pairs(labels: &Labels) -> Pairs {
    let pairs: BTreeMap<_, _> = labels.iter().collect();
    let pairs = pairs.into_iter();
    pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}
