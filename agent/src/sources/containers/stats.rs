//! A container's use as the engine's statistics tell it, for where its files cannot be reached.

use std::collections::HashMap;
use std::time::Duration;

use bollard::models::{
    ContainerBlkioStatEntry, ContainerBlkioStats, ContainerCpuStats, ContainerMemoryStats,
    ContainerNetworkStats, ContainerStatsResponse,
};

use super::usage::{Cpu, DeviceIo, Interface, Limit, Memory, Throttling, Traffic, Usage};

/// Reads the engine's answer; nothing where the container had no processes any more, for then the
/// answer is all zeros.
pub(super) fn usage(answer: ContainerStatsResponse, own_network: bool) -> Option<Usage> {
    let memory = answer.memory_stats.and_then(memory);
    let cpu = answer.cpu_stats.and_then(cpu);
    if memory.is_none() && cpu.is_none() {
        return None;
    }
    let threads = answer.pids_stats.unwrap_or_default();
    Some(Usage {
        cpu,
        memory,
        io: answer.blkio_stats.and_then(io),
        network: answer.networks.filter(|_| own_network).map(interfaces),
        // The engine counts processes on Windows only, and threads elsewhere.
        processes: None,
        threads: threads.current,
        threads_max: threads.limit.map(|limit| match Limit::of_bytes(limit) {
            Limit::Bytes(limit) if limit > 0 => Some(limit),
            _ => None,
        }),
        pressure: None,
    })
}

fn cpu(stats: ContainerCpuStats) -> Option<Cpu> {
    // Present in every answer about a container that runs, and in no other.
    stats.system_cpu_usage?;
    let usage = stats.cpu_usage?;
    let throttling = stats.throttling_data.and_then(|data| {
        Some(Throttling {
            periods: data.periods?,
            throttled_periods: data.throttled_periods?,
            throttled: Duration::from_nanos(data.throttled_time?),
        })
    });
    Some(Cpu {
        total: Duration::from_nanos(usage.total_usage?),
        user: usage.usage_in_usermode.map(Duration::from_nanos),
        system: usage.usage_in_kernelmode.map(Duration::from_nanos),
        // Not among the statistics; without it, throttling is not told either.
        quota: None,
        throttling,
    })
}

fn memory(stats: ContainerMemoryStats) -> Option<Memory> {
    let fields = stats.stats.unwrap_or_default();
    // The first is the name in control groups version 1, the second in version 2.
    let field = |v1: &str, v2: &str| fields.get(v1).or_else(|| fields.get(v2)).copied();
    Some(Memory {
        usage: stats.usage?,
        inactive_file: field("total_inactive_file", "inactive_file"),
        rss: field("total_rss", "anon"),
        cache: field("total_cache", "file"),
        mapped_file: field("total_mapped_file", "file_mapped"),
        swap: field("total_swap", "swap"),
        max_usage: stats.max_usage,
        // Without a limit the engine gives the host's memory, which is no limit of the container.
        limit: Limit::Unknown,
        failures: stats.failcnt,
        oom_kills: None,
    })
}

fn io(stats: ContainerBlkioStats) -> Option<Vec<DeviceIo>> {
    let bytes = by_device(stats.io_service_bytes_recursive?);
    let operations = by_device(stats.io_serviced_recursive.unwrap_or_default());
    let mut found: Vec<DeviceIo> = bytes
        .into_iter()
        .map(|(device, [read_bytes, written_bytes])| {
            let counted = operations.get(&device);
            DeviceIo {
                reads: counted.map(|[reads, _]| *reads),
                writes: counted.map(|[_, writes]| *writes),
                device,
                read_bytes,
                written_bytes,
            }
        })
        .collect();
    found.sort_by(|one, other| one.device.cmp(&other.device));
    Some(found)
}

/// Reads and writes by device. Version 1 writes `Read`, version 2 `read`.
fn by_device(entries: Vec<ContainerBlkioStatEntry>) -> HashMap<String, [u64; 2]> {
    let mut found = HashMap::new();
    for entry in entries {
        let (Some(major), Some(minor)) = (entry.major, entry.minor) else {
            continue;
        };
        let column = match entry.op.as_deref() {
            Some("Read" | "read") => 0,
            Some("Write" | "write") => 1,
            _ => continue,
        };
        let counts: &mut [u64; 2] = found.entry(format!("{major}:{minor}")).or_default();
        counts[column] = entry.value.unwrap_or(0);
    }
    found
}

fn interfaces(networks: HashMap<String, ContainerNetworkStats>) -> Vec<Interface> {
    let mut found: Vec<Interface> = networks.into_iter().filter_map(interface).collect();
    found.sort_by(|one, other| one.name.cmp(&other.name));
    found
}

fn interface((name, stats): (String, ContainerNetworkStats)) -> Option<Interface> {
    Some(Interface {
        name,
        receive: Traffic {
            bytes: stats.rx_bytes?,
            packets: stats.rx_packets?,
            errors: stats.rx_errors?,
            dropped: stats.rx_dropped?,
        },
        transmit: Traffic {
            bytes: stats.tx_bytes?,
            packets: stats.tx_packets?,
            errors: stats.tx_errors?,
            dropped: stats.tx_dropped?,
        },
    })
}

#[cfg(test)]
mod tests;
