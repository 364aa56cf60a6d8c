//! Slack: a message with one attachment, to a webhook or by an app.

mod settings;

use http::header::AUTHORIZATION;
use serde_json::{Map, Value as Json, json};

use super::letter::{Fault, Letter};
use super::request::{self, Request};
use super::{Answer, Verdict, limit};
pub use settings::Settings;
use settings::{Action, Target};

/// In characters. Slack shows no more of a title, and folds a text long before that.
const MAX_TITLE: usize = 1_024;
const MAX_TEXT: usize = 8_000;
/// Of all other texts.
const MAX_FIELD: usize = 2_000;
/// An attachment shows no more of them.
const MAX_ACTIONS: usize = 5;

/// What of Slack's errors passes.
const PASSING: [&str; 7] = [
    "ratelimited",
    "rate_limited",
    "internal_error",
    "fatal_error",
    "service_unavailable",
    "request_timeout",
    "rollup_error",
];

impl Settings {
    pub(super) fn request(&self, letter: &mut Letter<'_>) -> Result<Request, Fault> {
        let mut body = Map::new();
        let texts = [
            ("channel", &self.channel),
            ("username", &self.username),
            ("icon_emoji", &self.icon_emoji),
            ("icon_url", &self.icon_url),
            ("text", &self.message_text),
        ];
        for (field, template) in texts {
            put(&mut body, field, letter.text(field, template));
        }
        if self.link_names {
            body.insert("link_names".into(), true.into());
        }
        let attachment = self.attachment(letter);
        body.insert("attachments".into(), json!([attachment]));
        let body = Json::Object(body);
        let mut request = match &self.target {
            Target::Webhook(url) => {
                Request::json(request::url(letter.secret(url)?.reveal())?, &body)
            }
            Target::App { url, token } => {
                let token = letter.secret(token)?;
                let bearer = format!("Bearer {}", token.reveal());
                Request::json(url.get().clone(), &body).secret(AUTHORIZATION, &bearer)?
            }
        };
        request.timeout = self.timeout;
        Ok(request)
    }

    fn attachment(&self, letter: &mut Letter<'_>) -> Json {
        let mut attachment = Map::new();
        let title = limit::chars(&letter.line("title", &self.title), MAX_TITLE);
        put(&mut attachment, "title", title);
        let text = limit::chars(letter.message("text", &self.text).trim(), MAX_TEXT);
        put(&mut attachment, "text", text);
        let fallback = limit::chars(&letter.line("fallback", &self.fallback), MAX_FIELD);
        put(&mut attachment, "fallback", fallback);
        let texts = [
            ("title_link", &self.title_link),
            ("pretext", &self.pretext),
            ("color", &self.color),
            ("footer", &self.footer),
            ("callback_id", &self.callback_id),
            ("image_url", &self.image_url),
            ("thumb_url", &self.thumb_url),
        ];
        for (field, template) in texts {
            let text = limit::chars(&letter.text(field, template), MAX_FIELD);
            put(&mut attachment, field, text);
        }
        attachment.insert("mrkdwn_in".into(), json!(self.mrkdwn_in));
        let fields = self.fields.iter().map(|field| {
            let title = limit::chars(&letter.text("fields", &field.title), MAX_FIELD);
            let value = limit::chars(&letter.text("fields", &field.value), MAX_FIELD);
            let short = field.short.unwrap_or(self.short_fields);
            json!({ "title": title, "value": value, "short": short })
        });
        let fields: Vec<_> = fields.collect();
        if !fields.is_empty() {
            attachment.insert("fields".into(), fields.into());
        }
        let actions = self.actions.iter().take(MAX_ACTIONS);
        let actions: Vec<_> = actions.map(|action| action.write(letter)).collect();
        if !actions.is_empty() {
            attachment.insert("actions".into(), actions.into());
        }
        Json::Object(attachment)
    }
}

impl Action {
    fn write(&self, letter: &mut Letter<'_>) -> Json {
        let mut action = Map::new();
        let texts = [
            ("type", &self.kind),
            ("text", &self.text),
            ("url", &self.url),
            ("style", &self.style),
            ("name", &self.name),
            ("value", &self.value),
        ];
        for (field, template) in texts {
            put(&mut action, field, letter.text("actions", template));
        }
        if let Some(confirm) = &self.confirm {
            let mut asked = Map::new();
            for (field, template) in confirm {
                put(&mut asked, field, letter.text("actions", template));
            }
            action.insert("confirm".into(), Json::Object(asked));
        }
        Json::Object(action)
    }
}

/// What is empty is left out.
fn put(into: &mut Map<String, Json>, field: &str, text: String) {
    if !text.is_empty() {
        into.insert(field.to_owned(), Json::String(text));
    }
}

/// Slack says of some failures that all went well, but for the body.
pub(super) fn verdict(answer: &Answer, now_ms: i64) -> Verdict {
    let verdict = answer.verdict(now_ms);
    let Verdict::Delivered { detail } = verdict else {
        return passing(answer, now_ms, verdict);
    };
    let body = String::from_utf8_lossy(&answer.body);
    let json = serde_json::from_str::<Json>(&body).ok();
    match json.as_ref().and_then(|json| json.get("ok")) {
        Some(Json::Bool(true)) => Verdict::Delivered { detail },
        Some(_) => {
            let error = format!("Slack refused it: {}", answer.said());
            passing(answer, now_ms, Verdict::Refused { error })
        }
        // A webhook says `ok` as a text; servers that take what Slack takes say what they like.
        None => Verdict::Delivered { detail },
    }
}

/// What Slack refuses for a reason that passes is tried again.
fn passing(answer: &Answer, now_ms: i64, verdict: Verdict) -> Verdict {
    let said = answer.said();
    match verdict {
        Verdict::Refused { error } if PASSING.contains(&said.as_str()) => Verdict::Retry {
            after: answer.after(now_ms),
            error,
        },
        verdict => verdict,
    }
}
