//! That a notification was given up is an alert itself, which others may be told of.

use notify::alert::Alert;
use notify::config::IntegrationId;
use notify::dispatch::{Ending, Known, Source};
use store::labels::Labels;

/// Its name.
pub const GIVEN_UP_ALERT: &str = "NotificationGivenUp";

/// How long it fires after the last.
const FIRES_FOR_MS: i64 = 3_600_000;

/// A notification that will never arrive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct GivenUp {
    pub(super) integration: IntegrationId,
    /// Why.
    pub(super) error: String,
    /// The names of its alerts.
    pub(super) alerts: Vec<String>,
}

impl GivenUp {
    /// The alert about it; nothing where it told of nothing but such an alert, for that would never end.
    pub(super) fn alert(&self, now_ms: i64) -> Option<Known> {
        if self.alerts.iter().all(|name| name == GIVEN_UP_ALERT) {
            return None;
        }
        let integration = self.integration.to_string();
        let labels = [
            ("alertname", GIVEN_UP_ALERT),
            ("integration", integration.as_str()),
            ("receiver", self.integration.receiver.as_str()),
            ("severity", "critical"),
        ];
        let error = &self.error;
        let description = format!(
            "A notification to {integration} was given up: {error}. Whoever it was for does not know of \
             it. Correct the receiver; `nightshift alerts history` says what it was."
        );
        let annotations = [
            ("description", description),
            ("summary", format!("{integration} was not told of alerts")),
        ];
        let annotations = annotations.map(|(name, text)| (name.to_owned(), text));
        Some(Known {
            alert: Alert {
                labels: Labels::from_pairs(labels),
                annotations: annotations.into(),
                starts_at_ms: now_ms,
                ends_at_ms: Some(now_ms.saturating_add(FIRES_FOR_MS)),
                updated_at_ms: now_ms,
                generator_url: String::new(),
            },
            source: Source::Posted(Ending::Silence),
        })
    }
}
