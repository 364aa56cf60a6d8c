//! Opsgenie: one alert for a group, created while it fires and closed when it is over.

use http::header::AUTHORIZATION;
use rules::Problems;
use rules::yaml::Cursor;
use serde_json::{Map, Value as Json, json};

use super::letter::{Fault, Letter};
use super::limit;
use super::read::{self, flag, template};
use super::request::Request;
use crate::config::{Global, HttpConfig, SecretSource, Url, value};
use crate::template::Alike;

/// What the file says.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    pub(super) http: HttpConfig,
    api_url: Url,
    api_key: SecretSource,
    message: String,
    description: String,
    source: String,
    details: Vec<(String, String)>,
    entity: String,
    responders: Vec<Responder>,
    actions: String,
    tags: String,
    note: String,
    priority: String,
    update_alerts: bool,
}

/// Who is told.
#[derive(Clone, Debug, PartialEq)]
struct Responder {
    id: String,
    name: String,
    username: String,
    kind: String,
}

const KEYS: [&str; 16] = [
    "send_resolved",
    "http_config",
    "api_key",
    "api_key_file",
    "api_url",
    "message",
    "description",
    "source",
    "details",
    "entity",
    "responders",
    "actions",
    "tags",
    "note",
    "priority",
    "update_alerts",
];

const RESPONDERS: [&str; 5] = ["team", "teams", "user", "escalation", "schedule"];

// What Opsgenie takes, in characters and in number.
const MAX_MESSAGE: usize = 130;
const MAX_DESCRIPTION: usize = 15_000;
const MAX_SOURCE: usize = 100;
const MAX_ENTITY: usize = 512;
const MAX_NOTE: usize = 25_000;
const MAX_TAG: usize = 50;
const MAX_TAGS: usize = 20;
const MAX_ACTIONS: usize = 10;
const MAX_RESPONDERS: usize = 50;
/// Of all names and values together.
const MAX_DETAILS: usize = 8_000;

impl Settings {
    pub(super) fn read(at: &Cursor<'_>, global: &Global, problems: &mut Problems) -> Option<Self> {
        at.fields(&KEYS, problems);
        let key = value::secret(at, "api_key", problems);
        let key = key.or_else(|| global.opsgenie.api_key.clone());
        if key.is_none() {
            let hint = "add api_key here, or opsgenie_api_key under global";
            read::missing(at, "api_key", hint, problems);
        }
        let api_url = value::url(at, "api_url", problems);
        let responders = at.list("responders", problems);
        let details = at.texts("details", problems).into_iter();
        let http = read::http(at, global, problems);
        let update_alerts = flag(at, "update_alerts", problems);
        let own = |key: &str, problems: &mut Problems| {
            let default = format!("{{{{ template \"opsgenie.default.{key}\" . }}}}");
            template(at, key, &default, problems)
        };
        Some(Self {
            http,
            api_url: api_url.unwrap_or_else(|| global.opsgenie.api_url.clone()),
            message: own("message", problems),
            description: own("description", problems),
            source: own("source", problems),
            details: details
                .map(|(name, value, _)| (name.to_owned(), value.to_owned()))
                .collect(),
            entity: template(at, "entity", "", problems),
            responders: responders
                .iter()
                .map(|at| Responder::read(at, problems))
                .collect(),
            actions: template(at, "actions", "", problems),
            tags: template(at, "tags", "", problems),
            note: template(at, "note", "", problems),
            priority: template(at, "priority", "", problems),
            update_alerts,
            api_key: key?,
        })
    }

    /// The alert is created; it is brought up to date by requests of their own where the file wants
    /// that, for creating it again changes nothing of it.
    pub(super) fn requests(&self, letter: &mut Letter<'_>) -> Result<Vec<Request>, Fault> {
        let alias = letter.group_hash();
        let source = limit::chars(&letter.text("source", &self.source), MAX_SOURCE);
        if !letter.notification.is_firing() {
            let path = format!("v2/alerts/{alias}/close");
            return Ok(vec![self.request(
                letter,
                &path,
                &filled([("source", source)]),
            )?]);
        }
        let message = letter.line("message", &self.message);
        let message = limit::chars(or_alert(&message), MAX_MESSAGE);
        let description = letter.message("description", &self.description);
        let description = limit::chars(&description, MAX_DESCRIPTION);
        let mut body = filled([
            ("alias", alias.clone()),
            ("message", message.clone()),
            ("description", description.clone()),
            ("source", source),
            (
                "entity",
                limit::chars(&letter.text("entity", &self.entity), MAX_ENTITY),
            ),
            (
                "note",
                limit::chars(&letter.text("note", &self.note), MAX_NOTE),
            ),
            (
                "priority",
                priority(&letter.text("priority", &self.priority)),
            ),
        ]);
        let lists = [
            ("responders", self.responders(letter)),
            ("tags", words(&letter.text("tags", &self.tags), MAX_TAGS)),
            (
                "actions",
                words(&letter.text("actions", &self.actions), MAX_ACTIONS),
            ),
        ];
        for (field, list) in lists {
            if !list.is_empty() {
                body.insert(field.to_owned(), list.into());
            }
        }
        let details = self.details(letter);
        body.insert("details".to_owned(), details);
        let mut requests = vec![self.request(letter, "v2/alerts", &body)?];
        if self.update_alerts {
            let updates = [("message", message), ("description", description)];
            for (field, text) in updates {
                let path = format!("v2/alerts/{alias}/{field}");
                requests.push(self.request(letter, &path, &filled([(field, text)]))?);
            }
        }
        Ok(requests)
    }

