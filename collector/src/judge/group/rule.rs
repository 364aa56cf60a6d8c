//! One rule of a group, and what becomes of it when it was evaluated.

use std::sync::Arc;

use query::promql::LabelledValue;
use rules::file::Rule;

use super::batch::{Done, Outcome};
use crate::judge::board::{Health, Report, RuleStatus};
use crate::judge::kept::Kept;
use crate::judge::reads::Reads;

/// A rule and what is known of it.
#[derive(Debug)]
pub(in crate::judge) struct Slot {
    pub(in crate::judge) rule: Arc<Rule>,
    pub(in crate::judge) reads: Arc<Reads>,
    pub(in crate::judge) kept: Kept,
    pub(in crate::judge) report: Report,
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

impl Slot {
    /// Goes on with what came of it; gives the series that it gave, or nothing where it failed.
    pub(super) fn apply(
        &mut self,
        outcome: Outcome,
        at_ms: i64,
        (file, group): (&str, &str),
    ) -> Option<Vec<LabelledValue>> {
        self.report.evaluation_time = outcome.took;
        self.report.last_evaluation_ms = Some(at_ms);
        let rule = self.rule.name();
        let given = match outcome.done {
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
