//! Reading the small files of /proc and /sys, and what can be wrong with them.
//!
//! Every file is read whole into one buffer that all collections share, so that a collection
//! allocates next to nothing for reading. What the text means is left to the modules of the
//! families. Everything is read below configurable roots, so that tests run over recorded trees
//! and an agent in a container reads its host.
//!
//! Invariant: no file makes the buffer grow beyond [`LARGEST`], whatever it holds.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

use super::settings::Settings;

/// The largest file that is read. The longest real one is /proc/net/udp, 128 bytes a socket.
const LARGEST: usize = 16 << 20;

/// What the buffer shrinks back to after a long file; nearly every file fits into it.
const USUAL: usize = 64 << 10;

/// Why a file gave nothing, or not all of it.
#[derive(Debug)]
pub(super) enum Failure {
    /// The kernel has no such file: a module is not loaded, a feature is not built in.
    Absent(PathBuf),
    /// The file is there and cannot be read.
    Unreadable { path: PathBuf, error: io::Error },
    /// Part of the file is not what the kernel documents; the rest of it was used.
    Malformed(PathBuf),
}

/// The three trees, and the buffer that their files are read into.
#[derive(Debug)]
pub(super) struct Files {
    proc: PathBuf,
    sys: PathBuf,
    root: PathBuf,
    path: PathBuf,
    buffer: Vec<u8>,
    filled: usize,
}

impl Files {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            proc: settings.proc_path.clone(),
            sys: settings.sys_path.clone(),
            root: settings.root_path.clone(),
            path: PathBuf::new(),
            buffer: Vec::new(),
            filled: 0,
        }
    }

    /// The text of a file below /proc.
    pub(super) fn proc(&mut self, name: &str) -> Result<Cow<'_, str>, Failure> {
        self.path.clone_from(&self.proc);
        self.path.push(name);
        self.read(Reads::UntilEnd)
    }

    /// The text of an attribute below /sys, without the line end.
    pub(super) fn sys(&mut self, name: &str) -> Result<Cow<'_, str>, Failure> {
        self.path.clone_from(&self.sys);
        self.path.push(name);
        self.read(Reads::Once).map(trim_end)
    }

    /// The text of a file of the host's root file system.
    pub(super) fn root(&mut self, name: &str) -> Result<Cow<'_, str>, Failure> {
        self.bytes_of_root(name).map(String::from_utf8_lossy)
    }

    /// The bytes of a file of the host's root file system.
    pub(super) fn bytes_of_root(&mut self, name: &str) -> Result<&[u8], Failure> {
        self.path.clone_from(&self.root);
        self.path.push(name);
        self.fill(Reads::UntilEnd)?;
        Ok(&self.buffer[..self.filled])
    }

    /// The number that a file below /proc consists of.
    pub(super) fn proc_number(&mut self, name: &str) -> Result<f64, Failure> {
        let found = number(self.proc(name)?.trim());
        found.ok_or_else(|| self.malformed())
    }

    /// The number that an attribute below /sys consists of, if it is there and is one.
    ///
    /// Many attributes exist for each device and can be read for some: a speed of an interface
    /// that is down, a carrier. Such an attribute is no failure, it is an answer.
    pub(super) fn sys_number(&mut self, name: &str) -> Option<f64> {
        self.sys(name).ok().and_then(|text| number(&text))
    }

    /// The text of an attribute below /sys, or nothing.
    pub(super) fn sys_text(&mut self, name: &str) -> Option<String> {
        self.sys(name).ok().map(Cow::into_owned)
    }

    /// The names in a directory below /sys, in order; regular files are left out.
    pub(super) fn sys_folders(&mut self, name: &str) -> Result<Vec<String>, Failure> {
        self.path.clone_from(&self.sys);
        self.path.push(name);
        let entries = std::fs::read_dir(&self.path).map_err(|error| failure(&self.path, error))?;
        let mut names = Vec::new();
        for entry in entries.flatten() {
            if entry.file_type().is_ok_and(|kind| !kind.is_file()) {
                names.push(entry.file_name().to_string_lossy().into_owned());
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    /// Gives each line of a file below /proc to `take`.
    ///
    /// A line that `take` refuses with `None` is skipped and makes the file malformed in the end;
    /// all others count.
    pub(super) fn proc_lines(
        &mut self,
        name: &str,
        mut take: impl FnMut(&str) -> Option<()>,
    ) -> Result<(), Failure> {
        let text = self.proc(name)?;
        let mut well = true;
        for line in text.lines() {
            well &= take(line).is_some();
        }
        drop(text);
        if well { Ok(()) } else { Err(self.malformed()) }
    }

    /// Says that the file read last holds something that the kernel does not document.
    pub(super) fn malformed(&self) -> Failure {
        Failure::Malformed(self.path.clone())
    }

    fn read(&mut self, reads: Reads) -> Result<Cow<'_, str>, Failure> {
        self.fill(reads)?;
        Ok(String::from_utf8_lossy(&self.buffer[..self.filled]))
    }

    fn fill(&mut self, reads: Reads) -> Result<(), Failure> {
        self.filled = fill(&self.path, &mut self.buffer, reads)
            .map_err(|error| failure(&self.path, error))?;
        Ok(())
    }
}

/// How often a file must be read to be read whole.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Reads {
    /// Until a read gives nothing, as files of any length need it.
    UntilEnd,
    /// Once: sysfs gives an attribute whole, and there are hundreds of them a collection.
    Once,
}

