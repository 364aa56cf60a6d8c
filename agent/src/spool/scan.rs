//! Reads the records of one segment through a window, so that no segment is ever held whole.
//!
//! What `wire::frame` says of bytes in memory this says of a file: a record, a stretch of damage, a
//! torn tail, the end. Invariants: each answer but the end moves on by at least a byte; the work is
//! bounded by a multiple of the file's length, whatever stands in it.

use std::io;
use std::sync::Arc;

use wire::frame;

use super::disk::File;
use super::record;

/// How much is read at once: a few records of the usual size.
const WINDOW: usize = 128 << 10;
/// Checksums taken in vain, in lengths of the file, before the rest counts as damage. Honest damage
/// costs each record's length once; a file made of headers that lie would cost its length a header.
const PATIENCE: u64 = 8;

/// What stands at a place.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// A whole record: [`Reader::record`] has it.
    Record,
    /// So many bytes that are no record.
    Damaged(u64),
    /// So many bytes at the end that began a record.
    Torn(u64),
    /// Nothing more.
    End,
}

/// Goes through a segment.
pub(super) struct Reader {
    file: Arc<dyn File>,
    end: u64,
    at: u64,
    window: Vec<u8>,
    window_at: u64,
    record_len: usize,
    in_vain: u64,
}

impl Reader {
    /// From `at` to `end`.
    pub(super) fn new(file: Arc<dyn File>, at: u64, end: u64) -> Self {
        let at = at.min(end);
        Self {
            file,
            end,
            at,
            window: Vec::new(),
            window_at: at,
            record_len: 0,
            in_vain: 0,
        }
    }

    /// Where the next answer begins.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// The record last found.
    pub(super) fn record(&self) -> &[u8] {
        let end = self.offset_in_window();
        &self.window[end - self.record_len..end]
    }

    /// Finds what stands next, and moves behind it.
    pub(super) fn next(&mut self) -> io::Result<Found> {
        if self.at >= self.end {
            return Ok(Found::End);
        }
        self.fill(frame::HEADER_LEN)?;
        let Some(len) = frame::body_len(self.rest()).filter(|len| *len <= record::MAX_LEN) else {
            return self.skip_damage();
        };
        let framed_len = frame::HEADER_LEN + len;
        self.fill(framed_len)?;
        let Some(framed) = self.rest().get(..framed_len) else {
            return self.skip_damage();
        };
        if !matches!(frame::scan(framed, 0), frame::Scan::Record { .. }) {
            self.in_vain += framed_len as u64;
            return self.skip_damage();
        }
        self.at += framed_len as u64;
        self.record_len = len;
        Ok(Found::Record)
    }

    /// Reads the front of what stands next, if it is a record, without moving.
    pub(super) fn peek_header(&self) -> io::Result<Option<record::Header>> {
        let mut front = [0; frame::HEADER_LEN + record::HEADER_LEN];
        let read = self.file.read_up_to(&mut front, self.at)?;
        let whole = read == front.len() && frame::body_len(&front).is_some();
        Ok(whole
            .then(|| record::Header::read(&front[frame::HEADER_LEN..]))
            .flatten())
    }

    /// Moves to the next place that bears a header, or to the end.
    fn skip_damage(&mut self) -> io::Result<Found> {
        let begin = self.at;
        let left = self.end - begin;
        let torn = frame::body_len(self.rest()).is_some() || left < frame::HEADER_LEN as u64;
        self.at += 1;
        if self.in_vain > PATIENCE * self.end {
            self.at = self.end;
            return Ok(Found::Damaged(self.end - begin));
        }
        loop {
            self.fill(WINDOW)?;
            let rest = self.rest();
            if let Some(found) = frame::find_header(rest, 0) {
                self.at += found as u64;
                return Ok(Found::Damaged(self.at - begin));
            }
            let searched = rest.len() as u64;
            if self.at + searched >= self.end {
                self.at = self.end;
                let bytes = self.end - begin;
                return Ok(if torn {
                    Found::Torn(bytes)
                } else {
                    Found::Damaged(bytes)
                });
            }
            // A header may begin in the last bytes searched and end behind them.
            self.at += searched - (frame::HEADER_LEN as u64 - 1);
        }
    }

    fn rest(&self) -> &[u8] {
        &self.window[self.offset_in_window()..]
    }

    fn offset_in_window(&self) -> usize {
        // The window always begins at or before the place and is at most a record long.
        usize::try_from(self.at - self.window_at).unwrap_or(usize::MAX)
    }

    /// Makes the window hold at least `wanted` bytes from the present place on, or all up to the end.
    fn fill(&mut self, wanted: usize) -> io::Result<()> {
        let left = usize::try_from(self.end - self.at).unwrap_or(usize::MAX);
        let wanted = wanted.min(left);
        let have = self.offset_in_window().min(self.window.len());
        if self.window.len() - have >= wanted {
            return Ok(());
        }
        self.window.drain(..have);
        self.window_at = self.at;
        let kept = self.window.len();
        self.window.resize(wanted.max(WINDOW.min(left)), 0);
        let read = self
            .file
            .read_up_to(&mut self.window[kept..], self.at + kept as u64)?;
        self.window.truncate(kept + read);
        if self.window.len() < wanted {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
