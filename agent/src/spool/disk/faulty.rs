//! A disk in memory that fails as real ones do, when a test tells it to.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use nix::errno::Errno;

use super::{Access, Disk, File};

/// What is wrong with the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::spool) enum Fault {
    /// Nothing.
    #[default]
    None,
    /// Every change fails with EROFS.
    ReadOnly,
    /// Every write fails with EIO, after having written half.
    Writes,
    /// Every sync fails with EIO.
    Syncs,
    /// Every read fails with EIO.
    Reads,
    /// No file can be opened: EMFILE.
    Opens,
}

/// The disk; clones are the same disk.
#[derive(Clone, Default)]
pub(in crate::spool) struct FaultyDisk {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    files: BTreeMap<String, Arc<Mutex<Contents>>>,
    fault: Fault,
    capacity: Option<u64>,
    short_writes: bool,
}

#[derive(Default)]
struct Contents {
    bytes: Vec<u8>,
    synced: usize,
}

impl FaultyDisk {
    /// From now on the disk has this fault.
    pub(in crate::spool) fn set_fault(&self, fault: Fault) {
        self.lock().fault = fault;
    }

    /// From now on all files together may have so many bytes.
    pub(in crate::spool) fn set_capacity(&self, bytes: Option<u64>) {
        self.lock().capacity = bytes;
    }

    /// From now on each write takes at most half of what it is given.
    pub(in crate::spool) fn write_short(&self) {
        self.lock().short_writes = true;
    }

    /// Takes all that was not synced, but for so many bytes of each file.
    pub(in crate::spool) fn lose_power(&self, spare: usize) {
        for contents in self.lock().files.values() {
            let mut contents = contents.lock().unwrap();
            let kept = contents.synced + spare;
            contents.bytes.truncate(kept);
        }
    }

    /// What stands in a file.
    pub(in crate::spool) fn contents(&self, name: &str) -> Option<Vec<u8>> {
        let file = self.lock().files.get(name).cloned()?;
        let bytes = file.lock().unwrap().bytes.clone();
        Some(bytes)
    }

    /// Makes a file hold these bytes.
    pub(in crate::spool) fn replace(&self, name: &str, bytes: Vec<u8>) {
        let synced = bytes.len();
        let contents = Arc::new(Mutex::new(Contents { bytes, synced }));
        self.lock().files.insert(name.to_owned(), contents);
    }

    /// Names of the segments.
    pub(in crate::spool) fn segments(&self) -> Vec<String> {
        let names = self.lock().files.keys().cloned().collect::<Vec<_>>();
        names
            .into_iter()
            .filter(|name| name.ends_with(".seg"))
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

impl State {
    fn used(&self) -> u64 {
        let lengths = self.files.values();
        lengths
            .map(|file| file.lock().unwrap().bytes.len() as u64)
            .sum()
    }

    fn changeable(&self) -> io::Result<()> {
        match self.fault {
            Fault::ReadOnly => Err(Errno::EROFS.into()),
            _ => Ok(()),
        }
    }
}

impl Disk for FaultyDisk {
    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.lock().files.keys().cloned().collect())
    }

    fn open(&self, name: &str, access: Access) -> io::Result<Arc<dyn File>> {
        let mut state = self.lock();
        if state.fault == Fault::Opens {
            return Err(Errno::EMFILE.into());
        }
        if access != Access::Read {
            state.changeable()?;
        }
        let contents = match (state.files.get(name), access) {
            (Some(_), Access::Create) => return Err(Errno::EEXIST.into()),
            (None, Access::Read) => return Err(Errno::ENOENT.into()),
            (Some(contents), _) => Arc::clone(contents),
            (None, _) => {
                let contents = Arc::<Mutex<Contents>>::default();
                state.files.insert(name.to_owned(), Arc::clone(&contents));
                contents
            }
        };
        Ok(Arc::new(FaultyFile {
            disk: self.clone(),
            contents,
        }))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.lock();
        state.changeable()?;
        state.files.remove(name);
        Ok(())
    }

    fn free_bytes(&self) -> io::Result<u64> {
        let state = self.lock();
        Ok(match state.capacity {
            Some(capacity) => capacity.saturating_sub(state.used()),
            None => u64::MAX,
        })
    }

    fn sync_names(&self) -> io::Result<()> {
        Ok(())
    }
}

struct FaultyFile {
    disk: FaultyDisk,
    contents: Arc<Mutex<Contents>>,
}

impl File for FaultyFile {
    fn length(&self) -> io::Result<u64> {
        Ok(self.contents.lock().unwrap().bytes.len() as u64)
    }

    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize> {
        if self.disk.lock().fault == Fault::Reads {
            return Err(Errno::EIO.into());
        }
        let contents = self.contents.lock().unwrap();
        let from = usize::try_from(offset).unwrap().min(contents.bytes.len());
        let read = into.len().min(contents.bytes.len() - from);
        into[..read].copy_from_slice(&contents.bytes[from..from + read]);
        Ok(read)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let state = self.disk.lock();
        state.changeable()?;
        let free = state
            .capacity
            .map_or(u64::MAX, |capacity| capacity.saturating_sub(state.used()));
        let mut contents = self.contents.lock().unwrap();
        let offset = usize::try_from(offset).unwrap();
        let mut taken = bytes.len();
        if state.short_writes || state.fault == Fault::Writes {
            taken = taken.div_ceil(2);
        }
        let old_len = contents.bytes.len();
        let growth = (offset + taken).saturating_sub(old_len);
        let allowed = usize::try_from(free).unwrap_or(usize::MAX);
        taken -= growth.saturating_sub(allowed).min(taken);
        if taken == 0 {
            return Err(Errno::ENOSPC.into());
        }
        if contents.bytes.len() < offset + taken {
            contents.bytes.resize(offset + taken, 0);
        }
        contents.bytes[offset..offset + taken].copy_from_slice(&bytes[..taken]);
        match state.fault {
            Fault::Writes => Err(Errno::EIO.into()),
            _ => Ok(taken),
        }
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        self.disk.lock().changeable()?;
        let len = usize::try_from(len).unwrap();
        self.contents.lock().unwrap().bytes.truncate(len);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        if self.disk.lock().fault == Fault::Syncs {
            return Err(Errno::EIO.into());
        }
        let mut contents = self.contents.lock().unwrap();
        contents.synced = contents.bytes.len();
        Ok(())
    }
}
