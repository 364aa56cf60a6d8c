//! What can be wrong with a block, and what can go wrong with reaching it.

use std::fmt;
use std::sync::Arc;

use object_store::path::Path;

use super::owner::OwnedError;

/// A file that is not what was written, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The object.
    pub file: String,
    /// Where in it, as closely as its checksums tell.
    pub offset: u64,
    /// What is wrong there.
    pub what: String,
}

impl Damage {
    pub(super) fn new(file: &Path, offset: u64, what: impl fmt::Display) -> Self {
        Self {
            file: file.to_string(),
            offset,
            what: what.to_string(),
        }
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, offset, what } = self;
        write!(f, "{file} at {offset}: {what}")
    }
}

/// Why a block could not be read.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum BlockError {
    /// What is there is not what was written.
    #[error("{0}")]
    Damaged(Damage),
    /// The store of objects refused; it may do better next time.
    #[error(transparent)]
    Objects(#[from] ObjectsError),
}

impl From<Damage> for BlockError {
    fn from(damage: Damage) -> Self {
        Self::Damaged(damage)
    }
}

/// The store of objects refused.
#[derive(Clone, Debug, thiserror::Error)]
#[error("cannot {operation} {object}")]
pub struct ObjectsError {
    /// `read`, `write`, `list`, `delete`, `move`.
    pub operation: &'static str,
    /// The object, or the prefix of several.
    pub object: String,
    /// What it said.
    #[source]
    pub source: Arc<object_store::Error>,
}

impl ObjectsError {
    pub(super) fn new(operation: &'static str, object: &Path, source: object_store::Error) -> Self {
        Self {
            operation,
            object: object.to_string(),
            source: Arc::new(source),
        }
    }
}

/// Why a block was not written. Nothing of it is visible.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The store of objects refused.
    #[error(transparent)]
    Objects(#[from] ObjectsError),
    /// Somebody else's blocks lie there by now.
    #[error(transparent)]
    Owned(#[from] OwnedError),
    /// What was to be written cannot be encoded.
    #[error("cannot encode {object}")]
    Encoding {
        /// The object.
        object: String,
        /// What the encoder said.
        #[source]
        source: parquet::errors::ParquetError,
    },
    /// The series are not in ascending order of their labels.
    #[error("the series after {after} does not follow it")]
    Unsorted {
        /// The labels of the series before.
        after: String,
    },
    /// What was to be merged could not be read.
    #[error("cannot read a block that is to be merged: {0}")]
    Damaged(Damage),
    /// The series of a block are numbered with 32 bits.
    #[error("a block cannot hold more than four billion series")]
    TooManySeries,
    /// There are no series.
    #[error("there is nothing to write")]
    Empty,
}

impl From<BlockError> for WriteError {
    fn from(error: BlockError) -> Self {
        match error {
            BlockError::Damaged(damage) => Self::Damaged(damage),
            BlockError::Objects(error) => Self::Objects(error),
        }
    }
}
