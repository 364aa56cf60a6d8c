//! Telegram: a message of a bot.
//!
//! Where marks in a text are wrong Telegram refuses it as a whole; so it is sent once more without any.

use std::time::Duration;

use rules::Problems;
use rules::yaml::Cursor;
use serde_json::{Value as Json, json};

use super::letter::{Fault, Letter};
use super::read::{self, flag, template};
use super::request::{self, Attempt, Request};
use super::{Answer, Verdict, limit, plain};
use crate::config::{Global, HttpConfig, SecretSource, Url, value};

/// What the file says.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    pub(super) http: HttpConfig,
    api_url: Url,
    bot_token: SecretSource,
    chat: SecretSource,
    thread: Option<i64>,
    message: String,
    is_silent: bool,
    marks: Marks,
    timeout: Option<Duration>,
}

/// How a text says what is bold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Marks {
    None,
    Html,
    Markdown,
    MarkdownV2,
}

const KEYS: [&str; 12] = [
    "send_resolved",
    "http_config",
    "api_url",
    "bot_token",
    "bot_token_file",
    "chat_id",
    "chat_id_file",
    "message_thread_id",
    "message",
    "disable_notifications",
    "parse_mode",
    "timeout",
];

/// In characters, of what remains when the marks are read; with them there may be more, but nobody
/// reads that far.
const MAX_TEXT: usize = 4_096;

impl Settings {
    pub(super) fn read(at: &Cursor<'_>, global: &Global, problems: &mut Problems) -> Option<Self> {
        at.fields(&KEYS, problems);
        let token = value::secret(at, "bot_token", problems);
        let token = token.or_else(|| global.telegram.bot_token.clone());
        if token.is_none() {
            let hint = "add bot_token here, or telegram_bot_token under global";
            read::missing(at, "bot_token", hint, problems);
        }
        let number = |text: &str| text.parse::<i64>().ok();
        let chat = value::secret(at, "chat_id", problems);
        if chat.is_none() {
            read::missing(at, "chat_id", "add chat_id or chat_id_file", problems);
        }
        at.parsed("chat_id", "a whole number", number, problems);
        let marks = at.parsed(
            "parse_mode",
            "Markdown, MarkdownV2, HTML or nothing",
            Marks::parse,
            problems,
        );
        let api_url = value::url(at, "api_url", problems);
        let message = r#"{{ template "telegram.default.message" . }}"#;
        let thread = at.parsed("message_thread_id", "a whole number", number, problems);
        Some(Self {
            http: read::http(at, global, problems),
            api_url: api_url.unwrap_or_else(|| global.telegram.api_url.clone()),
            thread: thread.filter(|thread| *thread != 0),
            message: template(at, "message", message, problems),
            is_silent: flag(at, "disable_notifications", problems),
            marks: marks.unwrap_or(Marks::Html),
            timeout: read::timeout(at, problems),
            bot_token: token?,
            chat: chat?,
        })
    }

    pub(super) fn attempt(&self, letter: &mut Letter<'_>) -> Result<Attempt, Fault> {
        let (text, marks) = self.text(letter);
        let request = self.request(&text, marks, letter)?;
        let instead = match marks {
            Marks::None => None,
            _ => {
                let why = "Telegram refused the marks in it";
                let bare = plain::message(letter.notification, "message", why);
                let bare = limit::chars(&bare, MAX_TEXT);
                Some(self.request(&bare, Marks::None, letter)?)
            }
        };
        Ok(Attempt { request, instead })
    }

    fn text(&self, letter: &mut Letter<'_>) -> (String, Marks) {
        if self.marks != Marks::Html {
            let text = letter.message("message", &self.message);
            let is_ours = letter.failure().is_some();
            let marks = if is_ours { Marks::None } else { self.marks };
            return (limit::chars(text.trim(), MAX_TEXT), marks);
        }
        match letter.html("message", &self.message) {
            Ok(text) => (limit::html(text.trim(), MAX_TEXT), Marks::Html),
            Err(text) => (limit::chars(&text, MAX_TEXT), Marks::None),
        }
    }

    fn request(&self, text: &str, marks: Marks, letter: &Letter<'_>) -> Result<Request, Fault> {
        let token = letter.secret(&self.bot_token)?;
        let base = self.api_url.to_string();
        let base = base.trim_end_matches('/');
        let url = request::url(&format!("{base}/bot{}/sendMessage", token.reveal().trim()))?;
        let chat = letter.secret(&self.chat)?;
        let chat: i64 = chat
            .reveal()
            .trim()
            .parse()
            .map_err(|_| Fault::later("chat_id is no whole number"))?;
        let text = if text.is_empty() { "alert" } else { text };
        let mut body = json!({
            "chat_id": chat,
            "text": text,
            "disable_notification": self.is_silent,
            "link_preview_options": { "is_disabled": true },
        });
        if let Some(mode) = marks.name() {
            body["parse_mode"] = mode.into();
        }
        if let Some(thread) = self.thread {
            body["message_thread_id"] = thread.into();
        }
        let mut request = Request::json(url, &body);
        request.timeout = self.timeout;
        Ok(request)
    }

    pub(super) fn templates(&self) -> Vec<(&'static str, &str)> {
        vec![("message", &self.message)]
    }
}

impl Marks {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "" => Some(Self::None),
            "HTML" => Some(Self::Html),
            "Markdown" => Some(Self::Markdown),
            "MarkdownV2" => Some(Self::MarkdownV2),
            _ => None,
        }
    }

    fn name(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Html => Some("HTML"),
            Self::Markdown => Some("Markdown"),
            Self::MarkdownV2 => Some("MarkdownV2"),
        }
    }
}

/// Telegram says in the body how long to wait, and may refuse with a status of success.
pub(super) fn verdict(answer: &Answer, now_ms: i64) -> Verdict {
    let json = serde_json::from_slice::<Json>(&answer.body).unwrap_or_default();
    let after = json.pointer("/parameters/retry_after");
    let mut answer = answer.clone();
    if let Some(seconds) = after.and_then(Json::as_u64) {
        answer.retry_after = Some(seconds.to_string());
    }
    let verdict = answer.verdict(now_ms);
    match (&verdict, json.get("ok")) {
        (Verdict::Delivered { .. }, Some(Json::Bool(false))) => {
            let status = json.get("error_code").and_then(Json::as_u64);
            answer.status = status
                .and_then(|status| u16::try_from(status).ok())
                .filter(|status| *status >= 300)
                .unwrap_or(400);
            answer.verdict(now_ms)
        }
        // A server that is not Telegram's: something stands between us.
        (Verdict::Delivered { .. }, None) => Verdict::Retry {
            after: None,
            error: "the answer is not Telegram's".to_owned(),
        },
        _ => verdict,
    }
}
