//! What an incident comes to in numbers, and several of them together.

use std::collections::BTreeSet;

use crate::incident::{Incident, Member, Severity};

/// An incident in numbers. Times are milliseconds.
#[derive(Clone, Debug, PartialEq)]
pub struct Impact {
    /// From its first alert to its end, or until now.
    pub lasted_ms: i64,
    /// How much of that at least one alert fired.
    pub firing_ms: i64,
    /// Until somebody acknowledged.
    pub to_acknowledge_ms: Option<i64>,
    /// Until it was over.
    pub to_resolve_ms: Option<i64>,
    /// How many alerts.
    pub alerts: usize,
    /// How often they fired.
    pub firings: u64,
    /// What they were about: `instance`, or the host where there is none; sorted.
    pub instances: Vec<String>,
}

/// Several incidents in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Means {
    /// How many.
    pub incidents: usize,
    /// Those of them that were acknowledged.
    pub acknowledged: usize,
    /// Mean time until they were: MTTA.
    pub to_acknowledge_ms: Option<i64>,
    /// Those of them that are over.
    pub resolved: usize,
    /// Mean time until they were: MTTR.
    pub to_resolve_ms: Option<i64>,
}

impl Impact {
    /// That of an incident, at a time.
    #[must_use]
    pub fn of(incident: &Incident, now_ms: i64) -> Self {
        let from_ms = incident.opened_at_ms;
        let to_ms = incident.ended_at_ms();
        let end_ms = to_ms.unwrap_or(now_ms);
        let instances: BTreeSet<&str> = incident.alerts.iter().filter_map(place).collect();
        Self {
            lasted_ms: end_ms.saturating_sub(from_ms).max(0),
            firing_ms: firing_ms(incident, now_ms),
            to_acknowledge_ms: to_acknowledge_ms(incident),
            to_resolve_ms: to_ms.map(|to_ms| to_ms - from_ms),
            alerts: incident.alerts.len(),
            firings: incident.alerts.iter().map(Member::firings).sum(),
            instances: instances.into_iter().map(str::to_owned).collect(),
        }
    }
}

impl Means {
    /// Those of incidents, of a severity or of all.
    #[must_use]
    pub fn of<'a>(
        incidents: impl IntoIterator<Item = &'a Incident>,
        severity: Option<Severity>,
    ) -> Self {
        let (mut incidents_seen, mut answers, mut ends) = (0, Vec::new(), Vec::new());
        for incident in incidents {
            if severity.is_some_and(|severity| severity != incident.severity) {
                continue;
            }
            incidents_seen += 1;
            answers.extend(to_acknowledge_ms(incident));
            let end = incident.ended_at_ms();
            ends.extend(end.map(|end_ms| end_ms - incident.opened_at_ms));
        }
        Self {
            incidents: incidents_seen,
            acknowledged: answers.len(),
            to_acknowledge_ms: mean(&answers),
            resolved: ends.len(),
            to_resolve_ms: mean(&ends),
        }
    }
}

fn to_acknowledge_ms(incident: &Incident) -> Option<i64> {
    let at_ms = incident.first_acknowledged_at_ms?;
    Some(at_ms.saturating_sub(incident.opened_at_ms).max(0))
}

fn mean(all: &[i64]) -> Option<i64> {
    let count = i128::try_from(all.len()).ok().filter(|count| *count > 0)?;
    let sum: i128 = all.iter().map(|one| i128::from(*one)).sum();
    i64::try_from(sum / count).ok()
}

/// What an alert is about.
pub(crate) fn place(member: &Member) -> Option<&str> {
    let names = ["instance", "host", "nodename"];
    names.iter().find_map(|name| member.labels.get(name))
}

/// For how long at least one alert fired: overlapping times count once.
fn firing_ms(incident: &Incident, now_ms: i64) -> i64 {
    let spans = incident.alerts.iter().flat_map(|member| &member.spans);
    let mut spans: Vec<(i64, i64)> = spans
        .map(|span| (span.from_ms, span.to_ms.unwrap_or(now_ms)))
        .collect();
    spans.sort_unstable();
    let (mut total, mut counted_to) = (0, i64::MIN);
    for (from_ms, to_ms) in spans {
        let from_ms = from_ms.max(counted_to);
        total += to_ms.saturating_sub(from_ms).max(0);
        counted_to = counted_to.max(to_ms);
    }
    total
}

#[cfg(test)]
mod tests;
