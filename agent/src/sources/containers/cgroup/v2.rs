//! The files of control groups version 2: one hierarchy for all controllers.

use std::io;
use std::path::Path;

use super::super::usage::{Cpu, DeviceIo, Limit, Memory, Pressure, Quota, Stall, Throttling};
use super::Devices;
use super::text::{Reader, micros, required};

pub(super) fn cpu(reader: &mut Reader, group: &Path) -> io::Result<Cpu> {
    let names = [
        "usage_usec",
        "user_usec",
        "system_usec",
        "nr_periods",
        "nr_throttled",
        "throttled_usec",
    ];
    let [total, user, system, periods, throttled_periods, throttled] =
        reader.fields(group, "cpu.stat", names)?;
    let throttling = periods.zip(throttled_periods).zip(throttled).map(
        |((periods, throttled_periods), throttled)| Throttling {
            periods,
            throttled_periods,
            throttled: micros(throttled),
        },
    );
    Ok(Cpu {
        total: micros(required(total)?),
        user: user.map(micros),
        system: system.map(micros),
        quota: quota(reader, group),
        throttling,
    })
}

/// `50000 100000`, or `max 100000` for no quota.
fn quota(reader: &mut Reader, group: &Path) -> Option<Quota> {
    let text = reader.text(group, "cpu.max").ok()?;
    let (share, period) = text.trim().split_once(' ')?;
    Some(Quota {
        share: micros(share.parse().ok()?),
        period: micros(period.parse().ok()?),
    })
}

pub(super) fn memory(reader: &mut Reader, group: &Path) -> io::Result<Memory> {
    let usage = reader.number(group, "memory.current")?;
    let names = ["inactive_file", "anon", "file", "file_mapped"];
    let [inactive_file, rss, cache, mapped_file] = reader.fields(group, "memory.stat", names)?;
    let limit = match reader.number_or_max(group, "memory.max") {
        Ok(Some(bytes)) => Limit::of_bytes(bytes),
        Ok(None) => Limit::None,
        Err(_) => Limit::Unknown,
    };
    let [failures, oom_kills] = reader
        .fields(group, "memory.events", ["max", "oom_kill"])
        .unwrap_or_default();
    Ok(Memory {
        usage,
        inactive_file,
        rss,
        cache,
        mapped_file,
        swap: reader.number(group, "memory.swap.current").ok(),
        // Since Linux 5.19.
        max_usage: reader.number(group, "memory.peak").ok(),
        limit,
        failures,
        oom_kills,
    })
}

/// Bytes and operations by device, from lines such as `8:0 rbytes=4096 wbytes=0 rios=1 wios=0`.
pub(super) fn io(
    reader: &mut Reader,
    group: &Path,
    devices: &Devices,
) -> io::Result<Vec<DeviceIo>> {
    let text = reader.text(group, "io.stat")?;
    let mut found = Vec::new();
    for line in text.lines() {
        let Some((numbers, counts)) = line.split_once(' ') else {
            continue;
        };
        let count = |name: &str| {
            let mut pairs = counts.split_ascii_whitespace();
            pairs.find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')?.parse().ok())
        };
        // A device that the group has only been given settings for stands there without counts.
        if let (Some(read_bytes), Some(written_bytes)) = (count("rbytes"), count("wbytes")) {
            found.push(DeviceIo {
                device: devices
                    .get(numbers)
                    .cloned()
                    .unwrap_or_else(|| numbers.to_owned()),
                read_bytes,
                written_bytes,
                reads: count("rios"),
                writes: count("wios"),
            });
        }
    }
    Ok(found)
}

/// How long processes waited; `None` where the kernel does not keep pressure.
pub(super) fn pressure(reader: &mut Reader, group: &Path) -> Option<Pressure> {
    let pressure = Pressure {
        cpu: stall(reader, group, "cpu.pressure"),
        memory: stall(reader, group, "memory.pressure"),
        io: stall(reader, group, "io.pressure"),
    };
    (pressure != Pressure::default()).then_some(pressure)
}

/// Reads `some avg10=0.00 avg60=0.00 avg300=0.00 total=19602`, and the line `full` below it.
fn stall(reader: &mut Reader, group: &Path, file: &str) -> Option<Stall> {
    let text = reader.text(group, file).ok()?;
    let total = |word: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(word))?;
        let count = line
            .split_ascii_whitespace()
            .find_map(|field| field.strip_prefix("total="))?;
        count.parse().ok().map(micros)
    };
    Some(Stall {
        some: total("some ")?,
        full: total("full "),
    })
}
