//! What a container uses, whichever way it was read. What could not be read is `None`.

use std::time::Duration;

/// Everything read of one container at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Usage {
    pub(super) cpu: Option<Cpu>,
    pub(super) memory: Option<Memory>,
    /// By device; empty where the container has not touched a disk yet.
    pub(super) io: Option<Vec<DeviceIo>>,
    /// By interface; `None` also where the container shares another's network.
    pub(super) network: Option<Vec<Interface>>,
    pub(super) processes: Option<u64>,
    pub(super) threads: Option<u64>,
    /// `Some(None)`: no limit.
    pub(super) threads_max: Option<Option<u64>>,
    pub(super) pressure: Option<Pressure>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Cpu {
    pub(super) total: Duration,
    pub(super) user: Option<Duration>,
    pub(super) system: Option<Duration>,
    /// How much of each period the container may run; `None` where it may always.
    pub(super) quota: Option<Quota>,
    pub(super) throttling: Option<Throttling>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Quota {
    pub(super) share: Duration,
    pub(super) period: Duration,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Throttling {
    pub(super) periods: u64,
    pub(super) throttled_periods: u64,
    pub(super) throttled: Duration,
}

/// Memory in bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Memory {
    pub(super) usage: u64,
    /// Page cache that the kernel can drop at once.
    pub(super) inactive_file: Option<u64>,
    pub(super) rss: Option<u64>,
    pub(super) cache: Option<u64>,
    pub(super) mapped_file: Option<u64>,
    pub(super) swap: Option<u64>,
    pub(super) max_usage: Option<u64>,
    pub(super) limit: Limit,
    /// How often the limit was hit.
    pub(super) failures: Option<u64>,
    /// Processes that the kernel killed for lack of memory since the container's last start.
    pub(super) oom_kills: Option<u64>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Limit {
    #[default]
    Unknown,
    None,
    Bytes(u64),
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct DeviceIo {
    /// The device's path, or its numbers where it has no name: `/dev/sda`, `8:0`.
    pub(super) device: String,
    pub(super) read_bytes: u64,
    pub(super) written_bytes: u64,
    pub(super) reads: Option<u64>,
    pub(super) writes: Option<u64>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Interface {
    pub(super) name: String,
    pub(super) receive: Traffic,
    pub(super) transmit: Traffic,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Traffic {
    pub(super) bytes: u64,
    pub(super) packets: u64,
    pub(super) errors: u64,
    pub(super) dropped: u64,
}

/// For how long processes could not go on for want of a resource.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Pressure {
    pub(super) cpu: Option<Stall>,
    pub(super) memory: Option<Stall>,
    pub(super) io: Option<Stall>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Stall {
    /// At least one process waited.
    pub(super) some: Duration,
    /// No process could go on; for CPU only since Linux 5.13.
    pub(super) full: Option<Duration>,
}

impl Memory {
    /// What cannot be reclaimed at once, which is what the limit is judged by.
    pub(super) fn working_set(&self) -> Option<u64> {
        Some(self.usage.saturating_sub(self.inactive_file?))
    }
}

impl Limit {
    /// From a number of the kernel or the engine. Versions of both write "no limit" as the largest
    /// number that a page counter holds, rounded to pages; nothing real comes near it.
    pub(super) fn of_bytes(bytes: u64) -> Self {
        const NOTHING_REAL: u64 = 1 << 60;
        if bytes >= NOTHING_REAL {
            Self::None
        } else {
            Self::Bytes(bytes)
        }
    }
}
