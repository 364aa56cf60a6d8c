//! `nightshift rules`: checks rule files and runs rule unit tests, without a collector.
//!
//! What a file may say and what a test means is the crate `rules`'; here files are found and read, and
//! what came of them is told. Exit codes are promtool's.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use rules::Problem;
use rules::file::Group;
use rules::unit::{self, UnitFile};

use crate::glob;
use crate::judge::files::{load, read};

/// What can be done with rule files.
#[derive(Debug, Subcommand)]
pub enum Rules {
    /// Says everything that is wrong with rule files.
    ///
    /// Exit codes: 0 all are right, 1 one is wrong or cannot be read, 3 with --lint-fatal, only warned of.
    Check {
        /// The files.
        #[arg(value_name = "FILE", required = true)]
        files: Vec<PathBuf>,
        /// Fails on what is only warned of, such as a rule that stands there twice
        #[arg(long)]
        lint_fatal: bool,
    },
    /// Runs rule unit tests, in promtool's format.
    ///
    /// The rule files that a test file names lie beside it. Exit codes: 0 all tests passed, 1 one failed
    /// or could not be run.
    Test {
        /// The files of tests.
        #[arg(value_name = "FILE", required = true)]
        files: Vec<PathBuf>,
    },
}

/// Something is wrong.
const WRONG: u8 = 1;
/// Something is only warned of, and that is to fail.
const WARNED: u8 = 3;

/// What came of a command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// For standard output.
    pub text: String,
    /// What the program exits with.
    pub code: u8,
}

impl Rules {
    /// Does what the command line says.
    #[must_use]
    pub fn run(&self) -> Done {
        let mut done = Done::default();
        match self {
            Self::Check { files, lint_fatal } => {
                for file in files {
                    let code = check(file, &mut done.text);
                    // What is wrong counts more than what is warned of.
                    done.code = match code {
                        WARNED if done.code == 0 && *lint_fatal => WARNED,
                        WRONG => WRONG,
                        _ => done.code,
                    };
                }
            }
            Self::Test { files } => {
                for file in files {
                    done.code = done.code.max(test(file, &mut done.text));
                }
            }
        }
        done
    }
}

/// Adds a line. Writing to a text cannot fail.
fn line(text: &mut String, line: impl std::fmt::Display) {
    writeln!(text, "{line}").unwrap_or_default();
}

fn check(file: &Path, text: &mut String) -> u8 {
    line(text, format_args!("Checking {}", file.display()));
    let code = match load(file) {
        Ok(loaded) => {
            let rules: usize = loaded.groups.iter().map(|group| group.rules.len()).sum();
            list(text, "  WARNING:", file, &loaded.warnings);
            line(text, format_args!("  SUCCESS: {rules} rules found"));
            if loaded.warnings.is_empty() {
                0
            } else {
                WARNED
            }
        }
        Err(problems) => {
            list(text, "  FAILED:", file, &problems);
            WRONG
        }
    };
    line(text, "");
    code
}

fn list(text: &mut String, head: &str, file: &Path, problems: &[Problem]) {
    if problems.is_empty() {
        return;
    }
    line(text, head);
    let file = file.display().to_string();
    for problem in problems {
        line(text, problem.in_file(&file).replace('\n', "\n  "));
    }
}

fn test(file: &Path, text: &mut String) -> u8 {
    line(text, format_args!("Unit Testing: {}", file.display()));
    let code = match run_tests(file, text) {
        Ok(0) => {
            line(text, "  SUCCESS");
            0
        }
        Ok(_) => WRONG,
        Err((file, problems)) => {
            list(text, "  FAILED:", &file, &problems);
            WRONG
        }
    };
    line(text, "");
    code
}

/// Runs the tests of a file and says how many failed.
fn run_tests(file: &Path, text: &mut String) -> Result<usize, (PathBuf, Vec<Problem>)> {
    let of = |path: &Path| {
        let path = path.to_owned();
        move |problems| (path, problems)
    };
    let tests = read(file).and_then(|bytes| UnitFile::parse(&bytes));
    let tests = tests.map_err(of(file))?;
    let folder = file.parent().unwrap_or(Path::new(""));
    let mut paths = BTreeSet::new();
    for pattern in &tests.rule_files {
        let found = glob::find(folder, pattern).map_err(|wrong| {
            let problem = Problem::new(wrong, "");
            of(file)(vec![problem])
        })?;
        if found.is_empty() {
            line(
                text,
                format_args!("  WARNING: no file matches the pattern {pattern}"),
            );
        }
        paths.extend(found);
    }
    let mut groups: Vec<Group> = Vec::new();
    for path in &paths {
        groups.extend(load(path).map_err(of(path))?.groups);
    }
    let failed = unit::run(&tests, &groups);
    let failed: Vec<_> = failed
        .iter()
        .filter(|outcome| !outcome.failures.is_empty())
        .collect();
    if !failed.is_empty() {
        line(text, "  FAILED:");
    }
    for outcome in &failed {
        line(text, format_args!("  test {:?}:", outcome.name));
        outcome
            .failures
            .iter()
            .for_each(|failure| line(text, failure));
    }
    Ok(failed.len())
}

#[cfg(test)]
mod tests;
