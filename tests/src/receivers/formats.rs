//! What the makers of receivers publish: where requests go, what they hold, and what is answered.

use serde_json::{Value, json};

use super::fields::Fields;
use super::fields::Need::{May, Must};

/// Whose server it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// An incoming webhook of Slack.
    Slack,
    /// Slack's `chat.postMessage`, which wants a token.
    SlackApp,
    /// PagerDuty's Events API v2.
    Pagerduty,
    /// Alertmanager's webhook, version 4.
    Webhook,
    /// `sendMessage` of Telegram's Bot API.
    Telegram,
    /// A workflow of Microsoft Teams.
    Msteams,
    /// Opsgenie's Alert API.
    Opsgenie,
    /// Whatever comes.
    Anything,
}

/// A request apart.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request<'a> {
    pub(super) path: &'a str,
    pub(super) authorization: Option<&'a str>,
    pub(super) bytes: usize,
    pub(super) body: &'a Value,
}

impl Format {
    /// What of a request is not as published.
    pub(super) fn problems(self, request: Request<'_>) -> Vec<String> {
        let mut problems = Vec::new();
        let Request {
            path,
            authorization,
            bytes,
            body,
        } = request;
        let mut check = |look: fn(&mut Fields<'_>)| Fields::check(body, "", &mut problems, look);
        let mut wanted_path = None;
        match self {
            Self::Slack => {
                check(slack);
                wanted_path = Some("/services/T0/B0/");
            }
            Self::SlackApp => {
                check(slack_app);
                wanted_path = Some("/api/chat.postMessage");
                if !authorization.is_some_and(|text| text.starts_with("Bearer xoxb-")) {
                    problems.push("no token".to_owned());
                }
            }
            Self::Pagerduty => {
                check(pagerduty);
                wanted_path = Some("/v2/enqueue");
                if bytes > 512 * 1024 {
                    problems.push("larger than 512 KB".to_owned());
                }
            }
            Self::Webhook => check(webhook),
            Self::Telegram => {
                check(telegram);
                wanted_path = Some("/bot");
                if !path.ends_with("/sendMessage") {
                    problems.push(format!("no method {path}"));
                }
                problems.extend(marks(body));
            }
            Self::Msteams => {
                check(msteams);
                if bytes > 28 * 1024 {
                    problems.push("larger than 28 KB".to_owned());
                }
            }
            Self::Opsgenie => {
                opsgenie(path, body, &mut problems);
                if !authorization.is_some_and(|text| text.starts_with("GenieKey ")) {
                    problems.push("no key".to_owned());
                }
            }
            Self::Anything => {}
        }
        if wanted_path.is_some_and(|wanted| !path.starts_with(wanted)) {
            problems.push(format!("no such path {path}"));
        }
        problems
    }

    /// What is answered to a message that is taken.
    pub(super) fn taken(self) -> (u16, String) {
        let dedup_key = "k";
        match self {
            Self::Slack | Self::Webhook | Self::Anything => (200, "ok".to_owned()),
            Self::SlackApp => (200, json!({ "ok": true, "ts": "1.2" }).to_string()),
            Self::Pagerduty => {
                let message = "Event processed";
                let body =
                    json!({ "status": "success", "message": message, "dedup_key": dedup_key });
                (202, body.to_string())
            }
            Self::Telegram => {
                let result =
                    json!({ "message_id": 1, "date": 1, "chat": { "id": 1, "type": "group" } });
                (200, json!({ "ok": true, "result": result }).to_string())
            }
            Self::Msteams => (202, String::new()),
            Self::Opsgenie => {
                let body =
                    json!({ "result": "Request will be processed", "took": 0.1, "requestId": "r" });
                (202, body.to_string())
            }
        }
    }

    /// What is answered to one that is not.
    pub(super) fn refused(self, problems: &[String]) -> (u16, String) {
        let why = problems.join("; ");
        match self {
            Self::Slack => (400, format!("invalid_payload: {why}")),
            Self::SlackApp => (200, json!({ "ok": false, "error": why }).to_string()),
            Self::Pagerduty => {
                let message = "Event object is invalid";
                let body =
                    json!({ "status": "invalid event", "message": message, "errors": problems });
                (400, body.to_string())
            }
            Self::Telegram => {
                let why = format!("Bad Request: {why}");
                let body = json!({ "ok": false, "error_code": 400, "description": why });
                (400, body.to_string())
            }
            Self::Opsgenie => (
                422,
                json!({ "message": why, "took": 0.1, "requestId": "r" }).to_string(),
            ),
            Self::Webhook | Self::Msteams | Self::Anything => (400, why),
        }
    }
}

fn slack(fields: &mut Fields<'_>) {
    fields.text("channel", May, 80);
    slack_message(fields);
}

fn slack_app(fields: &mut Fields<'_>) {
    fields.text("channel", Must, 80);
    slack_message(fields);
}

fn slack_message(fields: &mut Fields<'_>) {
    fields.text("username", May, 80);
    fields.text("text", May, 40_000);
    fields.text("icon_emoji", May, 100);
    fields.address("icon_url", May);
    fields.flag("link_names", May);
    fields.objects("attachments", (Must, 100), |attachment| {
        for key in ["fallback", "pretext", "title", "footer", "callback_id"] {
            attachment.text(key, May, 2_000);
        }
        attachment.text("text", May, 8_000);
        attachment.text("color", May, 10);
        for key in ["title_link", "image_url", "thumb_url"] {
            attachment.address(key, May);
        }
        attachment.list("mrkdwn_in", May, (3, 10));
        attachment.objects("fields", (May, 100), |field| {
            field.text("title", Must, 2_000);
            field.text("value", Must, 2_000);
            field.flag("short", May);
        });
        attachment.objects("actions", (May, 5), |action| {
            action.one_of("type", Must, &["button"]);
            action.text("text", Must, 2_000);
            action.address("url", May);
            for key in ["name", "value"] {
                action.text(key, May, 2_000);
            }
            action.one_of("style", May, &["default", "primary", "danger"]);
            action.object("confirm", May, |confirm| {
                confirm.text("text", Must, 2_000);
                for key in ["title", "ok_text", "dismiss_text"] {
                    confirm.text(key, May, 2_000);
                }
            });
        });
    });
}

fn pagerduty(fields: &mut Fields<'_>) {
    fields.text("routing_key", Must, 32);
    fields.one_of("event_action", Must, &["trigger", "acknowledge", "resolve"]);
    fields.text("dedup_key", Must, 255);
    fields.text("client", May, 1_024);
    fields.address("client_url", May);
    fields.objects("images", (May, 100), |image| {
        image.address("src", Must);
        image.address("href", May);
        image.text("alt", May, 1_024);
    });
    fields.objects("links", (May, 100), |link| {
        link.address("href", Must);
        link.text("text", May, 1_024);
    });
    fields.object("payload", Must, |payload| {
        payload.text("summary", Must, 1_024);
        payload.text("source", Must, 1_024);
        payload.one_of("severity", Must, &["critical", "error", "warning", "info"]);
        payload.moment("timestamp", May);
        for key in ["component", "group", "class"] {
            payload.text(key, May, 1_024);
        }
        payload.anything("custom_details", May);
    });
}

const STATUS: [&str; 2] = ["firing", "resolved"];

fn webhook(fields: &mut Fields<'_>) {
    const ANY: usize = usize::MAX;
    fields.one_of("version", Must, &["4"]);
    fields.text("groupKey", Must, ANY);
    fields.whole("truncatedAlerts", Must);
    fields.one_of("status", Must, &STATUS);
    fields.text("receiver", Must, ANY);
    for key in ["groupLabels", "commonLabels", "commonAnnotations"] {
        fields.texts(key, Must, ANY);
    }
    fields.address("externalURL", Must);
    fields.objects("alerts", (Must, ANY), |alert| {
        alert.one_of("status", Must, &STATUS);
        alert.texts("labels", Must, ANY);
        alert.texts("annotations", Must, ANY);
        alert.moment("startsAt", Must);
        alert.moment("endsAt", Must);
        alert.text("generatorURL", May, ANY);
        alert.text("fingerprint", Must, 16);
    });
}

fn telegram(fields: &mut Fields<'_>) {
    fields.whole("chat_id", Must);
    fields.whole("message_thread_id", May);
    fields.text("text", Must, 4_096);
    fields.one_of("parse_mode", May, &["HTML", "Markdown", "MarkdownV2"]);
    fields.flag("disable_notification", May);
    fields.object("link_preview_options", May, |options| {
        options.flag("is_disabled", May);
    });
}

/// What Telegram finds wrong with HTML: an unknown tag, one that is not closed.
fn marks(body: &Value) -> Option<String> {
    const TAGS: [&str; 6] = ["b", "i", "u", "a", "code", "pre"];
    if body.get("parse_mode")?.as_str()? != "HTML" {
        return None;
    }
    let mut open: Vec<&str> = Vec::new();
    for tag in body.get("text")?.as_str()?.split('<').skip(1) {
        let Some((tag, _)) = tag.split_once('>') else {
            return Some("can't parse entities: a tag without an end".to_owned());
        };
        let name = tag
            .trim_start_matches('/')
            .split(' ')
            .next()
            .unwrap_or_default();
        if !TAGS.contains(&name) {
            return Some(format!(
                "can't parse entities: unsupported start tag \"{name}\""
            ));
        }
        if !tag.starts_with('/') {
            open.push(name);
        } else if open.pop() != Some(name) {
            return Some(format!(
                "can't parse entities: unexpected end tag \"{name}\""
            ));
        }
    }
    open.pop()
        .map(|name| format!("can't parse entities: can't find end tag of \"{name}\""))
}

fn msteams(fields: &mut Fields<'_>) {
    fields.one_of("type", Must, &["message"]);
    fields.objects("attachments", (Must, 1), |attachment| {
        let card = ["application/vnd.microsoft.card.adaptive"];
        attachment.one_of("contentType", Must, &card);
        attachment.null("contentUrl", May);
        attachment.object("content", Must, |content| {
            let schema = ["http://adaptivecards.io/schemas/adaptive-card.json"];
            content.one_of("$schema", Must, &schema);
            content.one_of("type", Must, &["AdaptiveCard"]);
            content.one_of("version", Must, &["1.2", "1.3", "1.4"]);
            content.object("msteams", May, |own| own.one_of("width", May, &["full"]));
            content.objects("body", (Must, 10), |block| {
                block.one_of("type", Must, &["TextBlock"]);
                block.text("text", Must, usize::MAX);
                block.flag("wrap", May);
                block.one_of("weight", May, &["bolder", "default", "lighter"]);
                block.one_of("size", May, &["small", "default", "medium", "large"]);
                block.one_of("style", May, &["default", "heading"]);
                block.one_of("color", May, &["default", "good", "warning", "attention"]);
            });
        });
    });
}

fn opsgenie(path: &str, body: &Value, problems: &mut Vec<String>) {
    if path == "/v2/alerts" {
        return Fields::check(body, "", problems, opsgenie_alert);
    }
    let known = regex::Regex::new(
        r"^/v2/alerts/[0-9a-f]{64}/(close|message|description)\?identifierType=alias$",
    );
    let known = known.expect("the pattern is one");
    let Some(what) = known.captures(path).and_then(|found| found.get(1)) else {
        problems.push(format!("no such path {path}"));
        return;
    };
    let look: fn(&mut Fields<'_>) = match what.as_str() {
        "close" => |fields| fields.text("source", May, 100),
        "message" => |fields| fields.text("message", Must, 130),
        _ => |fields| fields.text("description", Must, 15_000),
    };
    Fields::check(body, "", problems, look);
}

fn opsgenie_alert(fields: &mut Fields<'_>) {
    fields.text("message", Must, 130);
    fields.text("alias", Must, 512);
    fields.text("description", May, 15_000);
    fields.text("source", May, 100);
    fields.text("entity", May, 512);
    fields.text("note", May, 25_000);
    fields.one_of("priority", May, &["P1", "P2", "P3", "P4", "P5"]);
    fields.list("tags", May, (20, 50));
    fields.list("actions", May, (10, 50));
    fields.texts("details", May, 8_000);
    fields.objects("responders", (May, 50), |responder| {
        responder.one_of("type", Must, &["team", "user", "escalation", "schedule"]);
        for key in ["id", "name", "username"] {
            responder.text(key, May, 200);
        }
    });
}
