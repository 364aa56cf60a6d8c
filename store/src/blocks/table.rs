//! Reading parts of a Parquet file that lies in the store of objects.
//!
//! A [`Table`] is a file's footer and page locations. What is read of the file is fetched in whole
//! pieces and checked against their checksums before anything looks at it, so that decoding works on
//! what was written; a checksum that does not hold is [`Damage`] with its offset.

use std::ops::Range;
use std::sync::Arc;

use bytes::{Buf, Bytes};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::column::reader::{ColumnReaderImpl, get_column_reader, get_typed_column_reader};
use parquet::data_type::DataType;
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};
use parquet::file::page_index::offset_index::PageLocation;
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::serialized_reader::SerializedPageReader;

use super::damage::{BlockError, Damage, ObjectsError};
use super::meta::FileMeta;
use super::objects::{META, PIECE};

/// Under this name the footer carries the checksums of the pieces before it, in hexadecimal digits.
pub(super) const CHECKSUMS: &str = "nightshift.crc32c";

/// A Parquet file of which parts can be read.
#[derive(Debug)]
pub(super) struct Table {
    path: Path,
    file: FileMeta,
    metadata: ParquetMetaData,
    checksums: Vec<u32>,
}

/// Which column of which row group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Chunk {
    pub(super) group: usize,
    pub(super) column: usize,
}

/// Values of a column: those that are there, and of each row whether it is.
#[derive(Debug)]
pub(super) struct Column<T> {
    pub(super) values: Vec<T>,
    /// Definition levels; empty where every row has a value.
    pub(super) levels: Vec<i16>,
    /// Repetition levels; empty where a row is one value.
    pub(super) repeats: Vec<i16>,
}

impl Table {
    pub(super) async fn open(
        objects: &dyn ObjectStore,
        path: Path,
        file: FileMeta,
    ) -> Result<Self, BlockError> {
        let damaged = |offset, what: &dyn std::fmt::Display| {
            BlockError::Damaged(Damage::new(&path, offset, what))
        };
        if file.tail > file.bytes {
            return Err(damaged(0, &"its meta.json places the footer outside of it"));
        }
        let tail = file.tail..file.bytes;
        let tail = fetch(objects, &path, std::slice::from_ref(&tail)).await?;
        let tail = tail.into_iter().next().unwrap_or_default();
        if crc32c::crc32c(&tail) != file.tail_crc32c {
            return Err(damaged(file.tail, &"the checksum of the footer is wrong"));
        }
        let sparse = Sparse {
            bytes: file.bytes,
            parts: vec![(file.tail, tail)],
        };
        let metadata = ParquetMetaDataReader::new()
            .with_offset_index_policy(PageIndexPolicy::Required)
            .parse_and_finish(&sparse)
            .map_err(|error| damaged(file.tail, &error))?;
        let checksums = checksums(&metadata)
            .filter(|list| list.len() as u64 == file.tail.div_ceil(PIECE))
            .ok_or_else(|| damaged(file.tail, &"the footer has no checksums"))?;
        Ok(Self {
            path,
            file,
            metadata,
            checksums,
        })
    }

    pub(super) fn metadata(&self) -> &ParquetMetaData {
        &self.metadata
    }

