//! What the system says of this process, under the names that every Prometheus client uses.

use std::fs;

use wire::text::Exposition;

/// Linux counts time for /proc in hundredths of a second on every architecture that we run on.
const TICKS_PER_SECOND: f64 = 100.0;

/// Writes the `process_*` families; what cannot be read is left out.
pub fn write(out: &mut Exposition) {
    let read = |name: &str| fs::read_to_string(format!("/proc/self/{name}")).unwrap_or_default();
    write_times(out, &read("stat"));
    let status = read("status");
    let resident = kilobytes(&status, "VmRSS:");
    let total = kilobytes(&status, "VmSize:");
    // One of them is the listing's own.
    let open = fs::read_dir("/proc/self/fd").ok();
    let open = open.map(|open| open.count().saturating_sub(1) as f64);
    for (name, help, value) in [
        (
            "process_resident_memory_bytes",
            "Resident memory size in bytes.",
            resident,
        ),
        (
            "process_virtual_memory_bytes",
            "Virtual memory size in bytes.",
            total,
        ),
        ("process_open_fds", "Number of open file descriptors.", open),
        (
            "process_max_fds",
            "Maximum number of open file descriptors.",
            max_fds(&read("limits")),
        ),
    ] {
        if let Some(value) = value {
            out.single(name, "gauge", help, value);
        }
    }
}

fn write_times(out: &mut Exposition, stat: &str) {
    let Some(stat) = parse_stat(stat) else {
        return;
    };
    let help = "Total user and system CPU time spent in seconds.";
    let cpu = stat.cpu_ticks / TICKS_PER_SECOND;
    out.single("process_cpu_seconds_total", "counter", help, cpu);
    if let Some(booted) = boot_time() {
        let help = "Start time of the process since unix epoch in seconds.";
        let started = booted + stat.start_ticks / TICKS_PER_SECOND;
        out.single("process_start_time_seconds", "gauge", help, started);
    }
}

struct Stat {
    cpu_ticks: f64,
    start_ticks: f64,
}

/// The command's name may hold blanks and parentheses; what follows its last one is regular. Fields
/// are numbered as proc(5) does, from 1; the third is the first after the name.
fn parse_stat(text: &str) -> Option<Stat> {
    let (_, after_name) = text.rsplit_once(')')?;
    let fields: Vec<&str> = after_name.split_ascii_whitespace().collect();
    let field = |number: usize| fields.get(number - 3)?.parse::<f64>().ok();
    Some(Stat {
        cpu_ticks: field(14)? + field(15)?,
        start_ticks: field(22)?,
    })
}

fn boot_time() -> Option<f64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    let line = stat.lines().find_map(|line| line.strip_prefix("btime "))?;
    line.trim().parse().ok()
}

fn kilobytes(status: &str, key: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix(key))?;
    let number: f64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(number * 1024.0)
}

fn max_fds(limits: &str) -> Option<f64> {
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_process_is_read() {
        let mut out = Exposition::default();
        write(&mut out);
        let text = out.finish();
        for name in [
            "cpu_seconds_total",
            "resident_memory_bytes",
            "open_fds",
            "max_fds",
            "start_time_seconds",
        ] {
            assert!(
                text.contains(&format!("\nprocess_{name} ")),
                "{name} in {text}"
            );
        }
    }

    #[test]
    fn a_hostile_name_is_read_past() {
        let mut fields = vec!["S"; 1];
        fields.extend(vec!["7"; 40]);
        let text = format!("1 (a) b) c) {}", fields.join(" "));
        assert!(parse_stat(&text).is_some_and(|stat| stat.start_ticks == 7.0));
        assert!(parse_stat("").is_none());
    }
}
