//! What a block says of itself: `meta.json`, written last.
//!
//! It owns the identity of blocks and the bytes of that file. Its constraints:
//! 1. a block exists from the moment in which this file does, and not before: it is the commit;
//! 2. a flipped bit anywhere in it is noticed: it carries its own checksum;
//! 3. a person can read it, and any JSON parser.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::read::TimeRange;

/// The format that this version writes, and the only one that it reads.
pub(super) const VERSION: u32 = 1;

const HEAD: &str = "{\"crc32c\":\"";
const MIDDLE: &str = "\",\"block\":";
const TAIL: &str = "}\n";

/// Names a block; a later block has a higher one, and no number is given twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BlockId(pub(super) u64);

impl fmt::Display for BlockId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:020}", self.0)
    }
}

/// The text does not name a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the twenty digits of a block")]
pub struct NotABlock;

impl FromStr for BlockId {
    type Err = NotABlock;

    fn from_str(text: &str) -> Result<Self, NotABlock> {
        let is_number = text.len() == 20 && text.bytes().all(|byte| byte.is_ascii_digit());
        let number = is_number.then(|| text.parse().ok()).flatten();
        number.map(Self).ok_or(NotABlock)
    }
}

/// Where a block's samples come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    /// When the first of them arrived, by the collector's steady clock.
    pub arrived_from_ms: i64,
    /// When the last of them arrived. Retention and compaction go by it.
    pub arrived_to_ms: i64,
    /// How far what was journaled before is in blocks now, in the words of whoever cuts them; the
    /// highest is kept.
    pub mark: u64,
}

/// One line for each moment, or one for each span of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resolution {
    /// Samples as they came.
    Raw,
    /// One for each five minutes.
    FiveMinutes,
    /// One for each hour.
    Hour,
}

impl Resolution {
    /// What one line stands for; nothing where it is one sample.
    pub(super) fn width_ms(self) -> Option<i64> {
        match self {
            Self::Raw => None,
            Self::FiveMinutes => Some(300_000),
            Self::Hour => Some(3_600_000),
        }
    }
}

/// How much was written, and what it sums up to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileMeta {
    pub(super) bytes: u64,
    /// Of all bytes.
    pub(super) crc32c: u32,
    /// Where the row groups end and the indexes and the footer begin.
    pub(super) tail: u64,
    /// Of the bytes from there to the end.
    pub(super) tail_crc32c: u32,
}

/// What a block says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Meta {
    pub(super) version: u32,
    pub(super) id: BlockId,
    /// The lowest order of a block of which it has samples.
    pub(super) oldest: BlockId,
    /// Where it stands among blocks: of two samples of one moment that of the higher counts. Its own
    /// number, or the highest of those that it replaces.
    pub(super) order: BlockId,
    /// How often its samples were merged with others.
    pub(super) level: u8,
    pub(super) resolution: Resolution,
    pub(super) from_ms: i64,
    pub(super) to_ms: i64,
    pub(super) series: u64,
    pub(super) samples: u64,
    pub(super) provenance: Provenance,
    /// Blocks that are to go once this one exists.
    pub(super) replaces: Vec<BlockId>,
    pub(super) samples_file: FileMeta,
    pub(super) series_file: FileMeta,
}

impl Meta {
    /// Whether both have samples that arrived together.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        self.oldest <= other.order && other.oldest <= self.order
    }

    /// The span of event time that it has samples in.
    pub(super) fn range(&self) -> TimeRange {
        TimeRange {
            from_ms: self.from_ms,
            to_ms: self.to_ms,
        }
    }

    pub(super) fn bytes(&self) -> u64 {
        self.samples_file
            .bytes
            .saturating_add(self.series_file.bytes)
    }

    /// The file's bytes.
    pub(super) fn encode(&self) -> Vec<u8> {
        // Numbers, enums and lists of numbers: nothing in it can fail to serialize.
        let block = serde_json::to_string(self).unwrap_or_default();
        let crc = crc32c::crc32c(block.as_bytes());
        format!("{HEAD}{crc:08x}{MIDDLE}{block}{TAIL}").into_bytes()
    }

    /// Reads the file's bytes.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, MetaError> {
        let text = std::str::from_utf8(bytes).map_err(|_| MetaError::Torn)?;
        let rest = text.strip_prefix(HEAD).ok_or(MetaError::Torn)?;
        let (crc, rest) = rest.split_once(MIDDLE).ok_or(MetaError::Torn)?;
        let block = rest.strip_suffix(TAIL).ok_or(MetaError::Torn)?;
        if crc != format!("{:08x}", crc32c::crc32c(block.as_bytes())) {
            return Err(MetaError::Checksum);
        }
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
        }
        let malformed = |error: serde_json::Error| MetaError::Malformed(error.to_string());
        let Versioned { version } = serde_json::from_str(block).map_err(malformed)?;
        if version != VERSION {
            return Err(MetaError::Version(version));
        }
        serde_json::from_str(block).map_err(malformed)
    }
}

/// Why `meta.json` says nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum MetaError {
    #[error("its frame is torn")]
    Torn,
    #[error("its checksum is wrong")]
    Checksum,
    #[error("a newer version wrote it, in format {0}")]
    Version(u32),
    #[error("it is not what a block says of itself: {0}")]
    Malformed(String),
}
