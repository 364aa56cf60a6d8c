//! Rules of a group that are evaluated one after another on one thread that may block: to change threads
//! costs as much as to evaluate a small rule.
//!
//! A batch ends where a rule reads what an earlier one gave, for that must be in the store first; and
//! after a short time, so that groups whose rules are slow do not keep the threads from all others.

use std::any::Any;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use query::promql::{LabelledValue, Query};
use rules::evaluate::{Evaluation, EvaluationError};
use rules::file::Rule;
use rules::state::{ALERTS, ALERTS_FOR_STATE, Event, State, Timing};

use super::Group;
use crate::judge::env::{Asker, Env, Undone};
use crate::judge::evidence;
use crate::judge::reads::Reads;

/// After this time a batch leaves its thread to others. Most groups need a tenth of it.
const SLICE: Duration = Duration::from_millis(50);

/// What came of an evaluation.
pub(super) struct Outcome {
    pub(super) done: Result<Done, String>,
    pub(super) took: Duration,
}

/// What came of a rule.
pub(super) enum Done {
    /// The series of a recording rule.
    Recorded(Vec<LabelledValue>),
    /// An alerting rule went one step.
    Stepped {
        next: State,
        events: Vec<Event>,
        evidence: Vec<String>,
        template_errors: Vec<String>,
    },
}

/// What evaluations are made from, on another thread.
struct Batch {
    rules: Vec<Task>,
    unwritten: BTreeSet<String>,
    at_ms: i64,
    query_offset: Duration,
    limit: Option<usize>,
    env: Env,
}

struct Task {
    rule: Arc<Rule>,
    reads: Arc<Reads>,
    state: Arc<State>,
}

impl Group {
    /// Evaluates rules from a place on: at least one, and as many as can be before something is
    /// written. `unwritten` are the names of the series that earlier ones gave.
    pub(super) async fn evaluate_batch(
        &self,
        env: &Env,
        place: usize,
        unwritten: BTreeSet<String>,
        at_ms: i64,
    ) -> Result<Vec<Outcome>, Undone> {
        let rules = self.slots.iter().skip(place).map(|slot| Task {
            rule: Arc::clone(&slot.rule),
            reads: Arc::clone(&slot.reads),
            state: Arc::clone(&slot.kept.state),
        });
        let batch = Batch {
            rules: rules.collect(),
            unwritten,
            at_ms,
            query_offset: self.query_offset,
            limit: self.limit,
            env: env.clone(),
        };
        let count = batch.rules.len();
        let began = Instant::now();
        match env.work(move |asker| batch.evaluate(asker)).await {
            Ok(outcomes) => Ok(outcomes),
            // One hangs, with what came of those before it; so nothing is known of any.
            Err(Undone::Failed(error)) => {
                let took = began.elapsed();
                let each = std::iter::repeat_n(error, count);
                Ok(each
                    .map(|error| Outcome {
                        done: Err(error),
                        took,
                    })
                    .collect())
            }
            Err(Undone::Stopping) => Err(Undone::Stopping),
        }
    }
}

impl Batch {
    fn evaluate(&self, asker: &mut Asker) -> Vec<Outcome> {
        let began = Instant::now();
        let mut given: BTreeSet<&str> = self.unwritten.iter().map(String::as_str).collect();
        let mut outcomes = Vec::with_capacity(self.rules.len());
        for task in &self.rules {
            let reads_given = given.iter().any(|name| task.reads.reads(name));
            let is_over = reads_given || began.elapsed() > SLICE;
            if (is_over && !outcomes.is_empty()) || asker.begin().is_err() {
                break;
            }
            let began = Instant::now();
            let evaluate = AssertUnwindSafe(|| self.evaluate_one(task, asker));
            // Nothing that outlives the evaluation is changed by it.
            let done = match catch_unwind(evaluate) {
                Ok(done) => done.map_err(|error| error.to_string()),
                Err(panic) => Err(format!("the evaluation panicked: {}", said(&*panic))),
            };
            let took = began.elapsed();
            given.extend(task.gives(&done));
            outcomes.push(Outcome { done, took });
        }
        outcomes
    }

    fn evaluate_one(&self, task: &Task, asker: &Asker) -> Result<Done, EvaluationError> {
        let ask = |query: &Query, at_ms: i64| asker.ask(query, at_ms);
        let evaluation = Evaluation {
            ask: &ask,
            at_ms: self.at_ms,
            query_offset: self.query_offset,
            limit: self.limit,
            external_labels: &self.env.external_labels,
            external_url: &self.env.external_url,
        };
        match &*task.rule {
            Rule::Record(rule) => evaluation.record(rule).map(Done::Recorded),
            Rule::Alert(rule) => {
                let judged = evaluation.judge(rule, &task.state)?;
                let timing = Timing::from(rule);
                let (next, events) = task.state.next(&timing, judged.judgement, self.at_ms);
                let offset = i64::try_from(self.query_offset.as_millis()).unwrap_or(i64::MAX);
                let at_ms = self.at_ms.saturating_sub(offset);
                Ok(Done::Stepped {
                    evidence: evidence::gather(asker, &rule.expr, &events, at_ms),
                    next,
                    events,
                    template_errors: judged.template_errors,
                })
            }
        }
    }
}

impl Task {
    /// The names of the series that are written because of what came of it, those that end included.
    fn gives(&self, done: &Result<Done, String>) -> Vec<&str> {
        match done {
            Err(_) => Vec::new(),
            Ok(Done::Recorded(_)) => vec![self.rule.name()],
            Ok(Done::Stepped { next, .. }) => {
                let any = !next.alerts.is_empty() || !self.state.alerts.is_empty();
                if any {
                    vec![ALERTS, ALERTS_FOR_STATE]
                } else {
                    Vec::new()
                }
            }
        }
    }
}

/// What a panic said.
fn said(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("for no reason that it said")
}
