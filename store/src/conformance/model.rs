//! A store compared with a plain list of everything that was appended.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use wire::batch::{AgentId, RunId};

use super::{anonymous, from_agent, row};
use crate::append::{Append, Delivery, Outcome, Row};
use crate::labels::Labels;
use crate::matcher::Matcher;
use crate::read::{Aspect, Read, Sample, TimeRange};

/// One step of a scenario; indices stand for a handful of runs.
#[derive(Clone, Debug)]
enum Step {
    FromAgent {
        run: usize,
        sequence: u64,
        rows: Vec<(u8, i64, i32)>,
    },
    Anonymous {
        rows: Vec<(u8, i64, i32)>,
    },
    /// What the implementation may do to itself at any moment, by a number.
    Disturb(u8),
}

/// Appends random deliveries and compares what random selectors and ranges read. Between them
/// `disturb` may do what changes nothing to readers.
pub(crate) fn check_against_model<S: Append + Read>(
    cases: u32,
    make_store: impl AsyncFn() -> S,
    disturb: impl AsyncFn(S, u8) -> S,
) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let mut runner = TestRunner::new(Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    });
    let scenario = (
        prop::collection::vec(step(), 1..20),
        prop::collection::vec(question(), 1..6),
    );
    let outcome = runner.run(&scenario, |(steps, questions)| {
        runtime.block_on(async { play(make_store().await, &disturb, (&steps, &questions)).await })
    });
    outcome.unwrap();
}

type Question = (Vec<Matcher>, TimeRange);

fn step() -> impl Strategy<Value = Step> {
    let rows = || prop::collection::vec((0..12u8, 0..40i64, any::<i32>()), 0..12);
    prop_oneof![
        (0..3usize, 1..8u64, rows()).prop_map(|(run, sequence, rows)| Step::FromAgent {
            run,
            sequence,
            rows
        }),
        rows().prop_map(|rows| Step::Anonymous { rows }),
        any::<u8>().prop_map(Step::Disturb),
    ]
}

fn question() -> impl Strategy<Value = Question> {
    let matcher = prop_oneof![
        Just(Matcher::equal("a", "1")),
        Just(Matcher::equal("b", "")),
        Just(Matcher::not_equal("a", "2")),
        Just(Matcher::matches("a", "[12]").unwrap()),
        Just(Matcher::matches("b", "2|").unwrap()),
        Just(Matcher::not_matches("b", "0|1").unwrap()),
    ];
    let range = (-1..41i64, 0..41i64).prop_map(|(from_ms, length)| TimeRange {
        from_ms,
        to_ms: from_ms + length,
    });
    (prop::collection::vec(matcher, 0..3), range)
}

/// Twelve series over two labels, each of which some series do not have.
fn rows_of(rows: &[(u8, i64, i32)]) -> Vec<Row> {
    let value = |number: u8| {
        if number == 0 {
            String::new()
        } else {
            number.to_string()
        }
    };
    rows.iter()
        .map(|(series, at_ms, number)| {
            let labels = format!("a={},b={}", value(series % 3), value(series / 3));
            row(&labels, *at_ms, f64::from(*number))
        })
        .collect()
}

#[derive(Default)]
struct Model {
    samples: BTreeMap<Labels, BTreeMap<i64, f64>>,
    marks: BTreeMap<usize, u64>,
}

impl Model {
    fn append(&mut self, step: &Step) -> Outcome {
        let rows = match step {
            Step::FromAgent {
                run,
                sequence,
                rows,
            } => {
                let mark = self.marks.entry(*run).or_default();
                if *sequence <= *mark {
                    return Outcome::Duplicate;
                }
                *mark = *sequence;
                rows
            }
            Step::Anonymous { rows } => rows,
            Step::Disturb(_) => return Outcome::Stored,
        };
        for row in rows_of(rows) {
            let series = self.samples.entry(row.labels).or_default();
            series.insert(row.sample.at_ms, row.sample.value);
        }
        Outcome::Stored
    }

    fn read(&self, (selector, range): &Question) -> Vec<(Labels, Vec<(i64, f64)>)> {
        let matching = |labels: &Labels| {
            selector
                .iter()
                .all(|matcher| matcher.accepts(labels.get(matcher.label()).unwrap_or("")))
        };
        self.samples
            .iter()
            .filter(|(labels, _)| matching(labels))
            .map(|(labels, samples)| {
                let within = samples.range(range.from_ms..=range.to_ms);
                (
                    labels.clone(),
                    within.map(|(at_ms, value)| (*at_ms, *value)).collect(),
                )
            })
            .filter(|(_, samples): &(_, Vec<_>)| !samples.is_empty())
            .collect()
    }
}

async fn play<S: Append + Read>(
    mut store: S,
    disturb: &impl AsyncFn(S, u8) -> S,
    (steps, questions): (&[Step], &[Question]),
) -> Result<(), TestCaseError> {
    let agent = AgentId::random();
    let runs = [RunId::random(), RunId::random(), RunId::random()];
    let mut model = Model::default();
    for step in steps {
        let delivery: Delivery = match step {
            Step::FromAgent {
                run,
                sequence,
                rows,
            } => from_agent(agent, runs[*run], *sequence, rows_of(rows)),
            Step::Anonymous { rows } => anonymous(rows_of(rows)),
            Step::Disturb(how) => {
                store = disturb(store, *how).await;
                continue;
            }
        };
        let outcome = store.append(vec![delivery]).await.unwrap();
        prop_assert_eq!(outcome, vec![model.append(step)]);
    }
    for question in questions {
        let (selector, range) = question;
        let read: Vec<_> = store
            .select(selector, *range, usize::MAX)
            .await
            .unwrap()
            .into_iter()
            .map(|series| {
                (
                    series.labels,
                    series.samples.iter().map(|s| (s.at_ms, s.value)).collect(),
                )
            })
            .collect();
        let expected = model.read(question);
        prop_assert_eq!(&read, &expected);
        let newest = store.select_aspect(selector, *range, Aspect::Newest, usize::MAX);
        let newest: Vec<_> = newest.await.unwrap();
        let last = |samples: &[Sample]| samples.last().map(|s| (s.at_ms, s.value));
        let newest: Vec<_> = newest
            .iter()
            .map(|s| (&s.labels, last(&s.samples)))
            .collect();
        let expected: Vec<_> = expected
            .iter()
            .map(|(l, s)| (l, s.last().copied()))
            .collect();
        prop_assert_eq!(newest, expected);
    }
    Ok(())
}
