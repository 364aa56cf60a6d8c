//! Reads the small text files of the kernel.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

/// Far above any of these files; only a mount that is not what it seems could be larger.
const MOST_BYTES: u64 = 1 << 20;

/// How deep groups below a container's are counted: systemd within a container makes three levels.
const MOST_LEVELS: usize = 4;

/// Reads files one after the other into one buffer.
#[derive(Debug, Default)]
pub(super) struct Reader {
    buffer: String,
}

impl Reader {
    /// The content of a file.
    pub(super) fn text(&mut self, folder: &Path, file: &str) -> io::Result<&str> {
        self.buffer.clear();
        let file = File::open(folder.join(file))?;
        file.take(MOST_BYTES).read_to_string(&mut self.buffer)?;
        Ok(&self.buffer)
    }

    /// The number that is all a file holds.
    pub(super) fn number(&mut self, folder: &Path, file: &str) -> io::Result<u64> {
        let text = self.text(folder, file)?;
        text.trim().parse().map_err(|_| malformed())
    }

    /// The number that is all a file holds, or `None` for the word `max`.
    pub(super) fn number_or_max(&mut self, folder: &Path, file: &str) -> io::Result<Option<u64>> {
        match self.text(folder, file)?.trim() {
            "max" => Ok(None),
            number => number.parse().map(Some).map_err(|_| malformed()),
        }
    }

    /// The numbers behind some of the names of a file with a name and a number on each line.
    pub(super) fn fields<const N: usize>(
        &mut self,
        folder: &Path,
        file: &str,
        names: [&str; N],
    ) -> io::Result<[Option<u64>; N]> {
        let text = self.text(folder, file)?;
        let mut found = [None; N];
        for line in text.lines() {
            if let Some((name, value)) = line.split_once(' ')
                && let Some(at) = names.iter().position(|wanted| *wanted == name)
            {
                found[at] = value.trim().parse().ok();
            }
        }
        Ok(found)
    }
}

/// Processes in a group and the groups below it.
pub(super) fn processes(reader: &mut Reader, group: &Path) -> io::Result<u64> {
    count_processes(reader, group, MOST_LEVELS)
}

fn count_processes(reader: &mut Reader, group: &Path, levels: usize) -> io::Result<u64> {
    let own = reader.text(group, "cgroup.procs")?;
    let mut count = own.lines().count() as u64;
    // A folder has one link for itself, one from above and one from each folder within it; asking
    // for them is cheaper than listing the several dozen files of a group.
    let has_groups_below = fs::metadata(group).is_ok_and(|folder| folder.nlink() > 2);
    if levels == 0 || !has_groups_below {
        return Ok(count);
    }
    for entry in fs::read_dir(group)?.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            // A group that vanishes meanwhile has no processes left.
            count += count_processes(reader, &entry.path(), levels - 1).unwrap_or(0);
        }
    }
    Ok(count)
}

/// Threads of a group, and how many it may have; the inner `None` is "no limit".
pub(super) fn threads(reader: &mut Reader, group: &Path) -> (Option<u64>, Option<Option<u64>>) {
    (
        reader.number(group, "pids.current").ok(),
        reader.number_or_max(group, "pids.max").ok(),
    )
}

/// A field that a file must have.
pub(super) fn required(field: Option<u64>) -> io::Result<u64> {
    field.ok_or_else(malformed)
}

pub(super) fn malformed() -> io::Error {
    io::Error::from(io::ErrorKind::InvalidData)
}

pub(super) fn micros(count: u64) -> Duration {
    Duration::from_micros(count)
}

pub(super) fn nanos(count: u64) -> Duration {
    Duration::from_nanos(count)
}
