//! Following the journal: its files are read from outside, up to where they are durable.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use wire::frame::{self, Scan};

use crate::tail::{Position, Stretch, Tail, TailError};

use super::Journal;
use super::record::{self, Record};
use super::segment;

/// How much is looked at first; a record that is longer is read whole.
const WINDOW: usize = 256 << 10;

/// The longest that a window has to be: one record.
const MAX_WINDOW: usize = frame::HEADER_LEN + frame::MAX_BODY;

impl Tail for Journal {
    fn end(&self) -> Position {
        self.stats.get().end
    }

    fn read(&self, from: Position, to: Position, max_bytes: usize) -> Result<Stretch, TailError> {
        read(&self.folder, from, to.min(self.end()), max_bytes)
    }

    fn pending(&self, from: Position) -> u64 {
        let end = self.end();
        let Ok(segments) = segment::list(&self.folder) else {
            return 0;
        };
        let lengths = segments.into_iter().map(|(number, path)| {
            let length = if number == end.segment {
                end.offset
            } else {
                std::fs::metadata(path).map_or(0, |metadata| metadata.len())
            };
            match number.cmp(&from.segment) {
                std::cmp::Ordering::Less => 0,
                std::cmp::Ordering::Equal => length.saturating_sub(from.offset),
                std::cmp::Ordering::Greater => length,
            }
        });
        lengths.sum()
    }
}

fn read(
    folder: &Path,
    from: Position,
    to: Position,
    max_bytes: usize,
) -> Result<Stretch, TailError> {
    let failed = |path: &Path, source| TailError {
        path: path.to_owned(),
        source,
    };
    let mut stretch = Stretch {
        next: from,
        ..Stretch::default()
    };
    let segments = segment::list(folder).map_err(|error| failed(folder, error))?;
    let mut taken = 0usize;
    let is_known = segments.iter().any(|(number, _)| *number == from.segment);
    // Before the first file there is nothing that could have been deleted.
    stretch.lost.expired = !is_known && from != Position::default() && from < to;
    for (number, path) in segments {
        if number < from.segment || number > to.segment {
            continue;
        }
        if number > stretch.next.segment {
            stretch.next = Position {
                segment: number,
                offset: 0,
            };
        }
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                stretch.lost.expired = true;
                continue;
            }
            Err(error) => return Err(failed(&path, error)),
        };
        let length = file.metadata().map_err(|error| failed(&path, error))?.len();
        let limit = if number == to.segment {
            to.offset.min(length)
        } else {
            length
        };
        let mut cursor = Cursor {
            file,
            limit,
            taken: &mut taken,
            max_bytes,
        };
        let is_whole = cursor
            .take_into(&mut stretch)
            .map_err(|error| failed(&path, error))?;
        if !is_whole {
            return Ok(stretch);
        }
    }
    // Also where the file of `to` is gone by now: there is nothing left on the way to it.
    stretch.next = stretch.next.max(to);
    Ok(stretch)
}

/// One file, read from `next` of a stretch to its limit.
struct Cursor<'a> {
    file: File,
    limit: u64,
    taken: &'a mut usize,
    max_bytes: usize,
}

impl Cursor<'_> {
    /// Takes records until the limit of the file, which gives true, or of the bytes.
    fn take_into(&mut self, stretch: &mut Stretch) -> io::Result<bool> {
        let mut size = WINDOW;
        while stretch.next.offset < self.limit {
            let window = self.window(stretch.next.offset, size)?;
            let reaches_end = stretch.next.offset + window.len() as u64 >= self.limit;
            let before = stretch.next.offset;
            if !self.take_window(&window, reaches_end, stretch) {
                return Ok(false);
            }
            let has_moved = stretch.next.offset > before;
            size = if has_moved {
                WINDOW
            } else {
                (size * 4).min(MAX_WINDOW)
            };
        }
        Ok(true)
    }

    fn window(&self, offset: u64, size: usize) -> io::Result<Vec<u8>> {
        let left = usize::try_from(self.limit - offset).unwrap_or(usize::MAX);
        let mut window = vec![0; size.min(left)];
        self.file.read_exact_at(&mut window, offset)?;
        Ok(window)
    }

    /// Takes the whole records of a window; false once enough were taken.
    fn take_window(&mut self, window: &[u8], reaches_end: bool, stretch: &mut Stretch) -> bool {
        let start = stretch.next.offset;
        let is_longest = window.len() == MAX_WINDOW;
        let mut at = 0;
        loop {
            let next = match frame::scan(window, at) {
                Scan::End => break,
                Scan::Record { body, next } => {
                    if *self.taken >= self.max_bytes {
                        return false;
                    }
                    *self.taken += next - at;
                    stretch.next.offset = start + next as u64;
                    match record::decode(body) {
                        Ok(Record::Delivery(one)) => stretch.deliveries.push((one, stretch.next)),
                        Ok(Record::Checkpoint(_)) => {}
                        Err(_) => stretch.lost.damaged_bytes += (next - at) as u64,
                    }
                    next
                }
                // What goes on behind the window must be looked at with more of it, as long as a
                // record can be longer.
                Scan::Torn | Scan::Damaged { .. } if !reaches_end && !is_longest => break,
                Scan::Damaged { next: Some(next) } => {
                    stretch.lost.damaged_bytes += (next - at) as u64;
                    next
                }
                Scan::Torn | Scan::Damaged { next: None } => {
                    stretch.lost.damaged_bytes += (window.len() - at) as u64;
                    window.len()
                }
            };
            at = next;
            stretch.next.offset = start + at as u64;
        }
        true
    }
}
