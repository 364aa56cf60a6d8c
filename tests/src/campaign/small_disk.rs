//! A small disk that others fill: a file system in memory, and a file of ballast on it.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result};

use crate::lab::folder::Folder;

/// Several times what the spool of a campaign comes to hold, so that only ballast fills it.
const BYTES: u64 = 32 << 20;

/// Vanishes with the folder in which it is mounted.
pub(super) struct SmallDisk {
    ballast: PathBuf,
}

impl SmallDisk {
    /// Mounts it at `path`, relative to the folder.
    pub(super) async fn mount(folder: &Arc<Folder>, path: &str) -> Result<Self> {
        let path = folder.mount(path, BYTES).await?;
        Ok(Self {
            ballast: path.join("ballast"),
        })
    }

    /// Fills it to the last byte.
    pub(super) fn fill(&self) -> Result<()> {
        let mut file = File::create(&self.ballast).context("make the ballast")?;
        let mut piece = vec![0xba; 64 << 10];
        while !piece.is_empty() {
            match file.write(&piece) {
                Ok(_) => {}
                // Ever smaller pieces find the last byte.
                Err(error) if error.kind() == ErrorKind::StorageFull => {
                    piece.truncate(piece.len() / 2);
                }
                Err(error) => return Err(error).context("write the ballast"),
            }
        }
        Ok(())
    }

    /// Frees what `fill` took.
    pub(super) fn free(&self) -> Result<()> {
        fs::remove_file(&self.ballast).context("remove the ballast")
    }
}
