//! Deliveries as version 1 wrote them: each row with the text of its labels. Only read, so that a
//! start after an upgrade finds what was acknowledged before it.

use crate::append::{Delivery, Row};
use crate::labels::Labels;
use crate::read::Sample;

use super::super::codec::Reader;
use super::parts;

pub(super) const VERSION: u8 = 1;

pub(super) fn take_delivery(from: &mut Reader<'_>) -> Option<Delivery> {
    let mut delivery = parts::take_opening(from)?;
    delivery.rows = take_rows(from)?;
    delivery.exemplars = parts::take_exemplars(from)?;
    Some(delivery)
}

fn take_rows(from: &mut Reader<'_>) -> Option<Vec<Row>> {
    let count = from.length()?;
    // A row takes ten bytes at least.
    let mut rows = Vec::with_capacity(count.min(from.0.len() / 10));
    let mut previous_ms = 0i64;
    for _ in 0..count {
        let labels = Labels::from_encoded(from.text()?)?;
        let at_ms = previous_ms.wrapping_add(from.signed()?);
        let value = f64::from_le_bytes(from.array()?);
        rows.push(Row {
            labels,
            sample: Sample { at_ms, value },
        });
        previous_ms = at_ms;
    }
    Some(rows)
}

/// The payload of such a delivery, so that tests have files of that version.
#[cfg(test)]
pub(super) fn put_delivery(out: &mut super::super::codec::Writer, delivery: &Delivery) {
    parts::put_opening(out, delivery);
    out.number(delivery.rows.len() as u64);
    let mut previous_ms = 0i64;
    for row in &delivery.rows {
        out.text(row.labels.as_encoded());
        out.signed(row.sample.at_ms.wrapping_sub(previous_ms));
        out.bytes(&row.sample.value.to_le_bytes());
        previous_ms = row.sample.at_ms;
    }
    parts::put_exemplars(out, &delivery.exemplars);
}
