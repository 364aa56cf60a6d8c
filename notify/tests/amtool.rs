//! The same verdicts as amtool on the same configuration files, amtool run beside ours.
//!
//! `amtool/` has files on which both agree (`good`, `bad`), files with what came after Alertmanager 0.25
//! (`later`), and files that we refuse though Alertmanager takes them (`refused`): [`REFUSED`] says why.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use notify::config::Config;
use store::labels::Labels;

/// What we refuse though Alertmanager takes it.
const REFUSED: [(&str, &str); 8] = [
    (
        "hidden-secret",
        "an address was hidden when the file was shown",
    ),
    ("kind-discord", "not supported"),
    ("kind-pushover", "not supported"),
    ("kind-sns", "not supported"),
    ("kind-victorops", "not supported"),
    ("kind-webex", "not supported"),
    ("kind-wechat", "not supported"),
    ("tls-max-version", "TLS before 1.2 is not spoken"),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Good,
    Bad,
}

fn files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/amtool")
        .join(folder);
    let entries = fs::read_dir(&folder).expect("the folder can be read");
    let mut files: Vec<_> = entries
        .map(|entry| entry.expect("the folder can be read").path())
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{}", folder.display());
    files
}

fn ours(file: &Path) -> (Verdict, String) {
    match Config::parse(&fs::read(file).expect("the file can be read")) {
        Ok(_) => (Verdict::Good, String::new()),
        Err(problems) => {
            let texts = problems.iter().map(|it| it.in_file(""));
            (Verdict::Bad, texts.collect::<Vec<_>>().join("\n"))
        }
    }
}

fn amtool(arguments: &[&str], file: &Path) -> std::process::Output {
    let mut command = Command::new("amtool");
    let run = command.args(arguments).arg(file).output();
    run.expect("amtool is installed, by scripts/setup.sh")
}

fn theirs(file: &Path) -> Verdict {
    match amtool(&["check-config"], file).status.code() {
        Some(0) => Verdict::Good,
        Some(1) => Verdict::Bad,
        other => panic!("{}: amtool ended with {other:?}", file.display()),
    }
}

fn check(folder: &str, expected: [Verdict; 2]) {
    for file in files(folder) {
        let (verdict, why) = ours(&file);
        assert_eq!(verdict, expected[0], "ours of {}: {why}", file.display());
        assert_eq!(theirs(&file), expected[1], "amtool's of {}", file.display());
    }
}

#[test]
fn files_get_the_same_verdict() {
    use Verdict::{Bad, Good};
    check("good", [Good, Good]);
    check("bad", [Bad, Bad]);
    check("later", [Good, Bad]);
}

#[test]
fn receivers_get_the_same_verdict() {
    use Verdict::{Bad, Good};
    check("receivers/good", [Good, Good]);
    check("receivers/bad", [Bad, Bad]);
    check("receivers/later", [Good, Bad]);
}

#[test]
fn what_is_refused_is_refused_for_its_reason() {
    let refused = files("refused");
    assert_eq!(refused.len(), REFUSED.len());
    for (file, (name, reason)) in refused.iter().zip(REFUSED) {
        assert!(file.ends_with(format!("{name}.yml")), "{}", file.display());
        let (verdict, why) = ours(file);
        assert_eq!(verdict, Verdict::Bad, "{name}");
        assert!(
            reason.contains("hidden") || why.contains(reason),
            "{name}: {why}"
        );
        assert_eq!(theirs(file), Verdict::Good, "{name}");
    }
}

#[test]
fn every_mistake_has_a_place() {
    for file in files("bad").iter().chain(&files("refused")) {
        let text = fs::read_to_string(file).unwrap();
        let says_nothing = text.lines().all(|line| line.starts_with('#'));
        let problems = Config::parse(text.as_bytes()).unwrap_err();
        for problem in problems {
            let has_place = problem.place.is_some() || says_nothing;
            assert!(has_place, "{}: {problem}", file.display());
        }
    }
}

#[test]
fn what_is_shown_is_read_by_amtool_and_means_the_same() {
    let folder = tempfile::tempdir().unwrap();
    for file in files("good").iter().chain(&files("receivers/good")) {
        let (config, _) = Config::parse(&fs::read(file).unwrap()).unwrap();
        let shown = folder.path().join("shown.yml");
        fs::write(&shown, &config.shown).unwrap();
        let why = format!("{}: {}", file.display(), config.shown);
        assert_eq!(theirs(&shown), Verdict::Good, "{why}");
    }
}

/// Routes that Alertmanager's own documentation and people's files have, and alerts for them.
const ALERTS: [&[&str]; 12] = [
    &[],
    &["severity=page"],
    &["severity=page", "team="],
    &[
        "severity=page",
        "service=mysql",
        "region=eu-west",
        "host=db2",
        "zone=c",
        "rack=1",
    ],
    &[
        "severity=page",
        "service=mysql2",
        "region=eu-west",
        "host=db2",
        "zone=c",
        "rack=1",
    ],
    &["severity=ticket"],
    &["service=postgres"],
    &["team=db", "severity=critical"],
    &["team=db", "severity=warning", "dc=b"],
    &["team=web", "severity=critical", "owner=x"],
    &["team=web", "dc=a"],
    &["alertname=Watchdog"],
];

#[test]
fn alerts_take_the_same_ways() {
    let mut taken = 0;
    for file in files("good").iter().chain(&files("routes")) {
        let (config, _) = Config::parse(&fs::read(file).unwrap()).unwrap();
        for alert in ALERTS {
            let pairs = alert.iter().map(|pair| pair.split_once('=').unwrap());
            let labels = Labels::from_pairs(pairs);
            let routes = config.route.matches(&labels).into_iter();
            let ours: Vec<_> = routes.map(|route| route.receiver.as_str()).collect();
            let path = file.to_str().unwrap();
            let mut command = Command::new("amtool");
            command.args(["config", "routes", "test", "--config.file", path]);
            let run = command.args(alert).output().unwrap();
            let text = String::from_utf8(run.stdout).unwrap();
            assert_eq!(text.trim_end(), ours.join(","), "{path} {alert:?}");
            taken += ours.len();
        }
    }
    assert!(taken > 100);
}
