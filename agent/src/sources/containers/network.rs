//! A container's network interfaces, as `/proc/PID/net/dev` counts them.

use super::usage::{Interface, Traffic};

/// Reads the table; the loopback interface is left out, as cAdvisor does.
pub(super) fn interfaces(table: &str) -> Vec<Interface> {
    table.lines().filter_map(interface).collect()
}

/// `eth0: 1 2 3 4 0 0 0 0 5 6 7 8 0 0 0 0`: bytes, packets, errors and drops lead each half.
fn interface(line: &str) -> Option<Interface> {
    let (name, counts) = line.split_once(':')?;
    let name = name.trim();
    if name == "lo" {
        return None;
    }
    let counts: Vec<u64> = counts
        .split_ascii_whitespace()
        .map(str::parse)
        .collect::<Result<_, _>>()
        .ok()?;
    let half = |at: usize| {
        Some(Traffic {
            bytes: *counts.get(at)?,
            packets: *counts.get(at + 1)?,
            errors: *counts.get(at + 2)?,
            dropped: *counts.get(at + 3)?,
        })
    };
    Some(Interface {
        name: name.to_owned(),
        receive: half(0)?,
        transmit: half(8)?,
    })
}