/// Reads the file into the buffer, whose length is its room and not its content.
fn fill(path: &Path, buffer: &mut Vec<u8>, reads: Reads) -> io::Result<usize> {
    let mut file = File::open(path)?;
    if buffer.len() != USUAL {
        buffer.resize(USUAL, 0);
        buffer.shrink_to(USUAL);
    }
    let mut filled = 0;
    loop {
        if filled == buffer.len() {
            if filled >= LARGEST {
                return Err(io::Error::new(ErrorKind::FileTooLarge, "file too large"));
            }
            buffer.resize(filled * 2, 0);
        }
        match file.read(&mut buffer[filled..]) {
            Ok(0) => return Ok(filled),
            Ok(read) => filled += read,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        }
        if reads == Reads::Once {
            return Ok(filled);
        }
    }
}

fn failure(path: &Path, error: io::Error) -> Failure {
    match error.kind() {
        // Pressure files exist and refuse with "not supported" where the kernel was started so.
        ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::Unsupported => {
            Failure::Absent(path.to_owned())
        }
        _ => Failure::Unreadable {
            path: path.to_owned(),
            error,
        },
    }
}

fn trim_end(text: Cow<'_, str>) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim_end()),
        Cow::Owned(text) => Cow::Owned(text.trim_end().to_owned()),
    }
}

/// Reads a number as the kernel writes them: decimal, perhaps negative, perhaps with a fraction.
pub(super) fn number(text: &str) -> Option<f64> {
    if let Ok(whole) = text.parse::<u64>() {
        return Some(whole as f64);
    }
    // Only digits: Rust would also take "inf" and "nan" for numbers.
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.starts_with(|first: char| first.is_ascii_digit()) {
        return text.parse::<f64>().ok().filter(|value| value.is_finite());
    }
    None
}

/// Reads a hexadecimal number without a prefix, as the tables of the network stack have them.
pub(super) fn hexadecimal(text: &str) -> Option<f64> {
    u64::from_str_radix(text, 16).ok().map(|whole| whole as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        for (text, expected) in [
            ("0", Some(0.0)),
            ("18446744073709551615", Some(18_446_744_073_709_551_615.0)),
            ("-1", Some(-1.0)),
            ("0.25", Some(0.25)),
            ("99999999999999999999999", Some(1e23)),
            ("", None),
            ("-", None),
            ("nan", None),
            ("inf", None),
            ("-inf", None),
            ("1 2", None),
            ("0x10", None),
        ] {
            assert_eq!(number(text), expected, "{text:?}");
        }
        assert_eq!(hexadecimal("00ff"), Some(255.0));
        assert_eq!(hexadecimal("xyz"), None);
    }

    fn files(root: &Path) -> Files {
        let settings = Settings {
            proc_path: root.into(),
            sys_path: root.into(),
            root_path: root.into(),
            ..Settings::default()
        };
        Files::new(&settings)
    }

    #[test]
    fn a_long_file_is_read_whole_and_given_back() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("long"), "x".repeat(300_000)).unwrap();
        std::fs::write(folder.path().join("short"), "7\n").unwrap();
        let mut files = files(folder.path());
        assert_eq!(files.proc("long").unwrap().len(), 300_000);
        assert_eq!(files.proc_number("short").unwrap(), 7.0);
        assert!(files.buffer.capacity() <= USUAL);
    }

    #[test]
    fn what_cannot_be_read_is_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let huge = File::create(folder.path().join("huge")).unwrap();
        huge.set_len(LARGEST as u64 + 1).unwrap();
        std::fs::write(folder.path().join("raw"), b"\xff\xfe").unwrap();
        std::fs::write(folder.path().join("text"), "seven").unwrap();
        let mut files = files(folder.path());
        assert!(matches!(files.proc("none"), Err(Failure::Absent(_))));
        assert!(matches!(
            files.proc("huge"),
            Err(Failure::Unreadable { .. })
        ));
        assert!(matches!(
            files.proc_number("text"),
            Err(Failure::Malformed(_))
        ));
        assert_eq!(files.sys("raw").unwrap(), "\u{fffd}\u{fffd}");
        assert!(matches!(files.proc("."), Err(Failure::Unreadable { .. })));
    }
}
