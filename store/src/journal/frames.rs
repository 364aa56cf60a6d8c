//! Going through a file of the journal frame by frame, with a window of it in memory.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;

use wire::frame::{self, Scan};

/// How much is looked at first; a record that is longer is read whole.
const WINDOW: usize = 256 << 10;

/// The longest that a window has to be: one record.
const MAX_WINDOW: usize = frame::HEADER_LEN + frame::MAX_BODY;

/// What stands at a place.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found<'a> {
    /// The body of a record.
    Record(&'a [u8]),
    /// Something else.
    Damage,
    /// The beginning of a record up to the end of the file: perhaps a write that was cut short.
    Torn,
}

/// A file, from a place in it to another.
#[derive(Debug)]
pub(super) struct Frames<'a> {
    file: &'a File,
    limit: u64,
    window: Vec<u8>,
    /// Where the window begins in the file.
    begin: u64,
    /// How far it was gone through.
    at: usize,
}

impl<'a> Frames<'a> {
    pub(super) fn new(file: &'a File, from: u64, limit: u64) -> Self {
        Self {
            file,
            limit,
            window: Vec::new(),
            begin: from,
            at: 0,
        }
    }

    /// What comes next and from where to where it stands; nothing at the end.
    pub(super) fn next(&mut self) -> io::Result<Option<(Found<'_>, Range<u64>)>> {
        // Without the body, which would hold on to the window while it is read anew.
        let (found, next) = loop {
            let reaches_end = self.begin + self.window.len() as u64 >= self.limit;
            let is_longest = self.window.len() - self.at >= MAX_WINDOW;
            let whole = self.window.len();
            match frame::scan(&self.window, self.at) {
                Scan::Record { next, .. } => break (None, next),
                Scan::End if reaches_end => return Ok(None),
                Scan::End => self.read_on()?,
                // What goes on behind the window must be looked at with more of it, as long as a
                // record can be longer.
                Scan::Torn | Scan::Damaged { .. } if !reaches_end && !is_longest => {
                    self.read_on()?;
                }
                Scan::Torn => break (Some(Found::Torn), whole),
                Scan::Damaged { next: Some(next) } => break (Some(Found::Damage), next),
                Scan::Damaged { next: None } => break (Some(Found::Damage), whole),
            }
        };
        let begin = self.at;
        self.at = next;
        let body = || Found::Record(&self.window[begin + frame::HEADER_LEN..next]);
        let found = found.unwrap_or_else(body);
        let place = self.begin + begin as u64..self.begin + next as u64;
        Ok(Some((found, place)))
    }

    /// Moves the window to where it was gone through, or makes it longer if that is its beginning.
    fn read_on(&mut self) -> io::Result<()> {
        let size = if self.at > 0 || self.window.is_empty() {
            WINDOW
        } else {
            (self.window.len() * 4).min(MAX_WINDOW)
        };
        self.begin += self.at as u64;
        self.at = 0;
        let left = usize::try_from(self.limit - self.begin).unwrap_or(usize::MAX);
        self.window.resize(size.min(left), 0);
        self.file.read_exact_at(&mut self.window, self.begin)
    }
}
