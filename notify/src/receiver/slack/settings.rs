//! What the file says of Slack.

use std::time::Duration;

use rules::Problems;
use rules::yaml::Cursor;

use super::super::read::{self, flag, template};
use crate::config::{Global, HttpConfig, SecretSource, Url, value};

/// What the file says.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    pub(in super::super) http: HttpConfig,
    pub(super) target: Target,
    pub(super) timeout: Option<Duration>,
    pub(super) channel: String,
    pub(super) username: String,
    pub(super) icon_emoji: String,
    pub(super) icon_url: String,
    pub(super) message_text: String,
    pub(super) link_names: bool,
    pub(super) color: String,
    pub(super) title: String,
    pub(super) title_link: String,
    pub(super) pretext: String,
    pub(super) text: String,
    pub(super) fallback: String,
    pub(super) callback_id: String,
    pub(super) footer: String,
    pub(super) image_url: String,
    pub(super) thumb_url: String,
    pub(super) mrkdwn_in: Vec<String>,
    pub(super) fields: Vec<Field>,
    pub(super) short_fields: bool,
    pub(super) actions: Vec<Action>,
    update_message: bool,
    post_updates_to_thread: bool,
}

/// Who takes messages.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Target {
    Webhook(SecretSource),
    App { url: Url, token: SecretSource },
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Field {
    pub(super) title: String,
    pub(super) value: String,
    pub(super) short: Option<bool>,
}

/// A button.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Action {
    pub(super) kind: String,
    pub(super) text: String,
    pub(super) url: String,
    pub(super) style: String,
    pub(super) name: String,
    pub(super) value: String,
    pub(super) confirm: Option<Vec<(&'static str, String)>>,
}

const KEYS: [&str; 30] = [
    "send_resolved",
    "http_config",
    "api_url",
    "api_url_file",
    "app_token",
    "app_token_file",
    "app_url",
    "channel",
    "username",
    "color",
    "title",
    "title_link",
    "pretext",
    "text",
    "message_text",
    "fields",
    "short_fields",
    "footer",
    "fallback",
    "callback_id",
    "icon_emoji",
    "icon_url",
    "image_url",
    "thumb_url",
    "link_names",
    "mrkdwn_in",
    "actions",
    "update_message",
    "post_updates_to_thread",
    "timeout",
];

/// Where Slack reads its own marks unless the file says where.
const MARKED: [&str; 3] = ["fallback", "pretext", "text"];

impl Settings {
    pub(in super::super) fn read(
        at: &Cursor<'_>,
        global: &Global,
        problems: &mut Problems,
    ) -> Option<Self> {
        at.fields(&KEYS, problems);
        let target = target(at, global, problems);
        let fields = at.list("fields", problems);
        let actions = at.list("actions", problems);
        let mrkdwn_in = value::texts(at, "mrkdwn_in", problems);
        let mut own = |key: &str, name: &str| {
            let default = match name {
                "" => String::new(),
                name => format!("{{{{ template \"slack.default.{name}\" . }}}}"),
            };
            template(at, key, &default, problems)
        };
        Some(Self {
            channel: own("channel", ""),
            username: own("username", "username"),
            icon_emoji: own("icon_emoji", "iconemoji"),
            icon_url: own("icon_url", "iconurl"),
            message_text: own("message_text", ""),
            color: own("color", "color"),
            title: own("title", "title"),
            title_link: own("title_link", "titlelink"),
            pretext: own("pretext", "pretext"),
            text: own("text", "text"),
            fallback: own("fallback", "fallback"),
            callback_id: own("callback_id", "callbackid"),
            footer: own("footer", "footer"),
            image_url: own("image_url", ""),
            thumb_url: own("thumb_url", ""),
            mrkdwn_in: match mrkdwn_in.as_slice() {
                [] => MARKED.map(str::to_owned).to_vec(),
                _ => mrkdwn_in,
            },
            fields: fields.iter().map(|at| Field::read(at, problems)).collect(),
            actions: actions
                .iter()
                .map(|at| Action::read(at, problems))
                .collect(),
            http: read::http(at, global, problems),
            timeout: read::timeout(at, problems),
            link_names: flag(at, "link_names", problems),
            short_fields: flag(at, "short_fields", problems),
            update_message: flag(at, "update_message", problems),
            post_updates_to_thread: flag(at, "post_updates_to_thread", problems),
            target: target?,
        })
    }

