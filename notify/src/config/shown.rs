//! The file as anybody may see it: the same keys and values, with `<secret>` where a secret was.
//!
//! Rather one value too many is hidden than one too few. What comes out is YAML that Alertmanager's
//! tools read.

use std::fmt::Write as _;

use rules::yaml::Node;

use super::value::HIDDEN;

/// Keys whose values, or all values below them, are secrets, wherever they stand.
const SECRETS: [&str; 27] = [
    "api_key",
    "api_secret",
    "app_token",
    "auth_password",
    "auth_secret",
    "bearer_token",
    "bot_token",
    "client_secret",
    "credentials",
    "mattermost_webhook_url",
    "opsgenie_api_key",
    "password",
    "proxy_connect_header",
    "rocketchat_token",
    "rocketchat_token_id",
    "routing_key",
    "secrets",
    "service_key",
    "slack_api_url",
    "slack_app_token",
    "smtp_auth_password",
    "smtp_auth_secret",
    "telegram_bot_token",
    "token",
    "victorops_api_key",
    "webhook_url",
    "wechat_api_secret",
];

/// Keys that are secrets below another key.
const SECRETS_BELOW: [(&str, &str); 4] = [
    ("slack_configs", "api_url"),
    ("webhook_configs", "url"),
    ("tls_config", "key"),
    ("smtp_tls_config", "key"),
];

/// Writes a document without its secrets.
pub(super) fn show(root: &Node) -> String {
    let mut text = String::new();
    write(root, &mut Vec::new(), 0, &mut text);
    text
}

fn write<'a>(node: &'a Node, path: &mut Vec<&'a str>, depth: usize, text: &mut String) {
    let indent = "  ".repeat(depth);
    match node {
        Node::Map(entries) if !entries.is_empty() => {
            for (key, value) in entries {
                path.push(key);
                push(text, format_args!("{indent}{}:", scalar(key)));
                text.push_str(if is_leaf(value) { " " } else { "\n" });
                let depth = if is_leaf(value) { 0 } else { depth + 1 };
                write(value, path, depth, text);
                path.pop();
            }
        }
        Node::List(items) if !items.is_empty() => {
            for item in items {
                push(text, format_args!("{indent}- "));
                let mut within = String::new();
                write(item, path, depth + 1, &mut within);
                // The first line goes on behind the dash.
                text.push_str(within.trim_start_matches(' '));
            }
        }
        Node::Map(_) => push(text, format_args!("{indent}{{}}\n")),
        Node::List(_) => push(text, format_args!("{indent}[]\n")),
        Node::Null => push(text, format_args!("{indent}null\n")),
        Node::Scalar(_) => push(text, format_args!("{indent}{}\n", value(node, path))),
    }
}

/// Whether it stands on the line of its key.
fn is_leaf(node: &Node) -> bool {
    match node {
        Node::Map(entries) => entries.is_empty(),
        Node::List(items) => items.is_empty(),
        Node::Null | Node::Scalar(_) => true,
    }
}

fn value(node: &Node, path: &[&str]) -> String {
    let Node::Scalar(text) = node else {
        return String::new();
    };
    if text.is_empty() || !is_secret(path) {
        return scalar(&without_password(text));
    }
    // Where an address is wanted that older tools do not know to be a secret, they take nothing else.
    if path.last() == Some(&"url") && text.contains("://") {
        let host = text.split('/').take(3).collect::<Vec<_>>().join("/");
        return scalar(&format!("{}/{HIDDEN}", without_password(&host)));
    }
    HIDDEN.to_owned()
}

fn is_secret(path: &[&str]) -> bool {
    let is_known = path.iter().any(|key| SECRETS.contains(key));
    let last = path.last().copied().unwrap_or_default();
    is_known
        || SECRETS_BELOW
            .iter()
            .any(|(above, key)| last == *key && path.contains(above))
}

/// An address without the password in it, where there is one.
fn without_password(text: &str) -> String {
    let hidden = text.split_once("://").and_then(|(scheme, rest)| {
        let host = rest.split(['/', '?', '#']).next()?;
        let (login, _) = host.rsplit_once('@')?;
        let (name, _) = login.split_once(':')?;
        let after = &rest[login.len()..];
        Some(format!("{scheme}://{name}:xxxxx{after}"))
    });
    hidden.unwrap_or_else(|| text.to_owned())
}

/// A text as it can stand in YAML. One that could be a number or a flag stands as it is, for that may
/// be what it was; a text is wanted there or not, and takes it either way.
fn scalar(text: &str) -> String {
    let is_word = |c: char| c.is_ascii_alphanumeric() || "_./+".contains(c);
    let is_plain = text.starts_with(is_word)
        && text.chars().all(|c| is_word(c) || c == '-')
        && !["null", "Null", "NULL"].contains(&text);
    if is_plain || text.parse::<i64>().is_ok() {
        return text.to_owned();
    }
    let quoted = serde_json::Value::from(text).to_string();
    let mut escaped = String::with_capacity(quoted.len());
    for c in quoted.chars() {
        match c {
            // YAML ends lines with these, or does not see them.
            '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' => {
                push(&mut escaped, format_args!("\\u{:04x}", u32::from(c)));
            }
            c => escaped.push(c),
        }
    }
    escaped
}

/// Writing to a text cannot fail.
fn push(text: &mut String, what: std::fmt::Arguments<'_>) {
    text.write_fmt(what).unwrap_or_default();
}
