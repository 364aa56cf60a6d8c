//! The boundary between the spool and a folder on disk.
//!
//! Owns how files are named, opened, written and removed; leaves to the spool what stands in them.
//! The second implementation is the one of the tests, which runs out of space, turns read-only,
//! writes half of what it is given and loses what was not synced.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A folder that holds the files of one spool.
pub trait Disk: Send + Sync + 'static {
    /// The names of everything in the folder.
    fn list(&self) -> io::Result<Vec<String>>;

    /// Opens a file. After an error none was made.
    fn open(&self, name: &str, access: Access) -> io::Result<Arc<dyn File>>;

    /// Removes a file; one that does not exist counts as removed. Needs no free space.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// How many bytes the file system still has for us.
    fn free_bytes(&self) -> io::Result<u64>;

    /// After success, files created and removed before the call stay so after a loss of power.
    fn sync_names(&self) -> io::Result<()>;
}

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// To read one that exists.
    Read,
    /// To read and write one that must not exist yet.
    Create,
    /// To read and write one, made if it does not exist.
    Open,
}

/// An open file.
pub trait File: Send + Sync + 'static {
    /// How long the file is.
    fn length(&self) -> io::Result<u64>;

    /// Reads from `offset` on; fewer bytes than asked for, none only at the end.
    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes at `offset`, perhaps not all. After success the bytes survive the end of this process
    /// whatever ends it; after an error any part of them may stand in the file.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize>;

    /// Cuts the file to `len`.
    fn truncate(&self, len: u64) -> io::Result<()>;

    /// After success, what was written before the call survives a loss of power. After an error it
    /// may be gone even though it can still be read.
    fn sync(&self) -> io::Result<()>;
}

impl dyn File {
    /// Writes all of `bytes`, in one call to the system wherever the system lets us.
    pub(super) fn write_all_at(&self, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.write_at(bytes, offset) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    bytes = &bytes[written..];
                    offset += written as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads as much of `into` as the file has from `offset` on.
    pub(super) fn read_up_to(&self, into: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut filled = 0;
        while filled < into.len() {
            match self.read_at(&mut into[filled..], offset + filled as u64) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }
}

/// Telemetry holds the texts of queries: nobody but the agent's user has business with it.
pub(super) const PRIVATE_FILE: u32 = 0o600;
const PRIVATE_FOLDER: u32 = 0o700;

/// Makes a folder, and those above it, unless they exist.
pub(super) fn make_private(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true).mode(PRIVATE_FOLDER).create(folder)
}

/// A real folder. It need not exist yet, and need not be writable: each call makes it if it can.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// The folder at `path`.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }
}

impl Disk for Folder {
    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        match fs::read_dir(&self.path) {
            Ok(entries) => {
                for entry in entries {
                    names.push(entry?.file_name().to_string_lossy().into_owned());
                }
                Ok(names)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(names),
            Err(error) => Err(error),
        }
    }

    fn open(&self, name: &str, access: Access) -> io::Result<Arc<dyn File>> {
        let path = self.path.join(name);
        let mut options = fs::OpenOptions::new();
        match access {
            Access::Read => options.read(true),
            Access::Create => options.read(true).write(true).create_new(true),
            Access::Open => options.read(true).write(true).create(true).truncate(false),
        };
        if access != Access::Read {
            make_private(&self.path)?;
        }
        let file = options.mode(PRIVATE_FILE).open(path)?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "not a regular file",
            ));
        }
        Ok(Arc::new(file))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        match fs::remove_file(self.path.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn free_bytes(&self) -> io::Result<u64> {
        let stat = nix::sys::statvfs::statvfs(&self.path)?;
        Ok(stat.blocks_available() * stat.fragment_size())
    }

    fn sync_names(&self) -> io::Result<()> {
        fs::File::open(&self.path)?.sync_all()
    }
}

impl File for fs::File {
    fn length(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize> {
        FileExt::read_at(self, into, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        FileExt::write_at(self, bytes, offset)
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        self.set_len(len)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }
}

#[cfg(test)]
pub(super) mod faulty;
#[cfg(test)]
mod tests;
