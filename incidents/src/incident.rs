//! What an incident is.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use store::labels::Labels;

use crate::scope::Key;

/// The number of an incident.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(transparent)]
pub struct IncidentId(pub i64);

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It can wait until somebody reads mail.
    Low,
    /// Somebody should look today.
    Medium,
    /// Somebody gets up.
    High,
}

/// How far an incident has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Nobody has said that they have it.
    Open,
    /// Somebody has it.
    Acknowledged,
    /// It is over.
    Resolved,
}

/// Alerts that belong together.
#[derive(Clone, Debug, PartialEq)]
pub struct Incident {
    /// Its number.
    pub id: IncidentId,
    /// One line that says what it is: that of its worst alert.
    pub title: String,
    /// That of its worst alert.
    pub severity: Severity,
    /// What it is about.
    pub keys: BTreeSet<Key>,
    /// When its first alert fired, in milliseconds since 1970.
    pub opened_at_ms: i64,
    /// When something last came to pass of it.
    pub active_at_ms: i64,
    /// Who has it.
    pub owner: Option<String>,
    /// Who said that they look after it. While this stands, nobody is told again.
    pub acknowledged: Option<Acknowledged>,
    /// When somebody first said so; it stays when the incident is opened again.
    pub first_acknowledged_at_ms: Option<i64>,
    /// How it ended.
    pub resolved: Option<Resolved>,
    /// How often it was opened again.
    pub reopened: u32,
    /// A person opened it again: it does not end by itself before an alert of it has fired again.
    pub held: bool,
    /// Who was told while nobody answered.
    pub escalation: Escalation,
    /// Its alerts, in the order in which they came to it.
    pub alerts: Vec<Member>,
}

/// Somebody looks after it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledged {
    /// Since when.
    pub at_ms: i64,
    /// Who.
    pub by: String,
}

/// It ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resolved {
    /// When that was found or said.
    pub at_ms: i64,
    /// Who said it; nobody where its alerts were over.
    pub by: Option<String>,
}

/// How far an escalation has come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Escalation {
    /// Since when it runs.
    pub since_ms: i64,
    /// How many of the steps of the policy were made in this round.
    pub steps: u32,
    /// How many rounds are behind it.
    pub rounds: u32,
    /// When the last step was made.
    pub last_ms: Option<i64>,
    /// Since when nothing of it fires, by the clock as it is set now.
    pub quiet_ms: Option<i64>,
    /// The receivers that were called and have not heard of an end.
    pub called: BTreeSet<String>,
}

/// An alert of an incident.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Member {
    /// What it is known by.
    #[serde(with = "crate::labels")]
    pub labels: Labels,
    /// What it tells people, as it was last told.
    pub annotations: Vec<(String, String)>,
    /// The group of its rule.
    pub group: String,
    /// Its rule.
    pub rule: String,
    /// How bad it is.
    pub severity: Severity,
    /// Since when its condition held the first time.
    pub active_at_ms: i64,
    /// When it fired, oldest first.
    pub spans: Vec<Span>,
    /// Firings that are no longer among the spans.
    pub earlier: u32,
}

/// A time during which an alert fired.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// Its beginning.
    pub from_ms: i64,
    /// Its end; nothing while it fires.
    pub to_ms: Option<i64>,
}

/// Firings of one alert that are kept: one that flaps for days has thousands.
const MOST_SPANS: usize = 100;

impl Severity {
    /// That which the label says, in our words and in those that others use. One that says something
    /// else, or nothing, is in the middle: neither to be slept through nor to wake anybody.
    #[must_use]
    pub fn of(labels: &Labels) -> Self {
        let said = labels.get("severity").unwrap_or_default();
        match said.to_ascii_lowercase().as_str() {
            "high" | "critical" | "page" | "emergency" | "fatal" | "sev1" | "p1" => Self::High,
            "low" | "info" | "informational" | "notice" | "none" | "sev4" | "p4" | "p5" => {
                Self::Low
            }
            _ => Self::Medium,
        }
    }

