//! The files of the journal: their names, and one open for writing.
//!
//! A file is written by one process from its creation on and never again after a restart: what a
//! crash left at its end cannot be confused with what is written later.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::append::AppendError;

use super::numbering::Numbering;

const EXTENSION: &str = "journal";

/// One file of the journal, whole or being written.
#[derive(Debug, Clone)]
pub(super) struct Segment {
    pub(super) number: u64,
    pub(super) path: PathBuf,
    pub(super) bytes: u64,
    /// The last arrival in it, by the steady clock; everything in a segment arrived by then.
    pub(super) last_arrival_steady_ms: i64,
}

/// The segment being written.
#[derive(Debug)]
pub(super) struct Tail {
    pub(super) segment: Segment,
    pub(super) opened_steady_ms: i64,
    /// The numbers of its series.
    pub(super) numbering: Numbering,
    file: File,
}

/// The path of the segment with that number.
pub(super) fn path_of(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:020}.{EXTENSION}"))
}

/// The segments of a folder, in the order in which they were written. Other files are left alone.
pub(super) fn list(folder: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let number = path
            .file_stem()
            .and_then(|stem| stem.to_str())
            .filter(|stem| stem.len() == 20)
            .and_then(|stem| stem.parse().ok());
        if let Some(number) = number
            && path
                .extension()
                .is_some_and(|extension| extension == EXTENSION)
        {
            found.push((number, path));
        }
    }
    found.sort_unstable();
    Ok(found)
}

impl Tail {
    /// Creates the segment with its first bytes, both durable.
    pub(super) fn create(
        folder: &Path,
        number: u64,
        opening: &[u8],
        now_steady_ms: i64,
    ) -> Result<Self, AppendError> {
        let path = path_of(folder, number);
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&path)
            .map_err(|error| failure("create", &path, error))?;
        let mut tail = Self {
            segment: Segment {
                number,
                path: path.clone(),
                bytes: 0,
                last_arrival_steady_ms: now_steady_ms,
            },
            opened_steady_ms: now_steady_ms,
            numbering: Numbering::default(),
            file,
        };
        let written = tail
            .write(opening)
            .and_then(|()| tail.sync())
            .and_then(|()| sync_folder(folder));
        if let Err(error) = written {
            // Empty or half a segment would only be noise at the next start.
            if let Err(cleanup) = fs::remove_file(&path) {
                tracing::debug!(path = %path.display(), %cleanup, "half a segment stays");
            }
            return Err(error);
        }
        Ok(tail)
    }

    /// Appends bytes, all or none as far as later writes are concerned: after an error the file is
    /// cut back to where it was.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), AppendError> {
        let path = &self.segment.path;
        if let Err(error) = self.file.write_all(bytes) {
            let error = failure("write", path, error);
            self.cut_back()?;
            return Err(error);
        }
        self.segment.bytes += bytes.len() as u64;
        Ok(())
    }

    /// Makes everything written durable.
    pub(super) fn sync(&self) -> Result<(), AppendError> {
        self.file
            .sync_data()
            .map_err(|error| failure("sync", &self.segment.path, error))
    }

    fn cut_back(&mut self) -> Result<(), AppendError> {
        use std::io::{Seek, SeekFrom};
        let end = self.segment.bytes;
        self.file
            .set_len(end)
            .and_then(|()| self.file.seek(SeekFrom::Start(end)))
            .map(|_| ())
            .map_err(|error| failure("cut back", &self.segment.path, error))
    }
}

/// Makes the names in a folder durable.
pub(super) fn sync_folder(folder: &Path) -> Result<(), AppendError> {
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|error| failure("sync", folder, error))
}

fn failure(operation: &'static str, path: &Path, error: io::Error) -> AppendError {
    let path = path.to_owned();
    // A limit on file size or a quota is, to who waits, the same as a full disk: room must be made.
    let is_full = matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
    );
    let source = Arc::new(error);
    if is_full {
        return AppendError::Full { path, source };
    }
    AppendError::Failed {
        operation,
        path,
        source,
    }
}
