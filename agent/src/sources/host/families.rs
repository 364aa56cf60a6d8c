//! Which families are read from files, in which order, and what it means when one fails.
//!
//! One that fails is a gap and stops no other. A file that the kernel does not have is a gap only
//! where every kernel has it.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use super::cpu::{self, Cpu};
use super::files::{Failure, Files};
use super::filesystem::{self, Mount};
use super::settings::Settings;
use super::{clock, disk, hardware, load, memory, network, sockets, system};
use crate::collect::Gather;

/// Reads all file families, over and over.
#[derive(Debug)]
pub(super) struct Families {
    settings: Arc<Settings>,
    files: Files,
    cpu: Cpu,
}

/// What one reading saw.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) out: Gather,
    /// The mounts, which are asked for their room elsewhere, since that may hang.
    pub(super) mounts: Vec<Mount>,
}

/// Whether a kernel without these files is to be remarked upon.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Presence {
    Expected,
    /// Depends on how the kernel was built, what is loaded and which hardware there is.
    Optional,
}

use Presence::{Expected, Optional};

type Read = fn(&mut Families, &mut Gather) -> Result<(), Failure>;

/// The families under the names of node_exporter's collectors.
const FAMILIES: [(&str, Presence, Read); 26] = [
    ("stat", Expected, |host, out| {
        host.cpu.stat(&mut host.files, out)
    }),
    ("cpu throttles", Optional, |host, out| {
        host.cpu.throttles(&mut host.files, out)
    }),
    ("schedstat", Optional, |host, out| {
        cpu::schedstat(&mut host.files, out)
    }),
    ("meminfo", Expected, |host, out| {
        memory::meminfo(&mut host.files, out)
    }),
    ("vmstat", Expected, |host, out| {
        memory::vmstat(&mut host.files, out)
    }),
    ("loadavg", Expected, |host, out| {
        load::averages(&mut host.files, out)
    }),
    ("pressure", Optional, |host, out| {
        load::pressure(&mut host.files, out)
    }),
    ("diskstats", Expected, |host, out| {
        disk::diskstats(&mut host.files, &host.settings, out)
    }),
    ("netdev", Expected, |host, out| {
        network::traffic(&mut host.files, &host.settings, out)
    }),
    ("netclass", Optional, |host, out| {
        network::interfaces(&mut host.files, &host.settings, out)
    }),
    ("bonding", Optional, |host, out| {
        network::bonds(&mut host.files, out)
    }),
    ("netstat", Expected, |host, out| {
        sockets::protocols(&mut host.files, out)
    }),
    ("sockstat", Expected, |host, out| {
        sockets::sockets(&mut host.files, out)
    }),
    ("udp_queues", Optional, |host, out| {
        sockets::udp_queues(&mut host.files, out)
    }),
    ("softnet", Optional, |host, out| {
        sockets::softnet(&mut host.files, out)
    }),
    ("conntrack", Optional, |host, out| {
        sockets::connection_tracking(&mut host.files, out)
    }),
    ("arp", Optional, |host, out| {
        sockets::neighbours(&mut host.files, out)
    }),
    ("clocksource", Optional, |host, out| {
        clock::clock_sources(&mut host.files, out)
    }),
    ("uname", Expected, |host, out| {
        system::uname(&mut host.files, out)
    }),
    ("os", Optional, |host, out| {
        system::distribution(&mut host.files, out)
    }),
    ("filefd", Expected, |host, out| {
        system::open_files(&mut host.files, out)
    }),
    ("entropy", Optional, |host, out| {
        system::entropy(&mut host.files, out)
    }),
    ("selinux", Optional, |host, out| {
        system::selinux(&mut host.files, out)
    }),
    ("thermal_zone", Optional, |host, out| {
        hardware::thermal(&mut host.files, out)
    }),
    ("edac", Optional, |host, out| {
        hardware::memory_errors(&mut host.files, out)
    }),
    ("mdadm", Optional, |host, out| {
        hardware::software_raid(&mut host.files, out)
    }),
];

impl Families {
    pub(super) fn new(settings: Arc<Settings>) -> Self {
        Self {
            files: Files::new(&settings),
            settings,
            cpu: Cpu::default(),
        }
    }

    /// Reads every family; `now` is what the host's clock shows.
    pub(super) fn read(&mut self, now: SystemTime) -> Seen {
        let mut out = Gather::default();
        for (name, presence, read) in FAMILIES {
            let outcome = read(self, &mut out);
            note(name, presence, outcome, &mut out);
        }
        let outcome = clock::time(&mut self.files, now, &mut out);
        note("time", Expected, outcome, &mut out);
        let mounts = match filesystem::mounts(&mut self.files, &self.settings) {
            Ok(mounts) => mounts,
            Err(failure) => {
                note("filesystem", Expected, Err(failure), &mut out);
                Vec::new()
            }
        };
        Seen { out, mounts }
    }
}

/// Turns a failure into a gap.
fn note(name: &str, presence: Presence, outcome: Result<(), Failure>, out: &mut Gather) {
    let text = |path: &Path| path.display().to_string();
    match outcome {
        Ok(()) => {}
        Err(Failure::Absent(_)) if presence == Optional => {}
        Err(Failure::Absent(path)) => out.gap(
            name,
            format!("{} does not exist", text(&path)),
            "check proc_path and sys_path",
        ),
        Err(Failure::Unreadable { path, error }) => {
            let why = format!("cannot read {}: {error}", text(&path));
            let fix = match error.kind() {
                ErrorKind::PermissionDenied => "let the agent's user read it",
                _ => "",
            };
            out.gap(name, why, fix);
        }
        Err(Failure::Malformed(path)) => {
            let why = format!("{} has lines that are not understood", text(&path));
            out.gap(name, why, "");
        }
    }
}
