//! The same verdicts as promtool on the same files, promtool run beside ours.
//!
//! `promtool/` has rule files (`good`, `bad`) and unit tests (`units/pass`, `units/fail`) on which both
//! agree, and in each case a folder `later` with what promtool 2.42 does not know yet: what came with
//! Prometheus 3 or with a newer Go, and our own keys. What the templates of `units/templates.yml` give
//! was written down from what promtool says, so `units/pass/templates.yml` compares Go's
//! `text/template` with ours.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rules::file::RuleFile;
use rules::unit::{self, UnitFile};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/promtool")
        .join(name)
}

fn files(name: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder(name)).expect("the folder can be read");
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("the folder can be read").path())
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{name}");
    files
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Good,
    Bad,
}

fn promtool(command: &[&str], file: &Path) -> Verdict {
    let run = Command::new("promtool").args(command).arg(file).output();
    let output = run.expect("promtool is installed, by scripts/setup.sh");
    match output.status.code() {
        Some(0) => Verdict::Good,
        Some(1) => Verdict::Bad,
        other => panic!("{}: promtool ended with {other:?}", file.display()),
    }
}

fn read(file: &Path) -> Vec<u8> {
    fs::read(file).expect("the file can be read")
}

fn check_file(file: &Path) -> (Verdict, String) {
    match RuleFile::parse(&read(file)) {
        Ok(_) => (Verdict::Good, String::new()),
        Err(problems) => (Verdict::Bad, format!("{problems:?}")),
    }
}

/// As the command does it, but for patterns and warnings.
fn run_tests(file: &Path) -> (Verdict, String) {
    let tests = match UnitFile::parse(&read(file)) {
        Ok(tests) => tests,
        Err(problems) => return (Verdict::Bad, format!("{problems:?}")),
    };
    let mut groups = Vec::new();
    for name in &tests.rule_files {
        let path = file.parent().expect("it lies in a folder").join(name);
        let Ok(bytes) = fs::read(path) else {
            continue;
        };
        match RuleFile::parse(&bytes) {
            Ok(rules) => groups.extend(rules.groups),
            Err(problems) => return (Verdict::Bad, format!("{problems:?}")),
        }
    }
    let outcomes = unit::run(&tests, &groups);
    let failures: Vec<String> = outcomes.into_iter().flat_map(|one| one.failures).collect();
    if failures.is_empty() {
        (Verdict::Good, String::new())
    } else {
        (Verdict::Bad, failures.join("\n"))
    }
}

/// What both say of each file of a folder.
fn check(
    name: &str,
    command: &[&str],
    ours: fn(&Path) -> (Verdict, String),
    expected: [Verdict; 2],
) {
    for file in files(name) {
        let (verdict, why) = ours(&file);
        assert_eq!(verdict, expected[0], "ours of {}: {why}", file.display());
        assert_eq!(
            promtool(command, &file),
            expected[1],
            "promtool of {}",
            file.display()
        );
    }
}

#[test]
fn rule_files_get_the_same_verdict() {
    use Verdict::{Bad, Good};
    let command = ["check", "rules"];
    check("good", &command, check_file, [Good, Good]);
    check("bad", &command, check_file, [Bad, Bad]);
    check("later", &command, check_file, [Good, Bad]);
}

#[test]
fn unit_tests_get_the_same_verdict() {
    use Verdict::{Bad, Good};
    let command = ["test", "rules"];
    check("units/pass", &command, run_tests, [Good, Good]);
    check("units/fail", &command, run_tests, [Bad, Bad]);
    check("units/later", &command, run_tests, [Good, Bad]);
}

#[test]
fn rules_of_debians_packages_load() {
    // Whatever rule files other packages of this machine brought along.
    let output = Command::new("find")
        .args(["/usr/share/doc", "/usr/share/prometheus", "/etc/prometheus"])
        .args(["-name", "*rules*.y*ml"])
        .output()
        .unwrap();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let file = Path::new(line);
        let (verdict, why) = check_file(file);
        assert_eq!(
            verdict,
            promtool(&["check", "rules"], file),
            "{line}: {why}"
        );
    }
}
