//! What is said of settings that are wrong.

use notify::config::Kind;

use super::made::read;

/// What the file says of a kind, and what is wrong with it.
const WRONG: [(Kind, &str, &[&str]); 16] = [
    (
        Kind::Slack,
        "{}",
        &["where Slack takes messages is missing"],
    ),
    (
        Kind::Slack,
        "{api_url: 'ftp://x', nonsense: 1}",
        &["unsupported scheme", "unknown key \"nonsense\""],
    ),
    (
        Kind::Slack,
        "{api_url: 'https://x', app_token: t}",
        &["at most one of api_url and app_token"],
    ),
    (
        Kind::Slack,
        "{api_url: 'https://x', fields: [{title: t}], actions: [{type: b, text: t}]}",
        &["value is missing", "an action needs url or name"],
    ),
    (Kind::Pagerduty, "{}", &["routing_key is missing"]),
    (
        Kind::Pagerduty,
        "{routing_key: a, service_key: b}",
        &["at most one"],
    ),
    (
        Kind::Webhook,
        "{timeout: soon}",
        &["url is missing", "timeout: expected a duration"],
    ),
    (
        Kind::Webhook,
        "{url: 'http://x', url_file: y, max_alerts: -1}",
        &["at most one of url", "max_alerts"],
    ),
    (
        Kind::Telegram,
        "{bot_token: t, chat_id: me}",
        &["chat_id: expected a whole number"],
    ),
    (
        Kind::Telegram,
        "{chat_id: 1, parse_mode: BB}",
        &["bot_token is missing", "parse_mode"],
    ),
    (Kind::MsteamsV2, "{}", &["webhook_url is missing"]),
    (
        Kind::Opsgenie,
        "{responders: [{type: dog}]}",
        &[
            "api_key is missing",
            "a responder needs",
            "no kind of responder",
        ],
    ),
    (
        Kind::Email,
        "{}",
        &["to is missing", "from is missing", "smarthost is missing"],
    ),
    (
        Kind::Email,
        "{to: a@b, from: c@d, smarthost: 'h:25', headers: {A: x, a: y, 'b c': z}}",
        &["stands here twice", "no name of a header"],
    ),
    (
        Kind::Email,
        "{to: a@b, from: c@d, smarthost: 'h:25', threading: {enabled: true, thread_by_date: weekly}}",
        &["thread_by_date"],
    ),
    (
        Kind::Email,
        "{to: a@b, from: c@d, smarthost: h}",
        &["smarthost: expected host:port"],
    ),
];

#[test]
fn what_is_wrong_in_the_file_is_said() {
    for (kind, settings, expected) in WRONG {
        let told = read(kind, "{}", settings).unwrap_err();
        let is_said = |part: &&str| told.iter().any(|told| told.contains(part));
        let is_all = expected.iter().all(is_said) && told.len() == expected.len();
        assert!(is_all, "{kind} {settings}: {told:?}");
    }
}

#[test]
fn what_all_have_in_common_is_enough() {
    let global = "{smtp_from: a@b, smtp_smarthost: 'h:25', slack_api_url: 'https://s', opsgenie_api_key: k, telegram_bot_token: t}";
    for (kind, settings) in [
        (Kind::Email, "{to: x@y}"),
        (Kind::Slack, "{}"),
        (Kind::Opsgenie, "{}"),
        (Kind::Telegram, "{chat_id: 1}"),
    ] {
        read(kind, global, settings).unwrap();
    }
}
