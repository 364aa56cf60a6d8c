//! What the kernel counts of a container: finds its control groups and reads them.
//!
//! A container's groups are found through its first process, `/proc/PID/cgroup`, because where they
//! lie differs with the engine, the cgroup driver, the version of control groups and how the engine
//! itself is confined. The group counts only if its path names the container: a process id may have
//! been given to another process since the engine named it.
//!
//! [`v1`] and [`v2`] know the files of the two versions; [`text`] reads them.

mod text;
mod v1;
mod v2;

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::path::{Path, PathBuf};

use super::network;
use super::usage::Usage;
use text::Reader;

/// What came of reading one container.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Reading {
    /// Its files were read.
    Read {
        /// The path of its control group, which is cAdvisor's `id`.
        place: String,
        /// What they said.
        usage: Usage,
    },
    /// The engine was asked instead.
    Asked(Usage),
    /// Its files are not where this process can see them, or it has just died.
    Unreachable,
}

impl Reading {
    /// What was read, whichever way.
    pub(super) fn usage(&self) -> Option<&Usage> {
        match self {
            Self::Read { usage, .. } | Self::Asked(usage) => Some(usage),
            Self::Unreachable => None,
        }
    }
}

/// The kernel's files, for one collection.
#[derive(Debug)]
pub(super) struct Files {
    proc_root: PathBuf,
    cgroup_root: PathBuf,
    reader: Reader,
    devices: Devices,
    gaps: BTreeSet<(String, String)>,
}

/// The paths of block devices by their numbers (`8:0`).
type Devices = HashMap<String, String>;

/// Where the groups of one container lie.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    id: String,
    hierarchy: Hierarchy,
    /// The unified hierarchy, which keeps pressure even beside version 1.
    unified: Option<PathBuf>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Hierarchy {
    V1(v1::Groups),
    V2(PathBuf),
}

impl Files {
    pub(super) fn new(proc_root: &Path, cgroup_root: &Path) -> Self {
        Self {
            proc_root: proc_root.to_path_buf(),
            cgroup_root: cgroup_root.to_path_buf(),
            reader: Reader::default(),
            devices: Devices::new(),
            gaps: BTreeSet::new(),
        }
    }

    /// Learns the names of block devices. Without them, devices keep their numbers.
    pub(super) fn read_devices(&mut self) {
        if let Ok(table) = self.reader.text(&self.proc_root, "diskstats") {
            self.devices = devices(table);
        }
    }

    /// Reads one container through its first process.
    pub(super) fn read(&mut self, id: &str, pid: u32, own_network: bool) -> Reading {
        let process = self.proc_root.join(pid.to_string());
        let place = match self.reader.text(&process, "cgroup") {
            Ok(groups) => locate(groups, id, &self.cgroup_root),
            Err(_) => None,
        };
        let Some(place) = place else {
            return Reading::Unreachable;
        };
        let (mut usage, failures) = self.read_groups(&place);
        let mut failures = failures;
        if own_network {
            match self.reader.text(&process.join("net"), "dev") {
                Ok(table) => usage.network = Some(network::interfaces(table)),
                Err(error) => failures.push(("network", error)),
            }
        }
        // A container that died under our eyes loses its files one by one; that is no gap.
        if !failures.is_empty() && !process.exists() {
            return Reading::Unreachable;
        }
        for (part, error) in failures {
            let why = format!("the kernel's files cannot be read: {}", error.kind());
            self.gaps.insert((format!("container {part}"), why));
        }
        Reading::Read {
            place: place.id,
            usage,
        }
    }

    /// The parts that could not be read of any container, and why.
    pub(super) fn into_gaps(self) -> impl IntoIterator<Item = (String, String)> {
        self.gaps
    }

