//! The source's configuration: as the file has it, and as the source may rely on it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use wire::quantity::Period;

use super::discover;
use crate::config::Problems;

/// The section `[containers]` of the agent's configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawSettings {
    /// Whether to look at containers. Default: yes where the socket of an engine exists when the
    /// agent starts, otherwise no. Set to `true`, a missing socket is an error at each collection.
    pub enabled: Option<bool>,
    /// The engine's Unix socket. Default: `/var/run/docker.sock`, or the socket of Podman
    /// (`/run/podman/podman.sock`) where only that exists.
    pub socket: Option<PathBuf>,
    /// From the start of one collection to the start of the next; a duration. Default: `10s`.
    pub interval: Period,
    /// How long one collection may take before it is given up; a duration, not above the interval.
    /// Default: `8s`.
    pub timeout: Period,
    /// How often the engine is asked how much disk each container uses; a duration, `0s` for never.
    /// The engine walks every file of a container to answer. Default: `15m`.
    pub sizes: Period,
    /// The most containers looked at; with more, stopped ones are left out first. Default: `1000`.
    pub max_containers: usize,
    /// Labels of containers to carry as `container_label_NAME`, such as
    /// `com.docker.compose.service`. Default: none.
    pub labels: Vec<String>,
    /// Where the host's `/proc` is mounted. Default: `/proc`.
    pub proc_root: PathBuf,
    /// Where the host's control groups are mounted. Default: `/sys/fs/cgroup`.
    pub cgroup_root: PathBuf,
}

/// The configuration of the source, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The engine's Unix socket.
    pub socket: PathBuf,
    /// From the start of one collection to the start of the next.
    pub interval: Duration,
    /// How long one collection may take.
    pub timeout: Duration,
    /// How often disk use is measured; `None` for never.
    pub sizes: Option<Duration>,
    /// The most containers looked at.
    pub max_containers: usize,
    /// Labels of containers to carry.
    pub labels: Vec<String>,
    /// Where the host's `/proc` is mounted.
    pub proc_root: PathBuf,
    /// Where the host's control groups are mounted.
    pub cgroup_root: PathBuf,
}

impl Default for RawSettings {
    fn default() -> Self {
        Self {
            enabled: None,
            socket: None,
            interval: Period(Duration::from_secs(10)),
            timeout: Period(Duration::from_secs(8)),
            sizes: Period(Duration::from_secs(15 * 60)),
            max_containers: 1000,
            labels: Vec::new(),
            proc_root: PathBuf::from("/proc"),
            cgroup_root: PathBuf::from("/sys/fs/cgroup"),
        }
    }
}

impl RawSettings {
    /// Checks the section; `None` where the source is off or something is wrong.
    pub fn validate(self, problems: &mut Problems) -> Option<Settings> {
        if self.enabled == Some(false) {
            return None;
        }
        let sound = self.check(problems);
        let socket = match self.socket {
            Some(socket) => socket,
            None => first_existing(&discover::DEFAULT_SOCKETS)?,
        };
        if self.enabled.is_none() && !socket.exists() {
            return None;
        }
        sound.then_some(Settings {
            socket,
            interval: self.interval.0,
            timeout: self.timeout.0,
            sizes: Some(self.sizes.0).filter(|every| !every.is_zero()),
            max_containers: self.max_containers,
            labels: self.labels,
            proc_root: self.proc_root,
            cgroup_root: self.cgroup_root,
        })
    }

    fn check(&self, problems: &mut Problems) -> bool {
        let mut sound = true;
        let mut wrong = |key: &str, message: &str, hint: &str| {
            problems.add(key, message, hint);
            sound = false;
        };
        if self.interval.0 < Duration::from_secs(1) {
            let hint = "use 1s or more; 10s is the default";
            wrong("interval", "shorter than a second", hint);
        }
        // Below this even a healthy engine on a busy host would count as down.
        if self.timeout.0 < Duration::from_millis(100) {
            wrong("timeout", "shorter than 100ms", "8s is the default");
        }
        if self.timeout > self.interval {
            let hint = "make the timeout at most the interval";
            wrong("timeout", "longer than the interval", hint);
        }
        if !self.sizes.0.is_zero() && self.sizes < self.interval {
            let hint = "use the interval or more, or 0s for never";
            wrong("sizes", "shorter than the interval", hint);
        }
        if self.max_containers == 0 {
            let hint = "to look at no container, set enabled = false";
            wrong("max_containers", "it is zero", hint);
        }
        for (key, path) in [
            ("socket", self.socket.as_deref()),
            ("proc_root", Some(self.proc_root.as_path())),
            ("cgroup_root", Some(self.cgroup_root.as_path())),
        ] {
            if path.is_some_and(Path::is_relative) {
                wrong(key, "not an absolute path", "begin it with a slash");
            }
        }
        if self.labels.iter().any(String::is_empty) {
            wrong("labels", "an empty name is among them", "remove it");
        }
        sound
    }
}

/// The first socket that exists; without any, the first, so that the error names the usual one.
fn first_existing(sockets: &[&str]) -> Option<PathBuf> {
    sockets
        .iter()
        .map(Path::new)
        .find(|socket| socket.exists())
        .or(sockets.first().map(Path::new))
        .map(Path::to_path_buf)
}
