use std::process::Command;

use super::*;

const FILE: &str = r#"
route:
  receiver: everyone
  group_by: [alertname, cluster]
  routes:
    - matchers: [severity="page"]
      receiver: pager
      continue: true
      group_wait: 0s
    - match_re: {team: db|web}
      receiver: mail
      group_by: ['...']
      active_time_intervals: [never]
receivers:
  - name: everyone
  - name: pager
    pagerduty_configs: [{routing_key: x}]
    webhook_configs: [{url: 'http://127.0.0.1:1/'}, {url: 'http://127.0.0.1:2/'}]
  - name: mail
time_intervals: [{name: never}]
templates: ['*.tmpl', 'none/*.tmpl']
"#;

fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

#[test]
fn a_check_tells_what_is_there_and_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "a.tmpl", "{{ define \"a\" }}x{{ end }}");
    let good = write(folder.path(), "good.yml", FILE);
    let bad = write(
        folder.path(),
        "bad.yml",
        &FILE.replace("group_wait: 0s", "wait: 0s"),
    );
    let missing = folder.path().join("missing.yml");
    let check = |files: &[&PathBuf], code: u8, expected: &[&str]| {
        let files = files.iter().map(|path| (*path).clone()).collect();
        let done = Notify::Check { files }.run(0);
        assert_eq!(done.code, code, "{}", done.text);
        for text in expected {
            assert!(done.text.contains(text), "{text}: {}", done.text);
        }
    };
    let found = [
        "no file matches the pattern none/*.tmpl",
        "SUCCESS: 3 routes, 3 receivers, 0 inhibit rules, 1 time interval, 1 template file",
        "pager     pagerduty, webhook, webhook  1",
        "everyone  nothing                      1",
    ];
    check(&[&good], 0, &found);
    let wrong = [
        "FAILED",
        "bad.yml:9:7: unknown key \"wait\"",
        "hint: known keys are",
    ];
    check(&[&bad, &good], 1, &wrong);
    check(&[&missing], 1, &["cannot read it"]);
    let text = FILE.replace("routing_key: x", "routing_key: x, description: '{{ .x'");
    let typo = write(folder.path(), "typo.yml", &text);
    check(
        &[&typo],
        0,
        &["WARNING", "pager/pagerduty[0], description: line 1"],
    );
    write(folder.path(), "b.tmpl", "{{ define }}");
    check(&[&good], 1, &["FAILED", "b.tmpl:1:"]);
    // And so says amtool.
    let amtool = Command::new("amtool")
        .arg("check-config")
        .arg(&good)
        .output();
    assert_eq!(amtool.unwrap().status.code(), Some(1));
}

#[test]
fn an_alert_is_shown_its_way() {
    let folder = tempfile::tempdir().unwrap();
    let file = write(folder.path(), "a.yml", FILE);
    let run = |labels: &[&str], verify: &[&str], output: RouteFormat| {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Notify::Route {
            file: file.clone(),
            labels: owned(labels),
            verify: owned(verify),
            output,
        }
        .run(0)
    };
    let table = run(&["severity=page", "team=db"], &[], RouteFormat::Table);
    let expected = "\
RECEIVER  GROUPED BY          WAIT  INTERVAL  REPEAT  MUTED NOW BY  ROUTE
pager     alertname, cluster  0s    5m        4h      -             {}/{severity=\"page\"}
mail      each alone          30s   5m        4h      never         {}/{team=~\"^(?:db|web)$\"}
";
    assert_eq!(table.text, expected);
    assert_eq!(
        run(&["severity!=page"], &[], RouteFormat::Names).code,
        USAGE
    );
    assert_eq!(run(&["page"], &[], RouteFormat::Names).code, USAGE);
    let missed = run(&["severity=page"], &["mail"], RouteFormat::Names);
    assert_eq!(
        (missed.text.as_str(), missed.code),
        ("pager\n\nexpected mail, got pager\n", WRONG)
    );
    // And as amtool has it.
    for labels in [
        &[][..],
        &["severity=page", "team=db"],
        &["team=web", "a=\"b c\""],
        &["team=x"],
    ] {
        let ours = run(labels, &[], RouteFormat::Names);
        let path = file.to_str().unwrap();
        let mut amtool = Command::new("amtool");
        amtool.args(["config", "routes", "test", "--config.file", path]);
        let theirs = amtool.args(labels).output().unwrap();
        assert_eq!(ours.text.as_bytes(), theirs.stdout, "{labels:?}");
    }
}
