//! Requests, held against what is published.

use notify::config::Kind;
use notify::notification::Notification;
use tests::receivers::{Format, Receiver};

use super::made::{
    KINDS, Outcome, TOKEN, courier, deliver, firing, hostile, huge, id, is_delivered, outcome,
    resolved, said, settings,
};

#[tokio::test]
async fn every_message_is_as_published() {
    for (kind, format) in KINDS {
        let receiver = Receiver::start(format).await.unwrap();
        let settings = settings(kind, &receiver, "");
        for notification in [firing(), resolved(), huge(), hostile()] {
            let verdict = deliver(kind, &settings, &notification).await;
            assert!(is_delivered(&verdict), "{kind}: {verdict:?}");
        }
        assert_eq!(receiver.problems(), Vec::<String>::new(), "{kind}");
        assert_eq!(receiver.taken().len(), 4, "{kind}");
    }
}

/// Every key of every kind.
const ALL: [(Kind, Format, &str); 6] = [
    (
        Kind::Slack,
        Format::Slack,
        concat!(
            "channel: '#db'\nusername: x\nicon_emoji: ':bell:'\nlink_names: true\nmessage_text: '{{ .Status }}'\n",
            "title_link: https://h/\npretext: p\nfooter: f\ncallback_id: c\nimage_url: https://h/i\nthumb_url: https://h/t\n",
            "color: '#ff0000'\nmrkdwn_in: [text]\nshort_fields: true\ntimeout: 5s\n",
            "fields: [{title: Job, value: '{{ .GroupLabels.job }}'}, {title: b, value: c, short: false}]\n",
            "actions: [{type: button, text: Open, url: 'https://h/{{ .Receiver }}', style: danger},\n",
            "  {type: button, text: Ack, name: ack, value: x, confirm: {text: Sure?, ok_text: Y, dismiss_text: N, title: T}}]\n"
        ),
    ),
    (
        Kind::Pagerduty,
        Format::Pagerduty,
        concat!(
            "client: me\nclient_url: https://h/\ndescription: '{{ .Status }}'\nseverity: '{{ .CommonLabels.severity }}'\n",
            "source: db\nclass: c\ncomponent: co\ngroup: g\ndetails: {own: '{{ len .Alerts }}', nested: {a: [1, x]}}\n",
            "images: [{src: https://h/i, alt: a, href: https://h/}, {alt: none}]\n",
            "links: [{href: https://h/, text: t}, {text: none}]\n"
        ),
    ),
    (
        Kind::Webhook,
        Format::Webhook,
        "max_alerts: 1\ntimeout: 5s\n",
    ),
    (
        Kind::Telegram,
        Format::Telegram,
        "message_thread_id: 7\ndisable_notifications: true\nparse_mode: ''\n",
    ),
    (
        Kind::MsteamsV2,
        Format::Msteams,
        "title: t\ntext: '{{ .Alerts.Firing | len }}'\n",
    ),
    (
        Kind::Opsgenie,
        Format::Opsgenie,
        concat!(
            "message: m\ndescription: d\nsource: s\ndetails: {a: b}\nentity: e\nactions: 'x, y'\ntags: 't1,t2,'\nnote: n\n",
            "priority: p2\nupdate_alerts: true\n",
            "responders: [{name: 'a,b', type: teams}, {username: u, type: User}, {id: i, type: '{{ \"schedule\" }}'}]\n"
        ),
    ),
];

#[tokio::test]
async fn every_message_is_as_published_with_all_settings() {
    for (kind, format, more) in ALL {
        let receiver = Receiver::start(format).await.unwrap();
        let verdict = deliver(kind, &settings(kind, &receiver, more), &firing()).await;
        assert!(is_delivered(&verdict), "{kind}: {verdict:?}");
        assert_eq!(receiver.problems(), Vec::<String>::new(), "{kind}");
        let body = &receiver.taken()[0].body;
        match kind {
            Kind::Pagerduty => {
                assert_eq!(body["payload"]["severity"], "critical");
                let details = &body["payload"]["custom_details"];
                assert_eq!(details["own"], 2);
                assert_eq!(details["nested"]["a"][1], "x");
                assert_eq!(details["num_firing"], 2);
                assert_eq!(body["images"].as_array().unwrap().len(), 1);
            }
            Kind::Webhook => {
                assert_eq!(body["truncatedAlerts"], 1);
                assert_eq!(body["alerts"].as_array().unwrap().len(), 1);
                assert_eq!(receiver.taken()[0].header("idempotency-key"), Some("row-1"));
            }
            Kind::Opsgenie => {
                assert_eq!(body["responders"].as_array().unwrap().len(), 4);
                assert_eq!(receiver.taken().len(), 3);
            }
            Kind::Telegram => assert_eq!(body["message_thread_id"], 7),
            _ => {}
        }
    }
}

