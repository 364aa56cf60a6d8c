//! The rows of a delivery as columns: the series' numbers, the times, the values.
//!
//! Constraints: what a sender gives again and again in one order takes a few bytes besides its values;
//! any other order is read back as well; no count is believed that the bytes at hand cannot fill.

use crate::append::Row;
use crate::read::Sample;

use super::super::codec::{Reader, Writer};

/// Bytes that a row's number takes at the most: alone in its run one varint of 35 bits, and in a
/// longer run at least two rows share that and another one of 32.
pub(super) const MAX_NUMBER_BYTES: usize = 6;

const VALUE_BYTES: usize = size_of::<f64>();

/// Series of which the numbers follow each other, as the rows do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::journal) struct Run {
    pub(in crate::journal) first: u32,
    /// At least one.
    pub(in crate::journal) count: u32,
}

/// The series of all rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::journal) struct Runs(pub(in crate::journal) Vec<Run>);

impl Runs {
    pub(in crate::journal) fn push(&mut self, number: u32) {
        if let Some(last) = self.0.last_mut()
            && last.first.checked_add(last.count) == Some(number)
        {
            last.count += 1;
            return;
        }
        self.0.push(Run {
            first: number,
            count: 1,
        });
    }

    pub(super) fn put(&self, out: &mut Writer) {
        let mut expected = 0i64;
        for run in &self.0 {
            let step = i64::from(run.first) - expected;
            let zigzag = ((step << 1) ^ (step >> 63)).cast_unsigned();
            out.number(zigzag << 1 | u64::from(run.count > 1));
            if run.count > 1 {
                out.number(u64::from(run.count) - 2);
            }
            expected = i64::from(run.first) + i64::from(run.count);
        }
    }

    pub(super) fn take(from: &mut Reader<'_>, rows: usize) -> Option<Self> {
        let mut runs = Vec::new();
        let (mut taken, mut expected) = (0usize, 0i64);
        while taken < rows {
            let word = from.number()?;
            let zigzag = word >> 1;
            let step = (zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed();
            let count = match word & 1 {
                0 => 1,
                _ => u32::try_from(from.number()?).ok()?.checked_add(2)?,
            };
            let first = u32::try_from(expected.checked_add(step)?).ok()?;
            first.checked_add(count - 1)?;
            runs.push(Run { first, count });
            taken = taken.checked_add(count as usize)?;
            expected = i64::from(first) + i64::from(count);
        }
        (taken == rows).then_some(Self(runs))
    }
}

pub(super) fn put_samples(out: &mut Writer, rows: &[Row]) {
    put_times(out, rows);
    // The first bytes of all values, then the second ones, and so on: what the values have in common
    // lies together.
    for byte in 0..VALUE_BYTES {
        let bytes = rows.iter().map(|row| row.sample.value.to_le_bytes()[byte]);
        out.0.extend(bytes);
    }
}

/// Runs of the same step from row to row.
fn put_times(out: &mut Writer, rows: &[Row]) {
    let mut previous_ms = 0i64;
    let mut run: Option<(i64, u64)> = None;
    for row in rows {
        let step = row.sample.at_ms.wrapping_sub(previous_ms);
        previous_ms = row.sample.at_ms;
        match &mut run {
            Some((same, count)) if *same == step => *count += 1,
            _ => {
                put_run(out, run);
                run = Some((step, 1));
            }
        }
    }
    put_run(out, run);
}

fn put_run(out: &mut Writer, run: Option<(i64, u64)>) {
    if let Some((step, count)) = run {
        out.signed(step);
        out.number(count);
    }
}

pub(super) fn take_samples(from: &mut Reader<'_>, rows: usize) -> Option<Vec<Sample>> {
    if rows > from.0.len() / VALUE_BYTES {
        return None;
    }
    let mut samples = Vec::with_capacity(rows);
    let mut at_ms = 0i64;
    while samples.len() < rows {
        let step = from.signed()?;
        let count = usize::try_from(from.number()?).ok()?;
        if count == 0 || count > rows - samples.len() {
            return None;
        }
        for _ in 0..count {
            at_ms = at_ms.wrapping_add(step);
            samples.push(Sample { at_ms, value: 0.0 });
        }
    }
    let values = from.bytes(rows.checked_mul(VALUE_BYTES)?)?;
    let mut planes = [&values[..0]; VALUE_BYTES];
    for (plane, bytes) in planes.iter_mut().zip(values.chunks_exact(rows.max(1))) {
        *plane = bytes;
    }
    for (row, sample) in samples.iter_mut().enumerate() {
        sample.value = f64::from_le_bytes(planes.map(|plane| plane[row]));
    }
    Some(samples)
}
