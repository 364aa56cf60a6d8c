//! Samples of one series, packed.
//!
//! What it owns: the bytes, and what is needed to append to them. Nothing here goes to disk.
//!
//! Constraints, in the order of their weight: every time and every bit of every value comes back,
//! NaN payloads included; a sample is appended without looking at those before the last; times may
//! come in any order; a series that stands still, or counts by small whole numbers, costs a byte or
//! two a sample at the most, for most series of a fleet do one or the other.
//!
//! ```text
//! chunk  := time signed varint, value f64 bits, entry*
//! entry  := control u8 [step change signed varint] [value]
//! control:  bit 0: the step to this sample differs from the step before, and the change follows
//!           bits 1-7: the value: 0 the same; 1 a whole number, its difference follows as a signed
//!           varint; 2 + 8z + (n-1): the XOR with the value before, z zero bytes at its low end left
//!           out, n bytes following
//!           0xff: a run; the number of samples follows, each the same value at the same step
//! ```

/// What a run looks like; no other control has bit 0 and this value at once.
const RUN: u8 = 0xff;
const SAME: u8 = 0;
const WHOLE: u8 = 1;
const XOR: u8 = 2;

/// Whole numbers up to here are exact, and so is every difference of two.
const MOST_WHOLE: f64 = 9_007_199_254_740_992.0;

/// A chunk that can be appended to.
#[derive(Clone, Debug, Default)]
pub(super) struct Chunk {
    bytes: Vec<u8>,
    count: u32,
    last_ms: i64,
    step_ms: i64,
    value: u64,
    /// Whether the bytes end with a run that can be lengthened.
    in_run: bool,
}

/// The samples of packed bytes, in the order in which they were appended.
#[derive(Clone, Debug)]
pub(super) struct Samples<'a> {
    rest: &'a [u8],
    started: bool,
    last_ms: i64,
    step_ms: i64,
    value: u64,
    run: u8,
}

impl Chunk {
    /// With room for so many bytes before it has to grow.
    pub(super) fn with_room(bytes: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(bytes),
            ..Self::default()
        }
    }

    pub(super) fn push(&mut self, at_ms: i64, value: f64) {
        let bits = value.to_bits();
        self.count += 1;
        if self.bytes.is_empty() {
            put_signed(&mut self.bytes, at_ms);
            self.bytes.extend_from_slice(&bits.to_le_bytes());
            (self.last_ms, self.value) = (at_ms, bits);
            return;
        }
        let step_ms = at_ms.wrapping_sub(self.last_ms);
        let change_ms = step_ms.wrapping_sub(self.step_ms);
        if change_ms == 0 && bits == self.value {
            self.push_same();
        } else {
            self.push_entry(change_ms, bits);
        }
        (self.last_ms, self.step_ms, self.value) = (at_ms, step_ms, bits);
    }

    pub(super) fn count(&self) -> u32 {
        self.count
    }

    /// The last sample.
    pub(super) fn last(&self) -> Option<(i64, u64)> {
        (self.count > 0).then_some((self.last_ms, self.value))
    }

    pub(super) fn samples(&self) -> Samples<'_> {
        Samples::of(&self.bytes)
    }

    /// The bytes alone, without room to grow.
    pub(super) fn seal(self) -> Box<[u8]> {
        self.bytes.into_boxed_slice()
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    fn push_same(&mut self) {
        if self.in_run
            && let Some(length) = self.bytes.last_mut()
            && *length < u8::MAX
        {
            *length += 1;
            return;
        }
        self.grow(2);
        self.bytes.extend_from_slice(&[RUN, 1]);
        self.in_run = true;
    }

    fn push_entry(&mut self, change_ms: i64, bits: u64) {
        self.grow(24);
        self.in_run = false;
        let control = self.bytes.len();
        self.bytes.push(0);
        if change_ms != 0 {
            put_signed(&mut self.bytes, change_ms);
        }
        let kind = self.put_value(bits);
        self.bytes[control] = kind << 1 | u8::from(change_ms != 0);
    }

    fn put_value(&mut self, bits: u64) -> u8 {
        if bits == self.value {
            return SAME;
        }
        if let (Some(before), Some(now)) = (whole(self.value), whole(bits)) {
            put_signed(&mut self.bytes, now - before);
            return WHOLE;
        }
        let xor = bits ^ self.value;
        let zeros = xor.trailing_zeros() / 8;
        let length = 8 - xor.leading_zeros() / 8 - zeros;
        let bytes = (xor >> (8 * zeros)).to_le_bytes();
        self.bytes.extend_from_slice(&bytes[..length as usize]);
        // Both are below eight.
        #[allow(clippy::cast_possible_truncation)]
        let kind = XOR + (8 * zeros + (length - 1)) as u8;
        kind
    }

    /// Room for one entry more: by a quarter, for there is a chunk in every series and doubling
    /// would leave a third of them empty.
    fn grow(&mut self, room: usize) {
        let free = self.bytes.capacity() - self.bytes.len();
        if free < room {
            self.bytes.reserve_exact(room + self.bytes.len() / 4);
        }
    }
}

