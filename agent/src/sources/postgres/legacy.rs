//! The shape that `postgres_exporter` 0.11 gave its series, for dashboards and rules of that time.
//!
//! Switched on, it changes two things and adds a few names. Every series of the server gets the
//! label `server`. `pg_stat_activity_*` is summed up to `datname` and `state`, for the same name
//! with and without further labels would be counted twice. What only has another name is given
//! under both. The table below is all there is to it.

use std::collections::BTreeMap;

use wire::metric::{Family, Kind, Label, Point, Suffix};

use crate::collect::Gather;
use crate::sources::login::{Host, Target};

/// How a value of today becomes one of 0.11's.
enum Value {
    Same,
    /// Seconds there are milliseconds.
    Milliseconds,
}

/// A name of today, 0.11's name for it, 0.11's kind, and the value.
const RENAMED: &[(&str, &str, Kind, Value)] = &[
    // Of the optional queries file that came with it.
    (
        "pg_replication_lag_seconds",
        "pg_replication_lag",
        Kind::Gauge,
        Value::Same,
    ),
    (
        "pg_database_size_bytes",
        "pg_database_size",
        Kind::Gauge,
        Value::Same,
    ),
    (
        "pg_postmaster_start_time_seconds",
        "pg_postmaster_start_time",
        Kind::Gauge,
        Value::Same,
    ),
    (
        "pg_stat_statements_calls_total",
        "pg_stat_statements_calls",
        Kind::Counter,
        Value::Same,
    ),
    (
        "pg_stat_statements_seconds_total",
        "pg_stat_statements_total_time_seconds",
        Kind::Counter,
        Value::Same,
    ),
    (
        "pg_stat_statements_rows_total",
        "pg_stat_statements_rows",
        Kind::Counter,
        Value::Same,
    ),
    // Slots, as its first collector for them had them.
    (
        "pg_replication_slots_slot_is_active",
        "pg_replication_slot_slot_is_active",
        Kind::Gauge,
        Value::Same,
    ),
    (
        "pg_replication_slots_slot_current_wal_lsn",
        "pg_replication_slot_slot_current_wal_lsn",
        Kind::Gauge,
        Value::Same,
    ),
    (
        "pg_replication_slots_slot_confirmed_flush_lsn",
        "pg_replication_slot_slot_confirmed_flush_lsn",
        Kind::Gauge,
        Value::Same,
    ),
    // Columns of pg_stat_database that it did not know and gave as it found them.
    (
        "pg_stat_database_active_time_seconds_total",
        "pg_stat_database_active_time",
        Kind::Untyped,
        Value::Milliseconds,
    ),
    (
        "pg_stat_database_session_time_seconds_total",
        "pg_stat_database_session_time",
        Kind::Untyped,
        Value::Milliseconds,
    ),
    (
        "pg_stat_database_idle_in_transaction_time_seconds_total",
        "pg_stat_database_idle_in_transaction_time",
        Kind::Untyped,
        Value::Milliseconds,
    ),
    (
        "pg_stat_database_sessions_total",
        "pg_stat_database_sessions",
        Kind::Untyped,
        Value::Same,
    ),
    (
        "pg_stat_database_sessions_abandoned_total",
        "pg_stat_database_sessions_abandoned",
        Kind::Untyped,
        Value::Same,
    ),
    (
        "pg_stat_database_sessions_fatal_total",
        "pg_stat_database_sessions_fatal",
        Kind::Untyped,
        Value::Same,
    ),
    (
        "pg_stat_database_sessions_killed_total",
        "pg_stat_database_sessions_killed",
        Kind::Untyped,
        Value::Same,
    ),
    (
        "pg_stat_database_checksum_failures_total",
        "pg_stat_database_checksum_failures",
        Kind::Untyped,
        Value::Same,
    ),
    (
        "pg_stat_database_checksum_last_failure_timestamp_seconds",
        "pg_stat_database_checksum_last_failure",
        Kind::Untyped,
        Value::Same,
    ),
];

/// Names that had no `_total` before 0.11 gave them one.
const WITHOUT_TOTAL: &str = "pg_stat_bgwriter_";

/// How several series of one name become the one that 0.11 had.
type Join = fn(f64, f64) -> f64;

const JOINED: [(&str, Join); 2] = [
    ("pg_stat_activity_count", |one, other| one + other),
    ("pg_stat_activity_max_tx_duration", f64::max),
];

/// Brings what was gathered into 0.11's shape.
pub(crate) fn translate(out: &mut Gather, target: &Target) {
    let (families, gaps) = std::mem::take(out).finish();
    let server = server_label(target);
    for mut family in families {
        if let Some((_, join)) = JOINED.iter().find(|(name, _)| *name == family.name) {
            family.points = by_state(&family.points, *join);
        }
        if family.name.starts_with("pg_") && family.name != "pg_up" {
            for point in &mut family.points {
                point.labels.push(Label::new("server", server.clone()));
            }
        }
        give_old_names(&family, out);
        give(family, out);
    }
    for gap in gaps {
        out.gap(gap.what, gap.why, gap.fix);
    }
}

/// `host:port`, or the socket's folder in the place of the host.
fn server_label(target: &Target) -> String {
    match &target.host {
        Host::Name(name) => format!("{name}:{}", target.port),
        Host::Folder(folder) => format!("{}:{}", folder.display(), target.port),
    }
}

fn give_old_names(family: &Family, out: &mut Gather) {
    for (_, old, kind, value) in RENAMED.iter().filter(|(name, ..)| *name == family.name) {
        let factor = match value {
            Value::Same => 1.0,
            Value::Milliseconds => 1_000.0,
        };
        let mut series = out.family(*old, family.help.clone(), *kind);
        for point in &family.points {
            series.exact(Point {
                value: point.value * factor,
                ..point.clone()
            });
        }
    }
    if let Some(old) = family.name.strip_suffix("_total")
        && old.starts_with(WITHOUT_TOTAL)
    {
        let mut series = out.family(old.to_owned(), family.help.clone(), family.kind);
        for point in &family.points {
            series.exact(point.clone());
        }
    }
}

fn give(family: Family, out: &mut Gather) {
    let mut series = out.family(family.name, family.help, family.kind);
    for point in family.points {
        series.exact(point);
    }
}

fn by_state(points: &[Point], join: Join) -> Vec<Point> {
    let mut joined: BTreeMap<(&str, &str), f64> = BTreeMap::new();
    for point in points {
        let label = |name| {
            let found = point.labels.iter().find(|label| label.name == name);
            found.map_or("", |label| &*label.value)
        };
        joined
            .entry((label("datname"), label("state")))
            .and_modify(|value| *value = join(*value, point.value))
            .or_insert(point.value);
    }
    joined
        .into_iter()
        .map(|((datname, state), value)| Point {
            suffix: Suffix::None,
            labels: vec![
                Label::new("datname", datname.to_owned()),
                Label::new("state", state.to_owned()),
            ],
            value,
            at_ms: None,
        })
        .collect()
}

#[cfg(test)]
mod tests;
