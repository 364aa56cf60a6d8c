//! The settings of the host source, as the file has them and as the source may rely on them.

use std::path::PathBuf;
use std::time::Duration;

use regex::Regex;
use serde::Deserialize;
use wire::quantity::Period;

use crate::config::Problems;

/// File systems of the kernel itself and images mounted read-only: none of them fills up.
const IGNORED_TYPES: &str = "^(autofs|binfmt_misc|bpf|cgroup2?|configfs|debugfs|devpts|devtmpfs|\
    fusectl|hugetlbfs|iso9660|mqueue|nsfs|overlay|proc|procfs|pstore|rpc_pipefs|securityfs|\
    selinuxfs|squashfs|sysfs|tracefs)$";

/// Mounts of containers, and of the kernel itself.
const IGNORED_MOUNTS: &str = "^/(dev|proc|run/credentials/.+|sys|var/lib/docker/.+|\
    var/lib/containers/storage/.+)($|/)";

/// Partitions, whose disk is reported, and devices without a disk behind them.
const IGNORED_DISKS: &str = "^(ram|loop|fd|(h|s|v|xv)d[a-z]|nvme[0-9]+n[0-9]+p)[0-9]+$";

/// The host: processors, memory, disks, file systems, network, kernel.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawSettings {
    /// Whether the host is looked at. Default: true.
    pub enabled: bool,
    /// From the start of one collection to the start of the next. A duration; default: 10s.
    pub interval: Period,
    /// How long one collection may take. A file system that does not answer within 5s, or within
    /// three quarters of this where that is less, is reported as failing. A duration; default: 8s.
    pub timeout: Period,
    /// Where the host's /proc is mounted; another one for an agent in a container. Default: /proc.
    pub proc_path: PathBuf,
    /// Where the host's /sys is mounted. Default: /sys.
    pub sys_path: PathBuf,
    /// Where the host's root file system is mounted; mount points, /etc/os-release, /etc/localtime
    /// and /run/udev/data are looked up below it. Default: /.
    pub root_path: PathBuf,
    /// File systems of a type that matches are left out. A regular expression, empty for none;
    /// default: the kernel's own file systems, overlays and read-only images.
    pub filesystem_ignore_types: String,
    /// File systems mounted at a place that matches are left out. A regular expression, empty for
    /// none; default: what lies below /dev, /proc, /sys and the folders of container engines.
    pub filesystem_ignore_mounts: String,
    /// Network interfaces whose name matches are left out. A regular expression, empty for none;
    /// default: none.
    pub network_ignore: String,
    /// Block devices whose name matches are left out. A regular expression, empty for none;
    /// default: partitions, and loop, RAM and floppy devices.
    pub disk_ignore: String,
}

impl Default for RawSettings {
    fn default() -> Self {
        Self {
            enabled: true,
            interval: Period(Duration::from_secs(10)),
            timeout: Period(Duration::from_secs(8)),
            proc_path: "/proc".into(),
            sys_path: "/sys".into(),
            root_path: "/".into(),
            filesystem_ignore_types: IGNORED_TYPES.into(),
            filesystem_ignore_mounts: IGNORED_MOUNTS.into(),
            network_ignore: String::new(),
            disk_ignore: IGNORED_DISKS.into(),
        }
    }
}

/// Validated settings of an enabled host source.
#[derive(Clone, Debug)]
pub struct Settings {
    /// From the start of one collection to the start of the next.
    pub interval: Duration,
    /// How long one collection may take.
    pub timeout: Duration,
    /// Where the host's /proc is.
    pub proc_path: PathBuf,
    /// Where the host's /sys is.
    pub sys_path: PathBuf,
    /// Where the host's root file system is.
    pub root_path: PathBuf,
    /// Which types of file systems to leave out.
    pub filesystem_ignore_types: Ignore,
    /// Which mount points to leave out.
    pub filesystem_ignore_mounts: Ignore,
    /// Which network interfaces to leave out.
    pub network_ignore: Ignore,
    /// Which block devices to leave out.
    pub disk_ignore: Ignore,
}

/// Which names to leave out.
#[derive(Clone, Debug, Default)]
pub struct Ignore(Option<Regex>);

