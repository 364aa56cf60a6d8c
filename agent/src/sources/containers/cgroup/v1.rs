//! The files of control groups version 1: a hierarchy for each controller.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::super::usage::{Cpu, DeviceIo, Limit, Memory, Quota, Throttling};
use super::text::{self, Reader, micros, nanos};
use super::{Devices, below};

/// Clock ticks a second in `cpuacct.stat`; the kernel shows every architecture the same.
const TICKS_PER_SECOND: u64 = 100;

/// Where the groups of one container lie, by controller.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Groups {
    cpu: Option<PathBuf>,
    cpuacct: Option<PathBuf>,
    memory: Option<PathBuf>,
    blkio: Option<PathBuf>,
    pids: Option<PathBuf>,
}

impl Groups {
    /// Adds a line of `/proc/PID/cgroup`; says whether one of its controllers is read here and its
    /// folder is there. Controllers mounted together (`cpu,cpuacct`) lie in a folder of both names.
    pub(super) fn add(&mut self, root: &Path, controllers: &str, path: &str) -> bool {
        let together = below(&root.join(controllers), path);
        let mut added = false;
        for controller in controllers.split(',') {
            let place = match controller {
                "cpu" => &mut self.cpu,
                "cpuacct" => &mut self.cpuacct,
                "memory" => &mut self.memory,
                "blkio" => &mut self.blkio,
                "pids" => &mut self.pids,
                _ => continue,
            };
            let alone = below(&root.join(controller), path);
            *place = [together.clone(), alone]
                .into_iter()
                .find(|folder| folder.is_dir());
            added |= place.is_some();
        }
        added
    }

    /// Whether any controller was found.
    pub(super) fn any(&self) -> bool {
        let all = [
            &self.cpu,
            &self.cpuacct,
            &self.memory,
            &self.blkio,
            &self.pids,
        ];
        all.into_iter().any(Option::is_some)
    }
}

pub(super) fn cpu(reader: &mut Reader, groups: &Groups) -> io::Result<Cpu> {
    let accounting = there(&groups.cpuacct)?;
    let total = nanos(reader.number(accounting, "cpuacct.usage")?);
    let (user, system) = modes(reader, accounting);
    let (quota, throttling) = match &groups.cpu {
        Some(group) => (quota(reader, group), throttling(reader, group)),
        None => (None, None),
    };
    Ok(Cpu {
        total,
        user,
        system,
        quota,
        throttling,
    })
}

/// Time in user mode and in the kernel; older kernels give it in ticks only.
fn modes(reader: &mut Reader, group: &Path) -> (Option<Duration>, Option<Duration>) {
    let user = reader.number(group, "cpuacct.usage_user");
    let system = reader.number(group, "cpuacct.usage_sys");
    if let (Ok(user), Ok(system)) = (user, system) {
        return (Some(nanos(user)), Some(nanos(system)));
    }
    let ticks = |count: u64| Duration::from_millis(count.saturating_mul(1_000 / TICKS_PER_SECOND));
    match reader.fields(group, "cpuacct.stat", ["user", "system"]) {
        Ok([user, system]) => (user.map(ticks), system.map(ticks)),
        Err(_) => (None, None),
    }
}

fn quota(reader: &mut Reader, group: &Path) -> Option<Quota> {
    // -1, for "no quota", is not a number here.
    let share = reader.number(group, "cpu.cfs_quota_us").ok()?;
    let period = reader.number(group, "cpu.cfs_period_us").ok()?;
    Some(Quota {
        share: micros(share),
        period: micros(period),
    })
}

fn throttling(reader: &mut Reader, group: &Path) -> Option<Throttling> {
    let names = ["nr_periods", "nr_throttled", "throttled_time"];
    let [periods, throttled_periods, throttled] = reader.fields(group, "cpu.stat", names).ok()?;
    Some(Throttling {
        periods: periods?,
        throttled_periods: throttled_periods?,
        throttled: nanos(throttled?),
    })
}

