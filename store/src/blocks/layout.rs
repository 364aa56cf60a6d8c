//! The two tables of a block: their columns, and how rows become column chunks and come back.
//!
//! FORMAT.md describes them for people.

use std::ops::Range;
use std::sync::Arc;

use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int32Type, Int64Type};

use crate::labels::{Labels, METRIC_NAME};

use super::damage::{BlockError, Damage, WriteError};
use super::decimal;
use super::sheet::{Coding, Effort, Encoded, Recipe, Sheet, Values};
use super::table::{Chunk, Column, Sparse, Table};

pub(super) const SAMPLES_SCHEMA: &str = "message samples {
    required int32 series (INTEGER(32, false));
    required int64 time (TIMESTAMP(MILLIS, true));
    optional double value;
    optional int64 units;
    optional int32 scale (INTEGER(8, true));
}";
pub(super) const TIME: usize = 1;
pub(super) const VALUE: usize = 2;
pub(super) const UNITS: usize = 3;
pub(super) const SCALE: usize = 4;

pub(super) const SERIES_SCHEMA: &str = "message series {
    required int32 series (INTEGER(32, false));
    optional binary metric (STRING);
    required group labels (MAP) {
        repeated group key_value {
            required binary key (STRING);
            required binary value (STRING);
        }
    }
    required int64 first_time (TIMESTAMP(MILLIS, true));
    required int64 last_time (TIMESTAMP(MILLIS, true));
    required int64 first_row;
    required int64 rows;
}";
const KEY: usize = 2;
const LABEL_VALUE: usize = 3;
const FIRST_TIME: usize = 4;
const LAST_TIME: usize = 5;
const FIRST_ROW: usize = 6;
const ROWS: usize = 7;

/// A page of values: large enough to compress, small enough to read for a single series.
const VALUE_PAGE: usize = 32 << 10;
/// Times repeat from series to series, and only within a page does compression see it.
const TIME_PAGE: usize = 4 << 20;
const WHOLE: usize = usize::MAX;

/// A row of the table of series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) labels: Labels,
    /// Its number in the table of samples.
    pub(super) series: u32,
    pub(super) first_ms: i64,
    pub(super) last_ms: i64,
    /// Where its samples are in that table.
    pub(super) rows: Range<u64>,
}

/// What the values of a row group have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    /// Of each series every sample has the same value.
    Constant,
    /// Nearly all are decimal numbers.
    Decimal,
    /// Anything.
    Float,
}

/// A row group of samples before it is encoded.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) class: Class,
    pub(super) series: Vec<i32>,
    pub(super) times: Vec<i64>,
    pub(super) values: Vec<f64>,
    /// Of each row, where the class is decimal.
    pub(super) scales: Vec<u8>,
}

impl Group {
    pub(super) fn new(class: Class) -> Self {
        Self {
            class,
            series: Vec::new(),
            times: Vec::new(),
            values: Vec::new(),
            scales: Vec::new(),
        }
    }

    pub(super) fn write(&self, sheet: &mut Sheet, effort: Effort) -> Result<(), WriteError> {
        let series = sheet.encode::<Int32Type>(
            0,
            &required(&self.series),
            &[Recipe {
                statistics: true,
                ..recipe(Coding::Delta, VALUE_PAGE)
            }],
        )?;
        let times = sheet.encode::<Int64Type>(
            TIME,
            &required(&self.times),
            &[
                recipe(Coding::Plain, TIME_PAGE),
                recipe(Coding::Delta, VALUE_PAGE),
            ],
        )?;
        let [value, units, scale] = self.encode_values(sheet, effort)?;
        sheet.write(vec![series, times, value, units, scale])
    }

