//! Requests that nobody means well with: the API answers with an error, and goes on.

use std::time::Duration;

use crate::client::{encoded, get, post};
use crate::server::Server;

const FORM: [(&str, &str); 1] = [("content-type", "application/x-www-form-urlencoded")];

#[tokio::test]
async fn expressions_of_any_size_and_depth_are_answered() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path()).await;
    let deep = |open: &str, middle: &str, close: &str, depth: usize| {
        format!("{}{middle}{}", open.repeat(depth), close.repeat(depth))
    };
    let long = |part: &str, count: usize| vec!["1"; count].join(part);
    let expressions = [
        ("parentheses", deep("(", "1", ")", 100_000)),
        ("open parentheses", "(".repeat(500_000)),
        ("calls", deep("abs(", "up", ")", 100_000)),
        ("signs", deep("-", "1", "", 200_000)),
        ("aggregations", deep("sum(", "up", ")", 100_000)),
        ("subqueries", deep("", "up", "[1m:]", 100_000)),
        ("powers", long("^", 100_000)),
        ("sums", long("+", 100_000)),
        ("sets", vec!["up"; 50_000].join(" or ")),
        (
            "durations",
            format!("up[{}1m{}]", "(".repeat(100_000), ")".repeat(100_000)),
        ),
        ("braces", "{".repeat(100_000)),
        ("labels", format!("up{{{}}}", "a=\"b\",".repeat(50_000))),
        ("a name", "a".repeat(900_000)),
        ("a text", format!("\"{}\"", "x".repeat(900_000))),
        ("a number", "9".repeat(900_000)),
        (
            "a pattern",
            format!("up{{a=~\"{}\"}}", "(a+)+".repeat(20_000)),
        ),
        (
            "a repetition",
            "up{a=~\"((a{1000}){1000}){1000}\"}".to_owned(),
        ),
        ("quotes", "\"".repeat(100_001)),
        ("escapes", format!("'{}'", "\\".repeat(100_001))),
        ("nothing", "\0".repeat(100_000)),
        ("blanks", " ".repeat(900_000)),
        ("comments", "#\n".repeat(400_000)),
    ];
    for (what, expression) in &expressions {
        for path in ["query", "parse_query"] {
            let form = format!("time=1&query={}", encoded(expression));
            let answer = post(server.listen(), &format!("/api/v1/{path}"), &FORM, form).await;
            let status = answer.status;
            assert!(
                matches!(status, 200 | 400 | 422),
                "{what} to {path}: {status}"
            );
            assert!(answer.json()["status"].is_string(), "{what} to {path}");
        }
    }
    assert_eq!(get(server.listen(), "/-/ready").await.status, 200);
    server.stop(&[]).await;
}

#[tokio::test]
async fn bodies_and_addresses_of_any_kind_are_answered() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path()).await;
    let huge = format!("query={}", "1+".repeat(5 << 20));
    let answer = post(server.listen(), "/api/v1/query", &FORM, huge).await;
    assert_eq!(answer.json()["error"], "the form is larger than 1 MiB");
    for (body, what) in [
        ("query=%ff%fe%00", "bytes that are no text"),
        ("query=%", "half an escape"),
        ("=&&&==", "no names"),
        ("query=up&query=down", "a name twice"),
        ("\u{0}", "a zero"),
    ] {
        let answer = post(server.listen(), "/api/v1/query", &FORM, body).await;
        assert!(
            matches!(answer.status, 200 | 400),
            "{what}: {}",
            answer.status
        );
        assert!(answer.json()["status"].is_string(), "{what}");
    }
    let json = [("content-type", "application/json")];
    let answer = post(server.listen(), "/api/v1/query", &json, "{}").await;
    assert_eq!(answer.json()["errorType"], "bad_data");
    for (path, status) in [
        ("/api/v1/query?query=%FF", 400),
        ("/api/v1/label/%FF/values", 400),
        ("/api/v1/label/U___FFFFFFFF_/values", 200),
        ("/api/v1/label//values", 400),
        ("/api/v1/series?match[]=%00", 400),
        ("/api/v1/labels?start=9e18&end=-9e18", 400),
        ("/api/v1/labels?start=5&end=1", 200),
        ("/api/v1/query_exemplars?query=up&start=-1e15&end=1e15", 200),
        ("/api/v1/query?query=up&lookback_delta=1e9", 200),
        ("/api/v1/query?query=up&limit=99999999999999999999", 400),
    ] {
        assert_eq!(get(server.listen(), path).await.status, status, "{path}");
    }
    // In no time at all there is an answer or there is none.
    let hasty = get(server.listen(), "/api/v1/query?query=up&timeout=1e-300").await;
    assert!(matches!(hasty.status, 200 | 503), "{}", hasty.status);
    server.stop(&[]).await;
}

#[tokio::test]
async fn ranges_and_steps_at_the_ends_of_time_are_answered() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path()).await;
    for params in [
        "start=-9e14&end=-9e14&step=1",
        "start=9e14&end=9e14&step=1",
        "start=-9e14&end=9e14&step=9e9",
        "start=0&end=0.0001&step=0.00000001",
        "start=0&end=1&step=292y",
        "start=0&end=1&step=9e9",
        "start=1&end=1&step=1ms",
    ] {
        for query in [
            "up",
            "rate(up[290y])",
            "up offset 290y",
            "up offset -290y",
            "up[1y:1ms]",
        ] {
            let path = format!("/api/v1/query_range?query={}&{params}", encoded(query));
            let answer = get(server.listen(), &path).await;
            assert!(
                matches!(answer.status, 200 | 400 | 422),
                "{path}: {}",
                answer.status
            );
        }
    }
    let at = ["-9e14", "9e14", "0", "-0"];
    for query in [
        "time()",
        "year()",
        "day_of_month()",
        "up @ 9e14",
        "up @ -9e14 offset 290y",
    ] {
        for at in at {
            let path = format!("/api/v1/query?query={}&time={at}", encoded(query));
            let answer = get(server.listen(), &path).await;
            assert!(
                matches!(answer.status, 200 | 400 | 422),
                "{path}: {}",
                answer.status
            );
        }
    }
    server.stop(&[]).await;
}

#[tokio::test]
async fn many_at_once_are_all_answered() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path()).await;
    let heavy = encoded("count(sum_over_time(vector(1)[1h:1s]))");
    let path = format!("/api/v1/query_range?query={heavy}&start=0&end=600&step=60");
    let asked = (0..60).map(|_| get(server.listen(), &path));
    let answers = futures::future::join_all(asked);
    let answers = tokio::time::timeout(Duration::from_secs(60), answers)
        .await
        .unwrap();
    for answer in answers {
        assert!(matches!(answer.status, 200 | 503), "{}", answer.text());
    }
    server.stop(&[]).await;
}
