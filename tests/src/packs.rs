//! The shipped packs of rules, as they are and in a hurry.
//!
//! Packs wait for minutes and look back over hours, since a person is to be woken by what lasts. A test
//! has seconds: [`hasten`] divides everything in a rule file that is a time that passes, and leaves
//! alone what is a quantity, durations of work among them (a slow statement stays a slow statement).

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use regex::{Captures, Regex};

use crate::lab::folder::Folder;

/// As rule files write it: `1h30m`.
const DURATION: &str = "(?:[0-9]+(?:ms|[smhdwy]))+";

/// What a series is called that says how long ago something was, or for how long it has lasted.
const AGE: &str = r"(?:_(?:age|lag|oldest|wait|maxwait|timestamp)_seconds|\btimestamp\([^()]*\))";

/// The repository's packs, as a pattern for `rules.files`.
#[must_use]
pub fn pattern() -> String {
    folder().join("*.yml").display().to_string()
}

/// Writes packs into `folder`, each so many times as fast as `factor` says of its name, without those of
/// which it says nothing; returns the pattern that finds them.
pub fn write_hastened(folder: &Folder, factor: impl Fn(&str) -> Option<u32>) -> Result<String> {
    let packs = fs::read_dir(self::folder()).context("list the packs")?;
    let mut count = 0;
    for entry in packs {
        let path = entry.context("list the packs")?.path();
        if path.extension().is_none_or(|end| end != "yml") {
            continue;
        }
        let name = path.file_stem().unwrap_or_default().display().to_string();
        let Some(factor) = factor(&name) else {
            continue;
        };
        let pack = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
        let hastened = hasten(&pack, factor)?;
        folder.write(format!("rules/{name}.yml"), &hastened)?;
        count += 1;
    }
    ensure!(count > 0, "there are no packs");
    Ok(folder.path().join("rules/*.yml").display().to_string())
}

/// The rule file with every waiting time (`for`, `keep_firing_for`, `flap`), every range in brackets and
/// every age that something is compared with divided by `factor`.
pub fn hasten(rules: &str, factor: u32) -> Result<String> {
    let wait = format!(r"(?m)\b((?:for|keep_firing_for|flap): )({DURATION})");
    let range = format!(r"(\[)({DURATION})");
    let step = format!(r"(\[{DURATION}:)({DURATION})");
    let rules = divide(rules, &wait, factor)?;
    let rules = divide(&rules, &range, factor)?;
    let rules = divide(&rules, &step, factor)?;
    let age = Regex::new(&format!(
        r"({AGE}(?:\{{[^}}]*\}})?[\s)]*[<>]=?\s*[0-9.e]+(?:\s*\*\s*[0-9.e]+)*)"
    ))?;
    Ok(age
        .replace_all(&rules, format!("$1 / {factor}"))
        .into_owned())
}

fn divide(rules: &str, pattern: &str, factor: u32) -> Result<String> {
    let pattern = Regex::new(pattern)?;
    let divided = pattern.replace_all(rules, |found: &Captures| {
        let (before, duration) = (&found[1], milliseconds(&found[2]));
        format!("{before}{}ms", (duration / u64::from(factor)).max(1))
    });
    Ok(divided.into_owned())
}

/// Of a duration that `DURATION` matches.
fn milliseconds(duration: &str) -> u64 {
    let mut total = 0;
    let mut number = 0;
    let mut rest = duration.chars().peekable();
    while let Some(c) = rest.next() {
        let unit = match c {
            '0'..='9' => {
                number = number * 10 + u64::from(c) - u64::from('0');
                continue;
            }
            'm' if rest.next_if_eq(&'s').is_some() => 1,
            's' => 1_000,
            'm' => 60_000,
            'h' => 3_600_000,
            'd' => 86_400_000,
            'w' => 7 * 86_400_000,
            _ => 365 * 86_400_000,
        };
        total += number * unit;
        number = 0;
    }
    total
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../rules/packs")
}

#[cfg(test)]
mod tests;
