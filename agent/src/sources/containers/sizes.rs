//! How much disk each container uses, measured rarely and beside the collections: the engine walks
//! every file of every container to tell.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use super::engine::Engine;
use crate::collect::{Gather, SourceError};

/// How long one measurement may take. On a host with millions of small files it takes minutes; what
/// takes longer harms the host more than the number is worth.
const MOST: Duration = Duration::from_secs(120);

/// How long the very first collection waits for its measurement, so that a single look has it too.
/// A handful of ordinary containers is measured well within.
const FIRST: Duration = Duration::from_millis(500);

/// What the last measurement gave, and the one under way.
#[derive(Debug)]
pub(super) struct Sizes {
    every: Option<Duration>,
    begun: Option<Instant>,
    // Dropping it ends the measurement with its owner. It never holds more than one.
    running: JoinSet<Result<Measured, SourceError>>,
    outcome: Option<Result<Measured, SourceError>>,
}

#[derive(Debug)]
struct Measured {
    bytes: HashMap<String, u64>,
    disk: Option<Disk>,
}

/// The file system that holds the containers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Disk {
    pub(super) device: String,
    pub(super) bytes: u64,
}

impl Sizes {
    /// Measures every so often; with `None`, never.
    pub(super) fn new(every: Option<Duration>) -> Self {
        Self {
            every,
            begun: None,
            running: JoinSet::new(),
            outcome: None,
        }
    }

    /// Takes in a measurement that has ended, and begins the next where it is due.
    pub(super) async fn advance(&mut self, engine: &Arc<Engine>, now: Instant, out: &mut Gather) {
        let Some(every) = self.every else {
            return;
        };
        let due = self
            .begun
            .is_none_or(|begun| now.duration_since(begun) >= every);
        if due && self.running.is_empty() {
            self.begun = Some(now);
            self.running.spawn(measure(Arc::clone(engine)));
        }
        let ended = if self.outcome.is_none() {
            tokio::time::timeout(FIRST, self.running.join_next())
                .await
                .ok()
                .flatten()
        } else {
            self.running.try_join_next()
        };
        if let Some(ended) = ended {
            let lost = |error| SourceError::new("measuring was cut short").detail(error);
            self.outcome = Some(ended.unwrap_or_else(|error| Err(lost(error))));
        }
        if let Some(Err(error)) = &self.outcome {
            out.gap("container fs", error.message.clone(), error.hint.clone());
        }
    }

    /// What a container uses, and the file system that it uses it of.
    pub(super) fn of(&self, id: &str) -> Option<(u64, &Disk)> {
        let measured = self.outcome.as_ref()?.as_ref().ok()?;
        measured.bytes.get(id).copied().zip(measured.disk.as_ref())
    }
}

async fn measure(engine: Arc<Engine>) -> Result<Measured, SourceError> {
    let listed = engine.list_with_sizes(MOST).await?;
    let bytes = listed
        .into_iter()
        .filter_map(|container| Some((container.id, container.size?)));
    let root = engine.facts.root.clone();
    // A network file system that hangs must not hold up anything but this measurement.
    let disk = tokio::task::spawn_blocking(move || disk(&root?)).await;
    Ok(Measured {
        bytes: bytes.collect(),
        disk: disk.ok().flatten(),
    })
}

fn disk(root: &Path) -> Option<Disk> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    let device = device_of(&mounts, root)?;
    let stat = nix::sys::statvfs::statvfs(root).ok()?;
    Some(Disk {
        device,
        bytes: stat.blocks().saturating_mul(stat.fragment_size()),
    })
}

/// The device mounted nearest above a path, as `/proc/self/mountinfo` names it.
fn device_of(mounts: &str, path: &Path) -> Option<String> {
    let mut nearest: Option<(PathBuf, &str)> = None;
    for line in mounts.lines() {
        let Some((before, after)) = line.split_once(" - ") else {
            continue;
        };
        let point = before.split(' ').nth(4).map(unescape);
        let source = after.split(' ').nth(1);
        let (Some(point), Some(source)) = (point, source) else {
            continue;
        };
        let depth = |point: &Path| point.components().count();
        let nearer = nearest
            .as_ref()
            .is_none_or(|(best, _)| depth(&point) >= depth(best));
        if path.starts_with(&point) && nearer {
            nearest = Some((point, source));
        }
    }
    nearest.map(|(_, source)| source.to_owned())
}

/// The kernel writes a space in a mount point as `\040`.
fn unescape(point: &str) -> PathBuf {
    PathBuf::from(point.replace("\\040", " "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_device_nearest_above() {
        let mounts = "22 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n\
            30 22 8:1 / /var/lib rw - xfs /dev/sda1 rw\n\
            31 30 8:2 / /var/lib/my\\040docker rw,nosuid shared:7 - ext4 /dev/mapper/vg-docker rw\n\
            torn\n";
        for (path, expected) in [
            ("/srv/docker", "/dev/vda"),
            ("/var/lib/docker", "/dev/sda1"),
            ("/var/lib/my docker/x", "/dev/mapper/vg-docker"),
            ("/var/library", "/dev/vda"),
        ] {
            assert_eq!(
                device_of(mounts, Path::new(path)).as_deref(),
                Some(expected),
                "{path}"
            );
        }
        assert_eq!(device_of("", Path::new("/")), None);
    }
}
