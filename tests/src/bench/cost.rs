//! What a process costs: CPU time spent and memory resident, as the kernel counts them.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};

/// The unit of /proc/PID/stat, which the kernel gives to programs as 100 on every architecture.
const TICK: Duration = Duration::from_millis(10);

/// A reading of a process.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    /// User and system time since it started.
    pub cpu: Duration,
    /// Bytes of memory resident now.
    pub resident: u64,
    /// The most bytes that were resident at any time.
    pub peak: u64,
}

/// Reads what `pid` has cost so far.
pub fn read(pid: u32) -> Result<Reading> {
    let path = format!("/proc/{pid}/stat");
    let stat = fs::read_to_string(&path).with_context(|| format!("read {path}"))?;
    // The command's name stands in parentheses and may hold anything.
    let (_, fields) = stat.rsplit_once(')').context("a stat line has a name")?;
    let fields: Vec<&str> = fields.split_ascii_whitespace().collect();
    let ticks = |place: usize| -> Result<u32> {
        Ok(fields
            .get(place)
            .context("a stat line is cut short")?
            .parse()?)
    };
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    Ok(Reading {
        cpu: TICK * (ticks(11)? + ticks(12)?),
        resident: kilobytes(&status, "VmRSS:")?,
        peak: kilobytes(&status, "VmHWM:")?,
    })
}

fn kilobytes(status: &str, key: &str) -> Result<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(key));
    let number = line.and_then(|line| line.split_ascii_whitespace().next());
    let number: u64 = number
        .with_context(|| format!("no {key} in a status"))?
        .parse()?;
    Ok(number << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_a_cost() {
        let reading = read(std::process::id()).unwrap();
        assert!(reading.resident > 0 && reading.peak >= reading.resident);
        assert!(read(0).is_err());
    }
}
