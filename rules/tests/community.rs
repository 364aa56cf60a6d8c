//! The community's collections of rules for hosts, PostgreSQL, PgBouncer, Redis and containers load.
//!
//! The files in `community/` are ours and use every construct that those collections use: how they lay
//! out YAML, write expressions and templates. Read by hand in November 2026, rule for rule, and given
//! the same verdict by promtool and by ours, which is that all are good:
//!
//! | collection | about | rules |
//! |---|---|---|
//! | awesome-prometheus-alerts | node_exporter | 38 |
//! | awesome-prometheus-alerts | postgres_exporter | 21 |
//! | awesome-prometheus-alerts | pgbouncer_exporter | 6 |
//! | awesome-prometheus-alerts | redis_exporter | 11 |
//! | awesome-prometheus-alerts | cAdvisor | 9 |
//! | node mixin, rendered | node_exporter | 24 and 11 recorded |
//! | postgres mixin, rendered | postgres_exporter | 15 |
//! | pgbouncer mixin, rendered | pgbouncer_exporter | 4 |
//! | redis mixin, rendered | redis_exporter | 3 and 1 recorded |
//! | pgMonitor | node_exporter | 11 |
//! | pgMonitor | PostgreSQL by sql_exporter | 29 |

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rules::file::RuleFile;

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/community");
    let entries = fs::read_dir(folder).expect("the folder can be read");
    let files = entries.map(|entry| entry.expect("the folder can be read").path());
    files.collect()
}

#[test]
fn both_take_them() {
    let files = files();
    assert_eq!(files.len(), 5);
    for file in files {
        let bytes = fs::read(&file).expect("the file can be read");
        let read = RuleFile::parse(&bytes);
        let read = read.unwrap_or_else(|wrong| panic!("{}: {wrong:?}", file.display()));
        let rules: usize = read.groups.iter().map(|group| group.rules.len()).sum();
        let run = Command::new("promtool")
            .args(["check", "rules"])
            .arg(&file)
            .output();
        let output = run.expect("promtool is installed, by scripts/setup.sh");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{}: {said}", file.display());
        assert!(
            said.contains(&format!("{rules} rules found")),
            "{}: {said}",
            file.display()
        );
    }
}
