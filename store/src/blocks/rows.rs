//! Reading the samples of series: times first, then the values of those that are wanted.

use std::ops::Range;
use std::sync::Arc;

use parquet::data_type::{DoubleType, Int32Type, Int64Type};

use crate::read::{Sample, TimeRange};

use super::damage::{BlockError, Damage};
use super::decimal;
use super::find::Block;
use super::layout::{SCALE, TIME, UNITS, VALUE};
use super::table::{Chunk, Sparse, Table};
use super::times::Cut;
use super::work;

/// The samples in `range` of each of some series, given by their rows, which ascend.
pub(super) async fn read(
    block: &Block,
    wanted: &[Range<u64>],
    range: TimeRange,
) -> Result<Vec<Vec<Sample>>, BlockError> {
    let table = block.samples().await?;
    let mut samples = Vec::with_capacity(wanted.len());
    for Runs { group, runs } in by_group(&table, wanted)? {
        let times = read_times(block, &table, group, runs, range).await?;
        samples.extend(read_values(block, &table, group, times).await?);
    }
    Ok(samples)
}

/// Rows of a row group, counted from its first.
pub(super) struct Runs {
    pub(super) group: usize,
    pub(super) runs: Vec<Range<u64>>,
}

/// The rows within a row group whose time is wanted, of one series, and their times.
struct Wanted {
    rows: Range<u64>,
    times: Cut,
}

impl Wanted {
    fn of(rows: Range<u64>, times: Cut, range: TimeRange) -> Self {
        let all = times.as_slice();
        let from = all.partition_point(|time| *time < range.from_ms);
        let to = all.partition_point(|time| *time <= range.to_ms).max(from);
        Self {
            rows: rows.start + from as u64..rows.start + to as u64,
            times: times.narrow(from..to),
        }
    }
}

/// Which rows of which row group; a series never spans two.
pub(super) fn by_group(table: &Table, wanted: &[Range<u64>]) -> Result<Vec<Runs>, BlockError> {
    let mut groups = Vec::new();
    let mut wanted = wanted.iter().peekable();
    let mut start = 0;
    for group in 0..table.groups() {
        let end = start + table.rows(group);
        let mut runs = Vec::new();
        while let Some(rows) =
            wanted.next_if(|rows| rows.start >= start && rows.start < end && rows.end <= end)
        {
            runs.push(rows.start - start..rows.end - start);
        }
        if !runs.is_empty() {
            groups.push(Runs { group, runs });
        }
        start = end;
    }
    match wanted.next() {
        None => Ok(groups),
        Some(rows) => Err(BlockError::Damaged(Damage::new(
            table.path(),
            0,
            format_args!("there are no rows {}..{}", rows.start, rows.end),
        ))),
    }
}

async fn read_times(
    block: &Block,
    table: &Arc<Table>,
    group: usize,
    runs: Vec<Range<u64>>,
    range: TimeRange,
) -> Result<Vec<Wanted>, BlockError> {
    if let Some(times) = block.times(group).await? {
        let missing = || {
            let what = "a row has no time";
            BlockError::Damaged(Damage::new(table.path(), 0, what))
        };
        let cut = runs.into_iter().map(|rows| {
            let times = times.cut(&rows).ok_or_else(missing)?;
            Ok(Wanted::of(rows, times, range))
        });
        return cut.collect();
    }
    let chunk = Chunk {
        group,
        column: TIME,
    };
    let pages = table.pages(chunk, &runs);
    let sparse = Arc::new(table.fetch(block.objects(), &pages).await?);
    let decoding = Arc::clone(table);
    work::decode(table.path().clone(), move || {
        let all = decoding.read::<Int64Type>(&sparse, chunk, &runs)?.values;
        let mut at = 0;
        let cut = runs.into_iter().map(|rows| {
            let end = at + (rows.end - rows.start) as usize;
            let times = all.get(at..end).unwrap_or_default();
            at = end;
            Wanted::of(rows, Cut::Own(times.to_vec()), range)
        });
        Ok(cut.collect())
    })
    .await
}

async fn read_values(
    block: &Block,
    table: &Arc<Table>,
    group: usize,
    series: Vec<Wanted>,
) -> Result<Vec<Vec<Sample>>, BlockError> {
    let runs: Vec<_> = series
        .iter()
        .map(|times| times.rows.clone())
        .filter(|rows| !rows.is_empty())
        .collect();
    let pages: Vec<_> = [VALUE, UNITS, SCALE]
        .into_iter()
        .map(|column| Chunk { group, column })
        .filter(|chunk| !table.is_empty(*chunk))
        .flat_map(|chunk| table.pages(chunk, &runs))
        .collect();
    let sparse = Arc::new(table.fetch(block.objects(), &pages).await?);
    let decoding = Arc::clone(table);
    work::decode(table.path().clone(), move || {
        let values = decode_values(&decoding, &sparse, group, &runs)?;
        let mut values = values.into_iter();
        let joined = series.into_iter().map(|Wanted { times, .. }| {
            let pairs = times.as_slice().iter().zip(values.by_ref());
            pairs
                .map(|(at_ms, value)| Sample {
                    at_ms: *at_ms,
                    value,
                })
                .collect()
        });
        Ok(joined.collect())
    })
    .await
}

/// The values of rows, each from whichever column has it.
fn decode_values(
    table: &Table,
    sparse: &Arc<Sparse>,
    group: usize,
    runs: &[Range<u64>],
) -> Result<Vec<f64>, BlockError> {
    let chunk = |column| Chunk { group, column };
    let count: u64 = runs.iter().map(|rows| rows.end - rows.start).sum();
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    let has = |column| !table.is_empty(chunk(column));
    if !has(UNITS) {
        let values = table.read::<DoubleType>(sparse, chunk(VALUE), runs)?.values;
        return complete(table, values, count);
    }
    let units = table.read::<Int64Type>(sparse, chunk(UNITS), runs)?;
    let scales = table.read::<Int32Type>(sparse, chunk(SCALE), runs)?;
    let odd = match has(VALUE) {
        true => table.read::<DoubleType>(sparse, chunk(VALUE), runs)?.values,
        false => Vec::new(),
    };
    let mut decimals = units.values.iter().zip(&scales.values);
    let mut odd = odd.into_iter();
    let values = units.levels.iter().map_while(|level| match level {
        0 => odd.next(),
        _ => decimals
            .next()
            .and_then(|(units, scale)| decimal::value(*units, *scale)),
    });
    complete(table, values.collect(), count)
}

fn complete(table: &Table, values: Vec<f64>, count: usize) -> Result<Vec<f64>, BlockError> {
    if values.len() == count {
        return Ok(values);
    }
    let what = "a row has no value";
    Err(BlockError::Damaged(Damage::new(table.path(), 0, what)))
}
