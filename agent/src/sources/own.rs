//! The agent's view of itself: what the process costs, and what its parts say of themselves.

use std::sync::Arc;

use procfs::WithCurrentSystemInfo;
use procfs::process::{LimitValue, Process};

use crate::collect::{Gather, Source, SourceError};

/// The `job` label of these series.
pub const JOB: &str = "nightshift-agent";

/// A part of the agent that has something to say of itself.
///
/// It is told the time, in milliseconds since 1970, to give ages.
pub type Describe = Arc<dyn Fn(i64, &mut Gather) + Send + Sync>;

/// Collects the process and the parts.
pub struct Own {
    parts: Vec<Describe>,
}

impl Own {
    /// A source over the process and those parts.
    #[must_use]
    pub fn new(parts: Vec<Describe>) -> Self {
        Self { parts }
    }
}

impl Source for Own {
    async fn collect(&mut self, out: &mut Gather) -> Result<(), SourceError> {
        out.gauge("nightshift_agent_info", "The agent's version.")
            .with([("version", env!("CARGO_PKG_VERSION"))], 1.0);
        for describe in &self.parts {
            describe(out.at_ms(), out);
        }
        process(out).map_err(|error| SourceError::new("cannot read /proc/self").detail(error))
    }
}

/// The series that every Prometheus client library gives of its process.
fn process(out: &mut Gather) -> procfs::ProcResult<()> {
    let me = Process::myself()?;
    let stat = me.stat()?;
    let ticks = procfs::ticks_per_second() as f64;
    let cpu = (stat.utime + stat.stime) as f64 / ticks;
    out.counter("process_cpu_seconds_total", "CPU time, user and system.")
        .value(cpu);
    let resident = stat.rss_bytes().get();
    out.gauge("process_resident_memory_bytes", "Resident memory.")
        .value(resident as f64);
    out.gauge("process_virtual_memory_bytes", "Virtual memory.")
        .value(stat.vsize as f64);
    out.gauge("process_threads", "Threads.")
        .value(stat.num_threads as f64);
    let open = me.fd_count()?;
    out.gauge("process_open_fds", "Open file descriptors.")
        .value(open as f64);
    if let LimitValue::Value(most) = me.limits()?.max_open_files.soft_limit {
        out.gauge("process_max_fds", "The most file descriptors.")
            .value(most as f64);
    }
    let started = procfs::boot_time_secs()? as f64 + stat.starttime as f64 / ticks;
    out.gauge("process_start_time_seconds", "When the process started.")
        .value(started);
    Ok(())
}
