//! Making written segments safe against a loss of power, apart from the spool that goes on meanwhile.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use super::disk::{Access, Disk};
use super::error::WriteError;
use super::segments::name_of;

/// Segments with bytes that a loss of power would take.
pub struct Unsynced {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) segments: BTreeSet<u64>,
    pub(super) names: bool,
}

impl Unsynced {
    /// Syncs them. May take as long as the disk likes; holds nothing that others wait for, and no
    /// file open whose space is wanted back.
    #[must_use]
    pub fn sync(mut self) -> Synced {
        while let Some(id) = self.segments.first().copied() {
            let name = name_of(id);
            match self
                .disk
                .open(&name, Access::Read)
                .and_then(|file| file.sync())
            {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return self.ended(Some(WriteError::new("sync", &name, error)));
                }
                // Safe, or settled and removed meanwhile.
                _ => self.segments.remove(&id),
            };
        }
        let synced = if self.names {
            self.disk.sync_names()
        } else {
            Ok(())
        };
        self.names = synced.is_err();
        self.ended(
            synced
                .err()
                .map(|error| WriteError::new("sync", "the folder", error)),
        )
    }

    fn ended(self, error: Option<WriteError>) -> Synced {
        Synced {
            left: self.segments,
            names: self.names,
            error,
        }
    }
}

/// How syncing ended.
pub struct Synced {
    pub(super) left: BTreeSet<u64>,
    pub(super) names: bool,
    pub(super) error: Option<WriteError>,
}
