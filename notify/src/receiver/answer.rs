//! What the answers of receivers mean.

use std::time::Duration;

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The receiver took it.
    Delivered {
        /// What it said, for the history.
        detail: String,
    },
    /// It may be taken later.
    Retry {
        /// How long the receiver asks to be left alone.
        after: Option<Duration>,
        /// What went wrong; holds no secrets.
        error: String,
    },
    /// It will never be taken as it is.
    Refused {
        /// Why; holds no secrets.
        error: String,
    },
}

/// What a receiver answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The header `Retry-After`.
    pub retry_after: Option<String>,
    /// The body, as much of it as was read.
    pub body: Vec<u8>,
}

/// How much of a body messages repeat.
const SHOWN: usize = 300;

/// No receiver is left alone for longer, whatever it asks: somebody waits for the message.
const LONGEST: Duration = Duration::from_secs(3600);

impl Answer {
    /// What an answer means where only its status says so.
    #[must_use]
    pub fn verdict(&self, now_ms: i64) -> Verdict {
        let status = self.status;
        let said = self.said();
        let error = if said.is_empty() {
            format!("the receiver answered {status}")
        } else {
            format!("the receiver answered {status}: {said}")
        };
        match status {
            200..=299 => Verdict::Delivered {
                detail: format!("{status}"),
            },
            // A redirect that is not followed, a wait that was too long, and a receiver that has too
            // much to do or is broken: none of these is about the message.
            300..=399 | 408 | 425 | 429 | 500..=599 => Verdict::Retry {
                after: self.after(now_ms),
                error,
            },
            _ => Verdict::Refused { error },
        }
    }

    /// How long the receiver asks to be left alone, from a time on.
    #[must_use]
    pub fn after(&self, now_ms: i64) -> Option<Duration> {
        let text = self.retry_after.as_deref()?.trim();
        let after = match text.parse::<f64>() {
            Ok(seconds) if seconds > LONGEST.as_secs_f64() => LONGEST,
            Ok(seconds) => Duration::try_from_secs_f64(seconds).ok()?,
            Err(_) => {
                let then = jiff::fmt::rfc2822::parse(text).ok()?;
                let ms = then.timestamp().as_millisecond().saturating_sub(now_ms);
                Duration::from_millis(u64::try_from(ms).unwrap_or(0))
            }
        };
        Some(after.min(LONGEST))
    }

    /// The body as far as people can read it: the reason where it is JSON, on one line.
    #[must_use]
    pub fn said(&self) -> String {
        let json = serde_json::from_slice(&self.body).ok();
        let reason = json.as_ref().and_then(reason);
        let text = reason.unwrap_or_else(|| String::from_utf8_lossy(&self.body).into_owned());
        // Pages of proxies are HTML, of which nothing is worth repeating.
        if text.trim_start().starts_with('<') {
            return String::new();
        }
        readable(&text)
    }
}

/// A text from outside as it may stand in a message: short, on one line, nothing that controls a
/// terminal.
pub(crate) fn readable(text: &str) -> String {
    let visible = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let visible: String = visible.take(SHOWN).collect();
    visible.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Where receivers say why: PagerDuty's `message` and `errors`, Opsgenie's `message`, Telegram's
/// `description`, Slack's `error`.
fn reason(json: &serde_json::Value) -> Option<String> {
    let text = |key: &str| json.get(key).and_then(serde_json::Value::as_str);
    let keys = ["message", "description", "error", "detail", "title"];
    let mut said: Vec<&str> = keys.iter().filter_map(|key| text(key)).collect();
    let errors = json.get("errors").and_then(serde_json::Value::as_array);
    said.extend(
        errors
            .into_iter()
            .flatten()
            .filter_map(|error| error.as_str()),
    );
    (!said.is_empty()).then(|| said.join(": "))
}
