//! Couriers and notifications to try receivers with.

use std::path::Path;
use std::time::Duration;

use notify::alert::Alert;
use notify::config::{Global, IntegrationId, Kind};
use notify::deliver::{Courier, Verdict};
use notify::notification::{Notification, Reason};
use notify::receiver::Settings;
use notify::template::Templates;
use rules::Problems;
use rules::yaml::{Cursor, document};
use store::labels::Labels;
use tests::receivers::{Format, Receiver};

/// When the alerts began.
pub(crate) const START: i64 = 1_709_528_706_078;

/// The one integration of a courier.
pub(crate) fn id(kind: Kind) -> IntegrationId {
    IntegrationId {
        receiver: "team".into(),
        kind,
        index: 0,
    }
}

/// Settings as they stand in a file, with `global` above them.
pub(crate) fn read(kind: Kind, global: &str, settings: &str) -> Result<Settings, Vec<String>> {
    let mut problems = Problems::default();
    let node = document(global).unwrap();
    let global = Global::read(&Cursor::root(&node.root), &mut problems);
    let node = document(settings).unwrap();
    let read = Settings::read(kind, &Cursor::root(&node.root), &global, &mut problems);
    let problems = problems.locate(settings);
    let told: Vec<_> = problems
        .iter()
        .map(|problem| problem.message.clone())
        .collect();
    match read {
        Some(read) if told.is_empty() => Ok(read),
        _ => Err(told),
    }
}

/// A courier with one integration, whose files lie in a folder.
pub(crate) fn courier(kind: Kind, folder: &Path, settings: &str) -> Courier {
    let read = read(kind, "{}", settings).unwrap();
    let templates = Templates::new([]).unwrap();
    Courier::new([(id(kind), read)], templates, folder)
}

/// Delivers once.
pub(crate) async fn deliver(kind: Kind, settings: &str, notification: &Notification) -> Verdict {
    let courier = courier(kind, Path::new("/"), settings);
    courier.deliver(&id(kind), notification, "row-1").await
}

pub(crate) fn alert(name: &str, instance: &str) -> Alert {
    let labels = [
        ("alertname", name),
        ("instance", instance),
        ("job", "postgres"),
        ("severity", "high"),
    ];
    let annotations = [
        ("summary", format!("{instance}: <{name}> & \"trouble\" ☃")),
        ("description", "Look at\nthe *log* of `it`.".to_owned()),
        (
            "runbook_url",
            "https://wiki.example.com/a?b=1&c=2".to_owned(),
        ),
    ];
    Alert {
        labels: Labels::from_pairs(labels),
        annotations: annotations
            .map(|(name, value)| (name.to_owned(), value))
            .to_vec(),
        starts_at_ms: START,
        ends_at_ms: None,
        updated_at_ms: START,
        generator_url: "https://mon.example.com/graph?g0.expr=up".into(),
    }
}

/// One of two alerts, firing.
pub(crate) fn firing() -> Notification {
    Notification {
        receiver: "team".into(),
        group_key: "{}:{job=\"postgres\"}".into(),
        group_labels: Labels::from_pairs([("job", "postgres")]),
        alerts: vec![
            alert("PostgresDown", "db-1:5432"),
            alert("ReplicaLags", "db-2:5432"),
        ],
        truncated: 0,
        at_ms: START + 60_000,
        external_url: "https://nightshift.example.com".into(),
        reason: Reason::First,
    }
}

/// The same, over.
pub(crate) fn resolved() -> Notification {
    let mut notification = firing();
    for alert in &mut notification.alerts {
        alert.ends_at_ms = Some(START + 30_000);
    }
    notification.reason = Reason::Resolved;
    notification
}

/// More and longer than anybody takes.
pub(crate) fn huge() -> Notification {
    let mut notification = firing();
    let mut alerts: Vec<_> = (0..600)
        .map(|number| alert("A".repeat(600).as_str(), &format!("db-{number}:5432")))
        .collect();
    for alert in &mut alerts {
        alert.annotations[1].1 = "word \"quoted\" <tag> & \u{1F525}\u{7} ".repeat(300);
    }
    notification.alerts = alerts;
    notification
}

/// Texts that would be something else if they were not written with care.
pub(crate) fn hostile() -> Notification {
    let mut notification = firing();
    let alert = &mut notification.alerts[0];
    let nasty =
        "</b><script>\"'\\\u{0}\u{202e}\r\nBcc: x@y\r\n.\r\n{{ .Nothing }}*_`[x](javascript:1)";
    let labels = [
        ("alertname", nasty),
        ("instance", nasty),
        ("severity", nasty),
    ];
    alert.labels = Labels::from_pairs(labels);
    alert.annotations = vec![
        ("summary".into(), nasty.into()),
        ("description".into(), nasty.into()),
    ];
    alert.generator_url = "javascript:alert(1)".into();
    notification
}

/// The words of a failure.
pub(crate) fn said(verdict: &Verdict) -> &str {
    match verdict {
        Verdict::Delivered { detail } => detail,
        Verdict::Retry { error, .. } | Verdict::Refused { error } => error,
    }
}

/// The secret of all of them.
pub(crate) const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// A kind's settings for a receiver, with more lines.
pub(crate) fn settings(kind: Kind, receiver: &Receiver, more: &str) -> String {
    let own = match kind {
        Kind::Slack => format!(
            "api_url: {}\n",
            receiver.url(&format!("/services/T0/B0/{TOKEN}"))
        ),
        Kind::Pagerduty => format!(
            "routing_key: {TOKEN}\nurl: {}\n",
            receiver.url("/v2/enqueue")
        ),
        Kind::Webhook => format!("url: {}\n", receiver.url(&format!("/hook/{TOKEN}"))),
        Kind::Telegram => {
            format!(
                "api_url: {}\nbot_token: '1:{TOKEN}'\nchat_id: -1001234567890\n",
                receiver.url("")
            )
        }
        Kind::MsteamsV2 => format!(
            "webhook_url: {}\n",
            receiver.url(&format!("/flow?sig={TOKEN}"))
        ),
        Kind::Opsgenie => format!("api_url: {}\napi_key: {TOKEN}\n", receiver.url("/")),
        Kind::Email => unreachable!("mail takes no requests"),
    };
    own + more
}

/// Those that take requests.
pub(crate) const KINDS: [(Kind, Format); 6] = [
    (Kind::Slack, Format::Slack),
    (Kind::Pagerduty, Format::Pagerduty),
    (Kind::Webhook, Format::Webhook),
    (Kind::Telegram, Format::Telegram),
    (Kind::MsteamsV2, Format::Msteams),
    (Kind::Opsgenie, Format::Opsgenie),
];

pub(crate) fn is_delivered(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Delivered { .. })
}

/// What an answer means; `Retry` with its time in seconds.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Delivered,
    Retry(Option<u64>),
    Refused,
}

pub(crate) fn outcome(verdict: &Verdict) -> Outcome {
    match verdict {
        Verdict::Delivered { .. } => Outcome::Delivered,
        Verdict::Retry { after, .. } => Outcome::Retry(after.as_ref().map(Duration::as_secs)),
        Verdict::Refused { .. } => Outcome::Refused,
    }
}
