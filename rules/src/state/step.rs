//! One evaluation, applied to one alert after another.

use std::collections::BTreeSet;
use std::time::Duration;

use store::labels::{Labels, METRIC_NAME};

use super::{Alert, Event, Found, Phase, Timing, Transition};

/// How long what resolved is remembered, as in Prometheus: whoever was told that it fires must be able
/// to learn that it no longer does, though he was away.
const REMEMBERED: Duration = Duration::from_secs(15 * 60);

/// How long at least a pending alert is kept whose series is missing.
pub(super) const KEPT_PENDING: Duration = Duration::from_secs(3_600);

/// One evaluation, as it is applied to one alert after another.
pub(super) struct Step<'a> {
    pub(super) timing: &'a Timing,
    pub(super) clear: Option<&'a [Labels]>,
    pub(super) present: Option<&'a BTreeSet<Labels>>,
    pub(super) at_ms: i64,
}

/// The alert after the step, if it is still there, and what came to pass.
pub(super) type Stepped = (Option<Alert>, Option<Event>);

impl Step<'_> {
    pub(super) fn found(&self, known: Option<&Alert>, found: Found) -> Stepped {
        let mut transition = None;
        let mut alert = Alert {
            series: found.series,
            labels: found.labels,
            annotations: found.annotations,
            value: found.value,
            active_at_ms: self.at_ms,
            phase: Phase::Pending,
            missing_since_ms: None,
            returns: 0,
        };
        match known.map(|known| (known, known.phase)) {
            Some((known, Phase::Pending)) => alert.active_at_ms = known.active_at_ms,
            Some((known, Phase::Firing { fired_at_ms, .. })) => {
                alert.continues(known, fired_at_ms);
            }
            Some((
                known,
                Phase::Resolved {
                    fired_at_ms,
                    resolved_at_ms,
                },
            )) if self
                .timing
                .flap
                .is_some_and(|flap| !self.is_past(resolved_at_ms, flap)) =>
            {
                alert.continues(known, fired_at_ms);
                alert.returns += 1;
                transition = Some(Transition::Returned);
            }
            _ => transition = Some(Transition::Pended),
        }
        if alert.phase == Phase::Pending && self.has_lasted(alert.active_at_ms, self.timing.hold) {
            alert.phase = Phase::Firing {
                fired_at_ms: self.at_ms,
                gone_since_ms: None,
            };
            transition = Some(Transition::Fired);
        }
        let event = transition.map(|transition| self.event(transition, &alert));
        (Some(alert), event)
    }

    pub(super) fn gone(&self, alert: &Alert) -> Stepped {
        if alert.is_active() && self.is_missing(alert) {
            return self.missing(alert);
        }
        let mut alert = Alert {
            missing_since_ms: None,
            ..alert.clone()
        };
        match alert.phase {
            Phase::Pending => {
                let event = self.event(Transition::Dropped, &alert);
                (None, Some(event))
            }
            Phase::Firing {
                fired_at_ms,
                gone_since_ms,
            } => {
                let since = gone_since_ms.unwrap_or(self.at_ms);
                let kept = !self.has_lasted(since, self.timing.keep_firing_for);
                if kept || !self.may_resolve(&alert) {
                    alert.phase = Phase::Firing {
                        fired_at_ms,
                        gone_since_ms: Some(since),
                    };
                    return (Some(alert), None);
                }
                alert.phase = Phase::Resolved {
                    fired_at_ms,
                    resolved_at_ms: self.at_ms,
                };
                let event = self.event(Transition::Resolved, &alert);
                (Some(alert), Some(event))
            }
            Phase::Resolved { resolved_at_ms, .. } => {
                let remembered = REMEMBERED.max(self.timing.flap.unwrap_or_default());
                let stays = !self.is_past(resolved_at_ms, remembered);
                (stays.then_some(alert), None)
            }
        }
    }

    /// Nobody can say whether its condition holds.
    fn missing(&self, alert: &Alert) -> Stepped {
        let since = alert.missing_since_ms.unwrap_or(self.at_ms);
        let alert = Alert {
            missing_since_ms: Some(since),
            ..alert.clone()
        };
        let kept = self.timing.hold.max(KEPT_PENDING);
        if alert.phase == Phase::Pending && self.is_past(since, kept) {
            let event = self.event(Transition::Dropped, &alert);
            return (None, Some(event));
        }
        (Some(alert), None)
    }

    fn is_missing(&self, alert: &Alert) -> bool {
        self.present
            .is_some_and(|present| !present.contains(&alert.series))
    }

    /// Whether some result of `clear` has no label that says otherwise than the series.
    fn may_resolve(&self, alert: &Alert) -> bool {
        let agrees = |clear: &Labels| {
            clear
                .iter()
                .filter(|(name, _)| *name != METRIC_NAME)
                .all(|(name, value)| alert.series.get(name).is_none_or(|own| own == value))
        };
        self.clear.is_none_or(|clear| clear.iter().any(agrees))
    }

    fn event(&self, transition: Transition, alert: &Alert) -> Event {
        Event {
            at_ms: self.at_ms,
            transition,
            alert: alert.clone(),
        }
    }

    fn has_lasted(&self, since_ms: i64, duration: Duration) -> bool {
        self.at_ms.saturating_sub(since_ms) >= ms(duration)
    }

    fn is_past(&self, since_ms: i64, duration: Duration) -> bool {
        self.at_ms.saturating_sub(since_ms) > ms(duration)
    }
}

impl Alert {
    /// Goes on with what fires already, or fired.
    fn continues(&mut self, known: &Self, fired_at_ms: i64) {
        self.active_at_ms = known.active_at_ms;
        self.returns = known.returns;
        self.phase = Phase::Firing {
            fired_at_ms,
            gone_since_ms: None,
        };
    }
}

fn ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
