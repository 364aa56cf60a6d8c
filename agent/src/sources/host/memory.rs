//! Memory: /proc/meminfo line by line, and the counters of /proc/vmstat that show pressure.

use wire::metric::Kind;

use super::files::{Failure, Files, number};
use crate::collect::Gather;

/// /proc/meminfo: one gauge a line, in bytes where the kernel says kB.
pub(super) fn meminfo(files: &mut Files, out: &mut Gather) -> Result<(), Failure> {
    files.proc_lines("meminfo", |line| {
        let mut words = line.split_ascii_whitespace();
        let field = plain(words.next()?.strip_suffix(':')?);
        let value = number(words.next()?)?;
        let (unit, value) = match words.next() {
            Some(_) => ("_bytes", value * 1024.0),
            None => ("", value),
        };
        out.gauge(
            format!("node_memory_{field}{unit}"),
            format!("Memory information field {field}{unit}."),
        )
        .value(value);
        Some(())
    })
}

/// `Active(anon)` as it stands in a name: `Active_anon`.
fn plain(field: &str) -> String {
    field.replace('(', "_").replace(')', "")
}

/// /proc/vmstat: paging, swapping, faults and processes killed for want of memory.
pub(super) fn vmstat(files: &mut Files, out: &mut Gather) -> Result<(), Failure> {
    files.proc_lines("vmstat", |line| {
        let (field, value) = line.split_once(' ')?;
        if !wanted(field) {
            return Some(());
        }
        let value = number(value)?;
        out.family(
            format!("node_vmstat_{field}"),
            format!("/proc/vmstat information field {field}."),
            Kind::Untyped,
        )
        .value(value);
        Some(())
    })
}

fn wanted(field: &str) -> bool {
    let fault = || field.starts_with("pg") && field.contains("fault");
    ["oom_kill", "pgpg", "pswp"]
        .iter()
        .any(|prefix| field.starts_with(prefix))
        || fault()
}
