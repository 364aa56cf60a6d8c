//! The names of one collection's series in one buffer.
//!
//! Design constraints: a few thousand names must take no more than some tens of kilobytes for as long
//! as the agent runs, and packing them must cost no allocation a series. Nothing is looked up in it:
//! it is only ever read from its beginning to its end.
//!
//! - The buffer is a row of entries. The first byte of an entry is 0 for a family, whose name (a length
//!   and that many bytes) and kind (a byte) follow and hold for the entries behind it; otherwise it is
//!   1 for a series whose name is the family's and 2, 3, 4 for its `_bucket`, `_sum` and `_count`.
//! - A series' labels are a block: for each label, sorted by name, the length of the name, the name, the
//!   length of the value, the value. Labels that are empty or the target's own are left out. So one
//!   series has one block, however its source orders its labels.
//! - Of a block are written: how many bytes at its beginning are those of the block before, the length
//!   of the rest, and the rest. Neighbours differ in little but their last label.
//! - Lengths are varints: seven bits a byte, the lowest first.

use wire::metric::{Family, Kind, Label, Point, Suffix};

const FAMILY: u8 = 0;
const KINDS: [Kind; 5] = [
    Kind::Counter,
    Kind::Gauge,
    Kind::Histogram,
    Kind::Summary,
    Kind::Untyped,
];
const SUFFIXES: [Suffix; 4] = [Suffix::None, Suffix::Bucket, Suffix::Sum, Suffix::Count];

/// Names of series.
#[derive(Debug, Default)]
pub(super) struct Packed {
    buffer: Vec<u8>,
}

/// One series.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry<'a> {
    pub(super) name: &'a str,
    pub(super) kind: Kind,
    pub(super) suffix: Suffix,
    /// The labels; equal for equal labels.
    pub(super) block: &'a [u8],
}

/// Packs series one after the other.
pub(super) struct Packing<'a> {
    target: &'a [Label],
    most_bytes: usize,
    buffer: Vec<u8>,
    /// The family whose header waits until a series of it is kept.
    family: Option<(&'a str, Kind)>,
    suffix: Suffix,
    block: Vec<u8>,
    /// The block of the series kept last.
    former: Vec<u8>,
    /// Where the labels of the series at hand stand in their point, sorted by name.
    order: Vec<usize>,
    left_out: usize,
}

impl Packed {
    /// Begins packing into at most `most_bytes`; `expected` is what it took last time.
    pub(super) fn packing(target: &[Label], most_bytes: usize, expected: usize) -> Packing<'_> {
        Packing {
            target,
            most_bytes,
            buffer: Vec::with_capacity(expected),
            family: None,
            suffix: Suffix::None,
            block: Vec::new(),
            former: Vec::new(),
            order: Vec::new(),
            left_out: 0,
        }
    }

    /// How much memory the names take.
    pub(super) fn bytes(&self) -> usize {
        self.buffer.capacity()
    }

    /// Reads every series, in the order in which they were kept.
    pub(super) fn each(&self, mut visit: impl FnMut(Entry<'_>)) {
        let mut rest = &self.buffer[..];
        let mut block = Vec::new();
        let (mut name, mut kind) = ("", Kind::Untyped);
        while let Some(tag) = take_byte(&mut rest) {
            if tag == FAMILY {
                let Some(family) = take_family(&mut rest) else {
                    return;
                };
                (name, kind) = family;
                continue;
            }
            let suffix = SUFFIXES.get(usize::from(tag) - 1);
            let (Some(suffix), Some(())) = (suffix, take_block(&mut rest, &mut block)) else {
                return;
            };
            visit(Entry {
                name,
                kind,
                suffix: *suffix,
                block: &block,
            });
        }
    }
}

impl<'a> Packing<'a> {
    /// Begins a family.
    pub(super) fn family(&mut self, family: &'a Family) {
        self.family = Some((&family.name, family.kind));
    }