#[tokio::test]
async fn the_end_of_a_group_finds_its_beginning() {
    let same = [
        (
            Kind::Pagerduty,
            Format::Pagerduty,
            "/dedup_key",
            "/event_action",
            ["trigger", "resolve"],
        ),
        (
            Kind::Webhook,
            Format::Webhook,
            "/groupKey",
            "/status",
            ["firing", "resolved"],
        ),
    ];
    for (kind, format, key, status, expected) in same {
        let receiver = Receiver::start(format).await.unwrap();
        for notification in [firing(), resolved()] {
            deliver(kind, &settings(kind, &receiver, ""), &notification).await;
        }
        let taken = receiver.taken();
        assert_eq!(
            taken[0].body.pointer(key),
            taken[1].body.pointer(key),
            "{kind}"
        );
        for (taken, expected) in taken.iter().zip(expected) {
            assert_eq!(taken.body.pointer(status).unwrap(), expected, "{kind}");
        }
    }
    let receiver = Receiver::start(Format::Opsgenie).await.unwrap();
    for notification in [firing(), resolved()] {
        deliver(
            Kind::Opsgenie,
            &settings(Kind::Opsgenie, &receiver, ""),
            &notification,
        )
        .await;
    }
    let taken = receiver.taken();
    let alias = taken[0].body["alias"].as_str().unwrap();
    assert_eq!(
        taken[1].path,
        format!("/v2/alerts/{alias}/close?identifierType=alias")
    );
}

/// Templates that fail in every way.
const BROKEN: [(Kind, Format, &str); 6] = [
    (
        Kind::Slack,
        Format::Slack,
        "title: '{{ .No.Such }}'\ntext: '{{ template \"none\" . }}'\n",
    ),
    (
        Kind::Pagerduty,
        Format::Pagerduty,
        "description: '{{ index .Alerts 9 }}'\nclient: '{{'\n",
    ),
    (
        Kind::Telegram,
        Format::Telegram,
        "message: '{{ template \"none\" . }}'\n",
    ),
    (Kind::MsteamsV2, Format::Msteams, "text: '{{ range }}'\n"),
    (
        Kind::Opsgenie,
        Format::Opsgenie,
        "description: '{{ nofunc }}'\nmessage: '{{ .Foo.Bar }}'\n",
    ),
    (
        Kind::Webhook,
        Format::Anything,
        "payload: {text: '{{ template \"none\" . }}'}\n",
    ),
];

#[tokio::test]
async fn a_template_that_fails_loses_no_page() {
    for (kind, format, more) in BROKEN {
        let receiver = Receiver::start(format).await.unwrap();
        let verdict = deliver(kind, &settings(kind, &receiver, more), &firing()).await;
        assert!(is_delivered(&verdict), "{kind}: {verdict:?}");
        assert!(
            said(&verdict).contains("a plain message was sent"),
            "{kind}: {verdict:?}"
        );
        assert_eq!(receiver.problems(), Vec::<String>::new(), "{kind}");
        let body = receiver.taken()[0].body.to_string();
        assert!(
            body.contains("db-1:5432: <PostgresDown> & ") || body.contains("db-1:5432: &lt;"),
            "{kind}: {body}"
        );
    }
    // Marks that Telegram refuses: the same once more without any.
    let receiver = Receiver::start(Format::Telegram).await.unwrap();
    let more = "message: '<nonsense>{{ .Status }}'\n";
    let verdict = deliver(
        Kind::Telegram,
        &settings(Kind::Telegram, &receiver, more),
        &firing(),
    )
    .await;
    assert!(
        said(&verdict).contains("can't parse entities"),
        "{verdict:?}"
    );
    assert!(
        receiver.taken()[0].body["text"]
            .as_str()
            .unwrap()
            .contains("PostgresDown")
    );
    assert_eq!(receiver.taken()[0].body.get("parse_mode"), None);
}

#[tokio::test]
async fn slacks_app_and_files_with_addresses() {
    let receiver = Receiver::start(Format::SlackApp).await.unwrap();
    let app = format!(
        "app_token: xoxb-{TOKEN}\napp_url: {}\nchannel: C1\n",
        receiver.url("/api/chat.postMessage")
    );
    assert!(is_delivered(&deliver(Kind::Slack, &app, &firing()).await));
    let verdict = deliver(Kind::Slack, &app.replace("channel: C1\n", ""), &firing()).await;
    assert!(said(&verdict).contains(".channel: missing"), "{verdict:?}");

    let folder = tempfile::tempdir().unwrap();
    let receiver = Receiver::start(Format::Webhook).await.unwrap();
    let courier = courier(Kind::Webhook, folder.path(), "url_file: url\n");
    let send = async |notification: &Notification| {
        courier.deliver(&id(Kind::Webhook), notification, "k").await
    };
    let verdict = send(&firing()).await;
    assert!(said(&verdict).contains("url: No such file"), "{verdict:?}");
    std::fs::write(folder.path().join("url"), "nonsense").unwrap();
    assert_eq!(outcome(&send(&firing()).await), Outcome::Retry(None));
    std::fs::write(
        folder.path().join("url"),
        format!("{}\n", receiver.url("/x")),
    )
    .unwrap();
    assert!(is_delivered(&send(&firing()).await));
    let nobody = courier.deliver(&id(Kind::Slack), &firing(), "k").await;
    assert_eq!(outcome(&nobody), Outcome::Refused);
}
