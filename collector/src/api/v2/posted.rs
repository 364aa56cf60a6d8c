//! Alerts that somebody posted, from bytes to what is known: what their times mean, and what is wrong.

use std::time::Duration;

use http::Uri;
use notify::alert::Alert;
use notify::dispatch::{Ending, Known, Source};
use serde::Deserialize;
use store::labels::Labels;

use super::given::{Few, Given, Object, Types, parse};
use super::moment;
use super::refusal::{Fault, Refusal, told};

/// More than anything sends at once. Whoever has more posts them in several requests.
const MOST_ALERTS: usize = 10_000;

/// Largest labels and annotations of one alert together: they are kept, and told to people.
const MAX_TEXT: usize = 128 << 10;

/// What was posted.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Posted {
    /// What is right.
    pub(super) alerts: Vec<Known>,
    /// What is wrong with the others.
    pub(super) wrong: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct RawAlert {
    labels: Given,
    annotations: Given,
    starts_at: Given,
    ends_at: Given,
    #[serde(rename = "generatorURL")]
    generator_url: Given,
}

/// An alert with the right types.
struct Typed {
    labels: Vec<(String, String)>,
    annotations: Vec<(String, String)>,
    starts_at_ms: Option<i64>,
    ends_at_ms: Option<i64>,
    generator_url: String,
}

/// Reads a body. Where a type or a form is wrong, nothing is taken in.
pub(super) fn read(body: &[u8], resolve_timeout: Duration, now_ms: i64) -> Result<Posted, Refusal> {
    let raw: Option<Few<Object<RawAlert>, MOST_ALERTS>> = parse("alerts", body)?;
    let raw = raw.map_or_else(Vec::new, |Few(alerts)| alerts);
    let mut types = Types::default();
    let mut faults = Vec::new();
    let alerts = raw.into_iter().enumerate();
    let alerts: Vec<Typed> = alerts
        .map(|(place, Object(alert))| typed(place, alert, &mut types, &mut faults))
        .collect();
    if !types.wrong.is_empty() {
        return Err(Refusal::body("alerts", told(&types.wrong, "; ")));
    }
    if !faults.is_empty() {
        return Err(Refusal::faults(&faults));
    }
    let mut posted = Posted::default();
    for alert in alerts {
        match known(alert, resolve_timeout, now_ms) {
            Ok(known) => posted.alerts.push(known),
            Err(wrong) => posted.wrong.push(wrong),
        }
    }
    Ok(posted)
}

fn typed(place: usize, raw: RawAlert, types: &mut Types, faults: &mut Vec<Fault>) -> Typed {
    let of = |name: &str| format!("{place}.{name}");
    let labels = types.texts(&of("labels"), raw.labels);
    if labels.is_none() {
        faults.push(Fault::missing(&of("labels")));
    }
    let annotations = types.texts(&of("annotations"), raw.annotations);
    let url = types.text(&of("generatorURL"), raw.generator_url);
    let url = url.unwrap_or_default();
    if !is_address(&url) {
        let place = of("generatorURL in body");
        faults.push(Fault::form(&place, "uri", &url));
    }
    Typed {
        labels: labels.unwrap_or_default(),
        annotations: annotations.unwrap_or_default(),
        starts_at_ms: moment::read(&of("startsAt"), raw.starts_at, types),
        ends_at_ms: moment::read(&of("endsAt"), raw.ends_at, types),
        generator_url: url,
    }
}

/// One that leads somewhere, or none.
fn is_address(text: &str) -> bool {
    let begins = text.starts_with('/') || text.contains("://");
    text.is_empty() || (begins && text.parse::<Uri>().is_ok())
}

/// The alert, or everything that is wrong with it.
fn known(typed: Typed, resolve_timeout: Duration, now_ms: i64) -> Result<Known, String> {
    let starts_at_ms = typed.starts_at_ms.or(typed.ends_at_ms).unwrap_or(now_ms);
    let resolve_ms = i64::try_from(resolve_timeout.as_millis()).unwrap_or(i64::MAX);
    let (ends_at_ms, ending) = match typed.ends_at_ms {
        Some(at_ms) => (at_ms, Ending::Said),
        None => (now_ms.saturating_add(resolve_ms), Ending::Silence),
    };
    let labels = typed.labels.iter();
    let labels = Labels::from_pairs(labels.map(|(name, value)| (name.as_str(), value.as_str())));
    let mut wrong = Vec::new();
    if ends_at_ms < starts_at_ms {
        wrong.push("start time must be before end time".to_owned());
    }
    if labels.is_empty() {
        wrong.push("at least one label pair required".to_owned());
    }
    if labels.get("").is_some() {
        wrong.push("invalid label set: invalid name \"\"".to_owned());
    }
    if typed.annotations.iter().any(|(name, _)| name.is_empty()) {
        wrong.push("invalid annotations: invalid name \"\"".to_owned());
    }
    let texts = typed.labels.iter().chain(&typed.annotations);
    let size: usize = texts.map(|(name, value)| name.len() + value.len()).sum();
    if size > MAX_TEXT {
        let limit = MAX_TEXT >> 10;
        wrong.push(format!(
            "labels and annotations of one alert are larger than {limit} KiB"
        ));
    }
    if !wrong.is_empty() {
        return Err(wrong.join("; "));
    }
    let alert = Alert {
        labels,
        annotations: typed.annotations,
        starts_at_ms,
        ends_at_ms: Some(ends_at_ms),
        updated_at_ms: now_ms,
        generator_url: typed.generator_url,
    };
    Ok(Known {
        alert,
        source: Source::Posted(ending),
    })
}

#[cfg(test)]
mod tests;
