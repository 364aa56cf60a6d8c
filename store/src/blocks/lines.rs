//! The table of a thinned-out block: a row for each line, written and read.

use std::ops::Range;
use std::sync::Arc;

use parquet::data_type::{DoubleType, Int32Type, Int64Type};

use crate::labels::Labels;

use super::catalog::{Catalog, Plan, Target};
use super::damage::{BlockError, WriteError};
use super::find::Block;
use super::layout::{Entry, recipe, required};
use super::meta::Meta;
use super::objects::SAMPLES;
use super::rollup::Line;
use super::rows::{Runs, by_group};
use super::sheet::{Coding, Recipe, Sheet};
use super::table::{Chunk, Sparse, Table};
use super::work;

const LINES_SCHEMA: &str = "message lines {
    required int32 series (INTEGER(32, false));
    required int64 time (TIMESTAMP(MILLIS, true));
    required int64 first_time (TIMESTAMP(MILLIS, true));
    required int64 count;
    required double min;
    required double max;
    required double sum;
    required double first;
    required double last;
    required double increase;
}";
const TIME: usize = 1;
const FIRST_TIME: usize = 2;
const COUNT: usize = 3;
/// The first of the columns of numbers.
const NUMBERS: usize = 4;
/// The columns of numbers, in their order.
const PARTS: [fn(&Line) -> f64; 6] = [
    |line| line.min,
    |line| line.max,
    |line| line.sum,
    |line| line.first,
    |line| line.last,
    |line| line.increase,
];

/// Lines of one row group, at 80 bytes each.
const GROUP: usize = 256 << 10;
const PAGE: usize = 16 << 10;

/// A thinned-out block under way.
pub(super) struct LineWriter {
    catalog: Catalog,
    sheet: Sheet,
    entries: Vec<Entry>,
    lines: Vec<Line>,
}

impl LineWriter {
    pub(super) fn create(target: &Target, plan: Plan) -> Result<Self, WriteError> {
        Ok(Self {
            sheet: plan.sheet(target, SAMPLES, LINES_SCHEMA)?,
            catalog: Catalog::create(target, plan)?,
            entries: Vec::new(),
            lines: Vec::new(),
        })
    }

    /// Takes the next series; one without lines is left out.
    pub(super) fn push(&mut self, labels: Labels, lines: Vec<Line>) -> Result<(), WriteError> {
        self.catalog.expect_next(&labels)?;
        let (Some(first), Some(last)) = (lines.first(), lines.last()) else {
            return Ok(());
        };
        let ends = (first.first_ms, last.last_ms);
        self.entries
            .push(self.catalog.claim(labels, ends, lines.len())?);
        self.lines.extend(lines);
        if self.lines.len() >= GROUP {
            self.flush()?;
        }
        Ok(())
    }

    /// Completes the block: on return it is durable and visible.
    pub(super) fn finish(mut self) -> Result<Meta, WriteError> {
        self.flush()?;
        let lines_file = self.sheet.finish()?;
        self.catalog.commit(lines_file)
    }

    fn flush(&mut self) -> Result<(), WriteError> {
        let lines = std::mem::take(&mut self.lines);
        let entries = std::mem::take(&mut self.entries);
        if lines.is_empty() {
            return Ok(());
        }
        let series: Vec<i32> = entries
            .iter()
            .flat_map(|entry| {
                let rows = entry.rows.end - entry.rows.start;
                std::iter::repeat_n(entry.series.cast_signed(), rows as usize)
            })
            .collect();
        let [plain, split, delta] =
            [Coding::Plain, Coding::Split, Coding::Delta].map(|coding| recipe(coding, PAGE));
        let dictionary = recipe(Coding::Dictionary, PAGE);
        let times = |of: fn(&Line) -> i64| lines.iter().map(of).collect::<Vec<_>>();
        let numbered = Recipe {
            statistics: true,
            ..delta
        };
        let sheet = &self.sheet;
        let mut columns = vec![sheet.encode::<Int32Type>(0, &required(&series), &[numbered])?];
        let whole: [fn(&Line) -> i64; 3] =
            [|line| line.last_ms, |line| line.first_ms, |line| line.count];
        for (at, of) in whole.into_iter().enumerate() {
            let values = times(of);
            let recipes = [plain, split, delta, dictionary];
            columns.push(sheet.encode::<Int64Type>(TIME + at, &required(&values), &recipes)?);
        }
        for (at, of) in PARTS.into_iter().enumerate() {
            let values: Vec<f64> = lines.iter().map(of).collect();
            let recipes = [split, plain, dictionary];
            let column = NUMBERS + at;
            columns.push(sheet.encode::<DoubleType>(column, &required(&values), &recipes)?);
        }
        self.sheet.write(columns)?;
        self.catalog.extend(entries.into_iter())
    }
}

/// The lines of each of some series, given by their rows, which ascend.
pub(super) async fn read(
    block: &Block,
    wanted: &[Range<u64>],
) -> Result<Vec<Vec<Line>>, BlockError> {
    let table = block.samples().await?;
    let mut lines = Vec::with_capacity(wanted.len());
    for Runs { group, runs } in by_group(&table, wanted)? {
        let chunks = (TIME..NUMBERS + PARTS.len()).map(|column| Chunk { group, column });
        let pages: Vec<_> = chunks.flat_map(|it| table.pages(it, &runs)).collect();
        let sparse = Arc::new(table.fetch(block.objects(), &pages).await?);
        let table = Arc::clone(&table);
        let decoding = move || decode(&table, &sparse, group, &runs);
        lines.extend(work::decode(block.file(SAMPLES), decoding).await?);
    }
    Ok(lines)
}

fn decode(
    table: &Table,
    sparse: &Arc<Sparse>,
    group: usize,
    runs: &[Range<u64>],
) -> Result<Vec<Vec<Line>>, BlockError> {
    let whole = |column| table.read::<Int64Type>(sparse, Chunk { group, column }, runs);
    let number = |column| table.read::<DoubleType>(sparse, Chunk { group, column }, runs);
    let (last_ms, first_ms) = (whole(TIME)?.values, whole(FIRST_TIME)?.values);
    let count = whole(COUNT)?.values;
    let mut numbers = Vec::with_capacity(PARTS.len());
    for column in NUMBERS..NUMBERS + PARTS.len() {
        numbers.push(number(column)?.values);
    }
    let at = |column: usize, row: usize| {
        let value = numbers.get(column).and_then(|values| values.get(row));
        value.copied().unwrap_or(f64::NAN)
    };
    let times = last_ms.into_iter().zip(first_ms).zip(count);
    let mut lines = times
        .enumerate()
        .map(|(row, ((last_ms, first_ms), count))| Line {
            first_ms,
            last_ms,
            count,
            min: at(0, row),
            max: at(1, row),
            sum: at(2, row),
            first: at(3, row),
            last: at(4, row),
            increase: at(5, row),
        });
    let series = runs.iter().map(|rows| {
        lines
            .by_ref()
            .take((rows.end - rows.start) as usize)
            .collect()
    });
    Ok(series.collect())
}

/// The lines of some rows of the table of series, in their order.
pub(super) async fn of_entries(
    block: &Block,
    entries: Vec<Entry>,
) -> Result<Vec<(Labels, Vec<Line>)>, BlockError> {
    // Lines lie in the order of labels, as entries do.
    let wanted: Vec<_> = entries.iter().map(|entry| entry.rows.clone()).collect();
    let lines = read(block, &wanted).await?;
    Ok(entries.into_iter().map(|it| it.labels).zip(lines).collect())
}
