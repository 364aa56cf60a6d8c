//! PagerDuty: events of API v2, or of v1 for integrations of the type "Prometheus".
//!
//! All events of a group have one key, so that a repeat is no second incident and the end of the group
//! resolves it.

mod settings;

use jiff::Timestamp;
use serde_json::{Map, Value as Json, json};

use super::letter::{Fault, Letter};
use super::limit;
use super::request::{self, Request};
use settings::Integration;
pub use settings::Settings;

/// In characters.
const MAX_SUMMARY: usize = 1_024;
/// Of all other texts, in characters; PagerDuty says none, but refuses events that are large.
const MAX_FIELD: usize = 1_024;
/// An event may have 512 KB.
const MAX_EVENT: usize = 512_000;

/// Where events of v1 go unless the file says otherwise.
const V1: &str = "https://events.pagerduty.com/generic/2010-04-15/create_event.json";

impl Settings {
    pub(super) fn request(&self, letter: &mut Letter<'_>) -> Result<Request, Fault> {
        let (url, event) = match &self.integration {
            Integration::V2(key) => {
                let key = letter.secret(key)?;
                let key = letter.needed("routing_key", key.reveal())?;
                (self.url.get().clone(), self.v2(key.trim(), letter))
            }
            Integration::V1(key) => {
                let key = letter.secret(key)?;
                let key = letter.needed("service_key", key.reveal())?;
                let url = if self.has_own_url {
                    self.url.get().clone()
                } else {
                    request::url(V1)?
                };
                (url, self.v1(key.trim(), letter))
            }
        };
        let mut request = Request::json(url, &event);
        if request.body.len() > MAX_EVENT {
            request = Request::json(request.url, &without_details(event));
        }
        request.timeout = self.timeout;
        Ok(request)
    }

    fn v2(&self, key: &str, letter: &mut Letter<'_>) -> Json {
        let is_firing = letter.notification.is_firing();
        let client = field(letter, "client", &self.client);
        let source = self.source.clone();
        let source =
            source.map_or_else(|| client.clone(), |source| field(letter, "source", &source));
        let mut payload = Map::new();
        let summary = limit::chars(&letter.line("description", &self.description), MAX_SUMMARY);
        payload.insert("summary".into(), or(summary, "alert").into());
        payload.insert("source".into(), or(source, "nightshift").into());
        let severity = field(letter, "severity", &self.severity);
        payload.insert("severity".into(), self::severity(&severity).into());
        if let Some(time) = started(letter) {
            payload.insert("timestamp".into(), time.into());
        }
        let texts = [
            ("class", &self.class),
            ("component", &self.component),
            ("group", &self.group),
        ];
        for (name, template) in texts {
            let text = field(letter, name, template);
            if !text.is_empty() {
                payload.insert(name.into(), text.into());
            }
        }
        payload.insert("custom_details".into(), self.details(letter));
        let mut event = json!({
            "routing_key": key,
            "event_action": if is_firing { "trigger" } else { "resolve" },
            "dedup_key": letter.group_hash(),
            "payload": payload,
        });
        let client_url = field(letter, "client_url", &self.client_url);
        let more = [
            ("client", Json::from(client)),
            ("client_url", client_url.into()),
            ("images", self.images(letter)),
            ("links", self.links(letter)),
        ];
        for (name, value) in more {
            let is_empty =
                value.as_str() == Some("") || value.as_array().is_some_and(Vec::is_empty);
            if !is_empty {
                event[name] = value;
            }
        }
        event
    }

    fn v1(&self, key: &str, letter: &mut Letter<'_>) -> Json {
        let is_firing = letter.notification.is_firing();
        let description = limit::chars(&letter.line("description", &self.description), MAX_SUMMARY);
        let mut event = json!({
            "service_key": key,
            "event_type": if is_firing { "trigger" } else { "resolve" },
            "incident_key": letter.group_hash(),
            "description": or(description, "alert"),
            "details": self.details(letter),
        });
        if is_firing {
            for (name, template) in [("client", &self.client), ("client_url", &self.client_url)] {
                let text = field(letter, name, template);
                if !text.is_empty() {
                    event[name] = text.into();
                }
            }
        }
        event
    }

    fn details(&self, letter: &mut Letter<'_>) -> Json {
        let details = self.details.iter();
        let details = details.map(|(name, value)| (name.clone(), value.write("details", letter)));
        Json::Object(details.collect())
    }

    /// Those that have what PagerDuty needs of them.
    fn images(&self, letter: &mut Letter<'_>) -> Json {
        let mut images = Vec::new();
        for image in &self.images {
            let mut written = Map::new();
            for (name, template) in [
                ("src", &image.src),
                ("alt", &image.alt),
                ("href", &image.href),
            ] {
                let text = field(letter, "images", template);
                if !text.is_empty() {
                    written.insert(name.into(), text.into());
                }
            }
            if written.contains_key("src") {
                images.push(Json::Object(written));
            }
        }
        images.into()
    }

    fn links(&self, letter: &mut Letter<'_>) -> Json {
        let mut links = Vec::new();
        for link in &self.links {
            let href = field(letter, "links", &link.href);
            let text = field(letter, "links", &link.text);
            if !href.is_empty() {
                let text = or(text, &href);
                links.push(json!({ "href": href, "text": text }));
            }
        }
        links.into()
    }
}

fn field(letter: &mut Letter<'_>, name: &str, template: &str) -> String {
    limit::chars(letter.text(name, template).trim(), MAX_FIELD)
}

fn or(text: String, default: &str) -> String {
    if text.is_empty() {
        return default.to_owned();
    }
    text
}

/// One of the four that PagerDuty knows: for any other it would refuse the event.
fn severity(text: &str) -> &'static str {
    match text.to_ascii_lowercase().as_str() {
        "critical" | "high" | "page" | "emergency" | "fatal" | "p1" | "1" => "critical",
        "warning" | "warn" | "medium" | "p3" | "3" => "warning",
        "info" | "information" | "low" | "none" | "p4" | "p5" | "4" | "5" => "info",
        _ => "error",
    }
}

/// When the first of the alerts began.
fn started(letter: &Letter<'_>) -> Option<String> {
    let starts = letter.notification.alerts.iter();
    let first = starts.map(|alert| alert.starts_at_ms).min()?;
    Timestamp::from_millisecond(first)
        .ok()
        .map(|time| time.to_string())
}

/// The event without what is long about it.
fn without_details(mut event: Json) -> Json {
    let note = json!({ "note": "the details were longer than PagerDuty takes" });
    if let Some(details) = event.pointer_mut("/payload/custom_details") {
        *details = note;
    } else if let Some(details) = event.get_mut("details") {
        *details = note;
    }
    event
}
