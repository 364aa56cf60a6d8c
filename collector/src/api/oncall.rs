//! `/api/oncall`: who is on call now, and who will be.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use incidents::oncall::{By, Duty, OnCall, Schedule, Shift};
use incidents::report::json::moment;
use serde_json::{Value, json};

use super::Api;
use super::answer::{ApiError, success};
use super::params::Params;

/// Days that are shown unless the request says otherwise.
const USUAL_DAYS: i64 = 7;

/// Days that are shown at the most.
const MOST_DAYS: i64 = 92;

const DAY_MS: i64 = 86_400_000;

/// Parameters: `at`, which is now, and `days`.
pub(super) async fn show(
    State(api): State<Arc<Api>>,
    params: Params,
) -> Result<Response, ApiError> {
    let at_ms = params.time_or("at", api.clock.wall_ms())?;
    let days = params.count("days")?.unwrap_or(USUAL_DAYS);
    if !(1..=MOST_DAYS).contains(&days) {
        let why = format!("{days} is not between 1 and {MOST_DAYS}");
        return Err(ApiError::parameter("days", why));
    }
    let plan = api.incidents.plan();
    Ok(success(told(&plan.on_call, at_ms, days)))
}

/// Who is on call at a time, and on the days after it.
pub(crate) fn told(on_call: &OnCall, at_ms: i64, days: i64) -> Value {
    let to_ms = at_ms.saturating_add(days.saturating_mul(DAY_MS));
    let of = |schedule: &Schedule| {
        let duty = schedule.on_call(at_ms);
        let person = duty
            .as_ref()
            .and_then(|duty| on_call.people.get(&duty.person));
        let shifts = schedule.shifts(at_ms, to_ms);
        let shifts: Vec<Value> = shifts.iter().map(shift).collect();
        json!({
            "schedule": schedule.name,
            "timeZone": schedule.zone.iana_name(),
            "person": duty.as_ref().map(|duty| duty.person.as_str()),
            "by": duty.as_ref().map(by),
            "receivers": person,
            "until": schedule.until(at_ms).map(moment),
            "shifts": shifts,
        })
    };
    let schedules: Vec<Value> = on_call.schedules.iter().map(of).collect();
    json!({"at": moment(at_ms), "schedules": schedules})
}

fn shift(shift: &Shift) -> Value {
    json!({
        "person": shift.duty.as_ref().map(|duty| duty.person.as_str()),
        "by": shift.duty.as_ref().map(by),
        "from": moment(shift.from_ms),
        "to": moment(shift.to_ms),
    })
}

fn by(duty: &Duty) -> String {
    match &duty.by {
        By::Layer(name) if name.is_empty() => "layer".to_owned(),
        By::Layer(name) => format!("layer {name}"),
        By::Override => "override".to_owned(),
    }
}