    pub(in super::super) fn warnings(&self) -> Vec<String> {
        let keys = [
            ("update_message", self.update_message),
            ("post_updates_to_thread", self.post_updates_to_thread),
        ];
        let without_effect = keys.into_iter().filter(|(_, is_set)| *is_set);
        without_effect
            .map(|(key, _)| {
                format!("{key} has no effect: each notification is a message of its own")
            })
            .collect()
    }

    pub(in super::super) fn templates(&self) -> Vec<(&'static str, &str)> {
        let mut templates = vec![
            ("channel", self.channel.as_str()),
            ("username", &self.username),
            ("icon_emoji", &self.icon_emoji),
            ("icon_url", &self.icon_url),
            ("message_text", &self.message_text),
            ("color", &self.color),
            ("title", &self.title),
            ("title_link", &self.title_link),
            ("pretext", &self.pretext),
            ("text", &self.text),
            ("fallback", &self.fallback),
            ("callback_id", &self.callback_id),
            ("footer", &self.footer),
            ("image_url", &self.image_url),
            ("thumb_url", &self.thumb_url),
        ];
        for field in &self.fields {
            templates.extend([("fields", field.title.as_str()), ("fields", &field.value)]);
        }
        for action in &self.actions {
            let texts = [&action.kind, &action.text, &action.url, &action.value];
            templates.extend(texts.map(|text| ("actions", text.as_str())));
        }
        templates
    }
}

/// Its own target, or that of all where it names none.
fn target(at: &Cursor<'_>, global: &Global, problems: &mut Problems) -> Option<Target> {
    let own_url = value::secret_url(at, "api_url", problems);
    let own_token = value::secret(at, "app_token", problems);
    let app_url = value::url(at, "app_url", problems);
    let app_url = app_url.unwrap_or_else(|| global.slack.app_url.clone());
    let app = |token| Target::App {
        url: app_url.clone(),
        token,
    };
    if own_url.is_some() && own_token.is_some() {
        let message = "at most one of api_url and app_token may be set";
        at.problem(problems, message, "remove one of them");
    }
    let own = own_url.map(Target::Webhook).or(own_token.map(app));
    let target = own.or_else(|| {
        let token = global.slack.app_token.clone().map(app);
        token.or(global.slack.api_url.clone().map(Target::Webhook))
    });
    let said = ["api_url", "app_token"];
    if target.is_none() && said.iter().all(|key| at.get(key).is_none()) {
        let hint = "add api_url or app_token here, or slack_api_url under global";
        read::missing(at, "where Slack takes messages", hint, problems);
    }
    target
}

impl Field {
    fn read(at: &Cursor<'_>, problems: &mut Problems) -> Self {
        at.fields(&["title", "value", "short"], problems);
        let short = at.flag("short", problems);
        let mut needed = |key: &str| needed(at, key, problems);
        Self {
            title: needed("title"),
            value: needed("value"),
            short,
        }
    }
}

impl Action {
    fn read(at: &Cursor<'_>, problems: &mut Problems) -> Self {
        let keys = ["type", "text", "url", "style", "name", "value", "confirm"];
        at.fields(&keys, problems);
        let confirm = at.get("confirm").map(|at| confirm(&at, problems));
        let url = template(at, "url", "", problems);
        let is_link = !url.is_empty();
        let name = template(at, "name", "", problems);
        if !is_link && name.is_empty() {
            at.problem(problems, "an action needs url or name", "");
        }
        let value = template(at, "value", "", problems);
        // A link is nothing but that.
        let unless_link = |text: String| if is_link { String::new() } else { text };
        Self {
            kind: needed(at, "type", problems),
            text: needed(at, "text", problems),
            style: template(at, "style", "", problems),
            url,
            name: unless_link(name),
            value: unless_link(value),
            confirm: confirm.filter(|_| !is_link),
        }
    }
}

fn confirm(at: &Cursor<'_>, problems: &mut Problems) -> Vec<(&'static str, String)> {
    const KEYS: [&str; 4] = ["text", "title", "ok_text", "dismiss_text"];
    at.fields(&KEYS, problems);
    needed(at, "text", problems);
    let texts = KEYS.map(|key| (key, template(at, key, "", problems)));
    texts.to_vec()
}

/// A template that must not be empty.
fn needed(at: &Cursor<'_>, key: &str, problems: &mut Problems) -> String {
    let text = template(at, key, "", problems);
    if text.is_empty() {
        at.problem(problems, format!("{key} is missing"), "");
    }
    text
}
