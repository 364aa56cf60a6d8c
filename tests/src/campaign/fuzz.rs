//! Property tests for as long as one likes: what reads bytes and texts from outside is given random
//! ones. The properties stand beside what they are about; here stands only which there are, and how
//! they are run again and again, each time with new chances.
//!
//! What fails is written by proptest beside the test, to be run first from then on.

use std::env;
use std::fmt;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::process::Command;
use tokio::time::timeout;

/// Cases of one run, where the test does not set its own number: a few seconds' worth.
const CASES: u64 = 4_096;
/// A run that takes longer hangs, which is a finding too. Building the test comes on top of the first.
const LONGEST_RUN: Duration = Duration::from_secs(1_800);
/// Lines of a failed run that are kept: proptest prints the smallest input that fails near the end.
const LAST_LINES: usize = 12;

/// One property test.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    package: &'static str,
    /// Which of the package's test programs, as cargo's words.
    program: &'static [&'static str],
    test: &'static str,
    /// Cases of one run.
    cases: u64,
}

const LIB: &[&str] = &["--lib"];
const FUZZ: &[&str] = &["--test", "fuzz"];

/// All of them.
pub const TARGETS: [Target; 16] = [
    target("wire", LIB, "frame::tests::reads_what_it_writes", CASES),
    target(
        "wire",
        LIB,
        "frame::tests::a_cut_file_keeps_its_whole_records",
        CASES,
    ),
    target(
        "wire",
        LIB,
        "otlp::tests::a_reader_of_the_published_format_sees_every_point",
        CASES,
    ),
    target(
        "wire",
        LIB,
        "remote_write::tests::any_bytes_are_read_or_refused",
        CASES,
    ),
    target(
        "wire",
        LIB,
        "remote_write::tests::damaged_requests_are_read_or_refused",
        CASES,
    ),
    target(
        "wire",
        LIB,
        "remote_write::tests::whatever_is_written_is_read",
        CASES,
    ),
    target("store", LIB, "labels::tests::hold_what_a_map_holds", CASES),
    target("store", LIB, "journal::tests::any_bytes_are_survived", 64),
    target(
        "store",
        LIB,
        "journal::tests::numbered::damaged_files_are_read_or_told",
        64,
    ),
    target(
        "store",
        LIB,
        "blocks::tests::faults::a_footer_of_anything_is_an_error_and_no_panic",
        256,
    ),
    target(
        "store",
        LIB,
        "matcher::tests::short_cuts_change_nothing",
        CASES,
    ),
    target(
        "nightshift",
        LIB,
        "ingest::translate::tests::any_request::any_bytes_are_translated_or_refused",
        CASES,
    ),
    target(
        "nightshift",
        LIB,
        "ingest::translate::tests::any_request::damaged_requests_are_translated_or_refused",
        CASES,
    ),
    target("query", FUZZ, "any_text_is_read_or_refused", 2_000),
    target("query", FUZZ, "any_script_is_read_or_refused", 2_000),
    target("query", FUZZ, "any_query_is_answered_or_refused", 400),
];

const fn target(
    package: &'static str,
    program: &'static [&'static str],
    test: &'static str,
    cases: u64,
) -> Target {
    Target {
        package,
        program,
        test,
        cases,
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} `{}`", self.package, self.test)
    }
}

/// What a target came to.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Cases that were run.
    pub cases: u64,
    /// The end of what the test said, if a case failed.
    pub found: Option<String>,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.found {
            None => write!(f, "{} cases, nothing found", self.cases),
            Some(said) => write!(
                f,
                "**failed** after {} cases:\n\n```\n{said}\n```\n",
                self.cases
            ),
        }
    }
}

/// Runs a target until that much time is over, or until it fails. Building does not count.
pub async fn run(target: Target, length: Duration) -> Result<Outcome> {
    cargo(target, &["--no-run"]).await?;
    let end = Instant::now() + length;
    let mut cases = 0;
    loop {
        let found = cargo(target, &["--", "--exact", target.test]).await?;
        if found.is_some() {
            return Ok(Outcome { cases, found });
        }
        cases += target.cases;
        if Instant::now() >= end {
            return Ok(Outcome { cases, found });
        }
    }
}

/// The end of what was said, if it failed.
async fn cargo(target: Target, words: &[&str]) -> Result<Option<String>> {
    let cargo = env::var("CARGO").context("the soak is run by cargo: `make soak`")?;
    let mut command = Command::new(cargo);
    command
        .args(["test", "--quiet", "--package", target.package])
        .args(target.program);
    // The profile with which this program was built itself.
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    command
        .args(words)
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .env("PROPTEST_CASES", CASES.to_string())
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let Ok(output) = timeout(LONGEST_RUN, command.output()).await else {
        return Ok(Some(format!("it did not end within {LONGEST_RUN:?}")));
    };
    let output = output.context("start cargo")?;
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    // A test that is renamed would else run for minutes without a case.
    if output.status.success() && (words == ["--no-run"] || said.contains("1 passed")) {
        return Ok(None);
    }
    let mut last: Vec<&str> = said.lines().rev().take(LAST_LINES).collect();
    last.reverse();
    Ok(Some(last.join("\n")))
}
