//! Asks for what the rules of an incident's alerts measured, to be drawn.

use std::sync::Arc;
use std::time::Duration;

use incidents::incident::{Incident, Member, Span};
use incidents::report::{Chart, Line, Question};
use query::promql::{Interrupt, Options, Query, QueryError, Value, When};
use rules::file::Rule;
use store::labels::{Labels, METRIC_NAME};
use store::read::Series;
use tokio::runtime::Handle;

use crate::collector::Store;
use crate::judge::Judge;

/// Charts of one incident: who reads more of them sees nothing.
const MOST_CHARTS: usize = 12;

/// Lines of a chart that are told apart.
const MOST_LINES: usize = 6;

/// Points of a line: as many as a chart is wide, nearly.
const POINTS: i64 = 240;

/// What is drawn before the beginning and behind the end, at least.
const MARGIN_MS: i64 = 600_000;

/// No measurement is finer.
const LEAST_STEP_MS: i64 = 1_000;

/// What is asked, and how.
pub(super) struct Asked<'a> {
    pub(super) store: &'a Store,
    pub(super) options: &'a Options,
    pub(super) interrupt: &'a Interrupt,
}

/// The charts of an incident at a time, the worst alerts first. What cannot be drawn is said.
pub(super) fn draw(
    asked: &Asked<'_>,
    judge: &Judge,
    (incident, now_ms): (&Incident, i64),
    missing: &mut Vec<String>,
) -> Vec<Chart> {
    let mut by_rule: Vec<Vec<&Member>> = Vec::new();
    for member in &incident.alerts {
        let same = |members: &&mut Vec<&Member>| {
            members[0].rule == member.rule && members[0].group == member.group
        };
        match by_rule.iter_mut().find(same) {
            Some(members) => members.push(member),
            None => by_rule.push(vec![member]),
        }
    }
    by_rule.sort_by_key(|members| {
        let worst = members.iter().map(|member| member.severity).max();
        std::cmp::Reverse(worst)
    });
    let mut charts = Vec::new();
    for members in by_rule {
        let name = &members[0].rule;
        let Some(rule) = rule(judge, members[0]) else {
            let why = match members[0].group.is_empty() {
                true => "it was posted from elsewhere, and its rule is there",
                false => "its rule is no longer there",
            };
            missing.push(format!("The charts of {name}: {why}."));
            continue;
        };
        let questions = Question::of(rule.expr().expr());
        let is_one = questions.len() == 1;
        for question in questions {
            if charts.len() == MOST_CHARTS {
                missing.push(format!("More than {MOST_CHARTS} charts."));
                return charts;
            }
            let title = if is_one {
                name.clone()
            } else {
                format!("{name}: {}", question.expr)
            };
            match chart(asked, &members, (incident, now_ms), question) {
                Ok(Some(chart)) => charts.push(Chart { title, ..chart }),
                Ok(None) => missing.push(format!("The chart of {title}: nothing is stored of it.")),
                Err(error) => missing.push(format!("The chart of {title}: {error}.")),
            }
        }
    }
    charts
}

fn rule(judge: &Judge, member: &Member) -> Option<Arc<Rule>> {
    let groups = judge.board().groups();
    let mut groups = groups.iter().filter(|group| group.name == member.group);
    groups.find_map(|group| {
        let mut rules = group.rules.iter();
        let is_it = |rule: &Rule| matches!(rule, Rule::Alert(_)) && rule.name() == member.rule;
        let found = rules.find(|status| is_it(&status.rule))?;
        Some(Arc::clone(&found.rule))
    })
}

fn chart(
    asked: &Asked<'_>,
    members: &[&Member],
    (incident, now_ms): (&Incident, i64),
    question: Question,
) -> Result<Option<Chart>, QueryError> {
    let (begin_ms, end_ms) = (
        incident.opened_at_ms,
        incident.ended_at_ms().unwrap_or(now_ms),
    );
    let margin_ms = (end_ms.saturating_sub(begin_ms) / 8).max(MARGIN_MS);
    let from_ms = begin_ms.saturating_sub(margin_ms);
    let to_ms = end_ms.saturating_add(margin_ms).min(now_ms).max(end_ms);
    let step_ms = (to_ms.saturating_sub(from_ms) / POINTS).max(LEAST_STEP_MS);
    let step = Duration::from_millis(step_ms.unsigned_abs());
    let when = When::Range {
        start_ms: from_ms,
        end_ms: to_ms,
        step,
    };
    let prepared = Query::parse(&question.expr)?.prepare(when, asked.options)?;
    let loaded = Handle::current().block_on(prepared.load(asked.store))?;
    let Value::Matrix(series) = loaded.evaluate(asked.interrupt)?.sort().value else {
        return Ok(None);
    };
    let concerned = |series: &&Series| members.iter().any(|one| agree(&series.labels, &one.labels));
    let concerned: Vec<&Series> = series.iter().filter(concerned).collect();
    if concerned.is_empty() {
        return Ok(None);
    }
    let spans = members.iter().flat_map(|member| &member.spans).copied();
    Ok(Some(Chart {
        title: String::new(),
        expr: question.expr,
        bound: question.bound,
        more: concerned.len().saturating_sub(MOST_LINES),
        lines: concerned.into_iter().take(MOST_LINES).map(line).collect(),
        spans: united(spans.collect()),
        from_ms,
        to_ms,
        step_ms,
    }))
}

fn line(series: &Series) -> Line {
    let labels = series.labels.iter();
    let labels = labels.filter(|(name, _)| ![METRIC_NAME, "job"].contains(name));
    let names: Vec<String> = labels
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let samples = series.samples.iter();
    Line {
        name: names.join(" "),
        points: samples.map(|sample| (sample.at_ms, sample.value)).collect(),
    }
}

/// Whether no label that both have says otherwise.
fn agree(series: &Labels, alert: &Labels) -> bool {
    let mut labels = series.iter().filter(|(name, _)| *name != METRIC_NAME);
    labels.all(|(name, value)| alert.get(name).is_none_or(|said| said == value))
}

/// Spans that overlap as one: shade upon shade would look like something worse.
fn united(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_by_key(|span| span.from_ms);
    let mut united: Vec<Span> = Vec::with_capacity(spans.len());
    for span in spans {
        match united.last_mut() {
            Some(last) if last.to_ms.is_none_or(|to_ms| to_ms >= span.from_ms) => {
                last.to_ms = match (last.to_ms, span.to_ms) {
                    (Some(one), Some(other)) => Some(one.max(other)),
                    _ => None,
                };
            }
            _ => united.push(span),
        }
    }
    united
}
