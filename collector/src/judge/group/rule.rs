//! One rule of a group: evaluated on a thread that may block, and what came of it.

use std::sync::Arc;
use std::time::Instant;

use query::promql::{LabelledValue, Query};
use rules::evaluate::{Evaluation, EvaluationError};
use rules::file::Rule;
use rules::state::{Event, State, Timing};

use super::Group;
use crate::judge::board::{Health, Report, RuleStatus};
use crate::judge::env::{Asker, Env, Undone};
use crate::judge::evidence;
use crate::judge::kept::Kept;
use crate::judge::reads::Reads;

/// A rule and what is known of it.
#[derive(Debug)]
pub(in crate::judge) struct Slot {
    pub(in crate::judge) rule: Arc<Rule>,
    pub(in crate::judge) reads: Reads,
    pub(in crate::judge) kept: Kept,
    pub(in crate::judge) report: Report,
}

/// What came of a rule.
enum Done {
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

/// What an evaluation is made from, on another thread.
struct Task {
    rule: Arc<Rule>,
    state: Arc<State>,
    at_ms: i64,
    query_offset: std::time::Duration,
    limit: Option<usize>,
    env: Env,
}

impl Slot {
    pub(in crate::judge) fn status(&self) -> RuleStatus {
        RuleStatus {
            rule: Arc::clone(&self.rule),
            state: Arc::clone(&self.kept.state),
            report: self.report.clone(),
        }
    }
}

impl Group {
    /// The series that the rule gives; nothing where it failed.
    pub(super) async fn evaluate_rule(
        &mut self,
        env: &Env,
        place: usize,
        at_ms: i64,
    ) -> Result<Option<Vec<LabelledValue>>, Undone> {
        let slot = &self.slots[place];
        let task = Task {
            rule: Arc::clone(&slot.rule),
            state: Arc::clone(&slot.kept.state),
            at_ms,
            query_offset: self.query_offset,
            limit: self.limit,
            env: env.clone(),
        };
        let began = Instant::now();
        let done = match env.work(move |asker| task.evaluate(asker)).await {
            Ok(done) => done.map_err(|error| error.to_string()),
            Err(Undone::Failed(error)) => Err(error),
            Err(Undone::Stopping) => return Err(Undone::Stopping),
        };
        let slot = &mut self.slots[place];
        slot.report.evaluation_time = began.elapsed();
        slot.report.last_evaluation_ms = Some(at_ms);
        Ok(slot.apply(done, (&self.file, &self.name)))
    }
}

impl Slot {
    fn apply(
        &mut self,
        done: Result<Done, String>,
        (file, group): (&str, &str),
    ) -> Option<Vec<LabelledValue>> {
        let rule = self.rule.name();
        let given = match done {
            Err(error) => {
                if self.report.failures == 0 {
                    tracing::warn!(file, group, rule, error, "a rule failed");
                }
                self.report.health = Health::Bad;
                self.report.failures = self.report.failures.saturating_add(1);
                self.report.last_error = Some(error);
                return None;
            }
            Ok(Done::Recorded(series)) => series,
            Ok(Done::Stepped {
                next,
                events,
                evidence,
                template_errors,
            }) => {
                for error in template_errors {
                    tracing::debug!(file, group, rule, error, "a template failed");
                }
                for event in &events {
                    let (transition, labels) = (event.transition, &event.alert.labels);
                    tracing::info!(file, group, rule, ?transition, ?labels, "an alert changed");
                }
                self.kept.step(next, events, &evidence);
                self.kept.state.series()
            }
        };
        self.report.health = Health::Good;
        self.report.failures = 0;
        self.report.last_error = None;
        Some(given)
    }
}

impl Task {
    fn evaluate(&self, asker: &Asker) -> Result<Done, EvaluationError> {
        let ask = |query: &Query, at_ms: i64| asker.ask(query, at_ms);
        let evaluation = Evaluation {
            ask: &ask,
            at_ms: self.at_ms,
            query_offset: self.query_offset,
            limit: self.limit,
            external_labels: &self.env.external_labels,
            external_url: &self.env.external_url,
        };
        match &*self.rule {
            Rule::Record(rule) => evaluation.record(rule).map(Done::Recorded),
            Rule::Alert(rule) => {
                let judged = evaluation.judge(rule, &self.state)?;
                let timing = Timing::from(rule);
                let (next, events) = self.state.next(&timing, judged.judgement, self.at_ms);
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
