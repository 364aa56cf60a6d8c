//! The PostgreSQL servers installed on this machine, by major version.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow};

/// Debian's own layout, and the folder into which `scripts/setup.sh` puts the majors that Debian 12
/// does not carry.
const DEBIAN: &str = "/usr/lib/postgresql";
const EMBEDDED: &str = "/var/cache/nightshift/postgres";

/// The major of the lab's clusters: the one of Debian 12, which has the client programs too.
pub const DEFAULT: u32 = 15;

/// One installed major version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    major: u32,
    bin: PathBuf,
}

impl Release {
    /// An error that says what to do if that major is not installed.
    pub fn find(major: u32) -> Result<Self> {
        Self::installed().into_iter().find(|release| release.major == major).ok_or_else(|| {
            anyhow!("PostgreSQL {major} is not installed; scripts/setup.sh installs 13, 15, 16, 17 and 18")
        })
    }

    /// All that are installed, oldest first.
    #[must_use]
    pub fn installed() -> Vec<Self> {
        let embedded =
            env::var("NIGHTSHIFT_EMBEDDED_POSTGRES").unwrap_or_else(|_| EMBEDDED.to_owned());
        let mut found: Vec<Self> = [Path::new(DEBIAN), Path::new(&embedded)]
            .into_iter()
            .flat_map(releases)
            .collect();
        found.sort_by_key(|release| release.major);
        found.dedup_by_key(|release| release.major);
        found
    }

    #[must_use]
    pub fn major(&self) -> u32 {
        self.major
    }

    /// The path of one of its programs, such as `postgres`.
    #[must_use]
    pub fn program(&self, name: &str) -> PathBuf {
        self.bin.join(name)
    }
}

fn releases(root: &Path) -> Vec<Release> {
    let Ok(entries) = fs::read_dir(root) else {
        return Vec::new();
    };
    let homes = entries.flatten().map(|entry| entry.path());
    homes
        .filter_map(|home| {
            let major = home.file_name()?.to_str()?.parse().ok()?;
            let bin = home.join("bin");
            bin.join("postgres")
                .exists()
                .then_some(Release { major, bin })
        })
        .collect()
}