    /// The series of a point of that family, not kept yet.
    pub(super) fn entry(&mut self, family: &'a Family, point: &Point) -> Entry<'_> {
        let Self { target, order, .. } = &mut *self;
        let is_own = |label: &Label| !label.value.is_empty() && !target.contains(label);
        order.clear();
        order.extend((0..point.labels.len()).filter(|place| is_own(&point.labels[*place])));
        order.sort_by_key(|place| &point.labels[*place].name);
        self.block.clear();
        for place in &self.order {
            let Label { name, value } = &point.labels[*place];
            put_text(&mut self.block, name.as_bytes());
            put_text(&mut self.block, value.as_bytes());
        }
        self.suffix = point.suffix;
        Entry {
            name: &family.name,
            kind: family.kind,
            suffix: point.suffix,
            block: &self.block,
        }
    }

    /// Keeps the series that was made last, if it still fits.
    pub(super) fn keep(&mut self) {
        let began = self.buffer.len();
        if let Some((name, kind)) = self.family {
            self.buffer.push(FAMILY);
            put_text(&mut self.buffer, name.as_bytes());
            self.buffer.push(place_of(&KINDS, kind));
        }
        self.buffer.push(place_of(&SUFFIXES, self.suffix) + 1);
        let same = |(a, b): &(&u8, &u8)| a == b;
        let shared = self.block.iter().zip(&self.former).take_while(same).count();
        put_length(&mut self.buffer, shared);
        put_text(&mut self.buffer, &self.block[shared..]);
        if self.buffer.len() > self.most_bytes {
            self.buffer.truncate(began);
            self.left_out += 1;
            return;
        }
        self.family = None;
        self.former.clone_from(&self.block);
    }

    /// The names, and how many series did not fit.
    pub(super) fn finish(mut self) -> (Packed, usize) {
        self.buffer.shrink_to_fit();
        let packed = Packed {
            buffer: self.buffer,
        };
        (packed, self.left_out)
    }
}

impl Entry<'_> {
    /// The labels, sorted by name.
    pub(super) fn labels(&self) -> Vec<Label> {
        let mut rest = self.block;
        let mut labels = Vec::new();
        while let Some(name) = take_text(&mut rest) {
            let Some(value) = take_text(&mut rest) else {
                break;
            };
            labels.push(Label::new(name.to_owned(), value.to_owned()));
        }
        labels
    }
}

fn place_of<T: PartialEq>(all: &[T], one: T) -> u8 {
    let place = all.iter().position(|other| *other == one);
    place
        .and_then(|place| u8::try_from(place).ok())
        .unwrap_or(0)
}

fn put_length(out: &mut Vec<u8>, mut length: usize) {
    while length >= 0x80 {
        out.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
}

fn put_text(out: &mut Vec<u8>, text: &[u8]) {
    put_length(out, text.len());
    out.extend_from_slice(text);
}

fn take_byte(rest: &mut &[u8]) -> Option<u8> {
    let (byte, after) = rest.split_first()?;
    *rest = after;
    Some(*byte)
}

fn take_length(rest: &mut &[u8]) -> Option<usize> {
    let mut length = 0;
    for shift in (0..usize::BITS).step_by(7) {
        let byte = take_byte(rest)?;
        length |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(length);
        }
    }
    None
}

fn take_bytes<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = take_length(rest)?;
    let (bytes, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(bytes)
}

fn take_text<'a>(rest: &mut &'a [u8]) -> Option<&'a str> {
    std::str::from_utf8(take_bytes(rest)?).ok()
}

fn take_family<'a>(rest: &mut &'a [u8]) -> Option<(&'a str, Kind)> {
    let name = take_text(rest)?;
    let kind = KINDS.get(usize::from(take_byte(rest)?))?;
    Some((name, *kind))
}

/// Makes of the block before the one that follows.
fn take_block(rest: &mut &[u8], block: &mut Vec<u8>) -> Option<()> {
    block.truncate(take_length(rest)?);
    block.extend_from_slice(take_bytes(rest)?);
    Some(())
}

#[cfg(test)]
mod tests;
