//! `INFO ALL` read into series.
//!
//! A field that is not there was not measured by that version, and is left out; a field whose
//! value is no number is left out too, with a gap where it was to be one.

use std::collections::HashMap;

use wire::metric::{Kind, Label, Point, Suffix};

use super::fields::{COUNTERS, GAUGES, IDENTITY};
use crate::collect::Gather;

/// Puts what `INFO ALL` says into `out`. `databases` is how many there are, for a database without
/// keys has no line; nothing where it is not known.
pub(super) fn read(text: &str, databases: Option<u32>, out: &mut Gather) {
    let fields: Vec<(&str, &str)> = text
        .lines()
        .filter_map(|line| line.trim_end().split_once(':'))
        .collect();
    let by_name: HashMap<&str, &str> = fields.iter().copied().collect();
    plain(&by_name, out);
    identity(&by_name, out);
    replica(&by_name, out);
    for (name, value) in &fields {
        // The prefixes exclude each other; `dbfilename` and its like have no `keys=`.
        if let Some(command) = name.strip_prefix("cmdstat_") {
            commands(command, value, out);
        } else if let Some(command) = name.strip_prefix("latency_percentiles_usec_") {
            let totals = by_name.get(format!("cmdstat_{command}").as_str());
            latencies(command, value, totals.copied(), out);
        } else if let Some(error) = name.strip_prefix("errorstat_") {
            if let Some(count) = pairs(value).number("count") {
                out.counter("redis_errors_total", "Errors replied, by their code.")
                    .with([("err", error.to_owned())], count);
            }
        } else if is_numbered(name, "slave") {
            downstream(value, out);
        }
    }
    keyspace(&fields, databases, out);
}

fn plain(fields: &HashMap<&str, &str>, out: &mut Gather) {
    let gauges = GAUGES
        .iter()
        .map(|(field, metric)| (field, *metric, Kind::Gauge));
    let counters = COUNTERS
        .iter()
        .map(|(field, metric)| (field, *metric, Kind::Counter));
    for (field, metric, kind) in gauges.chain(counters) {
        let Some(text) = fields.get(field) else {
            continue;
        };
        match number(text) {
            Some(value) => {
                let help = format!("The field {field} of INFO.");
                out.family(metric, help, kind).value(value);
            }
            None => out.gap(format!("INFO {field}"), "not a number", ""),
        }
    }
    if let Some(microseconds) = fields.get("latest_fork_usec").and_then(|text| number(text)) {
        out.gauge(
            "redis_latest_fork_seconds",
            "How long the latest fork took.",
        )
        .value(microseconds / 1e6);
    }
    let time = fields.get("server_time_usec").and_then(|text| number(text));
    let uptime = fields
        .get("uptime_in_seconds")
        .and_then(|text| number(text));
    if let (Some(time), Some(uptime)) = (time, uptime) {
        out.gauge("redis_start_time_seconds", "When the server started.")
            .value((time / 1e6).floor() - uptime);
    }
}

fn identity(fields: &HashMap<&str, &str>, out: &mut Gather) {
    let labels: Vec<Label> = IDENTITY
        .iter()
        .filter_map(|name| Some(Label::new(*name, (*fields.get(name)?).to_owned())))
        .collect();
    if !labels.is_empty() {
        out.gauge("redis_instance_info", "What the server is, as labels.")
            .point(labels, 1.0);
    }
}

/// What a replica says of its master.
fn replica(fields: &HashMap<&str, &str>, out: &mut Gather) {
    let (Some(host), Some(port)) = (fields.get("master_host"), fields.get("master_port")) else {
        return;
    };
    let master = || {
        [
            ("master_host", (*host).to_owned()),
            ("master_port", (*port).to_owned()),
        ]
    };
    if let Some(status) = fields.get("master_link_status") {
        out.gauge(
            "redis_master_link_up",
            "Whether the replica hears its master.",
        )
        .with(master(), f64::from(u8::from(*status == "up")));
    }
    for (field, metric, help) in [
        (
            "master_last_io_seconds_ago",
            "redis_master_last_io_seconds_ago",
            "Since when the replica has heard nothing from its master; -1 is never.",
        ),
        (
            "master_sync_in_progress",
            "redis_master_sync_in_progress",
            "Whether the replica takes a full copy.",
        ),
        (
            "slave_repl_offset",
            "redis_slave_repl_offset",
            "How far the replica has come, in bytes.",
        ),
    ] {
        if let Some(value) = fields.get(field).and_then(|text| number(text)) {
            out.gauge(metric, help).with(master(), value);
        }
    }
    let mut labels: Vec<Label> = master()
        .into_iter()
        .map(|(name, value)| Label::new(name, value))
        .collect();
    if let Some(read_only) = fields.get("slave_read_only") {
        labels.push(Label::new("read_only", (*read_only).to_owned()));
    }
    out.gauge("redis_slave_info", "The replica's master, as labels.")
        .point(labels, 1.0);
}

