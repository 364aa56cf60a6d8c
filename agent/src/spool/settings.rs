//! The `[spool]` section of the configuration.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use wire::quantity::Size;

use super::Limits;
use crate::config::Problems;

/// Below this the segments would be so small that each holds only a few batches.
const LEAST_DISK: Size = Size(4 << 20);
/// Below this one large batch would push out everything else.
const LEAST_MEMORY: Size = Size(1 << 20);
/// Above this the agent could not stay within its 20 MB.
const MOST_MEMORY: Size = Size(64 << 20);

/// The section as the file has it.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawSettings {
    /// How large the queue may become on disk, as a size. When it is full, the oldest telemetry is
    /// dropped. Default `1GiB`.
    pub size: Size,
    /// How much the queue may hold in memory while the disk is full, read-only or broken, as a size.
    /// Default `4MiB`.
    pub memory: Size,
    /// How much of the file system is left to others, as a size: below it the queue stops growing
    /// and drops its oldest telemetry for new. Default `512MiB`.
    pub keep_free: Size,
}

/// The section as the spool may rely on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Folder of the agent's identity and of the queue.
    pub folder: PathBuf,
    /// How large the queue may become.
    pub limits: Limits,
}

impl Default for RawSettings {
    fn default() -> Self {
        Self {
            size: Size(1 << 30),
            memory: Size(4 << 20),
            keep_free: Size(512 << 20),
        }
    }
}

impl RawSettings {
    /// Checks the section, for an agent whose data folder is `folder`.
    pub fn validate(self, folder: PathBuf, problems: &mut Problems) -> Option<Settings> {
        let mut sound = true;
        let mut wrong = |key: &str, message: String, hint: String| {
            problems.add(key, message, hint);
            sound = false;
        };
        if self.size < LEAST_DISK {
            let message = format!("{} is too little", self.size);
            wrong("size", message, format!("give at least {LEAST_DISK}"));
        }
        if self.memory < LEAST_MEMORY || self.memory > MOST_MEMORY {
            let message = format!("{} is out of range", self.memory);
            let hint = format!("choose between {LEAST_MEMORY} and {MOST_MEMORY}");
            wrong("memory", message, hint);
        }
        let memory_bytes = usize::try_from(self.memory.0).ok()?;
        sound.then(|| Settings {
            limits: Limits {
                disk_bytes: self.size.0,
                segment_bytes: segment_bytes(self.size.0),
                memory_bytes,
                keep_free: self.keep_free.0,
            },
            folder,
        })
    }
}

/// 8 MiB is lost at once when the queue is full, less than a hundredth of the default size, and a
/// file takes a minute to an hour to fill; a small queue loses an eighth.
fn segment_bytes(disk_bytes: u64) -> u64 {
    (disk_bytes / 8).min(8 << 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(toml: &str, expected: &[&str]) {
        let raw: RawSettings = toml::from_str(toml).unwrap();
        let mut problems = Problems::default();
        let settings = raw.validate(PathBuf::from("/x"), &mut problems);
        let problems = problems.into_inner();
        let keys: Vec<_> = problems
            .iter()
            .map(|problem| problem.key.as_str())
            .collect();
        assert_eq!(keys, expected, "{toml}");
        assert_eq!(settings.is_some(), expected.is_empty(), "{toml}");
    }

    #[test]
    fn sections() {
        check("", &[]);
        check("size = '16MiB'\nmemory = '1MiB'\nkeep_free = '0B'", &[]);
        check("size = '1MiB'", &["size"]);
        check("memory = '1GiB'\nsize = '0B'", &["size", "memory"]);
        assert!(toml::from_str::<RawSettings>("sizes = '1MiB'").is_err());
        assert!(toml::from_str::<RawSettings>("size = 5").is_err());
    }
}
