use super::*;
use crate::file::RuleFile;

const RULES: &str = "
groups:
  - name: g
    rules:
      - {alert: Down, expr: up == 0, for: 1m, annotations: {who: '{{ $labels.host }} {{ query \"bad(\" }}'}}
";

fn outcome(test: &str) -> Outcome {
    let file = UnitFile::parse(test.as_bytes()).unwrap();
    let rules = RuleFile::parse(RULES.as_bytes()).unwrap();
    run(&file, &rules.groups).remove(0)
}

#[test]
fn a_failure_shows_what_was_expected_and_what_came() {
    let test = "
tests:
  - interval: 1m
    input_series: [{series: 'up{host=\"a\"}', values: 0x5}]
    alert_rule_test:
      - {eval_time: 1m, alertname: Down, exp_alerts: [{exp_labels: {host: b}, exp_annotations: {who: a}}]}
    promql_expr_test:
      - {expr: up + 1, eval_time: 90s, exp_samples: [{labels: '{host=\"a\"}', value: 2}]}
";
    let failures = outcome(test).failures.join("\n");
    let expected = "    alertname: Down, time: 1m
        exp: labels {alertname=\"Down\", host=\"b\"}
             annotations {who=\"a\"}
        got: labels {alertname=\"Down\", host=\"a\"}
             annotations {who=\"<error expanding template: template: who:1: executing \\\"who\\\" at <query>: error calling query: 1:5: parse error: unclosed left parenthesis>\"}
    expr: \"up + 1\", time: 1m30s
        exp: {host=\"a\"} 2
        got: {host=\"a\"} 1";
    assert_eq!(failures, expected);
}

#[test]
fn a_test_that_would_take_too_long_is_not_begun() {
    let test = "
evaluation_interval: 1ms
tests: [{interval: 1m, promql_expr_test: [{expr: up, eval_time: 10y}]}]
";
    let failures = outcome(test).failures;
    assert_eq!(
        failures,
        ["    the test would take 315360000000 evaluations"]
    );
}

#[test]
fn what_is_wrong_with_a_file_has_its_place() {
    let check = |text: &str, expected: &str| {
        let problems = UnitFile::parse(text.as_bytes()).map(|_| ()).unwrap_err();
        let shown = problems[0].in_file("f");
        assert!(shown.starts_with(expected), "{text}: {shown}");
    };
    check(
        "tests:\n  - interval: x",
        "f:2:15: interval: not a duration: \"x\"",
    );
    check(
        "tests:\n  - input_series:\n      - {series: a, values: 1xx}",
        "f:3:9: not a count: 1xx",
    );
    check(
        "tests:\n  - start_timestamp: noon",
        "f:2:22: start_timestamp: expected RFC 3339",
    );
    check(
        "tests:\n  - input_series: [{series: a, values: '{{sum:1}}'}]",
        "f:2:20: native histograms are not stored",
    );
    check("tests: {}", "f:1:8: expected a list, got a map");
    check(
        "tests: [{input_series: [{series: a, values: 0x99999999999}]}]",
        "f:1:25: too many values",
    );
    check(
        "fuzzy_compare: maybe",
        "f:1:16: fuzzy_compare: expected true or false",
    );
}

#[test]
fn moments_are_read() {
    let check = |text: &str, expected: Option<i64>| {
        assert_eq!(crate::template::rfc3339_ms(text), expected, "{text}");
    };
    check("1970-01-01T00:00:00Z", Some(0));
    check("2024-02-29T12:30:00.25+02:00", Some(1_709_202_600_250));
    check("1969-12-31T23:59:59.999Z", Some(-1));
    check("2023-02-29T00:00:00Z", None);
    check("2023-01-01T24:00:00Z", None);
    check("2023-01-01", None);
    check("", None);
    check("2023-01-01T00:00:00é", None);
}