    fn encode_values(&self, sheet: &Sheet, effort: Effort) -> Result<[Encoded; 3], WriteError> {
        let mut levels = Vec::with_capacity(self.values.len());
        let mut units = Vec::new();
        let mut scales = Vec::new();
        let mut odd = Vec::new();
        for (at, value) in self.values.iter().enumerate() {
            let scale = self.scales.get(at).copied();
            match scale.and_then(|scale| Some((scale, decimal::units(*value, scale)?))) {
                Some((scale, exact)) => {
                    units.push(exact);
                    scales.push(i32::from(scale));
                    levels.push(1);
                }
                None => {
                    odd.push(*value);
                    levels.push(0);
                }
            }
        }
        let inverse: Vec<i16> = levels.iter().map(|level| 1 - level).collect();
        let plain = recipe(Coding::Plain, VALUE_PAGE);
        let split = recipe(Coding::Split, VALUE_PAGE);
        let dictionary = recipe(Coding::Dictionary, VALUE_PAGE);
        let thorough = effort == Effort::Thorough;
        let value_recipes: &[Recipe] = match self.class {
            Class::Constant | Class::Decimal => &[dictionary],
            Class::Float if thorough => &[split, plain, dictionary],
            Class::Float => &[split],
        };
        let delta = recipe(Coding::Delta, VALUE_PAGE);
        let unit_recipes: &[Recipe] = if thorough { &[split, delta] } else { &[split] };
        Ok([
            sheet.encode::<DoubleType>(VALUE, &optional(&odd, &inverse), value_recipes)?,
            sheet.encode::<Int64Type>(UNITS, &optional(&units, &levels), unit_recipes)?,
            sheet.encode::<Int32Type>(SCALE, &optional(&scales, &levels), &[dictionary])?,
        ])
    }
}

/// Writes a row group of the table of series.
pub(super) fn write_series(sheet: &mut Sheet, entries: &[Entry]) -> Result<(), WriteError> {
    let dictionary = recipe(Coding::Dictionary, WHOLE);
    let delta = recipe(Coding::Delta, WHOLE);
    let (metrics, metric_levels) = metrics(entries);
    let pairs = Pairs::of(entries);
    let numbers = |of: fn(&Entry) -> i64| entries.iter().map(of).collect::<Vec<_>>();
    let series: Vec<i32> = entries.iter().map(|it| it.series.cast_signed()).collect();
    let labels = |values| Values {
        values,
        levels: Some(&pairs.levels),
        repeats: Some(&pairs.repeats),
    };
    let bloom = Recipe {
        bloom: true,
        ..dictionary
    };
    let columns = vec![
        sheet.encode::<Int32Type>(0, &required(&series), &[delta])?,
        sheet.encode::<ByteArrayType>(1, &optional(&metrics, &metric_levels), &[bloom])?,
        sheet.encode::<ByteArrayType>(KEY, &labels(&pairs.keys), &[dictionary])?,
        sheet.encode::<ByteArrayType>(LABEL_VALUE, &labels(&pairs.values), &[bloom])?,
        sheet.encode::<Int64Type>(FIRST_TIME, &required(&numbers(|it| it.first_ms)), &[delta])?,
        sheet.encode::<Int64Type>(LAST_TIME, &required(&numbers(|it| it.last_ms)), &[delta])?,
        sheet.encode::<Int64Type>(
            FIRST_ROW,
            &required(&numbers(|it| it.rows.start.cast_signed())),
            &[delta],
        )?,
        sheet.encode::<Int64Type>(
            ROWS,
            &required(&numbers(|it| (it.rows.end - it.rows.start).cast_signed())),
            &[delta, dictionary],
        )?,
    ];
    sheet.write(columns)
}

/// Reads a row group of the table of series, of which `sparse` has all pages.
pub(super) fn read_series(
    table: &Table,
    sparse: &Arc<Sparse>,
    group: usize,
) -> Result<Vec<Entry>, BlockError> {
    let all = std::slice::from_ref(&(0..table.rows(group))).to_vec();
    let numbers = |column| -> Result<Vec<i64>, BlockError> {
        let chunk = Chunk { group, column };
        Ok(table.read::<Int64Type>(sparse, chunk, &all)?.values)
    };
    let texts = |column| table.read::<ByteArrayType>(sparse, Chunk { group, column }, &all);
    let series = table.read::<Int32Type>(sparse, Chunk { group, column: 0 }, &all)?;
    let labels = join_labels(&texts(KEY)?, &texts(LABEL_VALUE)?);
    let (first, last) = (numbers(FIRST_TIME)?, numbers(LAST_TIME)?);
    let (first_row, rows) = (numbers(FIRST_ROW)?, numbers(ROWS)?);
    let entries: Option<Vec<Entry>> = labels.and_then(|labels| {
        let columns = labels.into_iter().zip(series.values);
        let columns = columns.zip(first.iter().zip(&last));
        columns
            .zip(first_row.iter().zip(&rows))
            .map(|(((labels, series), (first, last)), (row, rows))| {
                let start = u64::try_from(*row).ok()?;
                Some(Entry {
                    labels,
                    series: series.cast_unsigned(),
                    first_ms: *first,
                    last_ms: *last,
                    rows: start..start.checked_add(u64::try_from(*rows).ok()?)?,
                })
            })
            .collect()
    });
    entries.ok_or_else(|| {
        let what = "the series make no sense";
        BlockError::Damaged(Damage::new(table.path(), 0, what))
    })
}

