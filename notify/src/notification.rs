//! What one integration is told: the alerts of a group, and why now.
//!
//! A [`Notification`] lies in the outbox as data until it is sent, so that what is sent after a restart
//! or an outage is what was decided before it. It holds no secrets and nothing of the configuration but
//! names: how it is written and whom it reaches is decided when it is sent. Its form is kept: what a
//! later version adds must be readable without it.

use serde::{Deserialize, Serialize};
use store::labels::Labels;

use crate::alert::{self, Alert};

/// What is told to one integration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notification {
    /// The name of the receiver.
    pub receiver: String,
    /// Which group this is about: the route and the labels that it groups by.
    pub group_key: String,
    /// The labels that all alerts of the group have because it is grouped by them.
    #[serde(with = "alert::labels_as_map")]
    pub group_labels: Labels,
    /// The alerts, firing and resolved.
    pub alerts: Vec<Alert>,
    /// How many more there are that are not in it.
    pub truncated: u64,
    /// When it was decided, in milliseconds since 1970; an alert that ended by then is resolved.
    pub at_ms: i64,
    /// Where people reach the collector.
    pub external_url: String,
    /// Why now.
    pub reason: Reason,
}

/// Why somebody is told now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The group is new.
    First,
    /// Alerts came, or some of them are over, while others fire on.
    More,
    /// All of them are over.
    Resolved,
    /// Nothing changed, but it goes on.
    Repeat,
    /// Those who were told did not answer.
    Escalation,
    /// So much happened that it is told in one message.
    Digest,
}

impl Notification {
    /// Whether any alert is still firing, which is what the message as a whole says.
    #[must_use]
    pub fn is_firing(&self) -> bool {
        self.firing().next().is_some()
    }

    /// The alerts that fire.
    pub fn firing(&self) -> impl Iterator<Item = &Alert> {
        let alerts = self.alerts.iter();
        alerts.filter(|alert| !alert.is_resolved(self.at_ms))
    }

    /// The alerts that are over.
    pub fn resolved(&self) -> impl Iterator<Item = &Alert> {
        let alerts = self.alerts.iter();
        alerts.filter(|alert| alert.is_resolved(self.at_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notifications_read_back_as_they_were_written() {
        let alert = Alert {
            labels: Labels::from_pairs([("alertname", "Down"), ("host", "db\"1")]),
            annotations: vec![("summary".into(), "é\n".into())],
            starts_at_ms: 1_000,
            ends_at_ms: Some(5_000),
            updated_at_ms: 4_000,
            generator_url: String::new(),
        };
        let written = Notification {
            receiver: "team".into(),
            group_key: "{}:{host=\"db\"}".into(),
            group_labels: Labels::from_pairs([("host", "db\"1")]),
            alerts: vec![alert],
            truncated: 2,
            at_ms: 5_000,
            external_url: "http://nightshift".into(),
            reason: Reason::Escalation,
        };
        let text = serde_json::to_string(&written).unwrap();
        assert!(text.contains(r#""reason":"escalation""#), "{text}");
        assert!(
            text.contains(r#""group_labels":{"host":"db\"1"}"#),
            "{text}"
        );
        assert_eq!(
            serde_json::from_str::<Notification>(&text).unwrap(),
            written
        );
        assert!(!written.is_firing());
        assert_eq!(written.resolved().count(), 1);
        // A key that a later version may add.
        let more = text.replacen('{', r#"{"later":1,"#, 1);
        assert_eq!(
            serde_json::from_str::<Notification>(&more).unwrap(),
            written
        );
        assert!(serde_json::from_str::<Notification>("{}").is_err());
    }
}
