//! What the numbers of a segment's series stand for.

use crate::append::AppendError;
use crate::labels::Labels;

use super::super::codec::{Reader, Writer};
use super::{SERIES, frame_of};

/// Text in one record: what is lost where the record is damaged, and so is its copy.
const MAX_TEXT: usize = 64 << 10;

/// Series with numbers that follow each other.
#[derive(Debug, PartialEq)]
pub(in crate::journal) struct Definitions {
    pub(in crate::journal) first: u32,
    pub(in crate::journal) labels: Vec<Labels>,
}

/// Frames that define series, numbered from `first` on.
pub(in crate::journal) fn encode_series(
    first: u32,
    labels: &[&Labels],
) -> Result<Vec<u8>, AppendError> {
    let mut frames = Vec::new();
    let mut from = 0;
    while from < labels.len() {
        let mut texts = Writer::default();
        let mut to = from;
        while to < labels.len() && texts.0.len() < MAX_TEXT {
            texts.text(labels[to].as_encoded());
            to += 1;
        }
        let mut payload = Writer::default();
        payload.number(u64::from(first) + from as u64);
        payload.number((to - from) as u64);
        payload.bytes(&texts.0);
        frame_of(&mut frames, SERIES, &payload.0)?;
        from = to;
    }
    Ok(frames)
}

pub(super) fn take_series(from: &mut Reader<'_>) -> Option<Definitions> {
    let first = u32::try_from(from.number()?).ok()?;
    let count = from.length()?;
    first.checked_add(u32::try_from(count).ok()?)?;
    let mut labels = Vec::new();
    for _ in 0..count {
        labels.push(Labels::from_encoded(from.text()?)?);
    }
    Some(Definitions { first, labels })
}
