//! What came to pass of an incident, entry by entry, and each in words.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use store::labels::Labels;
use wire::quantity::Period;

use crate::incident::Severity;

/// One thing that came to pass.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
    /// What.
    pub what: What,
}

/// What came to pass.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum What {
    /// The incident began.
    Opened {
        /// How bad it was then.
        severity: Severity,
    },
    /// An alert changed.
    Alert(AlertChange),
    /// It became worse.
    Raised {
        /// How bad it was.
        from: Severity,
        /// How bad it is.
        to: Severity,
    },
    /// Somebody was told, or could not be.
    Notified(Notified),
    /// It was time for the next step of a policy.
    Escalated(Escalated),
    /// Somebody said that they look after it.
    Acknowledged {
        /// Who.
        by: String,
    },
    /// That no longer stands.
    AcknowledgementEnded {
        /// Whose it was.
        by: String,
        /// Why.
        why: String,
    },
    /// Somebody else has it.
    Owned {
        /// Who said so.
        by: String,
        /// Who has it; nobody.
        owner: Option<String>,
    },
    /// Somebody wrote something down.
    Note {
        /// Who.
        by: String,
        /// What.
        text: String,
    },
    /// It ended.
    Resolved {
        /// Who said so; nobody where its alerts were over.
        by: Option<String>,
    },
    /// It goes on.
    Reopened {
        /// Who said so; nobody where an alert fired again.
        by: Option<String>,
    },
    /// A setting of PostgreSQL has another value.
    Setting {
        /// Of which server.
        instance: String,
        /// Its name, as the series has it.
        name: String,
        /// Its value before.
        from: f64,
        /// Its value since.
        to: f64,
    },
    /// PostgreSQL was started.
    Restarted {
        /// Which server.
        instance: String,
    },
    /// A server changed its role.
    Role {
        /// Which server.
        instance: String,
        /// What it is since.
        to: Role,
    },
}

/// An alert changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlertChange {
    /// What became of it.
    pub became: Became,
    /// The alert.
    #[serde(with = "crate::labels")]
    pub labels: Labels,
    /// Its line for people.
    pub summary: String,
    /// The value that decided it, as PromQL writes it: JSON knows no infinities. Empty where nobody said it.
    pub value: String,
    /// Since when its condition holds.
    pub active_at_ms: i64,
    /// The samples that decided it, as the history of alerts has them.
    pub evidence: serde_json::Value,
}

/// What becomes of an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Became {
    /// It fires.
    Fired,
    /// It fires again, soon after it was over.
    Returned,
    /// It is over.
    Resolved,
}

/// Somebody was told, or could not be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Notified {
    /// Who, as the configuration of notifications names it.
    pub receiver: String,
    /// Whether it arrived.
    pub outcome: Outcome,
    /// What the other side said, or what went wrong; may be empty.
    pub detail: String,
    /// Of how many alerts it told.
    pub alerts: u32,
}

/// What became of a notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was not sent yet.
    Waiting,
    /// It arrived.
    Delivered,
    /// It did not, and is tried again.
    Retrying,
    /// It was refused, or is too old to be of use.
    Failed,
}

/// It was time for the next step of a policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Escalated {
    /// By which policy.
    pub policy: String,
    /// Which of its steps, counted from 1.
    pub step: u32,
    /// Who, where they are people.
    pub people: Vec<String>,
    /// By which receivers.
    pub receivers: Vec<String>,
}

/// What a server is in its cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// It takes writes.
    Primary,
    /// It follows another one.
    Replica,
}

/// Of what kind an entry is, for those who show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// Something went wrong.
    Trouble,
    /// Something is over.
    Relief,
    /// Somebody was told.
    Told,
    /// Somebody did something.
    Deed,
    /// Something else changed.
    Change,
}

impl Entry {
    /// Which sort of thing it is.
    #[must_use]
    pub fn sort(&self) -> Sort {
        match &self.what {
            What::Opened { .. } | What::Raised { .. } | What::AcknowledgementEnded { .. } => {
                Sort::Trouble
            }
            What::Alert(change) if change.became == Became::Resolved => Sort::Relief,
            What::Alert(_) => Sort::Trouble,
            What::Notified(_) | What::Escalated(_) => Sort::Told,
            What::Resolved { .. } => Sort::Relief,
            What::Reopened { by: None } => Sort::Trouble,
            What::Acknowledged { .. }
            | What::Owned { .. }
            | What::Note { .. }
            | What::Reopened { by: Some(_) } => Sort::Deed,
            What::Setting { .. } | What::Restarted { .. } | What::Role { .. } => Sort::Change,
        }
    }

