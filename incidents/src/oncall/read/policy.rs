//! Reads the policies.

use std::collections::BTreeSet;
use std::time::Duration;

use rules::Problems;
use rules::yaml::Cursor;

use super::Names;
use crate::incident::Severity;
use crate::oncall::{Policy, PolicyStep, Repeat, Target};

/// More rounds than anybody wakes up to.
const MOST_ROUNDS: u32 = 100;

pub(super) fn policies(
    root: &Cursor<'_>,
    names: &Names<'_>,
    problems: &mut Problems,
) -> Vec<Policy> {
    super::names(root, "policies", "policy", problems);
    let mut policies: Vec<Policy> = Vec::new();
    for at in root.list("policies", problems) {
        at.fields(&["name", "severities", "steps", "repeat"], problems);
        let severities = severities(&at, problems);
        let taken = policies.iter().flat_map(|before| &before.severities);
        let taken: BTreeSet<Severity> = taken.copied().collect();
        if !severities.is_empty() && severities.is_subset(&taken) {
            let hint = "of several policies for a severity the first counts";
            at.problem(problems, "the policy is for no incident", hint);
        }
        let mut steps: Vec<PolicyStep> = Vec::new();
        for step_at in at.list("steps", problems) {
            let step = step(&step_at, names, problems);
            if steps.last().is_some_and(|last| last.after > step.after) {
                let message = "the step comes before the one above it";
                step_at.problem(problems, message, "times count from the beginning");
            }
            steps.push(step);
        }
        if steps.is_empty() {
            at.problem(problems, "the policy has no steps", "add `steps:`");
        }
        policies.push(Policy {
            name: at.text("name", problems).unwrap_or_default().to_owned(),
            severities,
            steps,
            repeat: repeat(&at, problems),
        });
    }
    policies
}

fn severities(at: &Cursor<'_>, problems: &mut Problems) -> BTreeSet<Severity> {
    if at.get("severities").is_none() {
        return BTreeSet::from([Severity::Low, Severity::Medium, Severity::High]);
    }
    let mut severities = BTreeSet::new();
    for item in at.list("severities", problems) {
        let word = item.as_text(problems).unwrap_or_default();
        match Severity::parse(word) {
            Some(severity) => {
                severities.insert(severity);
            }
            None => {
                let message = format!("{word:?} is no severity");
                item.problem(problems, message, "they are: low, medium, high");
            }
        }
    }
    severities
}

fn step(at: &Cursor<'_>, names: &Names<'_>, problems: &mut Problems) -> PolicyStep {
    at.fields(&["after", "notify"], problems);
    let mut targets = Vec::new();
    for target_at in at.list("notify", problems) {
        target_at.fields(&["receiver", "person", "schedule"], problems);
        let mut found = Vec::new();
        if let Some(at) = target_at.get("receiver") {
            found.extend(names.receiver(&at, problems).map(Target::Receiver));
        }
        if let Some(at) = target_at.get("person") {
            found.extend(names.person(&at, problems).map(Target::Person));
        }
        if let Some(name) = target_at.text("schedule", problems) {
            if !names.schedules.contains(name) {
                let message = format!("no schedule is called {name:?}");
                target_at.problem(problems, message, "add it to `schedules`");
            }
            found.push(Target::Schedule(name.to_owned()));
        }
        if found.len() != 1 {
            let message = "expected one of `receiver`, `person` and `schedule`";
            target_at.problem(problems, message, "give each target an item of its own");
        }
        targets.extend(found);
    }
    if targets.is_empty() {
        at.problem(problems, "the step tells nobody", "add `notify:`");
    }
    let after = at.duration("after", problems);
    PolicyStep {
        after: after.unwrap_or(Duration::ZERO),
        targets,
    }
}

fn repeat(at: &Cursor<'_>, problems: &mut Problems) -> Option<Repeat> {
    let at = at.get("repeat")?;
    at.fields(&["after", "times"], problems);
    let after = at.duration("after", problems);
    if after.is_none_or(|after| after < Duration::from_secs(60)) {
        let message = "it begins anew after a minute or more";
        at.problem(problems, message, "add `after: 30m`");
    }
    let wanted = "a number from 1 to 100";
    let read = |text: &str| {
        let times: u32 = text.parse().ok()?;
        (1..=MOST_ROUNDS).contains(&times).then_some(times)
    };
    let times = at.parsed("times", wanted, read, problems);
    Some(Repeat {
        after: after?,
        times: times.unwrap_or(1),
    })
}
