//! Takes the agent's folder for this process: the lock, the agent's identity, and the queue in it.
//!
//! ```text
//! folder/lock       held (flock) while an agent runs; the number of its process, for people
//! folder/agent-id   32 hexadecimal digits, made at the first start
//! folder/spool/     the queue
//! ```
//! Invariants: two agents never write to one folder; a folder that cannot be written to does not keep
//! the agent from working, for a host with a broken disk is the one that must be seen.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use wire::batch::AgentId;

use super::disk::{Disk, Folder, PRIVATE_FILE, make_private};
use super::survey::Recovery;
use super::{Settings, Spool};

const LOCK: &str = "lock";
const IDENTITY: &str = "agent-id";
const QUEUE: &str = "spool";

/// The folder cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    /// Another agent has it.
    #[error("another nightshift-agent ({holder}) uses the folder {}", folder.display())]
    Held {
        /// The folder.
        folder: PathBuf,
        /// What the other one wrote into the lock.
        holder: String,
    },
}

impl ClaimError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Held { .. } => {
                "stop the other agent, or give this one a folder of its own with --data"
            }
        }
    }
}

/// Takes the folder and opens the queue in it; logs what was found.
///
/// # Errors
/// When another agent has the folder.
pub fn open(settings: &Settings) -> Result<(Spool, Recovery), ClaimError> {
    let folder = &settings.folder;
    let lock = lock(folder)?;
    let agent = identity(folder);
    let disk: Arc<dyn Disk> = Arc::new(Folder::new(folder.join(QUEUE)));
    let (mut spool, recovery) = Spool::open(disk, settings.limits, agent);
    spool.lock = lock;
    recovery.log();
    Ok((spool, recovery))
}

/// Locks the folder; `None` where that is not possible, and so not needed: a folder in which no file
/// can be made is one in which no queue can be spoiled.
fn lock(folder: &Path) -> Result<Option<File>, ClaimError> {
    let file = match open_lock(folder) {
        Ok(file) => file,
        Err(error) => {
            let hint = "let the agent's user own the folder, on a disk that can be written to";
            tracing::warn!(folder = %folder.display(), %error, hint, "cannot lock the agent's folder");
            return Ok(None);
        }
    };
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(ClaimError::Held {
                folder: folder.to_path_buf(),
                holder: holder(file),
            });
        }
        Err(TryLockError::Error(error)) => {
            tracing::warn!(folder = %folder.display(), %error, "this file system has no locks");
        }
    }
    // The number serves people only; the lock holds without it.
    drop(write_holder(&file));
    Ok(Some(file))
}

fn open_lock(folder: &Path) -> io::Result<File> {
    let path = folder.join(LOCK);
    let writable = make_private(folder).and_then(|()| {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        options.mode(PRIVATE_FILE).open(&path)
    });
    // On a read-only disk a lock made in better days still serves.
    writable.or_else(|error| File::open(&path).map_err(|_| error))
}

fn write_holder(mut file: &File) -> io::Result<()> {
    file.set_len(0)?;
    file.write_all(format!("process {}\n", std::process::id()).as_bytes())
}

fn holder(file: File) -> String {
    let mut text = String::new();
    let read = file.take(100).read_to_string(&mut text);
    match text.trim() {
        text if read.is_ok() && !text.is_empty() => text.to_owned(),
        _ => "of unknown process".to_owned(),
    }
}

/// The agent's identity: the one in the folder, or a new one put there.
pub fn identity(folder: &Path) -> AgentId {
    let path = folder.join(IDENTITY);
    match fs::read_to_string(&path) {
        Ok(text) => match text.trim().parse() {
            Ok(agent) => return agent,
            Err(error) => {
                tracing::warn!(file = %path.display(), %error, "drew a new agent id: the old is damaged");
            }
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => {
            tracing::warn!(file = %path.display(), %error, "drew a new agent id: the old is unreadable");
        }
    }
    let agent = AgentId::random();
    if let Err(error) = store_identity(folder, agent) {
        tracing::warn!(
            file = %path.display(),
            %error,
            "the agent id lasts only until the next start: it cannot be stored"
        );
    }
    agent
}

/// Puts the identity in place whole or not at all.
fn store_identity(folder: &Path, agent: AgentId) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let unfinished = folder.join(format!("{IDENTITY}.new"));
    let mut file = File::create(&unfinished)?;
    file.write_all(format!("{agent}\n").as_bytes())?;
    file.sync_all()?;
    fs::rename(&unfinished, folder.join(IDENTITY))?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::super::Limits;
    use super::*;

    fn settings(folder: &Path) -> Settings {
        Settings {
            folder: folder.to_path_buf(),
            limits: Limits {
                disk_bytes: 1 << 20,
                segment_bytes: 1 << 17,
                memory_bytes: 1 << 16,
                keep_free: 0,
            },
        }
    }

    #[test]
    fn an_agent_keeps_its_identity_and_draws_a_run_each_time() {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(&folder.path().join("made/by/us"));
        let (first, _) = open(&settings).unwrap();
        let (agent, run) = (first.agent(), first.run());
        drop(first);
        let (second, _) = open(&settings).unwrap();
        assert_eq!(second.agent(), agent);
        assert_ne!(second.run(), run);
    }

    #[test]
    fn a_second_agent_is_refused_while_the_first_runs() {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path());
        let (first, _) = open(&settings).unwrap();
        let refusal = open(&settings).err().unwrap();
        let told = refusal.to_string();
        assert!(
            told.contains(&format!("process {}", std::process::id())),
            "{told}"
        );
        assert!(
            told.contains(&folder.path().display().to_string()),
            "{told}"
        );
        assert!(refusal.hint().contains("--data"));
        drop(first);
        open(&settings).unwrap();
    }

    #[test]
    fn a_damaged_identity_is_replaced() {
        for damage in ["", "not an id", "\0\0\0\0", &"f".repeat(100_000)] {
            let folder = tempfile::tempdir().unwrap();
            fs::write(folder.path().join(IDENTITY), damage).unwrap();
            let (spool, _) = open(&settings(folder.path())).unwrap();
            let agent = spool.agent();
            drop(spool);
            assert_eq!(open(&settings(folder.path())).unwrap().0.agent(), agent);
        }
    }

    #[test]
    fn a_folder_that_cannot_be_made_leaves_an_agent_that_works() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("file"), "in the way").unwrap();
        let (spool, recovery) = open(&settings(&folder.path().join("file/below"))).unwrap();
        assert_eq!(recovery.kept.batches, 0);
        assert_eq!(spool.stats().pending.batches, 0);
    }
}
