//! Bodies and parameters that nobody means well with.

use http::Method;
use nix::sys::signal::Signal;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{FILE, Site, ask, give};
use crate::client::{JSON, get, post, send};

/// Alerts that are refused, and with which status.
const ALERTS: [(&str, u16); 18] = [
    ("", 422),
    (r#"[{"labels":{"a":"b""#, 400),
    ("5", 400),
    ("[[[]]]", 400),
    (r#"{"labels":{"a":"b"}}"#, 400),
    ("[null]", 400),
    (r#"[{"labels":{"a":1e999}}]"#, 400),
    (r#"[{"labels":{"a":[["b"]]}}]"#, 400),
    (r#"[{"annotations":{}}]"#, 422),
    (r#"[{"labels":{}}]"#, 400),
    (r#"[{"labels":{"":"x"}}]"#, 400),
    (r#"[{"labels":{"a":"b"},"startsAt":"yesterday"}]"#, 400),
    (
        r#"[{"labels":{"a":"b"},"endsAt":"2026-02-30T00:00:00Z"}]"#,
        400,
    ),
    (r#"[{"labels":{"a":"b"},"endsAt":1700000000}]"#, 400),
    (
        r#"[{"labels":{"a":"b"},"endsAt":"99999-01-01T00:00:00Z"}]"#,
        400,
    ),
    (
        r#"[{"labels":{"a":"b"},"startsAt":"2030-01-01T00:00:00Z","endsAt":"2029-01-01T00:00:00Z"}]"#,
        400,
    ),
    (
        r#"[{"labels":{"a":"b"},"generatorURL":"java script:x"}]"#,
        422,
    ),
    (r#"[{"labels":{"a":"\ud800"}}]"#, 400),
];

/// Those that are too much to write down.
fn large_alerts() -> Vec<(&'static str, String, u16)> {
    let labels = |count: usize| {
        let labels = (0..count).map(|place| format!("\"l{place}\":\"v\""));
        let labels: Vec<String> = labels.collect();
        format!("[{{\"labels\":{{{}}}}}]", labels.join(","))
    };
    let label = format!("[{{\"labels\":{{\"a\":\"{}\"}}}}]", "v".repeat(1 << 20));
    let objects = "[".to_owned() + &"{\"labels\":".repeat(300_000);
    let alerts = format!("[{}{{}}]", "{},".repeat(1_000_000));
    vec![
        ("blanks", " ".repeat(100_000), 400),
        ("lists in lists", "[".repeat(1_000_000), 400),
        ("objects in objects", objects, 400),
        ("a hundred thousand labels", labels(100_000), 400),
        ("a million labels", labels(1_000_000), 413),
        ("a million alerts", alerts, 400),
        ("a large label", label, 400),
        ("ten megabytes", "x".repeat(10 << 20), 413),
        // What is passed over before the connection is cut has its end at thirty-two.
        ("thirty megabytes", " ".repeat(30 << 20), 413),
    ]
}

#[tokio::test]
async fn alerts_of_any_kind_are_refused_and_none_is_kept() {
    let site = Site::new(FILE);
    let server = site.start().await;
    let small = ALERTS.map(|(body, status)| (body, body.to_owned(), status));
    for (what, body, status) in small.into_iter().chain(large_alerts()) {
        let answer = give(&server, "alerts", &body).await;
        assert_eq!(answer.status, status, "{what}: {}", answer.text());
        assert_eq!(answer.header("content-type"), JSON, "{what}");
        assert!(answer.body.len() < 10_000, "{what}: {}", answer.body.len());
    }
    let no_text = b"[{\"labels\":{\"a\":\"\xff\xfe\"}}]".to_vec();
    let headers = [("content-type", JSON)];
    let answer = post(server.listen(), "/api/v2/alerts", &headers, no_text).await;
    assert_eq!(answer.status, 400, "{}", answer.text());
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "",
        "application/jsonx",
    ] {
        let headers = [("content-type", kind)];
        let answer = post(server.listen(), "/api/v2/alerts", &headers, "[]").await;
        assert_eq!(answer.status, 415, "{kind}");
    }
    assert_eq!(ask(&server, "alerts").await, serde_json::json!([]));
    server.stop(&[]).await;
}

#[tokio::test]
async fn silences_of_any_kind_are_refused_and_none_is_kept() {
    let site = Site::new(FILE);
    let server = site.start().await;
    let silence = |matchers: &str, ends: &str| {
        format!(
            "{{\"matchers\":{matchers},\"startsAt\":\"2026-01-01T00:00:00Z\",\"endsAt\":\"{ends}\",\
             \"createdBy\":\"\",\"comment\":\"\"}}"
        )
    };
    let one = |name: &str, value: &str, is_regex: bool| {
        format!("{{\"name\":\"{name}\",\"value\":\"{value}\",\"isRegex\":{is_regex}}}")
    };
    let of = |matcher: String| silence(&format!("[{matcher}]"), "2040-01-01T00:00:00Z");
    let far = "2040-01-01T00:00:00Z";
    for (what, body, status) in [
        ("nothing", String::new(), 422),
        ("a list", "[]".to_owned(), 400),
        ("half", "{\"matchers\"".to_owned(), 400),
        ("no matcher", silence("[]", far), 422),
        ("a matcher of nothing", silence("[{}]", far), 422),
        ("a matcher that is a list", silence("[[]]", far), 400),
        ("matchers that are none", silence("7", far), 400),
        ("no date", silence("[]", "tomorrow"), 400),
        ("everything", of(one("a", "", false)), 400),
        ("everything by a pattern", of(one("a", ".*", true)), 400),
        ("half a pattern", of(one("a", "(", true)), 400),
        (
            "a pattern that is too large",
            of(one("a", "((a{1000}){1000}){1000}", true)),
            400,
        ),
        (
            "a thousand matchers",
            of(vec![one("a", "b", false); 1000].join(",")),
            400,
        ),
        ("a megabyte", of(one("a", &"b".repeat(1 << 20), false)), 413),
    ] {
        let answer = give(&server, "silences", &body).await;
        assert_eq!(answer.status, status, "{what}: {}", answer.text());
    }
    assert_eq!(ask(&server, "silences").await, serde_json::json!([]));
    server.stop(&[]).await;
}

#[tokio::test]
async fn a_torn_body_keeps_nothing_and_harms_nobody() {
    let site = Site::new(FILE);
    let server = site.start().await;
    for part in ["", "[{\"labels\":{\"a\":\"b\"}}"] {
        let mut stream = TcpStream::connect(server.listen()).await.unwrap();
        let head = "POST /api/v2/alerts HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
                    content-length: 1000\r\n\r\n";
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(part.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        // It may answer or just close.
        drop(stream.read_to_end(&mut answer).await);
    }
    assert_eq!(ask(&server, "alerts").await, serde_json::json!([]));
    server.stop(&[]).await;
}

#[tokio::test]
async fn parameters_and_paths_of_any_kind_are_answered() {
    let site = Site::new(FILE);
    let server = site.start().await;
    let long = "a".repeat(50_000);
    for (path, status) in [
        ("alerts?filter=", 400),
        ("alerts?filter=a", 400),
        ("alerts?filter=a=~%28", 400),
        ("alerts?receiver=%28", 400),
        (
            "alerts?receiver=%28%28a%7B1000%7D%29%7B1000%7D%29%7B1000%7D",
            400,
        ),
        ("alerts?filter=%ff=x", 200),
        ("alerts?active=%00&silenced=maybe", 200),
        ("alerts/groups?filter=%7B", 400),
        ("silences?filter=%22", 400),
        ("silence/x", 422),
        ("silence/..%2f..%2fetc", 422),
        ("silence/11111111-1111-1111-1111-111111111111", 404),
        ("nothing", 404),
        (&format!("alerts?filter=a={long}"), 200),
        (&format!("silence/{long}"), 422),
    ] {
        let answer = get(server.listen(), &format!("/api/v2/{path}")).await;
        let path: String = path.chars().take(80).collect();
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
    }
    server.stop(&[]).await;
}

#[tokio::test]
async fn pages_of_others_may_read_and_not_silence() {
    let site = Site::new(FILE);
    let server = site.start().await;
    let origin = [("origin", "http://elsewhere")];
    for path in ["alerts", "silences"] {
        let path = format!("/api/v2/{path}");
        let answer = send(
            server.listen(),
            Method::OPTIONS,
            &path,
            &origin,
            Default::default(),
        )
        .await;
        assert_eq!(
            answer.header("access-control-allow-methods"),
            "GET, OPTIONS"
        );
    }
    server.stop(&[]).await;
}

#[tokio::test]
async fn what_is_answered_survives_a_kill() {
    let site = Site::new(FILE);
    let server = site.start().await;
    let alert = "[{\"labels\":{\"alertname\":\"Kept\",\"host\":\"h\"}}]";
    assert_eq!(give(&server, "alerts", alert).await.status, 200);
    let silence = "{\"matchers\":[{\"name\":\"host\",\"value\":\"h\",\"isRegex\":false}],\
                   \"startsAt\":\"2026-01-01T00:00:00Z\",\"endsAt\":\"2040-01-01T00:00:00Z\",\
                   \"createdBy\":\"\",\"comment\":\"\"}";
    assert_eq!(give(&server, "silences", silence).await.status, 200);
    let (alerts, silences) = (ask(&server, "alerts").await, ask(&server, "silences").await);
    server.signal(Signal::SIGKILL);
    drop(server);
    let server = site.start().await;
    assert_eq!(ask(&server, "silences").await, silences);
    assert_eq!(ask(&server, "alerts").await, alerts);
    assert_eq!(alerts[0]["status"]["silencedBy"][0], silences[0]["id"]);
    server.stop(&[]).await;
}
