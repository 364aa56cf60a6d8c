//! Who is told next while nobody answers.
//!
//! Each step has its time after the step before it, also where the collector was away when it was due:
//! nobody is passed over because of it, and not everybody is woken at once. A step that reaches nobody,
//! for nobody is on call, is followed by the next one at once.

use store::labels::Labels;

use super::{Page, Reason, ms};
use crate::incident::{Incident, Member, Status};
use crate::oncall::{OnCall, Policy};
use crate::timeline::Escalated;

/// A step that was made.
pub(super) struct Stepped {
    pub(super) told: Escalated,
    pub(super) page: Page,
}

/// When the next step of an incident is due; nothing where none is.
pub(super) fn due_at(incident: &Incident, on_call: &OnCall) -> Option<i64> {
    // Once everything is over, or somebody has it, nobody else is woken.
    if incident.status() != Status::Open || incident.over_at_ms().is_some() {
        return None;
    }
    due_of(incident, on_call.policy(incident.severity)?)
}

fn due_of(incident: &Incident, policy: &Policy) -> Option<i64> {
    let escalation = &incident.escalation;
    let made = usize::try_from(escalation.steps).ok()?;
    let after = |place: usize| policy.steps.get(place).map(|step| ms(step.after));
    let last_ms = escalation.last_ms.unwrap_or(escalation.since_ms);
    let pause_ms = match (made, after(made)) {
        (0, Some(first)) if escalation.rounds == 0 => first,
        (0, Some(_)) => ms(policy.repeat?.after),
        (made, Some(next)) => next.saturating_sub(after(made - 1)?),
        // All steps are made.
        (_, None) => {
            let repeat = policy.repeat?;
            (escalation.rounds < repeat.times).then_some(ms(repeat.after))?
        }
    };
    Some(last_ms.saturating_add(pause_ms))
}

/// Makes the next step if it is due.
pub(super) fn step(
    incident: &mut Incident,
    now_ms: i64,
    on_call: &OnCall,
    is_muted: &dyn Fn(&Labels) -> bool,
) -> Option<Stepped> {
    due_at(incident, on_call).filter(|due_ms| *due_ms <= now_ms)?;
    let policy = on_call.policy(incident.severity)?;
    let firing = incident.alerts.iter().filter(|member| member.is_firing());
    let firing: Vec<&Member> = firing.collect();
    if firing.iter().all(|member| is_muted(&member.labels)) {
        return None;
    }
    let alerts = firing.into_iter().cloned().collect();
    let escalation = &mut incident.escalation;
    let mut made = usize::try_from(escalation.steps).ok()?;
    if made >= policy.steps.len() {
        escalation.rounds = escalation.rounds.saturating_add(1);
        made = 0;
    }
    let reached = on_call.reached(&policy.steps[made].targets, now_ms);
    let is_empty = reached.receivers.is_empty();
    escalation.steps = u32::try_from(made + 1).ok()?;
    // Nobody was told, so nobody is waited for.
    escalation.last_ms = Some(match policy.steps.get(made + 1) {
        Some(next) if is_empty => {
            let pause_ms = ms(next.after).saturating_sub(ms(policy.steps[made].after));
            now_ms.saturating_sub(pause_ms)
        }
        _ => now_ms,
    });
    escalation.called.extend(reached.receivers.iter().cloned());
    let key = format!(
        "incident/{}/{}/{}/{}",
        incident.id, escalation.since_ms, escalation.rounds, escalation.steps
    );
    Some(Stepped {
        told: Escalated {
            policy: policy.name.clone(),
            step: escalation.steps,
            people: reached.people,
            receivers: reached.receivers.clone(),
        },
        page: Page {
            incident: incident.id,
            key,
            reason: Reason::Escalation,
            receivers: reached.receivers,
            alerts,
        },
    })
}
