//! What a disk that takes nothing more is told as: to the operator with a hint, to the spool with
//! whether making room may help.

use std::io;

/// The disk did not take a record.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {file}: {source}")]
pub struct WriteError {
    /// What was tried.
    pub action: &'static str,
    /// On which file of the spool.
    pub file: String,
    /// What the system said.
    pub source: io::Error,
}

impl WriteError {
    pub(super) fn new(action: &'static str, file: &str, source: io::Error) -> Self {
        Self {
            action,
            file: file.to_owned(),
            source,
        }
    }

    /// What to do about it.
    pub(super) fn hint(&self) -> &'static str {
        match self.source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                "free space on the file system of the spool, or move the spool to another"
            }
            io::ErrorKind::ReadOnlyFilesystem => {
                "look in the kernel's log why the file system is read-only"
            }
            io::ErrorKind::PermissionDenied => {
                "let the agent's user own the spool's folder and all in it"
            }
            _ => "look in the kernel's log for errors of the disk",
        }
    }

    /// Whether room made in the spool may help.
    pub(super) fn is_for_want_of_space(&self) -> bool {
        matches!(
            self.source.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
        )
    }
}