    /// Where the row groups end.
    pub(super) fn tail(&self) -> u64 {
        self.file.tail
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// How much memory it takes, about.
    pub(super) fn weight(&self) -> usize {
        self.metadata.memory_size() + self.checksums.len() * 4
    }

    pub(super) fn groups(&self) -> usize {
        self.metadata.num_row_groups()
    }

    pub(super) fn rows(&self, group: usize) -> u64 {
        u64::try_from(self.metadata.row_group(group).num_rows()).unwrap_or(0)
    }

    /// Whether no row of a chunk has a value.
    pub(super) fn is_empty(&self, chunk: Chunk) -> bool {
        let group = self.metadata.row_group(chunk.group);
        let statistics = group.column(chunk.column).statistics();
        statistics.and_then(|it| it.null_count_opt()) == Some(self.rows(chunk.group))
    }

    /// The bytes of the pages that hold some rows of a chunk; `runs` ascend.
    pub(super) fn pages(&self, chunk: Chunk, runs: &[Range<u64>]) -> Vec<Range<u64>> {
        let locations = self.locations(chunk);
        let start = self.metadata.row_group(chunk.group).column(chunk.column);
        let (start, _) = start.byte_range();
        let first = locations.first().map_or(start, |page| offset(page).start);
        let mut pages = Vec::new();
        if first > start {
            pages.push(start..first);
        }
        let mut runs = runs.iter().peekable();
        for (at, page) in locations.iter().enumerate() {
            let from = row(page);
            let to = locations.get(at + 1).map_or(self.rows(chunk.group), row);
            while runs.next_if(|run| run.end <= from).is_some() {}
            if runs.peek().is_some_and(|run| run.start < to) {
                pages.push(offset(page));
            }
        }
        pages
    }

    /// The bytes of all pages of a chunk.
    pub(super) fn all_pages(&self, chunk: Chunk) -> Vec<Range<u64>> {
        let all = 0..self.rows(chunk.group);
        self.pages(chunk, std::slice::from_ref(&all))
    }

    /// Fetches parts of the file and makes sure that they are what was written.
    pub(super) async fn fetch(
        &self,
        objects: &dyn ObjectStore,
        ranges: &[Range<u64>],
    ) -> Result<Sparse, BlockError> {
        let whole = whole_pieces(ranges, self.file.tail);
        let parts = fetch(objects, &self.path, &whole).await?;
        for (range, bytes) in whole.iter().zip(&parts) {
            self.verify(range.start, bytes)?;
        }
        let starts = whole.iter().map(|range| range.start);
        Ok(Sparse {
            bytes: self.file.bytes,
            parts: starts.zip(parts).collect(),
        })
    }

    /// Reads rows of a chunk, of which `sparse` must have the pages; `runs` ascend.
    pub(super) fn read<T: DataType>(
        &self,
        sparse: &Arc<Sparse>,
        chunk: Chunk,
        runs: &[Range<u64>],
    ) -> Result<Column<T::T>, BlockError> {
        let read = self.try_read::<T>(sparse, chunk, runs);
        read.map_err(|error| {
            let column = self.metadata.row_group(chunk.group).column(chunk.column);
            let (offset, _) = column.byte_range();
            BlockError::Damaged(Damage::new(&self.path, offset, error))
        })
    }

    fn try_read<T: DataType>(
        &self,
        sparse: &Arc<Sparse>,
        chunk: Chunk,
        runs: &[Range<u64>],
    ) -> ParquetResult<Column<T::T>> {
        let metadata = self.metadata.row_group(chunk.group).column(chunk.column);
        let pages = SerializedPageReader::new(
            Arc::clone(sparse),
            metadata,
            usize::try_from(self.rows(chunk.group))?,
            Some(self.locations(chunk).to_vec()),
        )?;
        let reader = get_column_reader(metadata.column_descr_ptr(), Box::new(pages));
        let mut reader: ColumnReaderImpl<T> = get_typed_column_reader(reader);
        let mut column = Column {
            values: Vec::new(),
            levels: Vec::new(),
            repeats: Vec::new(),
        };
        let mut at = 0;
        for run in runs {
            reader.skip_records(usize::try_from(run.start - at)?)?;
            let mut missing = usize::try_from(run.end - run.start)?;
            while missing > 0 {
                let (records, _, _) = reader.read_records(
                    missing,
                    Some(&mut column.levels),
                    Some(&mut column.repeats),
                    &mut column.values,
                )?;
                if records == 0 {
                    return Err(ParquetError::EOF("the column ends early".to_owned()));
                }
                missing -= records;
            }
            at = run.end;
        }
        Ok(column)
    }

    fn locations(&self, chunk: Chunk) -> &[PageLocation] {
        self.metadata
            .page_index()
            .and_then(|index| index.offset_index(chunk.group, chunk.column))
            .map_or(&[], |index| index.page_locations().as_slice())
    }

    fn verify(&self, start: u64, bytes: &Bytes) -> Result<(), BlockError> {
        let first = start / PIECE;
        for (piece, bytes) in (first..).zip(bytes.chunks(PIECE as usize)) {
            let at = usize::try_from(piece).unwrap_or(usize::MAX);
            if self.checksums.get(at) != Some(&crc32c::crc32c(bytes)) {
                let what = "the checksum is wrong";
                return Err(BlockError::Damaged(Damage::new(
                    &self.path,
                    piece * PIECE,
                    what,
                )));
            }
        }
        Ok(())
    }
}

/// Parts of a file, as what the Parquet reader takes for a file.
#[derive(Debug)]
pub(super) struct Sparse {
    bytes: u64,
    /// Each with where it begins; ascending.
    parts: Vec<(u64, Bytes)>,
}

impl Length for Sparse {
    fn len(&self) -> u64 {
        self.bytes
    }
}

impl ChunkReader for Sparse {
    type T = bytes::buf::Reader<Bytes>;

