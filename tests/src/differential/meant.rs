//! The table of what Prometheus 3 answers otherwise than Prometheus 2.

use anyhow::{Context, Result};
use regex::Regex;
use serde::Deserialize;

/// One difference that is meant.
#[derive(Debug)]
pub struct Meant {
    /// What it is called.
    pub name: String,
    /// Why.
    pub reason: String,
    /// Expressions that it may concern; they are not compared.
    pub concerns: Option<Regex>,
    /// An expression whose answers must differ.
    pub example: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    name: String,
    reason: String,
    concerns: Option<String>,
    example: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTable {
    difference: Vec<Raw>,
}

/// Reads the table.
pub fn parse(text: &str) -> Result<Vec<Meant>> {
    let table: RawTable = toml::from_str(text).context("the table of differences")?;
    table
        .difference
        .into_iter()
        .map(|raw| {
            let concerns = raw.concerns.as_deref().map(Regex::new).transpose();
            Ok(Meant {
                concerns: concerns.with_context(|| raw.name.clone())?,
                name: raw.name,
                reason: raw.reason,
                example: raw.example,
            })
        })
        .collect()
}