    /// Its word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }

    /// The reverse.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Low, Self::Medium, Self::High]
            .into_iter()
            .find(|severity| severity.word() == word)
    }
}

impl Status {
    /// Its word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Acknowledged => "acknowledged",
            Self::Resolved => "resolved",
        }
    }
}

impl Incident {
    /// How far it has come.
    #[must_use]
    pub fn status(&self) -> Status {
        match (&self.resolved, &self.acknowledged) {
            (Some(_), _) => Status::Resolved,
            (None, Some(_)) => Status::Acknowledged,
            (None, None) => Status::Open,
        }
    }

    /// Since when none of its alerts fires; nothing while one does.
    #[must_use]
    pub fn over_at_ms(&self) -> Option<i64> {
        let mut over_at_ms = self.opened_at_ms;
        for member in &self.alerts {
            over_at_ms = over_at_ms.max(member.over_at_ms()?);
        }
        Some(over_at_ms)
    }

    /// The end of what it did to people: when its alerts were over, or somebody said that it was.
    #[must_use]
    pub fn ended_at_ms(&self) -> Option<i64> {
        let resolved = self.resolved.as_ref()?;
        let over = self.over_at_ms().unwrap_or(resolved.at_ms);
        Some(over.min(resolved.at_ms).max(self.opened_at_ms))
    }

    /// Its worst alert; the first of several.
    #[must_use]
    pub fn worst(&self) -> Option<&Member> {
        let worst = self.alerts.iter().map(|member| member.severity).max()?;
        self.alerts.iter().find(|member| member.severity == worst)
    }
}

impl Member {
    /// Whether it fires.
    #[must_use]
    pub fn is_firing(&self) -> bool {
        self.spans.last().is_some_and(|span| span.to_ms.is_none())
    }

    /// Since when it no longer fires; nothing while it does.
    #[must_use]
    pub fn over_at_ms(&self) -> Option<i64> {
        self.spans.last().map_or(Some(i64::MIN), |span| span.to_ms)
    }

    /// How often it fired.
    #[must_use]
    pub fn firings(&self) -> u64 {
        u64::from(self.earlier) + self.spans.len() as u64
    }

    /// The name of the alert.
    #[must_use]
    pub fn name(&self) -> &str {
        self.labels.get("alertname").unwrap_or(&self.rule)
    }

    /// One line that says what it is.
    #[must_use]
    pub fn summary(&self) -> String {
        let said = ["summary", "message", "description"].into_iter();
        let mut said = said.filter_map(|wanted| {
            let mut annotations = self.annotations.iter();
            let (_, text) = annotations.find(|(name, _)| name == wanted)?;
            let line = text.lines().find(|line| !line.trim().is_empty())?;
            Some(line.trim().to_owned())
        });
        said.next()
            .unwrap_or_else(|| match self.labels.get("instance") {
                Some(instance) => format!("{} on {instance}", self.name()),
                None => self.name().to_owned(),
            })
    }

    pub(crate) fn fire(&mut self, at_ms: i64) {
        if self.is_firing() {
            return;
        }
        self.spans.push(Span {
            from_ms: at_ms,
            to_ms: None,
        });
        if self.spans.len() > MOST_SPANS {
            self.spans.remove(0);
            self.earlier = self.earlier.saturating_add(1);
        }
    }

    pub(crate) fn end(&mut self, at_ms: i64) {
        if let Some(span) = self.spans.last_mut()
            && span.to_ms.is_none()
        {
            span.to_ms = Some(at_ms.max(span.from_ms));
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl fmt::Display for IncidentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl FromStr for IncidentId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = text.strip_prefix('#').unwrap_or(text).parse().ok();
        let number = number.filter(|number: &i64| *number > 0);
        number
            .map(Self)
            .ok_or_else(|| format!("{text:?} is not the number of an incident"))
    }
}
