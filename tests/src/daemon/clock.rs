//! A daemon's clock, which a test sets.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, ensure};

use crate::lab::folder::Folder;

const LIBRARY: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";

/// The wall clock of one daemon, by way of libfaketime. It is right at first.
#[derive(Debug)]
pub struct Clock {
    file: PathBuf,
}

impl Clock {
    /// One that is kept in a file of `folder`.
    pub fn new(folder: &Arc<Folder>) -> Result<Self> {
        ensure!(
            Path::new(LIBRARY).exists(),
            "{LIBRARY} is missing; scripts/setup.sh installs it"
        );
        let file = folder.path().join("clock");
        let clock = Self { file };
        clock.set("+0")?;
        Ok(clock)
    }

    /// What the daemon's environment must say.
    #[must_use]
    pub fn env(&self) -> Vec<(String, String)> {
        let file = self.file.display().to_string();
        let variables = [
            ("LD_PRELOAD", LIBRARY),
            ("FAKETIME_TIMESTAMP_FILE", &file),
            // Looked at again after a second, so that not each look at the clock opens a file.
            ("FAKETIME_CACHE_DURATION", "1"),
            // A clock that is set leaves this one alone, and times of files are the kernel's.
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
            ("NO_FAKE_STAT", "1"),
        ];
        let owned = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        owned.into()
    }

    /// Sets it that far from the right time, in one step: `+90`, `-1h`.
    pub fn set(&self, offset: &str) -> Result<()> {
        let written = self.file.with_extension("new");
        fs::write(&written, offset).context("write the clock")?;
        fs::rename(&written, &self.file).context("set the clock")
    }
}