impl<'a> Samples<'a> {
    /// The samples of bytes that a chunk was sealed into.
    pub(super) fn of(bytes: &'a [u8]) -> Self {
        Self {
            rest: bytes,
            started: false,
            last_ms: 0,
            step_ms: 0,
            value: 0,
            run: 0,
        }
    }

    fn entry(&mut self) -> Option<()> {
        let control = self.byte()?;
        if control == RUN {
            self.run = self.byte()?;
            return self.step();
        }
        if control & 1 == 1 {
            self.step_ms = self.step_ms.wrapping_add(self.signed()?);
        }
        match control >> 1 {
            SAME => {}
            WHOLE => {
                let before = whole(self.value)?;
                let now = before.wrapping_add(self.signed()?);
                self.value = exact(now).to_bits();
            }
            xor => {
                let (zeros, length) = ((xor - XOR) / 8, (xor - XOR) % 8 + 1);
                let (bytes, rest) = self.rest.split_at_checked(usize::from(length))?;
                self.rest = rest;
                let mut whole = [0; 8];
                whole[..bytes.len()].copy_from_slice(bytes);
                self.value ^= u64::from_le_bytes(whole) << (8 * u32::from(zeros));
            }
        }
        self.last_ms = self.last_ms.wrapping_add(self.step_ms);
        Some(())
    }

    fn step(&mut self) -> Option<()> {
        self.run = self.run.checked_sub(1)?;
        self.last_ms = self.last_ms.wrapping_add(self.step_ms);
        Some(())
    }

    fn first(&mut self) -> Option<()> {
        self.last_ms = self.signed()?;
        let (bits, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        self.value = u64::from_le_bytes(*bits);
        self.started = true;
        Some(())
    }

    fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*byte)
    }

    fn signed(&mut self) -> Option<i64> {
        let mut number = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                break;
            }
        }
        Some((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
    }
}

impl Iterator for Samples<'_> {
    type Item = (i64, f64);

    fn next(&mut self) -> Option<(i64, f64)> {
        match (self.started, self.run) {
            (false, _) => self.first()?,
            (true, 0) => self.entry()?,
            (true, _) => self.step()?,
        }
        Some((self.last_ms, f64::from_bits(self.value)))
    }
}

fn put_signed(out: &mut Vec<u8>, number: i64) {
    let mut rest = ((number << 1) ^ (number >> 63)).cast_unsigned();
    while rest >= 0x80 {
        out.push(rest.to_le_bytes()[0] | 0x80);
        rest >>= 7;
    }
    out.push(rest.to_le_bytes()[0]);
}

/// The value as a whole number, if it is one that differences keep exact. Minus nought is not.
fn whole(bits: u64) -> Option<i64> {
    let value = f64::from_bits(bits);
    // Within the bound the conversion is exact or rounds to another number, which is then told.
    #[allow(clippy::cast_possible_truncation)]
    let number = value as i64;
    (value.abs() <= MOST_WHOLE && exact(number).to_bits() == bits).then_some(number)
}

fn exact(number: i64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::read::STALE;

    fn check(samples: &[(i64, f64)]) -> usize {
        let mut chunk = Chunk::default();
        for (at_ms, value) in samples {
            chunk.push(*at_ms, *value);
        }
        assert_eq!(chunk.count() as usize, samples.len());
        let bits = |(at_ms, value): (i64, f64)| (at_ms, value.to_bits());
        let expected: Vec<_> = samples.iter().copied().map(bits).collect();
        let open: Vec<_> = chunk.samples().map(bits).collect();
        assert_eq!(open, expected);
        assert_eq!(chunk.last(), expected.last().copied());
        let sealed = chunk.seal();
        let read: Vec<_> = Samples::of(&sealed).map(bits).collect();
        assert_eq!(read, expected);
        sealed.len()
    }

    #[test]
    fn every_value_comes_back() {
        check(&[]);
        check(&[(0, 0.0), (i64::MIN, -0.0), (i64::MAX, f64::NAN), (1, STALE)]);
        check(&[(5, STALE), (5, STALE), (4, 1.0), (4, f64::INFINITY)]);
        check(&[(1, MOST_WHOLE), (2, -MOST_WHOLE), (3, f64::MIN), (4, 0.1)]);
    }

    #[test]
    fn what_stands_still_or_counts_is_small() {
        let still: Vec<_> = (0..1_000).map(|i| (i * 15_000, 7.5)).collect();
        assert!(check(&still) < 40);
        let counting: Vec<_> = (0..1_000i64).map(|i| (i * 15_000, exact(i * 40))).collect();
        assert!(check(&counting) < 2_200);
    }

    proptest! {
        #[test]
        fn any_samples_come_back(
            samples in prop::collection::vec((any::<i64>(), any::<u64>().prop_map(f64::from_bits)), 0..50),
            steps in prop::collection::vec((0i64..3, -3i64..3), 0..800),
        ) {
            check(&samples);
            let (mut at_ms, mut value) = (0, 0);
            let walk: Vec<_> = steps
                .iter()
                .map(|(step, change)| {
                    at_ms += step * 1_000;
                    value += change / 2;
                    (at_ms, exact(value))
                })
                .collect();
            check(&walk);
        }
    }
}
