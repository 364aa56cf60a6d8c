//! Following the journal: its files are read from outside, up to where they are durable.
//!
//! Who goes on in the middle of a file needs the definitions before that place. What the numbers of the
//! last few files stand for is therefore remembered, as far as someone read them; [`known`] has it.

mod known;

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::PoisonError;

use crate::append::Delivery;
use crate::memory::Memory;
use crate::tail::{Position, Stretch, Tail, TailError};

use super::Journal;
use super::frames::{Found, Frames};
use super::record::{self, Decoder, Numbered, Record};
use super::segment;

pub(super) use known::Known;
#[cfg(test)]
pub(super) use known::MOST_FILES;
use known::Series;

impl Tail for Journal {
    fn end(&self) -> Position {
        self.stats.get().end
    }

    fn read(&self, from: Position, to: Position, max_bytes: usize) -> Result<Stretch, TailError> {
        read(self, from, to.min(self.end()), max_bytes)
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
    journal: &Journal,
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
    let folder = &journal.folder;
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
        let series = journal.known.of(number);
        let mut cursor = Cursor {
            file: &file,
            limit,
            taken: &mut taken,
            max_bytes,
            series: &mut series.lock().unwrap_or_else(PoisonError::into_inner),
            memory: &journal.memory,
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
    file: &'a File,
    limit: u64,
    taken: &'a mut usize,
    max_bytes: usize,
    series: &'a mut Series,
    memory: &'a Memory,
}

impl Cursor<'_> {
    /// Takes records until the limit of the file, which gives true, or of the bytes.
    fn take_into(&mut self, stretch: &mut Stretch) -> io::Result<bool> {
        self.learn(stretch.next.offset)?;
        let mut decoder = Decoder::new()?;
        let mut frames = Frames::new(self.file, stretch.next.offset, self.limit);
        while let Some((found, place)) = frames.next()? {
            let bytes = place.end - place.start;
            let record = match found {
                Found::Record(_) if *self.taken >= self.max_bytes => return Ok(false),
                Found::Record(body) => {
                    *self.taken += usize::try_from(bytes).unwrap_or(usize::MAX);
                    decoder.decode(body).ok()
                }
                Found::Damage | Found::Torn => None,
            };
            stretch.next.offset = place.end;
            self.series.read_to = self.series.read_to.max(place.end);
            match record {
                None => stretch.lost.damaged_bytes += bytes,
                Some(Record::Checkpoint(_)) => {}
                Some(Record::Series(definitions)) => self.series.define(definitions, self.memory),
                Some(Record::Delivery(one)) => stretch.deliveries.push((one, stretch.next)),
                Some(Record::Numbered(numbered)) => {
                    let rows = numbered.samples.len();
                    let one = self.name(numbered)?;
                    if one.rows.len() < rows {
                        stretch.lost.damaged_bytes += bytes;
                    }
                    stretch.deliveries.push((one, stretch.next));
                }
            }
        }
        Ok(true)
    }

    fn name(&mut self, numbered: Numbered) -> io::Result<Delivery> {
        // Where a definition is lost its copy stands further on.
        if !self.series.has_all(&numbered) {
            self.learn(self.limit)?;
        }
        Ok(self.series.name(numbered))
    }

    /// Learns the definitions before a place.
    fn learn(&mut self, to: u64) -> io::Result<()> {
        if to <= self.series.read_to {
            return Ok(());
        }
        let mut decoder = Decoder::new()?;
        let mut frames = Frames::new(self.file, self.series.read_to, to);
        while let Some((found, _)) = frames.next()? {
            if let Found::Record(body) = found
                && record::is_series(body)
                && let Ok(Record::Series(definitions)) = decoder.decode(body)
            {
                self.series.define(definitions, self.memory);
            }
        }
        self.series.read_to = to;
        Ok(())
    }
}