pub(super) fn memory(reader: &mut Reader, groups: &Groups) -> io::Result<Memory> {
    let group = there(&groups.memory)?;
    let usage = reader.number(group, "memory.usage_in_bytes")?;
    let names = [
        "total_inactive_file",
        "total_rss",
        "total_cache",
        "total_mapped_file",
        "total_swap",
    ];
    let [inactive_file, rss, cache, mapped_file, swap] =
        reader.fields(group, "memory.stat", names)?;
    let limit = match reader.number(group, "memory.limit_in_bytes") {
        Ok(bytes) => Limit::of_bytes(bytes),
        Err(_) => Limit::Unknown,
    };
    let oom_kills = match reader.fields(group, "memory.oom_control", ["oom_kill"]) {
        Ok([kills]) => kills,
        Err(_) => None,
    };
    Ok(Memory {
        usage,
        inactive_file,
        rss,
        cache,
        mapped_file,
        swap,
        max_usage: reader.number(group, "memory.max_usage_in_bytes").ok(),
        limit,
        failures: reader.number(group, "memory.failcnt").ok(),
        oom_kills,
    })
}

/// Bytes and operations by device. The throttling layer sees all I/O, whatever the scheduler.
pub(super) fn io(
    reader: &mut Reader,
    groups: &Groups,
    devices: &Devices,
) -> io::Result<Vec<DeviceIo>> {
    let group = there(&groups.blkio)?;
    let bytes = by_device(reader, group, "blkio.throttle.io_service_bytes")?;
    // Without it, operations are left out and bytes still told.
    let operations = by_device(reader, group, "blkio.throttle.io_serviced").unwrap_or_default();
    let found = bytes.into_iter().map(|(numbers, [read, written])| {
        let counted = operations.iter().find(|(device, _)| *device == numbers);
        DeviceIo {
            device: devices.get(&numbers).cloned().unwrap_or(numbers),
            read_bytes: read,
            written_bytes: written,
            reads: counted.map(|(_, [reads, _])| *reads),
            writes: counted.map(|(_, [_, writes])| *writes),
        }
    });
    Ok(found.collect())
}

/// Reads and writes by device, from lines such as `8:0 Read 4096`. Kernels before 5.0 have no file
/// that counts groups below as well.
fn by_device(reader: &mut Reader, group: &Path, file: &str) -> io::Result<Vec<(String, [u64; 2])>> {
    let recursive = format!("{file}_recursive");
    let file = if group.join(&recursive).exists() {
        &recursive
    } else {
        file
    };
    let text = reader.text(group, file)?;
    let mut found: Vec<(String, [u64; 2])> = Vec::new();
    for line in text.lines() {
        let mut fields = line.split_ascii_whitespace();
        let (Some(device), Some(operation), Some(count)) =
            (fields.next(), fields.next(), fields.next())
        else {
            continue;
        };
        let column = match operation {
            "Read" => 0,
            "Write" => 1,
            _ => continue,
        };
        let Ok(count) = count.parse() else { continue };
        match found.iter_mut().find(|(known, _)| known == device) {
            Some((_, counts)) => counts[column] = count,
            None => {
                let mut counts = [0; 2];
                counts[column] = count;
                found.push((device.to_owned(), counts));
            }
        }
    }
    Ok(found)
}

/// Processes, from whichever hierarchy is there: a process is in all of them.
pub(super) fn processes(reader: &mut Reader, groups: &Groups) -> io::Result<u64> {
    let group = groups
        .pids
        .as_ref()
        .or(groups.memory.as_ref())
        .or(groups.cpuacct.as_ref());
    text::processes(reader, there(&group.cloned())?)
}

pub(super) fn threads(reader: &mut Reader, groups: &Groups) -> (Option<u64>, Option<Option<u64>>) {
    match &groups.pids {
        Some(group) => text::threads(reader, group),
        None => (None, None),
    }
}

/// The folder of a controller that may be off.
fn there(group: &Option<PathBuf>) -> io::Result<&Path> {
    group
        .as_deref()
        .ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
}
