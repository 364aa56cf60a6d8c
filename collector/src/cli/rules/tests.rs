use std::path::Path;

use super::*;

fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

const RULES: &str = "
groups:
  - name: g
    rules:
      - alert: Down
        expr: up == 0
        for: 2m
";

#[test]
fn what_is_wrong_is_told_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let good = write(folder.path(), "good.yml", RULES);
    let bad = write(folder.path(), "bad.yml", &RULES.replace("for:", "four:"));
    let twice = RULES.to_owned() + &RULES[RULES.find("      - alert").unwrap()..];
    let twice = write(folder.path(), "twice.yml", &twice);
    let missing = folder.path().join("missing.yml");
    let check = |files: &[&PathBuf], lint_fatal: bool, code: u8, expected: &str| {
        let files = files.iter().map(|path| (*path).clone()).collect();
        let done = Rules::Check { files, lint_fatal }.run();
        assert_eq!(done.code, code, "{}", done.text);
        assert!(done.text.contains(expected), "{}", done.text);
    };
    check(&[&good], false, 0, "SUCCESS: 1 rules found");
    check(
        &[&bad],
        false,
        1,
        "bad.yml:7:9: group \"g\", rule 1, \"Down\": unknown key \"four\"",
    );
    check(&[&good, &missing], false, 1, "cannot read it");
    check(
        &[&twice],
        false,
        0,
        "the same rule as rule 1 of group \"g\"",
    );
    check(&[&twice], true, 3, "SUCCESS: 2 rules found");
    check(&[&twice, &bad], true, 1, "FAILED");
}

#[test]
fn tests_find_their_rules_beside_them() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "alerts.yml", RULES);
    let case = "
rule_files: ['al*.yml']
tests:
  - input_series: [{series: up, values: 0x5}]
    alert_rule_test:
      - {eval_time: 2m, alertname: Down, exp_alerts: [{exp_labels: {}}]}
";
    let good = write(folder.path(), "good.test", case);
    let early = write(folder.path(), "early.test", &case.replace("2m", "1m"));
    let lost = write(folder.path(), "lost.test", &case.replace("al*", "no*"));
    let check = |file: &PathBuf, code: u8, expected: &str| {
        let files = vec![file.clone()];
        let done = Rules::Test { files }.run();
        assert_eq!(done.code, code, "{}", done.text);
        assert!(done.text.contains(expected), "{}", done.text);
    };
    check(&good, 0, "SUCCESS");
    check(
        &early,
        1,
        "alertname: Down, time: 1m\n        exp: labels {alertname=\"Down\"}",
    );
    check(&lost, 1, "no file matches the pattern no*.yml");
}
