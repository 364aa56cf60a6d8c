//! What is put into the outbox when somebody is called: one row for each integration of each receiver.

use incidents::book::{Page, Reason as Why};
use incidents::incident::Member;
use notify::alert::{Alert, Fingerprint};
use notify::dispatch::{Telling, ToldAlert};
use notify::notification::{Notification, Reason};
use store::labels::Labels;

use super::files::{Channel, Plan};
use crate::state::outbox::NewRow;

/// Alerts in one message: more is not read by who was just woken.
const MOST: usize = 50;

/// The rows of a page. Which receiver is not configured is told in the log, for nobody else is there to
/// be told.
pub(super) fn letters(page: &Page, plan: &Plan, external_url: &str, now_ms: i64) -> Vec<NewRow> {
    let mut rows = Vec::new();
    for receiver in &page.receivers {
        let Some(channels) = plan.receivers.get(receiver) else {
            let (incident, hint) = (
                page.incident.0,
                "see notify.config; nightshift oncall check tells the same",
            );
            tracing::error!(
                incident,
                receiver,
                hint,
                "a receiver that is to be called is not configured"
            );
            continue;
        };
        let wanted = |channel: &&Channel| page.reason == Why::Escalation || channel.sends_resolved;
        for channel in channels.iter().filter(wanted) {
            let telling = telling(page, (receiver, channel), external_url, now_ms);
            rows.push(NewRow {
                telling,
                key: page.key.clone(),
                at_ms: now_ms,
            });
        }
    }
    rows
}

fn telling(
    page: &Page,
    (receiver, channel): (&str, &Channel),
    external_url: &str,
    now_ms: i64,
) -> Telling {
    let id = page.incident;
    let url = format!("{external_url}/api/incidents/{id}/export?format=html");
    let shown = page.alerts.iter().take(MOST);
    let alerts: Vec<Alert> = shown
        .map(|member| alert(member, page.reason, &url, now_ms))
        .collect();
    let told = alerts.iter().map(|alert| ToldAlert {
        fingerprint: Fingerprint::of(&alert.labels),
        event: None,
        is_firing: !alert.is_resolved(now_ms),
    });
    Telling {
        integration: channel.integration.clone(),
        alerts: told.collect(),
        notification: Notification {
            receiver: receiver.to_owned(),
            // Those who keep something open keep one thing open for the whole incident.
            group_key: format!("incident/{id}"),
            group_labels: Labels::from_pairs([("incident", id.to_string().as_str())]),
            truncated: page.alerts.len().saturating_sub(MOST) as u64,
            alerts,
            at_ms: now_ms,
            external_url: external_url.to_owned(),
            reason: match page.reason {
                Why::Escalation => Reason::Escalation,
                Why::Over => Reason::Resolved,
            },
        },
    }
}

fn alert(member: &Member, reason: Why, url: &str, now_ms: i64) -> Alert {
    let fired_ms = member.spans.last().map(|span| span.from_ms);
    Alert {
        labels: member.labels.clone(),
        annotations: member.annotations.clone(),
        starts_at_ms: fired_ms.unwrap_or(member.active_at_ms),
        ends_at_ms: match reason {
            Why::Escalation => member.over_at_ms(),
            // It is over because somebody said so, also where something still fires.
            Why::Over => Some(member.over_at_ms().unwrap_or(now_ms).min(now_ms)),
        },
        updated_at_ms: now_ms,
        generator_url: url.to_owned(),
    }
}
