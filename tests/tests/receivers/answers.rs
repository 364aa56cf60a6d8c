//! What is made of all that a receiver may answer, or not answer.

use notify::config::Kind;
use tests::receivers::{Format, Receiver, Reply};

use super::made::{
    KINDS, Outcome, TOKEN, courier, deliver, firing, id, is_delivered, outcome, said, settings,
};

/// Answers of any server, and what they mean.
fn answers() -> Vec<(Reply, Outcome)> {
    use Outcome::{Refused, Retry};
    let past = ("Retry-After", "Wed, 21 Oct 2015 07:28:00 GMT");
    let garbage = "\u{1b}[31m<html>".repeat(100_000);
    vec![
        (Reply::say(400, "bad payload"), Refused),
        (Reply::say(401, "{\"message\":\"who are you\"}"), Refused),
        (Reply::say(404, ""), Refused),
        (Reply::say(429, ""), Retry(None)),
        (
            Reply::with_header(429, ("Retry-After", "7"), ""),
            Retry(Some(7)),
        ),
        (Reply::with_header(503, past, ""), Retry(Some(0))),
        (
            Reply::with_header(503, ("retry-after", "soon"), ""),
            Retry(None),
        ),
        (
            Reply::with_header(503, ("retry-after", "-1"), ""),
            Retry(None),
        ),
        (
            Reply::with_header(429, ("retry-after", "99999999999999999999"), ""),
            Retry(Some(3600)),
        ),
        (Reply::say(500, &garbage), Retry(None)),
        (Reply::say(502, "<html>Bad Gateway"), Retry(None)),
        (
            Reply::with_header(302, ("location", "/login"), ""),
            Retry(None),
        ),
        (Reply::Close, Retry(None)),
        (Reply::Torn, Retry(None)),
        (
            Reply::Bytes(b"\0\xff not HTTP\r\n\r\n".to_vec()),
            Retry(None),
        ),
        (
            Reply::Bytes(b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\nx".to_vec()),
            Retry(None),
        ),
    ]
}

#[tokio::test]
async fn every_answer_is_understood() {
    for (kind, _) in KINDS {
        let receiver = Receiver::start(Format::Anything).await.unwrap();
        let settings = settings(kind, &receiver, "");
        for (reply, expected) in answers() {
            // Telegram is asked twice before it has refused.
            receiver.next([reply.clone(), reply.clone()]);
            let verdict = deliver(kind, &settings, &firing()).await;
            assert_eq!(
                outcome(&verdict),
                expected,
                "{kind}: {reply:?}: {verdict:?}"
            );
            assert!(said(&verdict).len() < 500, "{kind}: {verdict:?}");
            assert!(
                !said(&verdict).contains(['\u{1b}', '\n']),
                "{kind}: {verdict:?}"
            );
            receiver.clear();
        }
        receiver.always(Reply::say(200, "{\"ok\":true}"));
        assert_eq!(
            outcome(&deliver(kind, &settings, &firing()).await),
            Outcome::Delivered,
            "{kind}"
        );
    }
}

async fn check(kind: Kind, reply: Reply, expected: Outcome, words: &str) {
    let receiver = Receiver::start(Format::Anything).await.unwrap();
    receiver.always(reply);
    let verdict = deliver(kind, &settings(kind, &receiver, ""), &firing()).await;
    assert_eq!(outcome(&verdict), expected, "{verdict:?}");
    assert!(said(&verdict).contains(words), "{verdict:?}");
}

#[tokio::test]
async fn slack_says_in_the_body_what_went_wrong() {
    let slack = Kind::Slack;
    check(slack, Reply::say(200, "ok"), Outcome::Delivered, "200").await;
    check(
        slack,
        Reply::say(200, r#"{"ok":false,"error":"channel_not_found"}"#),
        Outcome::Refused,
        "channel_not_found",
    )
    .await;
    check(
        slack,
        Reply::say(200, r#"{"ok":false,"error":"ratelimited"}"#),
        Outcome::Retry(None),
        "ratelimited",
    )
    .await;
    check(
        slack,
        Reply::say(404, "no_service"),
        Outcome::Refused,
        "no_service",
    )
    .await;
}

#[tokio::test]
async fn telegram_says_in_the_body_what_went_wrong() {
    let telegram = Kind::Telegram;
    let flood = r#"{"ok":false,"error_code":429,"description":"Too Many Requests","parameters":{"retry_after":35}}"#;
    check(
        telegram,
        Reply::say(429, flood),
        Outcome::Retry(Some(35)),
        "Too Many Requests",
    )
    .await;
    check(
        telegram,
        Reply::say(200, flood),
        Outcome::Retry(Some(35)),
        "Too Many Requests",
    )
    .await;
    let chat = r#"{"ok":false,"error_code":400,"description":"Bad Request: chat not found"}"#;
    check(
        telegram,
        Reply::say(400, chat),
        Outcome::Refused,
        "chat not found",
    )
    .await;
    check(
        telegram,
        Reply::say(200, "<html>a proxy"),
        Outcome::Retry(None),
        "not Telegram's",
    )
    .await;
}

#[tokio::test]
async fn what_hangs_is_given_up_and_tls_is_verified() {
    let receiver = Receiver::start(Format::Webhook).await.unwrap();
    receiver.next([Reply::Hang]);
    let slow = settings(Kind::Webhook, &receiver, "timeout: 200ms\n");
    let verdict = deliver(Kind::Webhook, &slow, &firing()).await;
    assert_eq!(outcome(&verdict), Outcome::Retry(None));
    assert!(
        said(&verdict).contains("no answer within 0.2 s"),
        "{verdict:?}"
    );

    let gone = Receiver::start(Format::Webhook).await.unwrap();
    let nobody = settings(Kind::Webhook, &gone, "");
    drop(gone);
    let verdict = deliver(Kind::Webhook, &nobody, &firing()).await;
    assert!(said(&verdict).contains("onnect"), "{verdict:?}");

    let receiver = Receiver::start_tls(Format::Webhook).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("ca.pem"),
        receiver.certificate().unwrap(),
    )
    .unwrap();
    let check = async |tls: &str, is_fine: bool| {
        let settings = settings(
            Kind::Webhook,
            &receiver,
            &format!("http_config: {{tls_config: {tls}}}\n"),
        );
        let courier = courier(Kind::Webhook, folder.path(), &settings);
        let verdict = courier.deliver(&id(Kind::Webhook), &firing(), "k").await;
        assert_eq!(is_delivered(&verdict), is_fine, "{tls}: {verdict:?}");
        assert!(!said(&verdict).contains(TOKEN), "{verdict:?}");
    };
    check("{}", false).await;
    check("{ca_file: ca.pem}", true).await;
    check("{ca_file: ca.pem, server_name: localhost}", true).await;
    check(
        "{ca_file: ca.pem, server_name: elsewhere.example.com}",
        false,
    )
    .await;
    check("{ca_file: none.pem}", false).await;
    check("{insecure_skip_verify: true}", true).await;
    check("{ca_file: ca.pem, min_version: TLS13}", true).await;
    check("{ca_file: ca.pem, max_version: TLS12}", true).await;
    assert_eq!(receiver.problems(), Vec::<String>::new());
    // A server that speaks no TLS.
    let plain = Receiver::start(Format::Anything).await.unwrap();
    let url = plain.url("/x").replace("http:", "https:");
    let verdict = deliver(Kind::Webhook, &format!("url: {url}\n"), &firing()).await;
    assert_eq!(outcome(&verdict), Outcome::Retry(None));
}

#[tokio::test]
async fn redirects_are_followed_only_where_the_message_is_kept() {
    let end = Receiver::start(Format::Webhook).await.unwrap();
    let start = Receiver::start(Format::Anything).await.unwrap();
    let there = end.url("/end");
    for status in [307, 308] {
        start.next([Reply::with_header(status, ("location", &there), "")]);
        assert!(is_delivered(
            &deliver(
                Kind::Webhook,
                &settings(Kind::Webhook, &start, ""),
                &firing()
            )
            .await
        ));
    }
    assert_eq!(end.taken().len(), 2);
    let no = settings(
        Kind::Webhook,
        &start,
        "http_config: {follow_redirects: false}\n",
    );
    for (status, settings) in [(301, settings(Kind::Webhook, &start, "")), (307, no)] {
        start.next([Reply::with_header(status, ("location", &there), "")]);
        assert_eq!(
            outcome(&deliver(Kind::Webhook, &settings, &firing()).await),
            Outcome::Retry(None)
        );
    }
    assert_eq!(end.received().len(), 2);
    // Round and round.
    start.always(Reply::with_header(307, ("location", "/again"), ""));
    let verdict = deliver(
        Kind::Webhook,
        &settings(Kind::Webhook, &start, ""),
        &firing(),
    )
    .await;
    assert_eq!(outcome(&verdict), Outcome::Retry(None));
}
