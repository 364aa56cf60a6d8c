//! What else changed while an incident lasted, as far as stored series show it: settings, starts and
//! roles of PostgreSQL.
//!
//! Nobody reports these; they are read off the series afterwards. A change is dated by the first sample
//! that shows it, a start by what the server itself says.

use store::labels::METRIC_NAME;
use store::read::{Series, TimeRange, is_stale};

use crate::timeline::{Entry, Role, What};

/// A pattern for the names of the series that are wanted.
pub const SERIES: &str =
    "pg_settings_.*|pg_postmaster_start_time_seconds|pg_replication_is_replica";

const SETTINGS: &str = "pg_settings_";
const STARTED: &str = "pg_postmaster_start_time_seconds";
const IS_REPLICA: &str = "pg_replication_is_replica";

/// Series below that prefix that are no settings.
const NO_SETTINGS: [&str; 2] = ["pg_settings_pending_restart", "pg_settings_not_in_file"];

/// Changes that are told of at the most: a new configuration changes some, and not hundreds.
const MOST: usize = 500;

/// What changed within a time, oldest first.
#[must_use]
pub fn changes(series: &[Series], within: TimeRange) -> Vec<Entry> {
    let mut entries: Vec<Entry> = series.iter().flat_map(of_series).collect();
    entries.retain(|entry| within.contains(entry.at_ms));
    entries.sort_by_cached_key(|entry| (entry.at_ms, entry.sentence()));
    // Two agents may tell of one server.
    entries.dedup();
    entries.truncate(MOST);
    entries
}

fn of_series(series: &Series) -> Vec<Entry> {
    let name = series.labels.get(METRIC_NAME).unwrap_or_default();
    let instance = series.labels.get("instance").unwrap_or_default();
    let instance = || instance.to_owned();
    match name {
        STARTED => starts(series, &instance()),
        IS_REPLICA => pairs(series)
            .map(|(_, to, at_ms)| Entry {
                at_ms,
                what: What::Role {
                    instance: instance(),
                    to: if to == 0.0 {
                        Role::Primary
                    } else {
                        Role::Replica
                    },
                },
            })
            .collect(),
        _ if NO_SETTINGS.contains(&name) => Vec::new(),
        _ => {
            let Some(setting) = name.strip_prefix(SETTINGS) else {
                return Vec::new();
            };
            let changes = pairs(series).map(|(from, to, at_ms)| Entry {
                at_ms,
                what: What::Setting {
                    instance: instance(),
                    name: setting.to_owned(),
                    from,
                    to,
                },
            });
            changes.collect()
        }
    }
}

/// Every start that a sample tells of: also the first, which may lie within the time asked for.
fn starts(series: &Series, instance: &str) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    for sample in series
        .samples
        .iter()
        .filter(|sample| sample.value.is_finite())
    {
        #[allow(clippy::cast_possible_truncation)]
        let at_ms = (sample.value * 1_000.0) as i64;
        // The server tells the same start each time, to some fraction of a second.
        let is_known = entries
            .last()
            .is_some_and(|last| (last.at_ms - at_ms).abs() < 1_000);
        if !is_known {
            entries.push(Entry {
                at_ms,
                what: What::Restarted {
                    instance: instance.to_owned(),
                },
            });
        }
    }
    entries
}

/// Each value that differs from the one before it, with that and the time. What was missing between
/// them counts for nothing.
fn pairs(series: &Series) -> impl Iterator<Item = (f64, f64, i64)> {
    let told = series.samples.iter();
    let told = told.filter(|sample| !is_stale(sample.value) && sample.value.is_finite());
    let mut before: Option<f64> = None;
    told.filter_map(move |sample| {
        let before = before.replace(sample.value)?;
        // Bit for bit: the same setting is read as the same number.
        #[allow(clippy::float_cmp)]
        let is_other = before != sample.value;
        is_other.then_some((before, sample.value, sample.at_ms))
    })
}

#[cfg(test)]
mod tests;