    /// It in one sentence, as plain text.
    #[must_use]
    pub fn sentence(&self) -> String {
        match &self.what {
            What::Opened { severity } => format!("the incident began, severity {severity}"),
            What::Alert(change) => change.sentence(),
            What::Raised { from, to } => format!("severity rose from {from} to {to}"),
            What::Notified(notified) => notified.sentence(),
            What::Escalated(escalated) => escalated.sentence(),
            What::Acknowledged { by } => format!("{by} acknowledged"),
            What::AcknowledgementEnded { by, why } => {
                format!("the acknowledgement of {by} no longer stands: {why}")
            }
            What::Owned { by, owner } => match owner {
                Some(owner) if owner == by => format!("{by} took it over"),
                Some(owner) => format!("{by} gave it to {owner}"),
                None => format!("{by} gave it back"),
            },
            What::Note { by, text } => format!("{by}: {text}"),
            What::Resolved { by: Some(by) } => format!("{by} resolved it"),
            What::Resolved { by: None } => "resolved by itself: all alerts are over".to_owned(),
            What::Reopened { by: Some(by) } => format!("{by} opened it again"),
            What::Reopened { by: None } => "it goes on: an alert fired again".to_owned(),
            What::Setting {
                instance,
                name,
                from,
                to,
            } => {
                let (from, to) = (number(*from), number(*to));
                format!("{instance}: setting {name} changed from {from} to {to}")
            }
            What::Restarted { instance } => format!("{instance}: PostgreSQL was started"),
            What::Role { instance, to } => match to {
                Role::Primary => format!("{instance} became a primary"),
                Role::Replica => format!("{instance} became a replica"),
            },
        }
    }

    /// The samples that decided it, each as one line of plain text; so many at the most.
    #[must_use]
    pub fn evidence(&self, most: usize) -> Vec<String> {
        let What::Alert(change) = &self.what else {
            return Vec::new();
        };
        let samples = change.evidence.as_array().into_iter().flatten();
        samples.filter_map(sample).take(most).collect()
    }
}

impl AlertChange {
    fn sentence(&self) -> String {
        let name = self.labels.get("alertname").unwrap_or("an alert");
        let verb = match self.became {
            Became::Fired => "fires",
            Became::Returned => "fires again",
            Became::Resolved => "is over",
        };
        if self.became == Became::Resolved {
            return match self.labels.get("instance") {
                Some(instance) => format!("{name} on {instance} {verb}"),
                None => format!("{name} {verb}"),
            };
        }
        let head = format!("{name} {verb}: {}", self.summary);
        if self.value.is_empty() {
            return head;
        }
        format!("{head} (value {})", short(&self.value))
    }
}

impl Notified {
    fn sentence(&self) -> String {
        let Self {
            receiver,
            detail,
            alerts,
            ..
        } = self;
        let of = match alerts {
            1 => "1 alert".to_owned(),
            count => format!("{count} alerts"),
        };
        let head = match self.outcome {
            Outcome::Waiting => format!("{receiver} is to be told of {of}"),
            Outcome::Delivered => format!("{receiver} was told of {of}"),
            Outcome::Retrying => format!("{receiver} could not be told of {of}, it is tried again"),
            Outcome::Failed => format!("{receiver} could not be told of {of}"),
        };
        if detail.is_empty() {
            head
        } else {
            format!("{head}: {detail}")
        }
    }
}

impl Escalated {
    fn sentence(&self) -> String {
        let Self { policy, step, .. } = self;
        let head = format!("step {step} of policy {policy}");
        match (&self.people[..], &self.receivers[..]) {
            (_, []) => format!("{head} reaches nobody, for nobody is on call"),
            ([], receivers) => format!("{head} calls {}", receivers.join(", ")),
            (people, receivers) => {
                let (people, receivers) = (people.join(", "), receivers.join(", "));
                format!("{head} calls {people} by {receivers}")
            }
        }
    }
}

/// A sample of the evidence: `pg_up{instance="a"} = 0`.
fn sample(told: &serde_json::Value) -> Option<String> {
    let value = told["value"].as_str()?;
    let metric = told["metric"].as_object()?;
    let name = metric.get("__name__").and_then(|name| name.as_str());
    let labels = metric.iter().filter(|(label, _)| *label != "__name__");
    let labels: Vec<String> = labels
        .map(|(label, value)| format!("{label}={value}"))
        .collect();
    let name = name.unwrap_or_default();
    let value = short(value);
    Some(if labels.is_empty() {
        format!("{name} = {value}")
    } else {
        format!("{name}{{{}}} = {value}", labels.join(", "))
    })
}

/// A value for people: five digits tell them enough.
#[must_use]
pub fn number(value: f64) -> String {
    if !value.is_finite() || value == 0.0 {
        return query::promql::go_float(value);
    }
    let whole = value.abs() >= 1e4 && value.abs() < 1e15;
    if whole {
        return format!("{value:.0}");
    }
    let rounded: f64 = format!("{value:.4e}").parse().unwrap_or(value);
    query::promql::go_float(rounded)
}

fn short(value: &str) -> String {
    value
        .parse()
        .map_or_else(|_| value.to_owned(), |value: f64| number(value))
}

/// A length of time for people: to the second, and not finer than one sees.
#[must_use]
pub fn length(ms: i64) -> String {
    let ms = ms.max(0).unsigned_abs();
    let rounded = match ms {
        0..1_000 => ms,
        1_000..86_400_000 => ms / 1_000 * 1_000,
        _ => ms / 60_000 * 60_000,
    };
    Period(Duration::from_millis(rounded)).to_string()
}

/// A moment in UTC, to the second.
#[must_use]
pub fn moment(at_ms: i64) -> String {
    match jiff::Timestamp::from_millisecond(at_ms) {
        Ok(at) => at.strftime("%Y-%m-%d %H:%M:%S").to_string(),
        Err(_) => "at no time that a calendar has".to_owned(),
    }
}

#[cfg(test)]
mod tests;
