//! Prometheus' own test scripts, and ours in the same notation.
//!
//! Prometheus' scripts are read where they lie: in `shared/promqltest` beside the repository or above
//! it, or where `NIGHTSHIFT_PROMQLTEST` says. What may fail of them is listed, by line and reason, in
//! `promqltest-exceptions.md`; a listed evaluation that passes is an error too.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use query::script;

/// A place in a script: `functions.test:12`.
type Place = String;

#[tokio::test]
async fn the_scripts_of_prometheus_pass() {
    let failures = run_all(&prometheus_scripts()).await;
    let excepted = exceptions();
    let failed: BTreeSet<&Place> = failures.iter().map(|(place, _)| place).collect();
    let unexpected: Vec<_> = failures
        .iter()
        .filter(|(place, _)| !excepted.contains(place))
        .collect();
    assert!(
        unexpected.is_empty(),
        "failures that are not excepted: {unexpected:#?}"
    );
    let passed: Vec<_> = excepted
        .iter()
        .filter(|place| !failed.contains(place))
        .collect();
    assert!(passed.is_empty(), "excepted, but they pass: {passed:?}");
}

#[tokio::test]
async fn our_scripts_pass() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scripts");
    let failures = run_all(&folder).await;
    assert!(failures.is_empty(), "{failures:#?}");
}

fn prometheus_scripts() -> PathBuf {
    if let Some(folder) = std::env::var_os("NIGHTSHIFT_PROMQLTEST") {
        return folder.into();
    }
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors()
        .map(|folder| folder.join("shared/promqltest"))
        .find(|folder| folder.is_dir())
        .expect("shared/promqltest lies nowhere above the repository; set NIGHTSHIFT_PROMQLTEST")
}

/// Runs every script of a folder; what failed, and how.
async fn run_all(folder: &Path) -> Vec<(Place, script::Failure)> {
    let mut scripts: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap_or_else(|failed| panic!("cannot read {}: {failed}", folder.display()))
        .map(|entry| entry.expect("the folder was opened").path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "test")
        })
        .collect();
    assert!(!scripts.is_empty(), "no scripts in {}", folder.display());
    scripts.sort();
    let mut failures = Vec::new();
    for path in scripts {
        let name = path
            .file_name()
            .expect("it came from a folder")
            .to_string_lossy()
            .into_owned();
        let text = std::fs::read_to_string(&path).expect("scripts are text");
        let commands = script::parse(&text);
        let report = script::run(&commands).await;
        assert!(report.passed > 0, "{name} evaluates nothing");
        let places = report.failures.into_iter();
        failures.extend(places.map(|failure| (format!("{name}:{}", failure.line), failure)));
    }
    failures
}

fn exceptions() -> BTreeSet<Place> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("promqltest-exceptions.md");
    let text = std::fs::read_to_string(path).expect("the list lies beside the crate");
    let places = text.lines().filter_map(|line| {
        let (place, reason) = line.strip_prefix("- `")?.split_once('`')?;
        assert!(!reason.trim().is_empty(), "no reason given: {line}");
        Some(place.to_owned())
    });
    places.collect()
}