    fn read_groups(&mut self, place: &Place) -> (Usage, Vec<(&'static str, io::Error)>) {
        let mut usage = Usage::default();
        let mut failures = Vec::new();
        let reader = &mut self.reader;
        match &place.hierarchy {
            Hierarchy::V1(groups) => {
                take(
                    &mut usage.cpu,
                    "cpu",
                    v1::cpu(reader, groups),
                    &mut failures,
                );
                take(
                    &mut usage.memory,
                    "memory",
                    v1::memory(reader, groups),
                    &mut failures,
                );
                take(
                    &mut usage.io,
                    "io",
                    v1::io(reader, groups, &self.devices),
                    &mut failures,
                );
                take(
                    &mut usage.processes,
                    "processes",
                    v1::processes(reader, groups),
                    &mut failures,
                );
                (usage.threads, usage.threads_max) = v1::threads(reader, groups);
            }
            Hierarchy::V2(group) => {
                take(&mut usage.cpu, "cpu", v2::cpu(reader, group), &mut failures);
                take(
                    &mut usage.memory,
                    "memory",
                    v2::memory(reader, group),
                    &mut failures,
                );
                take(
                    &mut usage.io,
                    "io",
                    v2::io(reader, group, &self.devices),
                    &mut failures,
                );
                take(
                    &mut usage.processes,
                    "processes",
                    text::processes(reader, group),
                    &mut failures,
                );
                (usage.threads, usage.threads_max) = text::threads(reader, group);
            }
        }
        if let Some(group) = &place.unified {
            usage.pressure = v2::pressure(reader, group);
        }
        (usage, failures)
    }
}

fn take<T>(
    into: &mut Option<T>,
    part: &'static str,
    read: io::Result<T>,
    failures: &mut Vec<(&'static str, io::Error)>,
) {
    match read {
        Ok(read) => *into = Some(read),
        Err(error) => failures.push((part, error)),
    }
}

/// Finds a container's groups in `/proc/PID/cgroup`; nothing where the process is not in groups of
/// that container, or their folders are not visible here.
fn locate(groups: &str, container: &str, root: &Path) -> Option<Place> {
    let mut v1 = v1::Groups::default();
    let mut unified = None;
    let mut id = None;
    for line in groups.lines() {
        let mut fields = line.splitn(3, ':');
        let (_, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
        let Some(path) = up_to_container(path, container) else {
            continue;
        };
        if controllers.is_empty() {
            unified = Some(path);
        } else if !v1.add(root, controllers, path) {
            continue;
        }
        id = id.or(Some(path));
    }
    let folder = |root: &Path| Some(below(root, unified?)).filter(|folder| folder.is_dir());
    let id = id?.to_owned();
    if v1.any() {
        let unified = folder(&root.join("unified"));
        let hierarchy = Hierarchy::V1(v1);
        return Some(Place {
            id,
            hierarchy,
            unified,
        });
    }
    let group = folder(root)?;
    Some(Place {
        id,
        hierarchy: Hierarchy::V2(group.clone()),
        unified: Some(group),
    })
}

/// The part of a group's path that ends with the container's own group: a container may make groups
/// below it and move its first process there.
fn up_to_container<'a>(path: &'a str, container: &str) -> Option<&'a str> {
    // `/../..`: seen from a group namespace that is not the container's parent.
    if container.is_empty() || path.split('/').any(|part| part == "..") {
        return None;
    }
    let at = path.find(container)?;
    let end = path[at..].find('/').map_or(path.len(), |slash| at + slash);
    Some(&path[..end])
}

fn below(root: &Path, path: &str) -> PathBuf {
    root.join(path.trim_start_matches('/'))
}

/// Reads `/proc/diskstats`.
fn devices(table: &str) -> Devices {
    let mut devices = Devices::new();
    for line in table.lines() {
        let mut fields = line.split_ascii_whitespace();
        if let (Some(major), Some(minor), Some(name)) =
            (fields.next(), fields.next(), fields.next())
        {
            devices.insert(format!("{major}:{minor}"), format!("/dev/{name}"));
        }
    }
    devices
}

#[cfg(test)]
mod tests;
