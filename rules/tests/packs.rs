//! The shipped packs: each can be read, says of each alert what a person needs, and passes its unit
//! tests, with promtool as with ours.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rules::file::{AlertRule, Rule, RuleFile};
use rules::unit::{self, UnitFile};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("packs")
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("the folder can be read");
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("the folder can be read").path())
        .filter(|path| path.extension().is_some_and(|end| end == "yml"))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{}", folder.display());
    files
}

fn parse(file: &Path) -> RuleFile {
    let bytes = fs::read(file).expect("the file can be read");
    RuleFile::parse(&bytes).unwrap_or_else(|wrong| panic!("{}: {wrong:?}", file.display()))
}

fn parse_tests(file: &Path) -> UnitFile {
    let bytes = fs::read(file).expect("the file can be read");
    UnitFile::parse(&bytes).unwrap_or_else(|wrong| panic!("{}: {wrong:?}", file.display()))
}

fn alerts(file: &RuleFile) -> Vec<&AlertRule> {
    let rules = file.groups.iter().flat_map(|group| &group.rules);
    rules
        .filter_map(|rule| match rule {
            Rule::Alert(alert) => Some(alert),
            Rule::Record(_) => None,
        })
        .collect()
}

#[test]
fn each_alert_says_what_a_person_needs() {
    let described = fs::read_to_string(folder().join("README.md")).expect("it can be read");
    let mut names = BTreeSet::new();
    for path in files(&folder()) {
        let file = parse(&path);
        assert!(file.warnings.is_empty(), "{}", path.display());
        for alert in alerts(&file) {
            let name = &alert.name;
            assert!(names.insert(name.clone()), "{name} is there twice");
            assert!(described.contains(&format!("| {name} |")), "{name}");
            let severity = alert.labels.iter().find(|(key, _)| key == "severity");
            let severity = severity.map(|(_, text)| text.source());
            assert!(
                matches!(severity, Some("low" | "medium" | "high")),
                "{name}: {severity:?}"
            );
            for wanted in ["summary", "description"] {
                let found = alert.annotations.iter().find(|(key, _)| key == wanted);
                assert!(
                    found.is_some_and(|(_, text)| !text.source().is_empty()),
                    "{name} has no {wanted}"
                );
            }
        }
    }
}

#[test]
fn each_pack_passes_its_tests() {
    for path in files(&folder()) {
        let pack = parse(&path);
        let name = path.file_name().expect("a file has a name");
        let tests_path = folder().join("tests").join(name);
        let tests = parse_tests(&tests_path);
        let tested: BTreeSet<&str> = tests.tests.iter().map(|test| test.name.as_str()).collect();
        for alert in alerts(&pack) {
            assert!(tested.contains(alert.name.as_str()), "{}", alert.name);
        }
        for outcome in unit::run(&tests, &pack.groups) {
            let (test, failures) = (outcome.name, outcome.failures);
            assert!(failures.is_empty(), "{test}: {}", failures.join("\n"));
        }
        let run = Command::new("promtool")
            .args(["test", "rules"])
            .arg(&tests_path)
            .output();
        let output = run.expect("promtool is installed, by scripts/setup.sh");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {said}", tests_path.display());
    }
}
