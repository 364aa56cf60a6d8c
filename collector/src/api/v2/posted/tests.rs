use super::*;

const NOW_MS: i64 = 1_000_000;

fn posted(body: &str) -> Result<Posted, Refusal> {
    read(body.as_bytes(), Duration::from_secs(300), NOW_MS)
}

#[test]
fn times_mean_what_they_mean_to_alertmanager() {
    let check = |times: &str, expected: (i64, i64, Ending)| {
        let body = format!(r#"[{{"labels": {{"a": "b"}}{times}}}]"#);
        let posted = posted(&body).unwrap();
        assert_eq!(posted.wrong, Vec::<String>::new(), "{times}");
        let known = &posted.alerts[0];
        let (starts_at_ms, ends_at_ms, ending) = expected;
        assert_eq!(known.alert.starts_at_ms, starts_at_ms, "{times}");
        assert_eq!(known.alert.ends_at_ms, Some(ends_at_ms), "{times}");
        assert_eq!(known.alert.updated_at_ms, NOW_MS);
        assert_eq!(known.source, Source::Posted(ending), "{times}");
    };
    let later_ms = NOW_MS + 300_000;
    check("", (NOW_MS, later_ms, Ending::Silence));
    check(
        r#","startsAt":null,"endsAt":"""#,
        (NOW_MS, later_ms, Ending::Silence),
    );
    check(
        r#","startsAt":"1970-01-01T00:00:05Z","endsAt":"0001-01-01T00:00:00Z""#,
        (5_000, later_ms, Ending::Silence),
    );
    check(
        r#","endsAt":"1970-01-01T00:00:09Z""#,
        (9_000, 9_000, Ending::Said),
    );
    check(
        r#","startsAt":"1970-01-01T00:00:05Z","endsAt":"1970-01-01T00:00:05Z""#,
        (5_000, 5_000, Ending::Said),
    );
}

#[test]
fn what_is_right_is_kept_beside_what_is_wrong() {
    let body = r#"[{"labels": {"a": "b", "none": "", "with a dot.and blank": "1"},
                    "annotations": {"summary": "s", "empty": ""}, "generatorURL": "http://p:9090/g"},
                   {"labels": {"": "x"}},
                   {"labels": {"a": ""}, "annotations": {"": "x"}, "startsAt": "2030-01-01T00:00:00Z"}]"#;
    let posted = posted(body).unwrap();
    let right = &posted.alerts[0].alert;
    assert_eq!(posted.alerts.len(), 1);
    assert_eq!(right.labels.iter().count(), 2);
    let annotations = [("empty", ""), ("summary", "s")];
    let annotations = annotations.map(|(name, text)| (name.to_owned(), text.to_owned()));
    assert_eq!(right.annotations, annotations);
    assert_eq!(right.generator_url, "http://p:9090/g");
    let wrong = [
        "invalid label set: invalid name \"\"",
        "start time must be before end time; at least one label pair required; \
         invalid annotations: invalid name \"\"",
    ];
    assert_eq!(posted.wrong, wrong);
}

#[test]
fn an_alert_has_a_largest_size() {
    let check = |body: String| {
        let posted = posted(&body).unwrap();
        assert!(posted.alerts.is_empty());
        assert!(
            posted.wrong[0].contains("larger than 128 KiB"),
            "{:?}",
            posted.wrong
        );
    };
    check(format!(
        r#"[{{"labels": {{"a": "{}"}}}}]"#,
        "x".repeat(200_000)
    ));
    let many: Vec<String> = (0..100_000)
        .map(|place| format!(r#""l{place}":"v""#))
        .collect();
    check(format!(r#"[{{"labels": {{{}}}}}]"#, many.join(",")));
}

#[test]
fn everything_of_the_wrong_type_is_told_at_once() {
    let check = |body: &str, code: u16, expected: &str| match posted(body) {
        Err(Refusal::Coded {
            code: found,
            message,
            ..
        }) => {
            assert_eq!((found, message.as_str()), (code, expected), "{body}");
        }
        other => panic!("{body}: {other:?}"),
    };
    let because = |why: &str| format!("parsing alerts body from \"\" failed, because {why}");
    check(
        r#"[{"labels": {"a": 5, "b": [1]}, "startsAt": "x", "endsAt": 7}, {"labels": [],
            "annotations": "", "generatorURL": {"a": {}}}]"#,
        400,
        &because(
            "0.labels.a: expected a text, found a number; 0.labels.b: expected a text, found a list; \
             0.startsAt: \"x\" is no time such as 2026-01-31T08:00:00Z; \
             0.endsAt: expected a text, found a number; 1.labels: expected an object, found a list; \
             1.annotations: expected an object, found a text; \
             1.generatorURL: expected a text, found an object",
        ),
    );
    check(r#"[{}]"#, 602, "0.labels in body is required");
    check(
        r#"[{"labels": null, "generatorURL": "::"}, {"labels": {"a": "b"}, "generatorURL": "a b"}]"#,
        602,
        "validation failure list:\n0.labels in body is required\n\
         0.generatorURL in body must be of type uri: \"::\"\n\
         1.generatorURL in body must be of type uri: \"a b\"",
    );
    for torn in [
        "{}",
        "[",
        "[{]",
        "5",
        "[{\"labels\"",
        "[null]",
        "[[5]] x",
        "[{}] []",
    ] {
        let found = posted(torn);
        assert!(
            matches!(found, Err(Refusal::Coded { code: 400, .. })),
            "{torn}: {found:?}"
        );
    }
    assert_eq!(posted("null"), Ok(Posted::default()));
}

#[test]
fn a_request_has_so_many_alerts_at_most() {
    let many = format!("[{}{{}}]", "{},".repeat(MOST_ALERTS));
    let Err(Refusal::Coded { message, .. }) = posted(&many) else {
        panic!("it was taken");
    };
    assert!(message.contains("there are more than 10000"), "{message}");
    let all = format!("[{}{{}}]", "{},".repeat(MOST_ALERTS - 1));
    let Err(Refusal::Coded { message, .. }) = posted(&all) else {
        panic!("it was taken");
    };
    assert!(message.ends_with("and 9900 more"), "{}", message.len());
}
