//! Following what a store takes in, for who sends it on: by position, from a place remembered across
//! restarts, without a part in appending.

use std::io;
use std::path::PathBuf;

use crate::append::Delivery;

/// A place in what a store has taken in; later ones are greater. Only the store knows what the
/// numbers mean, others keep them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The file.
    pub segment: u64,
    /// The byte in it.
    pub offset: u64,
}

/// What lies from one position to another.
#[derive(Debug, Default, PartialEq)]
pub struct Stretch {
    /// Each delivery with the position behind it, in the order in which they were taken in. Under
    /// rare failures of the disk one may come twice.
    pub deliveries: Vec<(Delivery, Position)>,
    /// Where to go on.
    pub next: Position,
    /// What lay there and cannot be read any more.
    pub lost: Lost,
}

/// What a reader who comes too late, or to a damaged place, does not get.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lost {
    /// Whether files were deleted before they were read: their time was over.
    pub expired: bool,
    /// Damaged bytes that were passed over.
    pub damaged_bytes: u64,
}

/// Why nothing could be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {path}")]
pub struct TailError {
    /// The file or folder.
    pub path: PathBuf,
    /// What the system said.
    #[source]
    pub source: io::Error,
}

/// What can be followed.
pub trait Tail: Send + Sync + 'static {
    /// The position behind everything that was acknowledged. After a crash it is not smaller than any
    /// that was given before, as far as deliveries lie before it.
    fn end(&self) -> Position;

    /// Reads what lies between two positions, a limited number of bytes at a time but one delivery at
    /// the least. It blocks. A position of which the file is gone stands for the oldest one that is
    /// left. With the same positions, and nothing deleted in between, it gives the same.
    fn read(&self, from: Position, to: Position, max_bytes: usize) -> Result<Stretch, TailError>;

    /// How many bytes lie behind a position.
    fn pending(&self, from: Position) -> u64;
}