impl Ignore {
    /// Whether the name is to be left out.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        self.0.as_ref().is_some_and(|regex| regex.is_match(name))
    }
}

impl RawSettings {
    /// The settings, or nothing where the source is off or `problems` says why it cannot run.
    pub fn validate(self, problems: &mut Problems) -> Option<Settings> {
        let interval = positive(problems, "interval", self.interval);
        let timeout = positive(problems, "timeout", self.timeout);
        let types = ignore(
            problems,
            "filesystem_ignore_types",
            &self.filesystem_ignore_types,
        );
        let mounts = ignore(
            problems,
            "filesystem_ignore_mounts",
            &self.filesystem_ignore_mounts,
        );
        let networks = ignore(problems, "network_ignore", &self.network_ignore);
        let disks = ignore(problems, "disk_ignore", &self.disk_ignore);
        let settings = Settings {
            interval: interval?,
            timeout: timeout?,
            proc_path: self.proc_path,
            sys_path: self.sys_path,
            root_path: self.root_path,
            filesystem_ignore_types: types?,
            filesystem_ignore_mounts: mounts?,
            network_ignore: networks?,
            disk_ignore: disks?,
        };
        self.enabled.then_some(settings)
    }
}

impl Default for Settings {
    fn default() -> Self {
        RawSettings::default()
            .validate(&mut Problems::default())
            .expect("the defaults are valid, which a test proves")
    }
}

fn positive(problems: &mut Problems, key: &str, period: Period) -> Option<Duration> {
    if period.0.is_zero() {
        problems.add(
            key,
            format!("{key} is zero"),
            "write a duration such as 10s",
        );
        return None;
    }
    Some(period.0)
}

fn ignore(problems: &mut Problems, key: &str, pattern: &str) -> Option<Ignore> {
    if pattern.is_empty() {
        return Some(Ignore(None));
    }
    match Regex::new(pattern) {
        Ok(regex) => Some(Ignore(Some(regex))),
        Err(error) => {
            // The error repeats the pattern over several lines; its last one says what is wrong.
            let text = error.to_string();
            let reason = text.lines().last().unwrap_or_default().trim();
            problems.add(
                key,
                format!("not a regular expression: {reason}"),
                "write a regular expression such as ^veth, or an empty text to leave out nothing",
            );
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid() {
        let mut problems = Problems::default();
        let settings = RawSettings::default().validate(&mut problems).unwrap();
        assert!(problems.into_inner().is_empty());
        let ignored = |ignore: &Ignore, name: &str| ignore.matches(name);
        assert!(ignored(&settings.disk_ignore, "sda1"));
        assert!(ignored(&settings.disk_ignore, "nvme0n1p2"));
        assert!(!ignored(&settings.disk_ignore, "nvme0n1"));
        assert!(!ignored(&settings.disk_ignore, "dm-0"));
        assert!(ignored(&settings.filesystem_ignore_types, "cgroup2"));
        assert!(!ignored(&settings.filesystem_ignore_types, "ext4"));
        assert!(ignored(&settings.filesystem_ignore_mounts, "/dev/shm"));
        assert!(!ignored(&settings.filesystem_ignore_mounts, "/mnt/data"));
        assert!(!ignored(&settings.network_ignore, "lo"));
    }

    fn read(text: &str) -> (Option<Settings>, Vec<String>) {
        let mut problems = Problems::default();
        let raw: RawSettings = toml::from_str(text).unwrap();
        let settings = raw.validate(&mut problems);
        let keys = problems.into_inner().into_iter().map(|p| p.key).collect();
        (settings, keys)
    }

    #[test]
    fn what_is_wrong_is_named_by_key() {
        let (settings, keys) = read("interval = '0s'\nnetwork_ignore = '('\ndisk_ignore = '['");
        assert!(settings.is_none());
        assert_eq!(keys, ["interval", "network_ignore", "disk_ignore"]);
        let (settings, keys) = read("enabled = false");
        assert!(settings.is_none() && keys.is_empty());
        assert!(toml::from_str::<RawSettings>("intervall = '1s'").is_err());
        assert!(toml::from_str::<RawSettings>("interval = 10").is_err());
    }
}
