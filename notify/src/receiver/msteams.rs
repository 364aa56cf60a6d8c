//! Microsoft Teams by a workflow: a message with one adaptive card.

use rules::Problems;
use rules::yaml::Cursor;
use serde_json::{Value as Json, json};

use super::letter::{Fault, Letter};
use super::request::{self, Request};
use super::{limit, read};
use crate::config::{Global, HttpConfig, SecretSource, value};

/// What the file says.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    pub(super) http: HttpConfig,
    webhook_url: SecretSource,
    title: String,
    text: String,
}

const KEYS: [&str; 6] = [
    "send_resolved",
    "http_config",
    "webhook_url",
    "webhook_url_file",
    "title",
    "text",
];

/// In bytes. A message may have 28 KB in all.
const MAX_TITLE: usize = 1_000;
const MAX_MESSAGE: usize = 28_000;

impl Settings {
    pub(super) fn read(at: &Cursor<'_>, global: &Global, problems: &mut Problems) -> Option<Self> {
        at.fields(&KEYS, problems);
        let url = value::secret_url(at, "webhook_url", problems);
        if url.is_none() && at.get("webhook_url").is_none() {
            let hint = "add webhook_url or webhook_url_file";
            read::missing(at, "webhook_url", hint, problems);
        }
        let title = r#"{{ template "msteamsv2.default.title" . }}"#;
        let text = r#"{{ template "msteamsv2.default.text" . }}"#;
        Some(Self {
            http: read::http(at, global, problems),
            title: read::template(at, "title", title, problems),
            text: read::template(at, "text", text, problems),
            webhook_url: url?,
        })
    }

    pub(super) fn request(&self, letter: &mut Letter<'_>) -> Result<Request, Fault> {
        let url = request::url(letter.secret(&self.webhook_url)?.reveal())?;
        let title = limit::bytes(&letter.line("title", &self.title), MAX_TITLE);
        let text = letter.message("text", &self.text);
        let color = if letter.notification.is_firing() {
            "attention"
        } else {
            "good"
        };
        let around = card(&title, "", color).to_string().len();
        let text = limit::json(&text, MAX_MESSAGE.saturating_sub(around));
        Ok(Request::json(url, &card(&title, &text, color)))
    }

    pub(super) fn templates(&self) -> Vec<(&'static str, &str)> {
        vec![("title", &self.title), ("text", &self.text)]
    }
}

fn card(title: &str, text: &str, color: &str) -> Json {
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.4",
                "body": [
                    {
                        "type": "TextBlock", "text": title, "weight": "bolder", "size": "medium",
                        "wrap": true, "style": "heading", "color": color,
                    },
                    { "type": "TextBlock", "text": text, "wrap": true },
                ],
                "msteams": { "width": "full" },
            },
        }],
    })
}