/// Where the names of the metrics of a row group are.
pub(super) fn metric_chunk(group: usize) -> Chunk {
    Chunk { group, column: 1 }
}

/// The name of each series' metric, of which `sparse` has all pages.
pub(super) fn read_metrics(
    table: &Table,
    sparse: &Arc<Sparse>,
) -> Result<Vec<Option<String>>, BlockError> {
    let mut names = Vec::new();
    for group in 0..table.groups() {
        let all = 0..table.rows(group);
        let chunk = metric_chunk(group);
        let metrics = table.read::<ByteArrayType>(sparse, chunk, std::slice::from_ref(&all))?;
        let mut texts = metrics.values.iter();
        for level in &metrics.levels {
            let text = (*level > 0).then(|| texts.next()).flatten();
            names.push(text.map(|text| text.as_utf8().unwrap_or_default().to_owned()));
        }
    }
    Ok(names)
}

fn metrics(entries: &[Entry]) -> (Vec<ByteArray>, Vec<i16>) {
    let names = entries.iter().map(|entry| entry.labels.get(METRIC_NAME));
    let levels = names
        .clone()
        .map(|name| i16::from(name.is_some()))
        .collect();
    (names.flatten().map(ByteArray::from).collect(), levels)
}

/// The pairs of all labels of a row group, as Parquet lays nested values out.
#[derive(Default)]
struct Pairs {
    keys: Vec<ByteArray>,
    values: Vec<ByteArray>,
    levels: Vec<i16>,
    repeats: Vec<i16>,
}

impl Pairs {
    fn of(entries: &[Entry]) -> Self {
        let mut pairs = Self::default();
        for entry in entries {
            let mut repeat = 0;
            for (name, value) in entry.labels.iter() {
                pairs.keys.push(name.into());
                pairs.values.push(value.into());
                pairs.levels.push(1);
                pairs.repeats.push(repeat);
                repeat = 1;
            }
            if repeat == 0 {
                pairs.levels.push(0);
                pairs.repeats.push(0);
            }
        }
        pairs
    }
}

/// The labels of each row; nothing if the two columns do not fit each other.
fn join_labels(keys: &Column<ByteArray>, values: &Column<ByteArray>) -> Option<Vec<Labels>> {
    if keys.levels != values.levels || keys.repeats != values.repeats {
        return None;
    }
    let mut all = Vec::new();
    let mut pairs: Vec<(&str, &str)> = Vec::new();
    let mut texts = keys.values.iter().zip(&values.values);
    for (at, level) in keys.levels.iter().enumerate() {
        if at > 0 && keys.repeats.get(at) == Some(&0) {
            all.push(Labels::from_pairs(pairs.drain(..)));
        }
        if *level > 0 {
            let (key, value) = texts.next()?;
            pairs.push((key.as_utf8().ok()?, value.as_utf8().ok()?));
        }
    }
    if !keys.levels.is_empty() {
        all.push(Labels::from_pairs(pairs.drain(..)));
    }
    Some(all)
}

pub(super) fn recipe(coding: Coding, page_rows: usize) -> Recipe {
    Recipe {
        coding,
        page_rows,
        statistics: false,
        bloom: false,
    }
}

pub(super) fn required<T>(values: &[T]) -> Values<'_, T> {
    Values {
        values,
        levels: None,
        repeats: None,
    }
}

fn optional<'a, T>(values: &'a [T], levels: &'a [i16]) -> Values<'a, T> {
    Values {
        values,
        levels: Some(levels),
        repeats: None,
    }
}
