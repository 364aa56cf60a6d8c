//! The files of a journal, read and decoded record by record, ahead of who takes the records in.
//!
//! It owns what is done to the files at a start: those that are not needed are deleted, and the torn end
//! of the last one is cut off. Of one file at a time a window is in memory.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::mpsc::SyncSender;

use super::super::OpenError;
use super::super::dictionary::Dictionary;
use super::super::frames::{Found, Frames};
use super::super::record::{self, DecodeError, Decoder, Definitions, Record};
use super::super::segment::{self, Segment};
use super::Damage;

/// Rows that are handed over at once: about a megabyte.
const ROWS_AT_ONCE: usize = 32 << 10;
/// Pieces, where they have few rows.
const PIECES_AT_ONCE: usize = 256;

/// What a file holds, in the order in which it is to be taken in.
#[derive(Debug)]
pub(super) enum Piece {
    /// A record, and where it stands.
    Record(Box<Record>, Damage),
    /// Something that is no record.
    Damaged(Damage),
    /// An end that was cut off.
    Torn(Damage),
    /// The file ends here.
    End(Segment),
}

/// Reads every segment behind `mark`, and deletes the others: a crash came between their going
/// elsewhere and their deletion. It ends early where nobody takes the pieces any more.
pub(super) fn read(
    folder: &Path,
    mark: u64,
    pieces: SyncSender<Vec<Piece>>,
) -> Result<(), OpenError> {
    let mut outlet = Outlet {
        pieces,
        waiting: Vec::new(),
        weight: 0,
    };
    let found = segment::list(folder).map_err(|error| OpenError::new("list", folder, error))?;
    let last = found.last().map(|(number, _)| *number);
    for (number, path) in found {
        // The last one holds the ledger, whatever else.
        if number <= mark && last != Some(number) {
            fs::remove_file(&path).map_err(|error| OpenError::new("delete", &path, error))?;
            continue;
        }
        let reading = Reading {
            path: &path,
            outlet: &mut outlet,
            decoder: Decoder::new().map_err(|error| OpenError::new("read", &path, error))?,
            known: Dictionary::default(),
            is_searched: false,
        };
        let size = reading.read(last == Some(number))?;
        let end = Piece::End(Segment {
            number,
            path,
            bytes: size,
            last_arrival_steady_ms: i64::MIN,
        });
        if !outlet.give(end) {
            break;
        }
    }
    outlet.flush();
    Ok(())
}

/// Where the pieces go, many at a time: waking who takes them costs as much as taking one in.
struct Outlet {
    pieces: SyncSender<Vec<Piece>>,
    waiting: Vec<Piece>,
    /// Of what waits, in rows.
    weight: usize,
}

impl Outlet {
    /// False where nobody takes the pieces any more.
    fn give(&mut self, piece: Piece) -> bool {
        self.weight += match &piece {
            Piece::Record(record, _) => match &**record {
                Record::Numbered(numbered) => numbered.samples.len(),
                Record::Delivery(delivery) => delivery.rows.len(),
                Record::Series(definitions) => definitions.labels.len(),
                Record::Checkpoint(_) => 0,
            },
            Piece::Damaged(_) | Piece::Torn(_) | Piece::End(_) => 0,
        };
        self.waiting.push(piece);
        if self.weight < ROWS_AT_ONCE && self.waiting.len() < PIECES_AT_ONCE {
            return true;
        }
        self.flush()
    }

    fn flush(&mut self) -> bool {
        self.weight = 0;
        let pieces = std::mem::take(&mut self.waiting);
        self.pieces.send(pieces).is_ok()
    }
}

struct Reading<'a> {
    path: &'a Path,
    outlet: &'a mut Outlet,
    decoder: Decoder,
    /// The numbers that were given a meaning so far.
    known: Dictionary<()>,
    /// Whether definitions were looked for in all of the file.
    is_searched: bool,
}

impl Reading<'_> {
    /// Gives every piece; says how long the file is then.
    fn read(mut self, is_last: bool) -> Result<u64, OpenError> {
        let failed = |error| OpenError::new("read", self.path, error);
        let file = File::open(self.path).map_err(failed)?;
        let length = file.metadata().map_err(failed)?.len();
        let mut frames = Frames::new(&file, 0, length);
        while let Some((found, place)) = frames.next().map_err(failed)? {
            let damage = self.place(&place);
            let piece = match found {
                Found::Record(body) => self.record(body, damage, (&file, place.end..length))?,
                Found::Torn if is_last => {
                    cut(self.path, place.start)?;
                    self.outlet.give(Piece::Torn(damage));
                    return Ok(place.start);
                }
                Found::Torn | Found::Damage => Piece::Damaged(damage),
            };
            if !self.outlet.give(piece) {
                break;
            }
        }
        Ok(length)
    }

    /// A record, with what is known of the file behind it.
    fn record(
        &mut self,
        body: &[u8],
        place: Damage,
        rest: (&File, Range<u64>),
    ) -> Result<Piece, OpenError> {
        let record = match self.decoder.decode(body) {
            Ok(record) => record,
            Err(DecodeError::Malformed) => return Ok(Piece::Damaged(place)),
            Err(DecodeError::Version(version)) => {
                return Err(OpenError::Version {
                    path: self.path.to_owned(),
                    version,
                });
            }
        };
        match &record {
            Record::Series(definitions) => self.know(definitions),
            Record::Numbered(numbered) => {
                if !self.is_searched && !self.known.has_all(&numbered.series.0) {
                    self.is_searched = true;
                    self.search(rest)
                        .map_err(|error| OpenError::new("read", self.path, error))?;
                }
            }
            Record::Delivery(_) | Record::Checkpoint(_) => {}
        }
        Ok(Piece::Record(Box::new(record), place))
    }

    fn know(&mut self, definitions: &Definitions) {
        let all = definitions.labels.iter().map(|_| ());
        self.known.define(definitions.first, all);
    }

    /// Where a definition is lost its copy stands further on: gives all that are there.
    fn search(&mut self, (file, rest): (&File, Range<u64>)) -> io::Result<()> {
        let mut frames = Frames::new(file, rest.start, rest.end);
        while let Some((found, place)) = frames.next()? {
            if let Found::Record(body) = found
                && record::is_series(body)
                && let Ok(Record::Series(definitions)) = self.decoder.decode(body)
            {
                self.know(&definitions);
                let record = Box::new(Record::Series(definitions));
                self.outlet.give(Piece::Record(record, self.place(&place)));
            }
        }
        Ok(())
    }

    fn place(&self, place: &Range<u64>) -> Damage {
        Damage {
            path: self.path.to_owned(),
            offset: place.start,
            bytes: place.end - place.start,
        }
    }
}

fn cut(path: &Path, at: u64) -> Result<(), OpenError> {
    let cut = || -> io::Result<()> {
        let file = OpenOptions::new().write(true).open(path)?;
        file.set_len(at)?;
        file.sync_all()
    };
    cut().map_err(|error| OpenError::new("cut the torn end off", path, error))
}
