//! Processors: time by mode, throttling, run queues, and the counters beside them in /proc/stat.
//!
//! /proc/stat is read once for both of node_exporter's collectors that use it, `cpu` and `stat`:
//! making it costs the kernel more than any other file here on hosts with many processors.

use std::collections::HashMap;

use wire::metric::{Label, Text};

use super::files::{Failure, Files, number};
use crate::collect::Gather;

/// The columns of a processor's line, in the kernel's order.
const MODES: [&str; 8] = [
    "user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal",
];
const IDLE: usize = 3;
/// Time in guests is part of `user` and `nice` and so stands in a family of its own.
const GUEST_MODES: [&str; 2] = ["user", "nice"];
const COLUMNS: usize = MODES.len() + GUEST_MODES.len();

/// The unit of /proc/stat: the kernel gives it to programs as 100 on every architecture.
const TICKS_PER_SECOND: f64 = 100.0;

/// An idle time that steps back this far means a processor taken out and put in again.
const REPLUGGED: f64 = 3.0;

/// What must be known of earlier collections.
#[derive(Debug, Default)]
pub(super) struct Cpu {
    /// The highest values seen: iowait and idle may step back a little, and counters must not.
    highest: HashMap<String, [f64; COLUMNS]>,
    throttles: Option<Vec<Throttle>>,
}

/// Where one core or package counts how often it was throttled.
#[derive(Debug)]
struct Throttle {
    family: &'static str,
    help: &'static str,
    labels: Vec<Label>,
    file: String,
}

impl Cpu {
    /// /proc/stat.
    pub(super) fn stat(&mut self, files: &mut Files, out: &mut Gather) -> Result<(), Failure> {
        files.proc_lines("stat", |line| {
            let (key, values) = line.split_once(' ')?;
            match key.strip_prefix("cpu") {
                Some("") => Some(()),
                Some(cpu) => self.times(cpu, values, out),
                None => total(key, values, out),
            }
        })
    }

    fn times(&mut self, cpu: &str, values: &str, out: &mut Gather) -> Option<()> {
        let mut seconds = [0.0; COLUMNS];
        let mut present = 0;
        for (place, word) in seconds.iter_mut().zip(values.split_ascii_whitespace()) {
            *place = number(word)? / TICKS_PER_SECOND;
            present += 1;
        }
        let highest = self.highest.entry(cpu.to_owned()).or_default();
        if highest[IDLE] - seconds[IDLE] >= REPLUGGED {
            *highest = [0.0; COLUMNS];
        }
        for (highest, now) in highest.iter_mut().zip(seconds) {
            *highest = highest.max(now);
        }
        let modes = MODES.iter().zip(&highest[..]).take(present);
        let mut family = out.counter(
            "node_cpu_seconds_total",
            "Seconds the CPUs spent in each mode.",
        );
        for (mode, value) in modes {
            family.with(by_mode(cpu, mode), *value);
        }
        let guest_modes = GUEST_MODES.iter().zip(&highest[MODES.len()..]);
        let mut family = out.counter(
            "node_cpu_guest_seconds_total",
            "Seconds the CPUs spent in guests (VMs) for each mode.",
        );
        for (mode, value) in guest_modes.take(present.saturating_sub(MODES.len())) {
            family.with(by_mode(cpu, mode), *value);
        }
        (present > IDLE).then_some(())
    }

    /// How often cores and packages were slowed down because they were too hot.
    pub(super) fn throttles(&mut self, files: &mut Files, out: &mut Gather) -> Result<(), Failure> {
        // Which core is where does not change while the agent runs.
        let throttles = match &self.throttles {
            Some(known) => known,
            None => self.throttles.insert(find_throttles(files)?),
        };
        for throttle in throttles {
            if let Some(count) = files.sys_number(&throttle.file) {
                out.counter(throttle.family, throttle.help)
                    .point(throttle.labels.clone(), count);
            }
        }
        Ok(())
    }
}

fn by_mode(cpu: &str, mode: &'static str) -> [(&'static str, Text); 2] {
    [("cpu", cpu.to_owned().into()), ("mode", mode.into())]
}

/// A line of /proc/stat that is no processor's.
fn total(key: &str, values: &str, out: &mut Gather) -> Option<()> {
    let mut series = match key {
        "intr" => out.counter("node_intr_total", "Total number of interrupts serviced."),
        "ctxt" => out.counter(
            "node_context_switches_total",
            "Total number of context switches.",
        ),
        "processes" => out.counter("node_forks_total", "Total number of forks."),
        "btime" => out.gauge("node_boot_time_seconds", "Node boot time, in unixtime."),
        "procs_running" => out.gauge(
            "node_procs_running",
            "Number of processes in runnable state.",
        ),
        "procs_blocked" => out.gauge(
            "node_procs_blocked",
            "Number of processes blocked waiting for I/O to complete.",
        ),
        _ => return Some(()),
    };
    // Interrupts are followed by the count of each one.
    series.value(number(values.split_ascii_whitespace().next()?)?);
    Some(())
}

/// The throttle counters of this host, each core and package once; virtual machines have none.
fn find_throttles(files: &mut Files) -> Result<Vec<Throttle>, Failure> {
    let mut found: Vec<Throttle> = Vec::new();
    for name in files.sys_folders("devices/system/cpu")? {
        let digits = name.strip_prefix("cpu").unwrap_or_default();
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            continue;
        }
        let folder = format!("devices/system/cpu/{name}");
        let package = files.sys_text(&format!("{folder}/topology/physical_package_id"));
        let core = files.sys_text(&format!("{folder}/topology/core_id"));
        let (Some(package), Some(core)) = (package, core) else {
            continue;
        };
        let package = Label::new("package", package);
        let candidates = [
            Throttle {
                family: "node_cpu_core_throttles_total",
                help: "Number of times this CPU core has been throttled.",
                labels: vec![Label::new("core", core), package.clone()],
                file: format!("{folder}/thermal_throttle/core_throttle_count"),
            },
            Throttle {
                family: "node_cpu_package_throttles_total",
                help: "Number of times this CPU package has been throttled.",
                labels: vec![package],
                file: format!("{folder}/thermal_throttle/package_throttle_count"),
            },
        ];
        for candidate in candidates {
            let known = found
                .iter()
                .any(|one| one.family == candidate.family && one.labels == candidate.labels);
            if !known && files.sys_number(&candidate.file).is_some() {
                found.push(candidate);
            }
        }
    }
    Ok(found)
}

/// /proc/schedstat: what waits for a processor, which load averages only hint at.
pub(super) fn schedstat(files: &mut Files, out: &mut Gather) -> Result<(), Failure> {
    const FAMILIES: [(&str, &str, f64); 3] = [
        (
            "node_schedstat_running_seconds_total",
            "Number of seconds CPU spent running a process.",
            1e9,
        ),
        (
            "node_schedstat_waiting_seconds_total",
            "Number of seconds spent by processing waiting for this CPU.",
            1e9,
        ),
        (
            "node_schedstat_timeslices_total",
            "Number of timeslices executed by CPU.",
            1.0,
        ),
    ];
    files.proc_lines("schedstat", |line| {
        let mut words = line.split_ascii_whitespace();
        let Some(cpu) = words.next()?.strip_prefix("cpu") else {
            return Some(());
        };
        // Six columns about the scheduler's own calls come first.
        let mut words = words.skip(6);
        for (name, help, unit) in FAMILIES {
            let value = number(words.next()?)? / unit;
            out.counter(name, help)
                .with([("cpu", cpu.to_owned())], value);
        }
        Some(())
    })
}