    /// A request to the API; all but the one that creates name the alert by its alias.
    fn request(
        &self,
        letter: &Letter<'_>,
        path: &str,
        body: &Map<String, Json>,
    ) -> Result<Request, Fault> {
        let mut url = self.api_url.get().clone();
        let base = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{base}/{path}"));
        if path != "v2/alerts" {
            url.set_query(Some("identifierType=alias"));
        }
        let key = letter.secret(&self.api_key)?;
        let key = format!("GenieKey {}", key.reveal().trim());
        Request::json(url, &Json::Object(body.clone())).secret(AUTHORIZATION, &key)
    }

    fn responders(&self, letter: &mut Letter<'_>) -> Vec<Json> {
        let mut written = Vec::new();
        for responder in &self.responders {
            let mut text = |template: &str| letter.text("responders", template).trim().to_owned();
            let kind = text(&responder.kind).to_ascii_lowercase();
            let (id, name) = (text(&responder.id), text(&responder.name));
            let username = text(&responder.username);
            if kind == "teams" {
                let teams = name
                    .split(',')
                    .map(str::trim)
                    .filter(|team| !team.is_empty());
                written.extend(teams.map(|team| json!({ "type": "team", "name": team })));
                continue;
            }
            let named = filled([("id", id), ("name", name), ("username", username)]);
            // One that is nobody, or of a kind that is none, would have the whole alert refused.
            if named.is_empty() || !RESPONDERS.contains(&kind.as_str()) {
                continue;
            }
            let mut named = named;
            named.insert("type".to_owned(), kind.into());
            written.push(Json::Object(named));
        }
        written.truncate(MAX_RESPONDERS);
        written
    }

    /// The labels that all alerts have, and what the file adds, as much of it as fits.
    fn details(&self, letter: &mut Letter<'_>) -> Json {
        let common = Alike::of(&letter.notification.alerts);
        let mut details = Map::new();
        for (name, value) in common.labels {
            details.insert(name.to_owned(), value.into());
        }
        for (name, template) in &self.details {
            details.insert(name.clone(), letter.text("details", template).into());
        }
        let mut room = MAX_DETAILS;
        details.retain(|name, value| {
            let length = name.chars().count() + value.as_str().unwrap_or_default().chars().count();
            let fits = length <= room;
            room -= if fits { length } else { 0 };
            fits
        });
        Json::Object(details)
    }

    pub(super) fn templates(&self) -> Vec<(&'static str, &str)> {
        let mut templates = vec![
            ("message", self.message.as_str()),
            ("description", &self.description),
            ("source", &self.source),
            ("entity", &self.entity),
            ("actions", &self.actions),
            ("tags", &self.tags),
            ("note", &self.note),
            ("priority", &self.priority),
        ];
        let details = self.details.iter();
        templates.extend(details.map(|(_, value)| ("details", value.as_str())));
        for responder in &self.responders {
            let Responder {
                id,
                name,
                username,
                kind,
            } = responder;
            templates.extend([id, name, username, kind].map(|text| ("responders", text.as_str())));
        }
        templates
    }
}

impl Responder {
    fn read(at: &Cursor<'_>, problems: &mut Problems) -> Self {
        at.fields(&["id", "name", "username", "type"], problems);
        let mut own = |key: &str| template(at, key, "", problems);
        let responder = Self {
            id: own("id"),
            name: own("name"),
            username: own("username"),
            kind: own("type"),
        };
        let Self {
            id,
            name,
            username,
            kind,
        } = &responder;
        if [id, name, username].iter().all(|text| text.is_empty()) {
            let message = "a responder needs one of id, name and username";
            at.problem(problems, message, "");
        }
        let is_known = RESPONDERS.contains(&kind.to_ascii_lowercase().as_str());
        if !is_known && !kind.contains("{{") {
            let message = format!("type: no kind of responder: {kind:?}");
            at.problem(
                problems,
                message,
                "it is one of team, teams, user, escalation and schedule",
            );
        }
        responder
    }
}

fn or_alert(message: &str) -> &str {
    if message.is_empty() { "alert" } else { message }
}

/// What is not empty.
fn filled<const N: usize>(fields: [(&str, String); N]) -> Map<String, Json> {
    let fields = fields.into_iter().filter(|(_, text)| !text.is_empty());
    fields
        .map(|(name, text)| (name.to_owned(), Json::String(text)))
        .collect()
}

/// What stands between commas.
fn words(text: &str, most: usize) -> Vec<Json> {
    let words = text
        .split(',')
        .map(str::trim)
        .filter(|word| !word.is_empty());
    words
        .take(most)
        .map(|word| limit::chars(word, MAX_TAG).into())
        .collect()
}

/// One of the five that there are, or none: for any other the alert would be refused.
fn priority(text: &str) -> String {
    let text = text.trim().to_ascii_uppercase();
    let is_known = matches!(text.as_str(), "P1" | "P2" | "P3" | "P4" | "P5");
    if is_known { text } else { String::new() }
}
