use super::*;

fn problems(text: &str) -> Vec<String> {
    match RuleFile::parse(text.as_bytes()) {
        Ok(file) => panic!("{text} is right: {file:?}"),
        Err(problems) => problems.iter().map(|one| one.in_file("f")).collect(),
    }
}

fn check(text: &str, expected: &[&str]) {
    let found = problems(text);
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        let first = found.lines().next().unwrap();
        assert_eq!(first, *expected, "{text}");
    }
}

#[test]
fn all_that_is_wrong_is_said_at_once() {
    let text = "
groups:
  - name: first
    every: 5m
    rules:
      - alert: Up
        expr: |
          up ==
            = 0
        for: soon
        labels: {__name__: x}
        annotations:
          summary: 'line one

            {{ $value | humanise }}'
      - record: a
        expr: b
        on_missing: keep
  - name: first
    limit: 1.5
";
    check(
        text,
        &[
            "f:4:5: group \"first\": unknown key \"every\"",
            "f:7:15: group \"first\", rule 1, \"Up\": could not parse expression: 2:3: parse error: unexpected <op:=>",
            "f:11:18: group \"first\", rule 1, \"Up\": invalid label name: \"__name__\"",
            "f:10:14: group \"first\", rule 1, \"Up\": for: not a duration: \"soon\"",
            "f:13:20: group \"first\", rule 1, \"Up\": annotation \"summary\": line 2 of the text, column 13: function \"humanise\" not defined",
            "f:18:9: group \"first\", rule 2, \"a\": invalid field 'on_missing' in recording rule",
            "f:20:12: group \"first\": limit: expected a whole number, got \"1.5\"",
            "f:19:11: the group name \"first\" is repeated in the file",
        ],
    );
}

#[test]
fn own_keys_are_read() {
    let text = "
groups:
  - name: g
    labels: {team: db, tier: 1}
    rules:
      - alert: A
        expr: a > 5 unless b > 3
        labels: {team: ops}
        runbook: disk-full
        on_missing: keep
        clear: a < 3
        flap: 10m
";
    let file = RuleFile::parse(text.as_bytes()).unwrap();
    let Rule::Alert(rule) = &file.groups[0].rules[0] else {
        panic!("{file:?}");
    };
    assert_eq!(rule.runbook.as_deref(), Some("disk-full"));
    assert_eq!(rule.flap, Some(Duration::from_secs(600)));
    assert_eq!(rule.clear.as_ref().unwrap().expr().to_string(), "a < 3");
    let labels: Vec<_> = rule
        .labels
        .iter()
        .map(|(name, text)| (&**name, text.source()))
        .collect();
    assert_eq!(labels, [("team", "ops"), ("tier", "1")]);
    assert_eq!(
        file.groups[0].rules[0].identity(),
        "alert A team=\"ops\" tier=\"1\""
    );
    let wrong = |key: &str, value: &str, expected: &str| {
        let text =
            format!("groups: [{{name: g, rules: [{{alert: A, expr: a > 1, {key}: {value}}}]}}]");
        let found = problems(&text);
        assert!(found[0].contains(expected), "{found:?}");
    };
    wrong(
        "on_missing",
        "ignore",
        "on_missing: expected resolve, keep or fire, got \"ignore\"",
    );
    wrong("clear", "'a <'", "could not parse expression");
    wrong("flap", "often", "flap: not a duration");
    wrong("runbook", "''", "'runbook' is empty");
    let absent = "groups: [{name: g, rules: [{alert: A, expr: absent(a), on_missing: fire}]}]";
    assert!(problems(absent)[0].contains("asks for something absent"));
}

#[test]
fn presence_is_the_expression_without_its_conditions() {
    let check = |expr: &str, expected: &str| {
        let query = Query::parse(expr).unwrap();
        let presence = presence::of(&query).map(|query| query.expr().to_string());
        assert_eq!(
            presence.as_deref(),
            (!expected.is_empty()).then_some(expected),
            "{expr}"
        );
    };
    check("a > 5", "a > bool 5");
    check("a > 5 and on (x) b < 3", "a > bool 5 and on (x) b < bool 3");
    check("a > 5 unless b", "a > bool 5");
    check(
        "count by (x) (up == 0) / 2 >= 1",
        "count by (x) (up == bool 0) / 2 >= bool 1",
    );
    check("rate(a[5m]) != b", "rate(a[5m]) != bool b");
    check(
        "max_over_time((a > 1)[5m:1m]) > 2",
        "max_over_time((a > bool 1)[5m:1m]) > bool 2",
    );
    check("up", "up");
    check("absent(up)", "");
    check("a or absent_over_time(b[5m])", "");
}

