//! The table of meant differences: what the agent does otherwise than an exporter, and why.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use regex::Regex;
use serde::Deserialize;
use wire::metric::Kind;

use super::exposition::Key;

/// How far a value may lie outside the exporter's two readings.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct Tolerance {
    /// As a share of the larger of the exporter's readings.
    pub relative: f64,
    /// In the unit of the series.
    pub absolute: f64,
}

impl Tolerance {
    /// The range that a value must lie in.
    #[must_use]
    pub fn widen(self, (low, high): (f64, f64)) -> (f64, f64) {
        let slack = self.absolute + self.relative * low.abs().max(high.abs());
        (low - slack, high + slack)
    }
}

/// One difference that is meant. The first one of the table that fits a series counts for it.
#[derive(Debug)]
pub struct Difference {
    /// Which series of the exporter it is about: the whole name.
    pub series: Regex,
    /// Only those whose labels have values that match, each as a whole.
    pub labels: BTreeMap<String, Regex>,
    /// The agent does not give the series.
    pub absent: bool,
    /// The agent's name for it, `$1` and the like standing for groups of `series`.
    pub renamed: Option<String>,
    /// Labels that the exporter gives and the agent does not.
    pub without: Vec<String>,
    /// Labels that the agent gives and the exporter does not.
    pub with: Vec<String>,
    /// The agent's kind for it.
    pub kind: Option<Kind>,
    /// How far the values may be apart.
    pub tolerance: Option<Tolerance>,
    /// Why.
    pub reason: String,
}

/// All meant differences from one exporter.
#[derive(Debug, Default)]
pub struct Table(Vec<Difference>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTable {
    difference: Vec<RawDifference>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDifference {
    series: String,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    absent: bool,
    renamed: Option<String>,
    #[serde(default)]
    without: Vec<String>,
    #[serde(default)]
    with: Vec<String>,
    kind: Option<String>,
    tolerance: Option<Tolerance>,
    reason: String,
}

impl Table {
    /// Reads the table from a file of TOML.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        Self::parse(&text).with_context(|| format!("in {}", path.display()))
    }

    /// Reads the table from TOML.
    pub fn parse(text: &str) -> Result<Self> {
        let raw: RawTable = toml::from_str(text)?;
        let differences = raw.difference.into_iter().map(|raw| {
            let series = raw.series.clone();
            raw.check()
                .with_context(|| format!("in the difference about {series}"))
        });
        differences.collect::<Result<_>>().map(Self)
    }

    /// The differences, in the order of the table.
    #[must_use]
    pub fn differences(&self) -> &[Difference] {
        &self.0
    }

    /// The place of the difference that counts for a series of the exporter.
    pub(super) fn find(&self, key: &Key) -> Option<usize> {
        self.0.iter().position(|difference| difference.fits(key))
    }
}

impl Difference {
    fn fits(&self, key: &Key) -> bool {
        self.series.is_match(&key.name)
            && self.labels.iter().all(|(name, wanted)| {
                let value = key.labels.get(name).map_or("", String::as_str);
                wanted.is_match(value)
            })
    }
}

impl RawDifference {
    fn check(self) -> Result<Difference> {
        ensure!(!self.reason.trim().is_empty(), "it has no reason");
        let says_something = self.absent
            || self.renamed.is_some()
            || !self.without.is_empty()
            || !self.with.is_empty()
            || self.kind.is_some()
            || self.tolerance.is_some();
        ensure!(says_something, "it does not say what differs");
        let kind = match self.kind.as_deref() {
            Some(word) => Some(Kind::parse(word).context("its kind does not exist")?),
            None => None,
        };
        let labels = self.labels.into_iter().map(|(name, value)| {
            let value = whole(&value)?;
            Ok((name, value))
        });
        Ok(Difference {
            series: whole(&self.series)?,
            labels: labels.collect::<Result<_>>()?,
            absent: self.absent,
            renamed: self.renamed,
            without: self.without,
            with: self.with,
            kind,
            tolerance: self.tolerance,
            reason: self.reason,
        })
    }
}

/// A regular expression for a whole text.
fn whole(pattern: &str) -> Result<Regex> {
    Ok(Regex::new(&format!("^(?:{pattern})$"))?)
}
