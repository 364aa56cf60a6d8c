//! The data folder: held by one collector at a time, with a file that says where it listens.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Name of the file with the addresses.
pub const ENDPOINTS: &str = "endpoints.json";

/// Why the data folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// Another process holds it.
    #[error("the data folder {path} is in use by another collector{by}")]
    InUse {
        /// The folder.
        path: PathBuf,
        /// `" (process 123)"`, where that is known.
        by: String,
    },
    /// The system refused.
    #[error("cannot {operation} {path}")]
    Io {
        /// `create`, `lock`, `write`.
        operation: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// Where the collector listens, as `endpoints.json` has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoints {
    /// The process that listens.
    pub pid: u32,
    /// The collector's own port, gRPC and HTTP together.
    pub listen: SocketAddr,
    /// The standard port of OTLP over gRPC, if it is open.
    pub otlp_grpc: Option<SocketAddr>,
    /// The standard port of OTLP over HTTP, if it is open.
    pub otlp_http: Option<SocketAddr>,
}

/// The data folder, held until this value is dropped or the process ends, however it ends.
#[derive(Debug)]
pub struct DataFolder {
    path: PathBuf,
    _lock: File,
}

impl DataFolder {
    /// Takes hold of the folder, which is created if it is not there.
    pub fn hold(path: &Path) -> Result<Self, FolderError> {
        fs::create_dir_all(path).map_err(|error| failure("create", path, error))?;
        let lock_path = path.join("lock");
        let mut lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&lock_path)
            .map_err(|error| failure("open", &lock_path, error))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let path = path.to_owned();
                let by = holder(&mut lock);
                return Err(FolderError::InUse { path, by });
            }
            Err(TryLockError::Error(error)) => return Err(failure("lock", &lock_path, error)),
        }
        lock.set_len(0)
            .and_then(|()| lock.rewind())
            .and_then(|()| writeln!(lock, "{}", std::process::id()))
            .map_err(|error| failure("write", &lock_path, error))?;
        // Of an earlier process: nobody listens there any more.
        let endpoints = path.join(ENDPOINTS);
        match fs::remove_file(&endpoints) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failure("remove", &endpoints, error)),
        }
        Ok(Self {
            path: path.to_owned(),
            _lock: lock,
        })
    }

    /// Says where the collector listens: whoever sees the file sees all of it.
    pub fn write_endpoints(&self, endpoints: &Endpoints) -> Result<(), FolderError> {
        let path = self.path.join(ENDPOINTS);
        let draft = self.path.join(format!("{ENDPOINTS}.new"));
        let text = serde_json::to_string_pretty(endpoints).map_err(io::Error::from);
        text.and_then(|text| fs::write(&draft, text + "\n"))
            .and_then(|()| fs::rename(&draft, &path))
            .map_err(|error| failure("write", &path, error))
    }
}

fn holder(lock: &mut File) -> String {
    let mut text = String::new();
    match lock.take(32).read_to_string(&mut text) {
        Ok(_) if text.trim().parse::<u32>().is_ok() => format!(" (process {})", text.trim()),
        _ => String::new(),
    }
}

fn failure(operation: &'static str, path: &Path, source: io::Error) -> FolderError {
    FolderError::Io {
        operation,
        path: path.to_owned(),
        source,
    }
}
