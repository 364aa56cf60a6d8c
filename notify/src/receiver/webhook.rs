//! Webhooks: Alertmanager's JSON, version 4, or one of the operator's own making.

use std::time::Duration;

use http::{HeaderName, HeaderValue};
use jiff::Timestamp;
use rules::Problems;
use rules::yaml::Cursor;
use serde_json::{Map, Value as Json, json};

use super::letter::{Fault, Letter};
use super::read;
use super::request::{self, Request};
use super::shape::Shape;
use crate::alert::Alert;

use crate::config::{Global, HttpConfig, SecretSource, value};
use crate::template::{Alike, status};
use wire::secret::Secret;

/// What the file says.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    pub(super) http: HttpConfig,
    url: SecretSource,
    max_alerts: u64,
    timeout: Option<Duration>,
    payload: Option<Shape>,
}

const KEYS: [&str; 7] = [
    "send_resolved",
    "http_config",
    "url",
    "url_file",
    "max_alerts",
    "timeout",
    "payload",
];

/// By which a receiver knows what it has had already.
static KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The end of what has no end.
const NO_TIME: &str = "0001-01-01T00:00:00Z";

impl Settings {
    pub(super) fn read(at: &Cursor<'_>, global: &Global, problems: &mut Problems) -> Option<Self> {
        at.fields(&KEYS, problems);
        let url = url(at, problems);
        if url.is_none() && at.get("url").is_none() {
            read::missing(at, "url", "add url or url_file", problems);
        }
        let number = |text: &str| text.parse().ok();
        Some(Self {
            http: read::http(at, global, problems),
            max_alerts: at
                .parsed("max_alerts", "a whole number", number, problems)
                .unwrap_or(0),
            timeout: read::timeout(at, problems),
            payload: at
                .get("payload")
                .map(|payload| Shape::read(&payload, problems)),
            url: url?,
        })
    }

    pub(super) fn request(&self, letter: &mut Letter<'_>) -> Result<Request, Fault> {
        let url = letter.secret(&self.url)?;
        let url = request::url(&letter.needed("url", url.reveal())?)?;
        let body = match &self.payload {
            Some(payload) => payload.write("payload", letter),
            None => self.version_4(letter),
        };
        let mut request = Request::json(url, &body);
        request.timeout = self.timeout;
        if let Ok(key) = HeaderValue::from_str(letter.key) {
            request.headers.push((KEY.clone(), key));
        }
        Ok(request)
    }

    fn version_4(&self, letter: &Letter<'_>) -> Json {
        let notification = letter.notification;
        let alerts = notification.alerts.as_slice();
        let most = match usize::try_from(self.max_alerts) {
            Ok(0) | Err(_) => alerts.len(),
            Ok(most) => most.min(alerts.len()),
        };
        let cut = u64::try_from(alerts.len() - most).unwrap_or(u64::MAX);
        let common = Alike::of(alerts);
        let shown = alerts[..most].iter();
        json!({
            "version": "4",
            "groupKey": notification.group_key,
            "truncatedAlerts": notification.truncated.saturating_add(cut),
            "status": status(notification.is_firing()),
            "receiver": notification.receiver,
            "groupLabels": texts(notification.group_labels.iter()),
            "commonLabels": texts(common.labels),
            "commonAnnotations": texts(common.annotations),
            "externalURL": notification.external_url,
            "alerts": shown.map(|alert| one(alert, notification.at_ms)).collect::<Vec<_>>(),
        })
    }

    pub(super) fn templates(&self) -> Vec<(&'static str, &str)> {
        let mut templates = Vec::new();
        if let SecretSource::Inline(url) = &self.url {
            templates.push(("url", url.reveal()));
        }
        if let Some(payload) = &self.payload {
            payload.templates("payload", &mut templates);
        }
        templates
    }
}

/// The address, which may be a template and is checked only where it is none.
fn url(at: &Cursor<'_>, problems: &mut Problems) -> Option<SecretSource> {
    let is_template = |text: &str| text.contains("{{");
    match at.text("url", &mut Problems::default()) {
        Some(text) if is_template(text) => {
            let url = SecretSource::Inline(Secret::new(text));
            if let Some(file) = at.get("url_file") {
                let message = "at most one of url and url_file may be set";
                file.key_problem(problems, message, "remove one of them");
            }
            Some(url)
        }
        _ => value::secret_url(at, "url", problems),
    }
}

fn texts<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Json {
    let pairs = pairs.into_iter();
    let pairs = pairs.map(|(name, value)| (name.to_owned(), Json::from(value)));
    Json::Object(pairs.collect::<Map<_, _>>())
}

fn one(alert: &Alert, at_ms: i64) -> Json {
    let is_firing = !alert.is_resolved(at_ms);
    let annotations = alert.annotations.iter();
    let annotations = annotations.map(|(name, value)| (name.as_str(), value.as_str()));
    let ends_at_ms = alert.ends_at_ms.filter(|_| !is_firing);
    json!({
        "status": status(is_firing),
        "labels": texts(alert.labels.iter()),
        "annotations": texts(annotations),
        "startsAt": time(alert.starts_at_ms),
        "endsAt": ends_at_ms.map_or_else(|| NO_TIME.to_owned(), time),
        "generatorURL": alert.generator_url,
        "fingerprint": alert.fingerprint().to_string(),
    })
}

fn time(ms: i64) -> String {
    let time = Timestamp::from_millisecond(ms);
    time.map_or_else(|_| NO_TIME.to_owned(), |time| time.to_string())
}
