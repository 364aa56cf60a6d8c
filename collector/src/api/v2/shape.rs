//! Alerts, receivers and silences as Alertmanager writes them.

use std::time::Duration;

use notify::matcher::Matcher;
use notify::silence::Silence;
use serde_json::{Value, json};

use crate::api::answer::pairs;
use crate::api::time::rfc3339;
use crate::notify::ShownAlert;

/// What becomes of an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It is told.
    Active,
    /// It is kept quiet.
    Suppressed,
    /// Nothing says who is to be told.
    Unprocessed,
}

/// When alerts are shown.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shown {
    pub(super) now_ms: i64,
    /// After which time an alert ends that nobody says the end of.
    pub(super) resolve_timeout: Duration,
}

impl State {
    pub(super) fn of(alert: &ShownAlert) -> Self {
        if alert.receivers.is_empty() {
            Self::Unprocessed
        } else if alert.is_suppressed() {
            Self::Suppressed
        } else {
            Self::Active
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suppressed => "suppressed",
            Self::Unprocessed => "unprocessed",
        }
    }
}

impl Shown {
    /// An alert. One that lasts as long as nobody says otherwise has an end all the same, as those have
    /// that a Prometheus sends: clients count on it.
    pub(super) fn alert(self, shown: &ShownAlert) -> Value {
        let alert = &shown.alert;
        let resolve_ms = i64::try_from(self.resolve_timeout.as_millis()).unwrap_or(i64::MAX);
        let assumed_ms = self.now_ms.saturating_add(resolve_ms);
        let inhibited_by = shown.inhibited_by.iter();
        let inhibited_by: Vec<String> = inhibited_by.map(ToString::to_string).collect();
        let annotations = alert.annotations.iter();
        let mut value = json!({
            "annotations": pairs(annotations.map(|(name, text)| (name.as_str(), text.as_str()))),
            "endsAt": rfc3339(alert.ends_at_ms.unwrap_or(assumed_ms)),
            "fingerprint": shown.fingerprint.to_string(),
            "receivers": receivers(&shown.receivers),
            "startsAt": rfc3339(alert.starts_at_ms),
            "status": {
                "inhibitedBy": inhibited_by,
                "mutedBy": shown.muted_by,
                "silencedBy": shown.silenced_by,
                "state": State::of(shown).as_str(),
            },
            "updatedAt": rfc3339(alert.updated_at_ms),
            "labels": pairs(alert.labels.iter()),
        });
        if !alert.generator_url.is_empty() {
            value["generatorURL"] = alert.generator_url.as_str().into();
        }
        value
    }
}

/// Names of receivers.
pub(super) fn receivers(names: &[String]) -> Value {
    names.iter().map(|name| json!({"name": name})).collect()
}

/// A silence.
pub(super) fn silence(silence: &Silence, now_ms: i64) -> Value {
    let matchers: Vec<Value> = silence.matchers.iter().map(matcher).collect();
    json!({
        "id": silence.id,
        "status": {"state": silence.state(now_ms).as_str()},
        "updatedAt": rfc3339(silence.updated_at_ms),
        "comment": silence.comment,
        "createdBy": silence.created_by,
        "endsAt": rfc3339(silence.ends_at_ms),
        "matchers": matchers,
        "startsAt": rfc3339(silence.starts_at_ms),
    })
}

fn matcher(matcher: &Matcher) -> Value {
    json!({
        "isEqual": matcher.op().is_equal(),
        "isRegex": matcher.op().is_regex(),
        "name": matcher.name(),
        "value": matcher.value(),
    })
}
