use clap::Parser;

use super::*;

const FILE: &str = r#"
people: [{name: ann, receivers: [ann-phone]}, {name: bob, receivers: [bob-phone, mail]}]
schedules:
  - name: dba
    time_zone: Europe/Berlin
    layers: [{name: weeks, rotation: weekly, start: 2026-11-16, handover: "09:00", people: [ann, bob]}]
policies: [{name: all, steps: [{notify: [{schedule: dba}]}]}]
"#;

/// Saturday, 21 November 2026, 03:00 UTC.
const NOW: i64 = 1_795_230_000_000;

#[derive(clap::Parser)]
struct Line {
    #[command(flatten)]
    oncall: Oncall,
}

fn check(files: &[(&str, &str)], arguments: &[&str]) -> (String, u8) {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let arguments = ["oncall", "check"].iter().chain(arguments).map(|argument| {
        let path = folder.path().join(argument);
        if files.iter().any(|(name, _)| name == argument) {
            path.display().to_string()
        } else {
            (*argument).to_owned()
        }
    });
    let line = Line::parse_from(arguments);
    let Told::Verdict(done) = line.oncall.run(NOW) else {
        panic!("no verdict");
    };
    let folder = format!("{}/", folder.path().display());
    (done.text.replace(&folder, ""), done.code)
}

#[test]
fn a_file_that_is_right_says_who_is_on_call() {
    let expected = "\
o.yml: ok, 2 people, 1 policies

SCHEDULE  ON CALL  FROM                  TO                    BY
dba       ann      2026-11-21 03:00:00Z  2026-11-23 08:00:00Z  layer weeks
dba       bob      2026-11-23 08:00:00Z  2026-11-28 03:00:00Z  layer weeks
";
    let (text, code) = check(&[("o.yml", FILE)], &["o.yml"]);
    assert_eq!((text.as_str(), code), (expected, 0));
    let (text, _) = check(&[("o.yml", FILE)], &["o.yml", "-o", "json"]);
    let told: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(told["schedules"][0]["person"], "ann");
    assert_eq!(told["schedules"][0]["receivers"][0], "ann-phone");
    assert_eq!(now(&told).lines().count(), 2);
}

#[test]
fn what_is_wrong_is_said() {
    let notify = "route: {receiver: mail}\nreceivers: [{name: mail}, {name: ann-phone}]\n";
    let files = [("o.yml", FILE), ("a.yml", notify)];
    let (text, code) = check(&files, &["o.yml", "--notify", "a.yml"]);
    let expected = "o.yml:2:71: no receiver is called \"bob-phone\"";
    assert!(text.starts_with(expected), "{text}");
    assert_eq!(code, 1);
    let (text, code) = check(&[], &["missing.yml"]);
    assert!(text.contains("cannot be read"), "{text}");
    assert_eq!(code, 1);
    let (text, code) = check(
        &[("o.yml", "people: 1"), ("a.yml", "")],
        &["o.yml", "--notify", "a.yml"],
    );
    assert_eq!(code, 1, "{text}");
}
