//! `/api/v2/silences` and `/api/v2/silence/{id}`: what people do not want to be told of for a time.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Request, State};
use http::StatusCode;
use notify::matcher::{Matcher, Matchers, Op};
use notify::silence::{self, Silence, SilenceError};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::api::Api;
use crate::api::answer::ApiError;
use crate::api::params::Params;
use crate::notify::SilenceTrouble;

use super::given::{Few, Given, Object, Types, parse};
use super::refusal::{Fault, Refusal, told};
use super::{filter, given, moment, shape};

/// Largest body: a comment of a few pages, and matchers.
const MAX_BODY: usize = 256 << 10;

/// More than anybody writes by hand; each may be a pattern that takes memory.
const MOST_MATCHERS: usize = 100;

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct RawSilence {
    id: Given,
    matchers: Option<Few<Object<RawMatcher>, MOST_MATCHERS>>,
    starts_at: Given,
    ends_at: Given,
    created_by: Given,
    comment: Given,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct RawMatcher {
    name: Given,
    value: Given,
    is_regex: Given,
    is_equal: Given,
}

pub(super) async fn list(
    State(api): State<Arc<Api>>,
    params: Result<Params, ApiError>,
) -> Result<Json<Value>, Refusal> {
    let matchers = filter::matchers(&filter::read(params)?)?;
    let now_ms = api.clock.wall_ms();
    let mut silences = api.notifier.silences();
    silences.retain(|silence| matchers.iter().all(|wanted| has(silence, wanted)));
    silences.sort_by_key(|silence| order(silence, now_ms));
    let shown = silences.iter().map(|one| shape::silence(one, now_ms));
    Ok(Json(shown.collect()))
}

pub(super) async fn one(
    State(api): State<Arc<Api>>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Result<StatusCode, Refusal>> {
    check_id(&id).map_err(Err)?;
    let silences = api.notifier.silences();
    let found = silences.iter().find(|silence| silence.id == id);
    let found = found.ok_or(Ok(StatusCode::NOT_FOUND))?;
    Ok(Json(shape::silence(found, api.clock.wall_ms())))
}

pub(super) async fn post(
    State(api): State<Arc<Api>>,
    request: Request,
) -> Result<Json<Value>, Refusal> {
    let body = given::body("silence", request, MAX_BODY).await?;
    let silence = read(&body)?;
    let set = api.notifier.set_silence(silence, api.clock.wall_ms()).await;
    let id = set.map_err(refusal)?;
    Ok(Json(json!({"silenceID": id})))
}

/// Ends a silence. One that has ended already is what was asked for.
pub(super) async fn expire(
    State(api): State<Arc<Api>>,
    Path(id): Path<String>,
) -> Result<StatusCode, Refusal> {
    check_id(&id)?;
    let expired = api.notifier.expire_silence(&id, api.clock.wall_ms()).await;
    match expired {
        Ok(()) | Err(SilenceTrouble::Expired(_)) => Ok(StatusCode::OK),
        Err(SilenceTrouble::Unknown(_)) => Ok(StatusCode::NOT_FOUND),
        Err(trouble) => Err(refusal(trouble)),
    }
}

/// Whether one of its matchers is this one.
fn has(silence: &Silence, wanted: &Matcher) -> bool {
    silence.matchers.iter().any(|matcher| matcher == wanted)
}

/// Active ones first, the next to end first; then pending ones, the next to begin first; then those that
/// are over, the last to end first.
fn order(silence: &Silence, now_ms: i64) -> (silence::State, i64, String) {
    let state = silence.state(now_ms);
    let at_ms = match state {
        silence::State::Active => silence.ends_at_ms,
        silence::State::Pending => silence.starts_at_ms,
        silence::State::Expired => silence.ends_at_ms.saturating_neg(),
    };
    (state, at_ms, silence.id.clone())
}

fn check_id(id: &str) -> Result<(), Refusal> {
    match Uuid::try_parse(id) {
        Ok(_) => Ok(()),
        Err(_) => Err(Refusal::faults(&[Fault::form(
            "silenceID in path",
            "uuid",
            id,
        )])),
    }
}

/// The silence that a body describes.
fn read(body: &[u8]) -> Result<Silence, Refusal> {
    let Object(raw): Object<RawSilence> = parse("silence", body)?;
    let mut types = Types::default();
    let mut faults = Vec::new();
    let mut text = |name: &str, given: Given, types: &mut Types| {
        if given == Given::Nothing {
            faults.push(Fault::missing(name));
        }
        types.text(name, given).unwrap_or_default()
    };
    let comment = text("comment", raw.comment, &mut types);
    let created_by = text("createdBy", raw.created_by, &mut types);
    let ends_at = text("endsAt", raw.ends_at, &mut types);
    let starts_at = text("startsAt", raw.starts_at, &mut types);
    let mut moment = |name: &str, text: String| {
        let moment = moment::read(name, Given::Text(text), &mut types);
        // Long ago: it counts from now on.
        moment.unwrap_or(i64::MIN)
    };
    let (starts_at_ms, ends_at_ms) = (moment("startsAt", starts_at), moment("endsAt", ends_at));
    let id = types.text("id", raw.id).unwrap_or_default();
    let matchers = matchers(raw.matchers, &mut types, &mut faults);
    if !types.wrong.is_empty() {
        return Err(Refusal::body("silence", told(&types.wrong, "; ")));
    }
    if !faults.is_empty() {
        return Err(Refusal::faults(&faults));
    }
    Ok(Silence {
        id,
        matchers: Matchers::new(compiled(matchers)?),
        starts_at_ms,
        ends_at_ms,
        updated_at_ms: 0,
        created_by,
        comment,
    })
}

/// A matcher before its pattern is read.
type Plain = (String, Op, String);

fn matchers(
    raw: Option<Few<Object<RawMatcher>, MOST_MATCHERS>>,
    types: &mut Types,
    faults: &mut Vec<Fault>,
) -> Vec<Plain> {
    let raw = match raw {
        None => {
            faults.push(Fault::missing("matchers"));
            Vec::new()
        }
        Some(Few(none)) if none.is_empty() => {
            faults.push(Fault::empty("matchers"));
            none
        }
        Some(Few(some)) => some,
    };
    let mut matchers = Vec::with_capacity(raw.len());
    for (place, Object(matcher)) in raw.into_iter().enumerate() {
        let of = |name: &str| format!("matchers.{place}.{name}");
        let needed = [
            ("isRegex", &matcher.is_regex),
            ("name", &matcher.name),
            ("value", &matcher.value),
        ];
        let missing = needed.iter().filter(|(_, it)| **it == Given::Nothing);
        faults.extend(missing.map(|(name, _)| Fault::missing(&of(name))));
        let is_equal = types.flag(&of("isEqual"), &matcher.is_equal);
        let is_regex = types.flag(&of("isRegex"), &matcher.is_regex);
        let op = Op::of(is_equal.unwrap_or(true), is_regex.unwrap_or(false));
        let name = types.text(&of("name"), matcher.name).unwrap_or_default();
        let value = types.text(&of("value"), matcher.value).unwrap_or_default();
        matchers.push((name, op, value));
    }
    matchers
}

fn compiled(plain: Vec<Plain>) -> Result<Vec<Matcher>, Refusal> {
    let mut matchers = Vec::with_capacity(plain.len());
    let mut wrong = Vec::new();
    for (place, (name, op, value)) in plain.into_iter().enumerate() {
        if name.is_empty() {
            wrong.push(format!(
                "invalid label matcher {place}: invalid label name \"\""
            ));
        }
        match Matcher::new(name, op, value) {
            Ok(matcher) => matchers.push(matcher),
            Err(why) => wrong.push(format!("invalid label matcher {place}: {why}")),
        }
    }
    match wrong.is_empty() {
        true => Ok(matchers),
        false => Err(Refusal::wrong(format!(
            "silence invalid: {}",
            wrong.join("; ")
        ))),
    }
}

fn refusal(trouble: SilenceTrouble) -> Refusal {
    match trouble {
        SilenceTrouble::Unknown(_) => Refusal::Plain {
            status: StatusCode::NOT_FOUND,
            message: "silence not found".to_owned(),
        },
        SilenceTrouble::Wrong(
            wrong @ (SilenceError::EndsBeforeItStarts | SilenceError::EndsInThePast),
        ) => Refusal::wrong(format!("Failed to create silence: {wrong}")),
        SilenceTrouble::Wrong(wrong) => Refusal::wrong(format!("silence invalid: {wrong}")),
        SilenceTrouble::NotReady => Refusal::starting(),
        trouble => Refusal::unsaved(trouble.to_string()),
    }
}

#[cfg(test)]
mod tests;