#[test]
fn what_is_hardly_meant_is_warned_of() {
    let text = "
groups:
  - name: one
    rules:
      - {alert: A, expr: a, labels: {b: c}}
      - {alert: A, expr: b}
      - {alert: A, expr: (a), labels: {b: c}}
  - name: two
    rules:
      - {alert: A, expr: a, labels: {b: c}}
---
more: 1
";
    let file = RuleFile::parse(text.as_bytes()).unwrap();
    let warnings: Vec<String> = file.warnings.iter().map(|one| one.in_file("f")).collect();
    let firsts: Vec<&str> = warnings
        .iter()
        .map(|one| one.lines().next().unwrap())
        .collect();
    assert_eq!(
        firsts,
        [
            "f:2:1: a second document follows, which is not read",
            "f:7:9: group \"one\", rule 3, \"A\": the same name and labels as rule 1 of group \"one\"",
            "f:10:9: group \"two\", rule 1, \"A\": the same rule as rule 1 of group \"one\"",
        ]
    );
}

#[test]
fn hostile_files_are_refused_or_read_in_time() {
    let refused = |text: &[u8], expected: &str| {
        let found = RuleFile::parse(text).map(|_| ()).unwrap_err();
        assert!(
            found[0].message.contains(expected),
            "{:.300}",
            found[0].message
        );
    };
    refused(b"groups: [{name: \"\xff\"}]", "not UTF-8 at byte 17");
    refused(&vec![b' '; MAX_BYTES + 1], "more than");
    let open = "more than 500 brackets of one line are open";
    refused("[".repeat(100_000).as_bytes(), open);
    refused("{a: ".repeat(100_000).as_bytes(), open);
    refused(
        "[".repeat(400).as_bytes(),
        "not YAML: recursion limit exceeded",
    );
    refused(b"groups: !!python/object:os.system [x]", "expected a map");
    refused(b"groups: &a [*a]", "not YAML: recursion limit exceeded");
    refused(b"? [a, b]\n: c", "not YAML: invalid type: sequence");
    // Each line repeats the one before ten times.
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let before = format!("*a{}, ", level - 1).repeat(10);
        bomb += &format!("a{level}: &a{level} [{before}]\n");
    }
    refused(bomb.as_bytes(), "not YAML: repetition limit exceeded");
    let wide = format!(
        "a: &a [{}]\nb: [{}]\n",
        "x, ".repeat(30_000),
        "*a, ".repeat(300)
    );
    refused(
        wide.as_bytes(),
        "more than 1000000 values, aliases resolved",
    );
    let deep = format!(
        "groups: [{{name: g, rules: [{{record: a, expr: '{}1'}}]}}]",
        "(".repeat(50_000)
    );
    refused(deep.as_bytes(), "could not parse expression");
    let many = format!("groups:\n{}", "  - {}\n".repeat(1_000));
    let found = RuleFile::parse(many.as_bytes()).unwrap_err();
    assert_eq!(found.len(), 1_000);
    assert!(found[99].place.is_some() && found[100].place.is_none());
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
        // Whether it is a rule file does not matter here.
        let _read = RuleFile::parse(&bytes);
    }

    #[test]
    fn no_mix_of_its_words_makes_it_panic(words in proptest::collection::vec(0..WORDS.len(), 0..40)) {
        let text: Vec<&str> = words.into_iter().map(|word| WORDS[word]).collect();
        let _read = RuleFile::parse(text.concat().as_bytes());
    }
}

const WORDS: [&str; 30] = [
    "groups:",
    "\n",
    "\n  - ",
    "\n    ",
    "\n      - ",
    "\n        ",
    "name: ",
    "rules:",
    "alert: ",
    "expr: ",
    "up",
    " > 1",
    "for: ",
    "5m",
    "labels: ",
    "{a: b}",
    "annotations: ",
    "'{{ $value }}'",
    "[",
    "]",
    "{",
    "}",
    "&a ",
    "*a ",
    "<<: ",
    "|\n",
    "null",
    "on_missing: ",
    "keep",
    "limit: 1",
];