    fn get_read(&self, start: u64) -> ParquetResult<Self::T> {
        Ok(self.from(start)?.reader())
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        let rest = self.from(start)?;
        if rest.len() < length {
            return Err(ParquetError::EOF(format!("no bytes at {start}+{length}")));
        }
        Ok(rest.slice(..length))
    }
}

impl Sparse {
    /// What there is from an offset on, without a gap.
    fn from(&self, start: u64) -> ParquetResult<Bytes> {
        let after = self.parts.partition_point(|(begin, _)| *begin <= start);
        let found = after.checked_sub(1).and_then(|at| self.parts.get(at));
        let (begin, bytes) = found.ok_or_else(|| ParquetError::EOF(format!("no byte {start}")))?;
        let skipped = usize::try_from(start - begin)?;
        if skipped > bytes.len() {
            return Err(ParquetError::EOF(format!("no byte {start}")));
        }
        Ok(bytes.slice(skipped..))
    }
}

/// Reads ranges of an object. An object that is missing or too short is damage.
pub(super) async fn fetch(
    objects: &dyn ObjectStore,
    path: &Path,
    ranges: &[Range<u64>],
) -> Result<Vec<Bytes>, BlockError> {
    let fetched = match ranges {
        [] => return Ok(Vec::new()),
        [range] => objects
            .get_range(path, range.clone())
            .await
            .map(|it| vec![it]),
        ranges => objects.get_ranges(path, ranges).await,
    };
    let parts = match fetched {
        Ok(parts) => parts,
        Err(error @ object_store::Error::NotFound { .. }) => {
            // Who does not find the rest of the block either may be asking in the wrong place: a
            // bucket behind a proxy that answers for it, or one that somebody else writes by now.
            let (block, _) = path.as_ref().rsplit_once('/').unwrap_or_default();
            return Err(match objects.head(&Path::from(block).join(META)).await {
                Ok(_) => Damage::new(path, 0, "the file is missing").into(),
                Err(_) => ObjectsError::new("read", path, error).into(),
            });
        }
        Err(error) => {
            // A range beyond the end has no error of its own; the size tells.
            let needed = ranges.iter().map(|range| range.end).max().unwrap_or(0);
            return Err(match objects.head(path).await {
                Ok(head) if head.size < needed => {
                    Damage::new(path, head.size, "the file is cut off").into()
                }
                _ => ObjectsError::new("read", path, error).into(),
            });
        }
    };
    for (range, part) in ranges.iter().zip(&parts) {
        if part.len() as u64 != range.end - range.start {
            let end = range.start + part.len() as u64;
            return Err(BlockError::Damaged(Damage::new(
                path,
                end,
                "the file is cut off",
            )));
        }
    }
    Ok(parts)
}

/// The pieces that hold some ranges, neighbours joined.
fn whole_pieces(ranges: &[Range<u64>], end: u64) -> Vec<Range<u64>> {
    let mut sorted: Vec<_> = ranges
        .iter()
        .map(|range| range.start / PIECE * PIECE..range.end.next_multiple_of(PIECE).min(end))
        .filter(|range| range.start < range.end)
        .collect();
    sorted.sort_by_key(|range| range.start);
    let mut joined: Vec<Range<u64>> = Vec::new();
    for range in sorted {
        match joined.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => joined.push(range),
        }
    }
    joined
}

fn checksums(metadata: &ParquetMetaData) -> Option<Vec<u32>> {
    let pairs = metadata.file_metadata().key_value_metadata()?;
    let pair = pairs.iter().find(|pair| pair.key == CHECKSUMS)?;
    let digits = pair.value.as_ref()?;
    let words = (0..digits.len()).step_by(8);
    words
        .map(|at| u32::from_str_radix(digits.get(at..at + 8)?, 16).ok())
        .collect()
}

fn offset(page: &PageLocation) -> Range<u64> {
    let start = u64::try_from(page.offset).unwrap_or(0);
    let length = u64::try_from(page.compressed_page_size).unwrap_or(0);
    start..start.saturating_add(length)
}

fn row(page: &PageLocation) -> u64 {
    u64::try_from(page.first_row_index).unwrap_or(0)
}
