//! The names of what a container uses.

use super::super::usage::{
    Cpu, DeviceIo, Interface, Limit, Memory, Pressure, Stall, Traffic, Usage,
};
use super::Series;

/// Tells everything that was read of a container, and nothing else.
pub(super) fn tell(series: &mut Series<'_>, usage: &Usage) {
    if let Some(cpu) = &usage.cpu {
        cpu_series(series, cpu);
    }
    if let Some(memory) = &usage.memory {
        memory_series(series, memory);
    }
    for device in usage.io.iter().flatten() {
        io_series(series, device);
    }
    for interface in usage.network.iter().flatten() {
        network_series(series, interface);
    }
    task_series(series, usage);
    if let Some(pressure) = &usage.pressure {
        pressure_series(series, pressure);
    }
}

fn cpu_series(series: &mut Series<'_>, cpu: &Cpu) {
    let total = cpu.total.as_secs_f64();
    series.counter_of(
        "container_cpu_usage_seconds_total",
        "CPU time used.",
        ("cpu", "total"),
        total,
    );
    if let Some(user) = cpu.user {
        series.counter(
            "container_cpu_user_seconds_total",
            "CPU time in user mode.",
            user.as_secs_f64(),
        );
    }
    if let Some(system) = cpu.system {
        series.counter(
            "container_cpu_system_seconds_total",
            "CPU time in the kernel.",
            system.as_secs_f64(),
        );
    }
    // Like cAdvisor: periods mean nothing without a quota.
    let Some(quota) = cpu.quota else {
        return;
    };
    series.gauge(
        "container_spec_cpu_quota",
        "CPU time allowed in a period, in microseconds.",
        quota.share.as_micros() as f64,
    );
    series.gauge(
        "container_spec_cpu_period",
        "Length of a period, in microseconds.",
        quota.period.as_micros() as f64,
    );
    let Some(throttling) = cpu.throttling else {
        return;
    };
    series.counter(
        "container_cpu_cfs_periods_total",
        "Periods in which the container could run.",
        throttling.periods as f64,
    );
    series.counter(
        "container_cpu_cfs_throttled_periods_total",
        "Periods in which the quota was used up.",
        throttling.throttled_periods as f64,
    );
    series.counter(
        "container_cpu_cfs_throttled_seconds_total",
        "Time spent waiting with the quota used up.",
        throttling.throttled.as_secs_f64(),
    );
}

fn memory_series(series: &mut Series<'_>, memory: &Memory) {
    let limit = match memory.limit {
        Limit::Unknown => None,
        // As cAdvisor says "no limit".
        Limit::None => Some(0),
        Limit::Bytes(bytes) => Some(bytes),
    };
    for (name, help, bytes) in [
        (
            "container_memory_usage_bytes",
            "Memory charged to the container, page cache included.",
            Some(memory.usage),
        ),
        (
            "container_memory_working_set_bytes",
            "Memory that cannot be reclaimed at once.",
            memory.working_set(),
        ),
        ("container_memory_rss", "Anonymous memory.", memory.rss),
        ("container_memory_cache", "Page cache.", memory.cache),
        (
            "container_memory_mapped_file",
            "Page cache mapped by processes.",
            memory.mapped_file,
        ),
        ("container_memory_swap", "Memory swapped out.", memory.swap),
        (
            "container_memory_max_usage_bytes",
            "The most memory charged so far.",
            memory.max_usage,
        ),
        (
            "container_spec_memory_limit_bytes",
            "The memory limit; 0 without one.",
            limit,
        ),
    ] {
        if let Some(bytes) = bytes {
            series.gauge(name, help, bytes as f64);
        }
    }
    if let Some(failures) = memory.failures {
        series.counter(
            "container_memory_failcnt",
            "How often the memory limit was hit.",
            failures as f64,
        );
    }
}

fn io_series(series: &mut Series<'_>, io: &DeviceIo) {
    let label = ("device", io.device.as_str());
    for (name, help, count) in [
        (
            "container_fs_reads_bytes_total",
            "Bytes read from the device.",
            Some(io.read_bytes),
        ),
        (
            "container_fs_writes_bytes_total",
            "Bytes written to the device.",
            Some(io.written_bytes),
        ),
        (
            "container_fs_reads_total",
            "Reads from the device.",
            io.reads,
        ),
        (
            "container_fs_writes_total",
            "Writes to the device.",
            io.writes,
        ),
    ] {
        if let Some(count) = count {
            series.counter_of(name, help, label, count as f64);
        }
    }
}

fn network_series(series: &mut Series<'_>, interface: &Interface) {
    let label = ("interface", interface.name.as_str());
    let mut tell = |names: [&'static str; 4], traffic: &Traffic| {
        let counts = [
            traffic.bytes,
            traffic.packets,
            traffic.errors,
            traffic.dropped,
        ];
        let helps = [
            "Bytes.",
            "Packets.",
            "Packets with errors.",
            "Packets dropped.",
        ];
        for ((name, help), count) in names.into_iter().zip(helps).zip(counts) {
            series.counter_of(name, help, label, count as f64);
        }
    };
    tell(
        [
            "container_network_receive_bytes_total",
            "container_network_receive_packets_total",
            "container_network_receive_errors_total",
            "container_network_receive_packets_dropped_total",
        ],
        &interface.receive,
    );
    tell(
        [
            "container_network_transmit_bytes_total",
            "container_network_transmit_packets_total",
            "container_network_transmit_errors_total",
            "container_network_transmit_packets_dropped_total",
        ],
        &interface.transmit,
    );
}

fn task_series(series: &mut Series<'_>, usage: &Usage) {
    if let Some(processes) = usage.processes {
        series.gauge(
            "container_processes",
            "Processes in the container.",
            processes as f64,
        );
    }
    if let Some(threads) = usage.threads {
        series.gauge(
            "container_threads",
            "Threads in the container.",
            threads as f64,
        );
    }
    if let Some(most) = usage.threads_max {
        let most = most.unwrap_or(0);
        series.gauge(
            "container_threads_max",
            "The most threads allowed; 0 without a limit.",
            most as f64,
        );
    }
}

fn pressure_series(series: &mut Series<'_>, pressure: &Pressure) {
    let mut tell = |waiting: &'static str, stalled: &'static str, stall: Option<Stall>| {
        let Some(stall) = stall else {
            return;
        };
        series.counter(
            waiting,
            "Time in which some process waited.",
            stall.some.as_secs_f64(),
        );
        if let Some(full) = stall.full {
            series.counter(
                stalled,
                "Time in which every process waited.",
                full.as_secs_f64(),
            );
        }
    };
    tell(
        "container_pressure_cpu_waiting_seconds_total",
        "container_pressure_cpu_stalled_seconds_total",
        pressure.cpu,
    );
    tell(
        "container_pressure_memory_waiting_seconds_total",
        "container_pressure_memory_stalled_seconds_total",
        pressure.memory,
    );
    tell(
        "container_pressure_io_waiting_seconds_total",
        "container_pressure_io_stalled_seconds_total",
        pressure.io,
    );
}
