use super::*;

const WHEN: &str = r#""startsAt": "2026-01-01T00:00:00Z", "endsAt": "2026-01-02T00:00:00Z",
                      "createdBy": "ana", "comment": "disk""#;

#[test]
fn a_silence_is_read() {
    let body = format!(
        r#"{{"id": "", "matchers": [{{"name": "a", "value": "b", "isRegex": false}},
            {{"name": "c", "value": "d.*", "isRegex": true, "isEqual": false}}], {WHEN}, "more": [1]}}"#
    );
    let silence = read(body.as_bytes()).unwrap();
    assert_eq!(silence.matchers.to_string(), r#"{a="b",c!~"d.*"}"#);
    let times = (silence.starts_at_ms, silence.ends_at_ms);
    assert_eq!(times, (1_767_225_600_000, 1_767_312_000_000));
    assert_eq!((&*silence.created_by, &*silence.comment), ("ana", "disk"));
    // As amtool and others write it where they know no other.
    let never = body.replace("2026-01-01T00", "0001-01-01T00");
    assert_eq!(read(never.as_bytes()).unwrap().starts_at_ms, i64::MIN);
}

#[test]
fn everything_that_is_wrong_is_told() {
    let check = |body: &str, expected: &str| {
        let text = match read(body.as_bytes()) {
            Err(Refusal::Coded { code, message, .. }) => format!("{code} {message}"),
            Err(Refusal::Plain { message, .. }) => message,
            Ok(silence) => panic!("{body}: {silence:?}"),
        };
        assert_eq!(text, expected, "{body}");
    };
    check(
        "{}",
        "602 validation failure list:\ncomment in body is required\ncreatedBy in body is required\n\
         endsAt in body is required\nstartsAt in body is required\nmatchers in body is required",
    );
    check(
        &format!(r#"{{"matchers": [], {WHEN}}}"#),
        "612 matchers in body should have at least 1 items",
    );
    check(
        &format!(r#"{{"matchers": [{{"name": "a", "isRegex": false}}], {WHEN}}}"#),
        "602 matchers.0.value in body is required",
    );
    check(
        &format!(
            r#"{{"matchers": [{{"name": 5, "value": "", "isRegex": "n"}}], "id": 7, {WHEN}}}"#
        ),
        "400 parsing silence body from \"\" failed, because id: expected a text, found a number; \
         matchers.0.isRegex: expected a truth value, found a text; \
         matchers.0.name: expected a text, found a number",
    );
    check(
        &format!(
            r#"{{"matchers": [{{"name": "", "value": "x", "isRegex": false}},
                {{"name": "a", "value": "(", "isRegex": true}}], {WHEN}}}"#
        ),
        "silence invalid: invalid label matcher 0: invalid label name \"\"; \
         invalid label matcher 1: not a regular expression: \"(\"",
    );
    let many = vec![r#"{"name": "a", "value": "x", "isRegex": false}"#; 101].join(",");
    let Err(Refusal::Coded { message, .. }) =
        read(format!(r#"{{"matchers": [{many}]}}"#).as_bytes())
    else {
        panic!("it was taken");
    };
    assert!(message.contains("more than 100"), "{message}");
}