/// What a master says of one replica: `ip=10.0.0.2,port=6379,state=online,offset=42,lag=0`.
fn downstream(value: &str, out: &mut Gather) {
    let pairs = pairs(value);
    let labels = [
        ("slave_ip", pairs.text("ip")),
        ("slave_port", pairs.text("port")),
        ("slave_state", pairs.text("state")),
    ];
    let labels = || labels.map(|(name, value)| (name, value.unwrap_or_default().to_owned()));
    if let Some(offset) = pairs.number("offset") {
        let help = "How far the replica has come, in bytes.";
        out.gauge("redis_connected_slave_offset_bytes", help)
            .with(labels(), offset);
    }
    // A replica that has not answered yet has a lag of -1.
    if let Some(lag) = pairs.number("lag").filter(|lag| *lag >= 0.0) {
        let help = "Seconds since the replica last acknowledged.";
        out.gauge("redis_connected_slave_lag_seconds", help)
            .with(labels(), lag);
    }
}

fn commands(command: &str, value: &str, out: &mut Gather) {
    let pairs = pairs(value);
    for (field, metric, scale, help) in [
        ("calls", "redis_commands_total", 1.0, "Calls, by command."),
        (
            "usec",
            "redis_commands_duration_seconds_total",
            1e-6,
            "Time spent, by command.",
        ),
        (
            "rejected_calls",
            "redis_commands_rejected_calls_total",
            1.0,
            "Calls refused before they ran, by command.",
        ),
        (
            "failed_calls",
            "redis_commands_failed_calls_total",
            1.0,
            "Calls that failed while they ran, by command.",
        ),
    ] {
        if let Some(value) = pairs.number(field) {
            out.counter(metric, help)
                .with([("cmd", command.to_owned())], value * scale);
        }
    }
}

/// `p50=0.001,p99=1.003`; sum and count are those of the command's own statistics.
fn latencies(command: &str, value: &str, totals: Option<&str>, out: &mut Gather) {
    let help = "How long calls take, by command, in microseconds.";
    let mut series = out.family("redis_latency_percentiles_usec", help, Kind::Summary);
    let label = || Label::new("cmd", command.to_owned());
    for (name, value) in pairs(value).0 {
        if let (Some(quantile), Some(value)) = (name.strip_prefix('p'), number(value)) {
            series.point(
                vec![label(), Label::new("quantile", quantile.to_owned())],
                value,
            );
        }
    }
    let totals = pairs(totals.unwrap_or_default());
    for (field, suffix) in [("usec", Suffix::Sum), ("calls", Suffix::Count)] {
        if let Some(value) = totals.number(field) {
            series.exact(Point {
                suffix,
                labels: vec![label()],
                value,
                at_ms: None,
            });
        }
    }
}

fn keyspace(fields: &[(&str, &str)], databases: Option<u32>, out: &mut Gather) {
    let mut told = Vec::new();
    for (name, value) in fields.iter().filter(|(name, _)| is_numbered(name, "db")) {
        told.push((*name).to_owned());
        database(name, pairs(value), out);
    }
    // No line means no keys: that was read, and is zero.
    for number in 0..databases.unwrap_or_default() {
        let name = format!("db{number}");
        if !told.contains(&name) {
            database(&name, pairs("keys=0,expires=0"), out);
        }
    }
}

fn database(name: &str, pairs: Pairs<'_>, out: &mut Gather) {
    for (field, metric, scale, help) in [
        ("keys", "redis_db_keys", 1.0, "Keys, by database."),
        (
            "expires",
            "redis_db_keys_expiring",
            1.0,
            "Keys that expire, by database.",
        ),
        (
            "avg_ttl",
            "redis_db_avg_ttl_seconds",
            1e-3,
            "Mean time to live, by database.",
        ),
    ] {
        if let Some(value) = pairs.number(field) {
            out.gauge(metric, help)
                .with([("db", name.to_owned())], value * scale);
        }
    }
}

/// `a=1,b=2`.
struct Pairs<'a>(Vec<(&'a str, &'a str)>);

fn pairs(text: &str) -> Pairs<'_> {
    Pairs(
        text.split(',')
            .filter_map(|pair| pair.split_once('='))
            .collect(),
    )
}

impl<'a> Pairs<'a> {
    fn text(&self, name: &str) -> Option<&'a str> {
        let found = self.0.iter().find(|(key, _)| *key == name);
        found.map(|(_, value)| *value)
    }

    fn number(&self, name: &str) -> Option<f64> {
        self.text(name).and_then(number)
    }
}

/// A number, or one of the words that stand for one.
fn number(text: &str) -> Option<f64> {
    match text {
        "ok" | "true" => Some(1.0),
        "err" | "fail" | "false" => Some(0.0),
        text => text.parse().ok().filter(|value: &f64| value.is_finite()),
    }
}

fn is_numbered(name: &str, prefix: &str) -> bool {
    name.strip_prefix(prefix)
        .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit()))
}
